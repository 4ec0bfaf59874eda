"""The command line. Commands are thin: heavy libraries are imported when a command runs, so that --help is instant."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.reporting import reported

app = typer.Typer(
    name="perennial",
    help="Keeps text models current: validate, fine-tune, export, judge, promote.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EXIT_CODES = {"promoted": 0, "skipped": 0, "observed": 0, "held": 3, "rejected": 4}
OUTCOME_CODES = {"PROMOTE": 0, "HOLD": 3, "REJECT": 4}

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines, and nothing else.")]


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: --set training.epochs=1. Repeatable."),
    ] = None,
    reread: Annotated[bool, typer.Option(help="Read the source from its beginning into a new snapshot.")] = False,
    profile: Annotated[
        bool, typer.Option(help="Write a flame graph and show where the time of each step went.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Retrain a pipeline once, now: what is new in the data is validated, learned, judged and, if better, promoted.

    Exit code: 0 promoted, skipped or only observed, 3 held, 4 rejected, 2 invalid pipeline or usage, 1 anything else.
    """
    with reported(as_json, pipeline):
        from flows import environment
        from perennial import spec_file
        from perennial.home import Home

        spec = spec_file.read(spec_file.find(pipeline), overrides or ())
        home = Home.from_environment()
        environment.prepare(home)
        from flows import console, prefect_server, preload, summary
        from flows.profile_commands import profiled

        prefect_server.embed(home, meanwhile=preload.for_a_run)
        from flows.remembered import remembered
        from flows.retrain import retrain
        from perennial.artifacts import Trigger

        with console.watched(), profiled(profile, spec.name, home):
            result = remembered(spec, home, Trigger(), lambda: retrain(pipeline, tuple(overrides or ()), reread))
        if as_json:
            _print_json(summary.as_json(result, home))
        else:
            from rich.console import Console

            summary.show(result, spec, home, Console())
        raise typer.Exit(EXIT_CODES[result.status.value])


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The new pipeline's name; also the model's name in the registry.")],
    data: Annotated[Path, typer.Option("--data", help="A CSV, TSV, JSONL or Parquet file, plain or gzipped.")],
    kind: Annotated[
        str | None,
        typer.Option(
            help="text-classification, text-pair, multi-label, token-classification or regression, if it is not the "
            "one recognised."
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column that holds the text.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="The column that holds the other text of a pair.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that holds the label, the list of labels or the number.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="The column that holds lists of tokens.")] = None,
    tags: Annotated[str | None, typer.Option(help="The column that holds a tag for each token.")] = None,
    spans: Annotated[str | None, typer.Option(help="The column that holds lists of start, end and label.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row came to be.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="The column with a stable row id.")] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="A column to keep with each row, such as a region or a product. Repeatable."),
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between CSV cells, if it is not the one found.")] = None,
    force: Annotated[bool, typer.Option(help="Replace the pipeline if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Look at a file of labelled text and write pipelines/NAME/pipeline.yaml for it."""
    with reported(as_json, name):
        from perennial import init as starting
        from perennial.spec_file import PIPELINES

        with _watching(as_json):
            guess = starting.plan(
                name,
                data,
                kind=kind,
                text=text,
                text_pair=text_pair,
                label=label,
                tokens=tokens,
                tags=tags,
                spans=spans,
                time=time,
                id=id_column,
                slices=slices,
                delimiter=delimiter,
            )
            path = starting.write(guess, PIPELINES / name, force=force)
        if as_json:
            _print_json({**guess.as_json(), "path": str(path), "next": f"perennial run {name}"})
        else:
            from flows import guesses

            guesses.show(guess, path)


@app.command()
def tune(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    trials: Annotated[int, typer.Option(min=1, help="Settings to try in this search, each a fine-tuning.")] = 12,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin no further trial after so many; one at work goes on to its end.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As for run: --set training.max_rows=5000. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the settings that are drawn.")] = 42,
    write: Annotated[
        bool, typer.Option("--write", help="Put the best settings into pipeline.yaml; its comments stay.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look for better settings of training: how fast, how long and in what batches a pipeline learns.

    The first trial has the settings as they are; the others are drawn by Optuna. Each is judged on the validation rows,
    never on test rows, and one that falls behind is cut short after some epochs. What was tried is remembered: the next
    search on the same data goes on from there, also after Ctrl-C, and one on new data starts with the best so far.
    Nothing is registered, and pipeline.yaml changes only with --write. A trial takes about as long as the training of
    `perennial run`, which is refused meanwhile; a scheduled run is skipped.
    """
    with reported(as_json, pipeline):
        from flows import tune_commands

        with _watching(as_json):
            found, written = tune_commands.tune(pipeline, overrides or (), trials, minutes, seed, write=write)
        if as_json:
            _print_json(tune_commands.as_json(found, written))
        else:
            tune_commands.show(found, pipeline, written)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; none: a file, or standard input.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", "--file", "--input", help="A CSV, TSV, JSONL, Parquet or text file, plain or gzipped."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column with the text, if it is not the pipeline's.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between CSV cells, if it is not a comma.")] = None,
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of to standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Answer texts with the champion, one JSON line each: the input's columns, then label, score and scores."""
    with reported(as_json, model):
        from flows import answering

        answering.answer(model, texts or [], data, column, delimiter, version, out, as_json=as_json)


@app.command()
def serve(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[
        str | None, typer.Option(help="Serve this version always; default: whichever is champion.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: for other machines, too.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one; the log says which.")] = 8000,
    wait: Annotated[
        bool, typer.Option("--wait", help="Start before there is a champion; answer 503 until there is one.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting: --set serving.poll_seconds=5. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON objects, one a line.")] = False,
) -> None:
    """Answer texts over HTTP, with whichever version is champion: promotions and `rollback` take effect in seconds.

    curl -d '{"texts": ["Profit warning sends shares down"]}' http://127.0.0.1:8000/predict

    Rows with several columns go as {"rows": [{"text": …, "text_pair": …}]}. GET /healthz, /readyz, /metrics and / tell
    how it is. Requests that come while the model is busy are answered together. A new champion is fetched, verified and
    asked before it takes over, and no request is dropped. If that fails, or the registry is down, the version before
    goes on serving, and log and /metrics say why. SIGTERM or Ctrl-C: requests under way are answered, then it ends.
    Limits: `serving` in docs/settings.md. Exit code: 0 told to end, 1 can't serve, 2 wrong usage.
    """
    with reported(as_json, model):
        from flows import serving_command

        serving_command.serve(model, version, host, port, overrides or (), wait=wait, as_json=as_json)


@app.command()
def behaviours(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a model the behavioural tests of its pipeline, as they are now, and show what failed, with the texts.

    For writing behaviours.yaml: nothing is trained, stored or promoted. Exit code: 0, or 4 if a test is below its rate.
    """
    with reported(as_json, pipeline):
        from flows import behaviour_commands

        with _watching(as_json):
            behaved = behaviour_commands.ask(pipeline, version)
        if as_json:
            _print_json(behaviour_commands.as_json(behaved))
        else:
            behaviour_commands.show(behaved)
        raise typer.Exit(0 if behaved.is_good else 4)


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str, typer.Argument(help="The version's number.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="Copy it to this MLflow, such as production's, and promote it there: https://mlflow.example, or the "
            "name of an environment variable that holds the address.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Copy it to the model of this name, promote it there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Finish a run that was judged but could not be promoted, such as while MLflow was down. Nothing is trained again.

    Only if its decision is PROMOTE, and the champion is still the one that it was judged against.
    With --to or --as, another registry's or model's champion is meant: the version is copied there with its evidence,
    judged again if another champion serves there than it was judged against, and promoted if it passes.
    """
    with reported(as_json, model):
        from flows import registry_commands

        with _watching(as_json):
            ended = registry_commands.promote(model, version, to, name)
        _answer(registry_commands.as_json(ended), registry_commands.in_words(ended), as_json)
        raise typer.Exit(EXIT_CODES[ended.status.value])


@app.command()
def review(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    version: Annotated[str | None, typer.Option(help="The version whose model is asked; default: the newest.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write here; default: NAME-vN-review.csv. A file that is there is kept.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most; those the model contradicts most.")] = 200,
    as_json: Json = False,
) -> None:
    """Write the test and validation rows whose labels the model contradicts to a file, with their texts, to correct.

    In its column `label` write the right label, or `drop`, where the given label is wrong; leave the others empty.
    Then name the file in data.corrections: the next run takes it in.
    """
    with reported(as_json, pipeline):
        from flows import review_commands

        with _watching(as_json):
            model, number, done = review_commands.write(pipeline, version, out, limit)
        words = review_commands.in_words(model, number, done)
        _answer(review_commands.as_json(model, number, done), words, as_json)


@app.command()
def decide(
    run: Annotated[
        str,
        typer.Argument(
            help="A model's name, an MLflow run's id, or a folder with the predictions.parquet and contest.json of one."
        ),
    ],
    version: Annotated[str | None, typer.Argument(help="Of a model: the version; default: the champion.")] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Apply this pipeline's gates instead of those that were applied; for a folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a decision again from the stored answers of the models alone, and say whether it is the registered one.

    No model is asked anything, and nothing is changed. With --pipeline: what would other gates have said?
    Exit code: 0 PROMOTE, 3 HOLD, 4 REJECT.
    """
    with reported(as_json, run):
        from flows import decide_commands

        with _watching(as_json):
            found = decide_commands.decide(run, version, pipeline)
        if as_json:
            _print_json(decide_commands.as_json(found))
        else:
            decide_commands.show(found)
        raise typer.Exit(OUTCOME_CODES[found.decision.outcome.value])


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A model's name, or an MLflow run's id.")],
    version: Annotated[str | None, typer.Option(help="Of a model: the version; default: the newest.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Copy the page there.")] = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Show it in the browser.")] = True,
    as_json: Json = False,
) -> None:
    """Open the report of a run: the decision and all it rests on, as one HTML page that needs no network.

    It comes from this machine's store, or else from MLflow. Without a display, only its path is printed.
    """
    with reported(as_json, run):
        from flows import report_command

        with _watching(as_json):
            found = report_command.find(run, version, out)
        if as_json:
            _print_json(report_command.as_json(found))
            return
        typer.echo(found.path)  # in one line, however long, so that it can be copied
        if open_page:
            report_command.open_page(found.path)


@app.command()
def approve(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str | None, typer.Argument(help="The version's number; default: the challenger.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Let a candidate that passed its gates serve, where `registry.approval` is `required`.

    If the champion changed since, the candidate is judged again, against the new one.
    """
    with reported(as_json, model):
        from flows import registry_commands

        with _watching(as_json):
            ended = registry_commands.approve(model, version, reason)
        _answer(registry_commands.as_json(ended), registry_commands.in_words(ended), as_json)
        raise typer.Exit(EXIT_CODES[ended.status.value])


@app.command()
def reject(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    version: Annotated[str | None, typer.Argument(help="The version's number; default: the challenger.")] = None,
    as_json: Json = False,
) -> None:
    """Refuse a candidate that awaits approval; it can't be approved any more."""
    with reported(as_json, model):
        from flows import registry_commands

        with _watching(as_json):
            ended = registry_commands.reject(model, version, reason)
        _answer(registry_commands.as_json(ended), registry_commands.in_words(ended), as_json)


@app.command()
def rollback(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    to: Annotated[str | None, typer.Option(help="A version that was champion; default: the one before.")] = None,
    as_json: Json = False,
) -> None:
    """Let a former champion serve again, now: it is fetched, checked, loaded and asked, then the alias moves."""
    with reported(as_json, model):
        from flows import registry_commands

        with _watching(as_json):
            done = registry_commands.rollback(model, to, reason)
        _answer(registry_commands.rolled_back_as_json(done), registry_commands.rolled_back_in_words(done), as_json)


@app.command()
def reconcile(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="ledger|registry",
            help="ledger: its champion serves again. registry: what the alias in MLflow says is right, even if that is "
            "no champion. Default: only say how they disagree.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Where MLflow's aliases or versions were changed outside of Perennial: say which is right, ledger or registry.

    Until then no candidate is promoted. The version that is to be champion is fetched, checked, loaded and asked first.
    Exit code: 0 they agree (now), 3 they disagree.
    """
    with reported(as_json, model):
        from flows import registry_commands
        from perennial.registry.agreement import Disagreement

        with _watching(as_json):
            done = registry_commands.reconcile(model, keep, reason)
        words = registry_commands.reconciled_in_words(model, done)
        _answer(registry_commands.reconciled_as_json(model, done), words, as_json)
        raise typer.Exit(3 if isinstance(done, Disagreement) else 0)


@app.command()
def history(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Say who was champion then: 2026-01-31T12:00Z; UTC by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was done to a model's champions, when, by whom and why."""
    with reported(as_json, model):
        from flows import registry_commands

        if at is None:
            registry_commands.show_history(model, as_json=as_json)
        else:
            registry_commands.show_champion_at(model, at, as_json=as_json)


@app.command()
def runs(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    limit: Annotated[int, typer.Option(min=1, help="Runs at most, the newest.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the last runs of a pipeline: why each was started, how it ended and why, failed and skipped ones too."""
    with reported(as_json, pipeline):
        from flows import run_commands

        name, found = run_commands.recent(pipeline, limit)
        if as_json:
            _print_json(run_commands.as_json(name, found))
        else:
            run_commands.show(name, found)


@app.command()
def drift(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    as_json: Json = False,
) -> None:
    """Show how far the rows that came since the champion was trained are from those it was trained on.

    Reads what is new in the source, or in triggers.source, and compares it window by window. Nothing is trained.
    """
    with reported(as_json, pipeline):
        from flows import drift_commands

        with _watching(as_json):
            found, is_armed = drift_commands.look(pipeline)
        if as_json:
            _print_json(drift_commands.as_json(found, is_armed))
        else:
            drift_commands.show(found, is_armed)


@app.command()
def reproduce(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str, typer.Argument(help="The version's number.")],
    tolerance: Annotated[
        float, typer.Option(min=0, help="What a metric on the test rows may differ by and still be the same.")
    ] = 0.01,
    pipeline: Annotated[
        str | None,
        typer.Option(help="The pipeline whose folder holds the base model and corrections; default: the model's name."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="A new folder to work in and keep; default: a temporary one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a version again from its own evidence, and say whether the same comes out. Nothing is registered or moved.

    Rows, settings and base model are those of its run, found by its tags and verified by digest; the steps are done in
    a store of their own, by the code and libraries that are installed. It takes as long as the run did.
    Identical: every digest and figure. Same: the rows and the decision are the same, and each metric on the test rows
    is within --tolerance, in parts of its value where that is above 1; bits may differ between machines and numbers of
    threads. Exit code: 0 identical or same, 4 different, 1 if something that it was made from can't be had.
    """
    with reported(as_json, model):
        from flows import reproduce_commands

        with _watching(as_json):
            found = reproduce_commands.reproduce(model, version, pipeline, into, tolerance)
        if as_json:
            _print_json(reproduce_commands.as_json(found))
        else:
            reproduce_commands.show(found)
        raise typer.Exit(4 if found.sameness.value == "different" else 0)


@app.command()
def gc(
    pipelines: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only the old versions of these, and what only they were made from; none: of all, and what killed "
            "runs left."
        ),
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="The newest versions of each model to keep.")] = 5,
    keep_days: Annotated[float, typer.Option(min=0, help="Versions to keep because they are younger, in days.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go, and why.")] = False,
    as_json: Json = False,
) -> None:
    """Free disk: remove old versions' packages from MLflow, and from the store what nothing needs any more.

    Kept, whatever its age: champion, previous, challenger and what awaits approval, with all that made them; every
    version that --keep or --keep-days names; all rows read so far, so that the next run stays incremental; and all that
    is younger than a day. A removed version keeps its number, its figures and its place in the history, but can't serve
    any more. If MLflow or any record can't be read, or a run is at work, nothing is removed.
    """
    with reported(as_json):
        from flows import retention_commands

        with _watching(as_json):
            cleared = retention_commands.clear_out(pipelines or (), keep, keep_days, dry_run=dry_run)
        if as_json:
            _print_json(retention_commands.as_json(cleared))
        else:
            retention_commands.show(cleared)


@app.command()
def schedule(
    pipelines: Annotated[
        list[str] | None, typer.Argument(help="Names under pipelines/, folders or files; none: all with a schedule.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only show what runs when; starts nothing.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Let nothing start these any more, until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let them go on after --pause.")] = False,
    at_once: Annotated[int, typer.Option(min=1, help="Runs of different pipelines at a time.")] = 1,
    as_json: Json = False,
) -> None:
    """Retrain by the pipelines' schedules, and when new data lands, until Ctrl-C.

    Prefect does it: the server of PREFECT_API_URL, or one of its own, whose page this prints. A pipeline has one run at
    a time. Ticks that were missed while nothing ran are made up for by one run. With PREFECT_API_URL set, a worker
    elsewhere can do the runs instead: docs/scheduling.md.
    """
    with reported(as_json):
        from flows import schedule_commands

        asked = [mode for mode, wanted in (("list", list_only), ("pause", pause), ("resume", resume)) if wanted]
        schedule_commands.act(pipelines or (), asked, at_once, as_json=as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation, and how to mend it. Exit code 1 if something is."""
    with reported(as_json):
        from flows import health
        from perennial import doctor as checking
        from perennial.home import Home

        with _watching(as_json):
            findings = checking.examine(Home.from_environment())
        if as_json:
            _print_json(health.as_json(findings))
        else:
            health.show(findings)
        raise typer.Exit(1 if health.is_ill(findings) else 0)


def main() -> None:
    """The entry point `perennial`."""
    app()


def _watching(as_json: bool) -> Any:
    from contextlib import nullcontext

    if as_json:
        return nullcontext()
    from flows import console

    return console.watched()


def _answer(value: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        from rich.console import Console

        Console().print(words, markup=False, highlight=False)


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
