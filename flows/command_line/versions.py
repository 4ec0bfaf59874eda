"""Commands on versions and runs: promote, approve, roll back, look into, judge or make again, clear out."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.options import EXIT_CODES, OUTCOME_CODES, Json, answer, print_json, watching
from flows.failures import reported


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

    Only if its decision, by the ledger, is PROMOTE, and the champion is still the one that it was judged against; one
    that was judged long ago (registry.approval_days), or before test rows came, is judged again. After a rollback it
    waits for `perennial approve`.
    With --to or --as, another registry's or model's champion is meant: the version is copied there with its evidence,
    judged again if another champion serves there than it was judged against, and promoted if it passes.
    """
    with reported(as_json, model):
        from flows.commands import registry

        with watching(as_json):
            ended = registry.promote(model, version, to, name)
        answer(registry.conclusion_as_json(ended), registry.conclusion_in_words(ended), as_json)
        raise typer.Exit(EXIT_CODES[ended.status.value])


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
        from flows.commands import review

        with watching(as_json):
            model, number, done = review.write(pipeline, version, out, limit)
        words = review.review_in_words(model, number, done)
        answer(review.review_as_json(model, number, done), words, as_json)


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
    judging: Annotated[
        int | None, typer.Option(min=1, help="Of a version judged again: which time, from 1; default: the last.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a decision again from the stored answers of the models alone, and say whether it is the registered one.

    No model is asked anything, and nothing is changed. With --pipeline: what would other gates have said?
    Exit code: 0 PROMOTE, 3 HOLD, 4 REJECT.
    """
    with reported(as_json, run):
        from flows.commands import decide

        with watching(as_json):
            redecided = decide.decide(run, version, pipeline, judging)
        if as_json:
            print_json(decide.decision_as_json(redecided))
        else:
            decide.show_decision(redecided)
        raise typer.Exit(OUTCOME_CODES[redecided.decision.outcome.value])


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
        from flows.commands import report

        with watching(as_json):
            page = report.fetch_report(run, version, out)
        if as_json:
            print_json(report.report_as_json(page))
            return
        typer.echo(page.path)  # in one line, however long, so that it can be copied
        if open_page:
            report.open_page(page.path)


def approve(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str | None, typer.Argument(help="The version's number; default: the challenger.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Let a candidate that passed its gates serve, where `registry.approval` is `required`.

    If the champion changed since, test rows came, or registry.approval_days have passed, the candidate is judged again,
    on the newest rows of this store. One whose place a newer challenger took can't be approved.
    """
    with reported(as_json, model):
        from flows.commands import registry

        with watching(as_json):
            ended = registry.approve(model, version, reason)
        answer(registry.conclusion_as_json(ended), registry.conclusion_in_words(ended), as_json)
        raise typer.Exit(EXIT_CODES[ended.status.value])


def reject(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    version: Annotated[str | None, typer.Argument(help="The version's number; default: the challenger.")] = None,
    as_json: Json = False,
) -> None:
    """Refuse a candidate that awaits approval; it can't be approved any more."""
    with reported(as_json, model):
        from flows.commands import registry

        with watching(as_json):
            ended = registry.reject(model, version, reason)
        answer(registry.conclusion_as_json(ended), registry.conclusion_in_words(ended), as_json)


def rollback(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    to: Annotated[str | None, typer.Option(help="A version that was champion; default: the one before.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rows that were complained of, each with the right label: CSV, TSV, JSONL or Parquet, columns as in "
            "the pipeline. A candidate that answers all of them rightly is promoted without a person.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a former champion serve again, now: it is fetched, checked, loaded and asked, then the alias moves.

    From then on candidates that pass their gates wait for `perennial approve`, until `perennial resume`.
    """
    with reported(as_json, model):
        from flows.commands import registry

        with watching(as_json):
            done = registry.roll_back(model, to, reason, rows)
        answer(registry.rolled_back_as_json(done), registry.rolled_back_in_words(done), as_json)


def resume(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    as_json: Json = False,
) -> None:
    """After a rollback: let runs promote by themselves again, whatever rows were complained of.

    A paused schedule is another matter: `perennial schedule --resume`.
    """
    with reported(as_json, model):
        from flows.commands import registry

        with watching(as_json):
            done = registry.resume(model, reason)
        answer(registry.resumed_as_json(done), registry.resumed_in_words(done), as_json)


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
        from flows.commands import registry
        from perennial.registry.agreement import Disagreement

        with watching(as_json):
            done = registry.reconcile(model, keep, reason)
        words = registry.reconciled_in_words(model, done)
        answer(registry.reconciled_as_json(model, done), words, as_json)
        raise typer.Exit(3 if isinstance(done, Disagreement) else 0)


def history(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Say who was champion then: 2026-01-31T12:00Z; UTC by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was done to a model's champions, when, by whom and why."""
    with reported(as_json, model):
        from flows.commands import registry

        if at is None:
            registry.show_history(model, as_json=as_json)
        else:
            registry.show_champion_at(model, at, as_json=as_json)


def runs(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    limit: Annotated[int, typer.Option(min=1, help="Runs at most, the newest.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the last runs of a pipeline: why each was started, how it ended and why, failed and skipped ones too."""
    with reported(as_json, pipeline):
        from flows.commands import runs

        name, entries = runs.recent(pipeline, limit)
        if as_json:
            print_json(runs.runs_as_json(name, entries))
        else:
            runs.show_runs(name, entries)


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
        from flows.commands import reproduce

        with watching(as_json):
            reproduced = reproduce.reproduce(model, version, pipeline, into, tolerance)
        if as_json:
            print_json(reproduce.reproduction_as_json(reproduced))
        else:
            reproduce.show_reproduction(reproduced)
        raise typer.Exit(4 if reproduced.sameness.value == "different" else 0)


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
        from flows.commands import gc

        with watching(as_json):
            cleared = gc.clear_out(pipelines or (), keep, keep_days, dry_run=dry_run)
        if as_json:
            print_json(gc.cleared_as_json(cleared))
        else:
            gc.show_cleared(cleared)


def forget(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="A row's id, by data.columns.id; as often as needed.")
    ] = None,
    text_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Texts, one a line; or rows as CSV, TSV, JSONL or Parquet, columns as in the pipeline."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the receipt and the history.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show where they are.")] = False,
    status: Annotated[
        bool,
        typer.Option("--status", help="Show what still holds something of what was forgotten, of all or of these."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Erase rows of people who want to be forgotten, wherever they are held, for good; keep a receipt.

    A text matches rows whose whole text is the same but for case, width and white space (as duplicates are told): all
    copies of it. Of text pairs give both texts as a row; a text alone matches pairs that have it on either side.
    Snapshots, also those of older settings, lose the rows; what the store made of them is removed; in MLflow ids
    become pseudonyms, and complaints lose the rows. Rows that come again are set aside. What was trained on them keeps
    serving until the next run's candidate takes its place. No text and no id is kept or shown, keyed digests are.
    Take the rows out of the source, too. After a kill or an error the same command goes on.
    """
    with reported(as_json, pipeline):
        from flows.commands import forget

        if status:
            with watching(as_json):
                done = forget.status(pipeline, ids or (), text_file)
            if as_json:
                print_json(forget.status_as_json(done))
            else:
                forget.show_status(done)
            return
        with watching(as_json):
            receipt, page = forget.forget(pipeline, ids or (), text_file, reason, dry_run=dry_run)
        if as_json:
            print_json(forget.receipt_as_json(receipt, page))
        else:
            forget.show_receipt(receipt, page)
