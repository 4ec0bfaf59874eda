"""Commands on a pipeline: init, run, tune, predict, export annotations, serve, behaviours, power, drift, schedule."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from flows.command_line.options import EXIT_CODES, Json, answer, print_json, watching
from flows.failures import reported
from perennial import kinds
from perennial.settings.data import TimeFormat


def run(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: --set training.epochs=1. Repeatable."),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            help="Why --set changes gates, registry, data.splits, data.columns.group, data.corrections, evaluation, "
            "behaviours or rollout; needed then, and kept in the history."
        ),
    ] = "",
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
        from perennial.core.home import Home
        from perennial.pipeline_file import loader
        from perennial.pipeline_file.set_aside import read_overrides

        spec = loader.read_pipeline(loader.find_pipeline(pipeline), overrides or ())
        read_overrides(loader.find_pipeline(pipeline), overrides or (), reason)
        home = Home.from_environment()
        environment.prepare(home)
        from flows import console, prefect_server, preload, summary
        from flows.commands.profile import profiled

        prefect_server.embed(home, meanwhile=preload.for_a_run)
        from flows.retrain import retrain
        from flows.run_record import recorded
        from perennial.records.run import Trigger

        with console.watched(), profiled(profile, spec.name, home):
            result = recorded(
                spec, home, Trigger(), lambda: retrain(pipeline, tuple(overrides or ()), reread, reason=reason)
            )
        if as_json:
            print_json(summary.run_as_json(result, home))
        else:
            summary.show_run(result, spec, home, console.terminal())
        raise typer.Exit(EXIT_CODES[result.status.value])


def init(
    name: Annotated[str, typer.Argument(help="The new pipeline's name; also the model's name in the registry.")],
    data: Annotated[
        Path, typer.Option("--data", help="A CSV, TSV, JSON or Parquet file, plain or packed, or a folder of such.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(kinds.names()[:-1])} or {kinds.names()[-1]}, if it is not the one recognised."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column that holds the text.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="The column that holds the other text of a pair.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that holds the label, the list of labels or the number.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="The column that holds lists of tokens.")] = None,
    tags: Annotated[str | None, typer.Option(help="The column that holds a tag for each token.")] = None,
    sentence: Annotated[
        str | None, typer.Option(help="Of one token a row: the column that says which sentence it is of.")
    ] = None,
    spans: Annotated[str | None, typer.Option(help="The column that holds lists of start, end and label.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row came to be.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="The column with a stable row id.")] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="A column to keep with each row, such as a region or a product. Repeatable."),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help=f"How times are written: {', '.join(get_args(TimeFormat))}; if the cells don't tell."),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="The decimal mark of the numbers, . or , if the cells don't tell.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between CSV cells, if it is not the one found.")] = None,
    force: Annotated[bool, typer.Option(help="Replace the pipeline if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Look at a file of labelled text and write pipelines/NAME/pipeline.yaml for it."""
    with reported(as_json, name):
        from perennial.init import plan, write_pipeline
        from perennial.pipeline_file.loader import PIPELINES

        with watching(as_json):
            guess = plan(
                name,
                data,
                kind=kind,
                text=text,
                text_pair=text_pair,
                label=label,
                tokens=tokens,
                tags=tags,
                sentence=sentence,
                spans=spans,
                time=time,
                id=id_column,
                slices=slices,
                delimiter=delimiter,
                time_format=time_format,
                decimal=decimal,
            )
            path = write_pipeline(guess, PIPELINES / name, force=force)
        if as_json:
            print_json({**guess.as_json(), "path": str(path), "next": f"perennial run {name}"})
        else:
            from flows.commands import init

            init.show_guess(guess, path)


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
        from flows.commands import tune

        with watching(as_json):
            tuned, written = tune.tune(pipeline, overrides or (), trials, minutes, seed, write=write)
        if as_json:
            print_json(tune.tuning_as_json(tuned, written))
        else:
            tune.show_tuning(tuned, pipeline, written)


def predict(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; none: a file, or standard input.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", "--file", "--input", help="A CSV, TSV, JSON, Parquet or text file, plain or packed."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column with the text, if it is not the pipeline's.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between CSV cells, if it is not the one found.")] = None,
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of to standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Answer texts with the champion, one JSON line each: the input's columns, then label, score and scores."""
    with reported(as_json, model):
        from flows.commands import predict

        predict.answer(model, texts or [], data, column, delimiter, version, out, as_json=as_json)


def explain(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    texts: Annotated[list[str], typer.Argument(help="Texts; of a model that reads two together, one after the other.")],
    method: Annotated[str, typer.Option(help="shapley or occlusion.")] = "shapley",
    label: Annotated[
        str | None, typer.Option(help="The label whose score is explained; default: the likeliest.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=6, help="Texts without some words that are asked at most, for each text.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    as_json: Json = False,
) -> None:
    """Show which words moved the champion's answer, and how far: green towards it, red away from it.

    Words are left out and the model is asked again, so it holds for any model. More --rows part long texts further.
    """
    with reported(as_json, model):
        from flows import shown_explanations

        shown_explanations.show_explanations(model, texts, method, label, rows, version, as_json=as_json)


def export_annotations(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    rows: Annotated[
        Path | None, typer.Argument(help="A CSV, TSV, JSON, Parquet or text file; none: standard input.")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="label-studio or doccano.")] = "label-studio",
    out: Annotated[Path | None, typer.Option(help="Write here; default: NAME-TOOL.json or .jsonl.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most: those most worth labelling.")] = None,
    column: Annotated[str | None, typer.Option(help="The column with the text, if it is not the pipeline's.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between CSV cells, if it is not the one found.")] = None,
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    graphemes: Annotated[
        bool, typer.Option("--graphemes", help="For a doccano project in grapheme mode; else it counts UTF-16.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write texts with the champion's answers for people to check: for Label Studio or doccano, least certain first.

    What the tool's format can't hold is told, row by row.
    """
    with reported(as_json, model):
        from flows.commands import export_annotations

        with watching(as_json):
            done = export_annotations.export(
                model, rows, to, out, version, column, delimiter, limit, graphemes=graphemes
            )
        answer(export_annotations.as_json(done), export_annotations.in_words(done), as_json)


def serve(
    models: Annotated[list[str], typer.Argument(help="The model's name: its pipeline's; or of several, each's.")],
    version: Annotated[
        str | None, typer.Option(help="Serve this version always; default: whichever is champion. Of one model only.")
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
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The API keys that `perennial keys` writes; default: those of the home."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody ask from other machines, too, where there are no keys.")
    ] = False,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Speak HTTPS: the certificate and those below the root, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key, PEM.")] = None,
    trusted_key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Serve only what this public key signed; beside serving.trusted_keys. Repeatable."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that answer, watched over by one more; each holds the model.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON objects, one a line.")] = False,
) -> None:
    """Answer texts over HTTP, with whichever version is champion: promotions and `rollback` take effect in seconds.

    curl -d '{"texts": ["Profit warning sends shares down"]}' http://127.0.0.1:8000/predict

    Rows with several columns go as {"rows": [{"text": …, "text_pair": …}]}. MLflow's clients ask /invocations. A
    browser gets a page to try the model on at /, and the whole interface at /docs; GET /healthz, /readyz and /metrics
    tell how it is. Several models are asked at /models/NAME/predict, and those with the same frozen encoder share it.
    Requests that come while the model is busy are answered together. A new champion is fetched, verified and asked
    before it takes over, and no request is dropped. If that fails, or the registry is down, the version before goes on
    serving, and log and /metrics say why. SIGTERM or Ctrl-C: requests under way are answered, then it ends.
    Where there are API keys (`perennial keys`), each request needs one; other machines are let in only with keys, or
    with --insecure. Limits: `serving` in docs/settings.md. Exit code: 0 told to end, 1 can't serve, 2 wrong usage.
    """
    with reported(as_json, models[0]):
        from flows.commands import serve

        options = serve.ServeOptions(keys, insecure, tls_cert, tls_key, trusted_key or ())
        serve.serve(models, version, host, port, overrides or (), options, wait=wait, as_json=as_json, workers=workers)


def behaviours(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    version: Annotated[str | None, typer.Option(help="A version's number; default: the champion.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a model the behavioural tests of its pipeline, as they are now, and show what failed, with the texts.

    For writing behaviours.yaml: nothing is trained, stored or promoted. Exit code: 0; 4 if a test
    is shown to be below its rate, 3 if one is below it by what chance alone may do.
    """
    with reported(as_json, pipeline):
        from flows.commands import behaviours

        with watching(as_json):
            behaved = behaviours.ask(pipeline, version)
        if as_json:
            print_json(behaviours.behaviours_as_json(behaved))
        else:
            behaviours.show_behaviours(behaved)
        raise typer.Exit(EXIT_CODES.get(behaved.status, 0))


def power(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: --set gates.0.margin=0.05. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which gates the rows at hand can decide, and how many rows the others would need.

    Reads and checks what is new in the source. Nothing is trained.
    """
    with reported(as_json, pipeline):
        from flows.commands import power

        with watching(as_json):
            gates = power.find_gates(pipeline, overrides or ())
        if as_json:
            print_json(power.as_json(gates))
        else:
            power.show(gates)


def drift(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    as_json: Json = False,
) -> None:
    """Show how far the rows that came since the champion was trained are from those it was trained on.

    Reads what is new in the source, or in triggers.source, and compares it window by window. Nothing is trained.
    """
    with reported(as_json, pipeline):
        from flows.commands import drift

        with watching(as_json):
            finding, is_armed = drift.look(pipeline)
        if as_json:
            print_json(drift.drift_as_json(finding, is_armed))
        else:
            drift.show_drift(finding, is_armed)


def schedule(
    pipelines: Annotated[
        list[str] | None, typer.Argument(help="Names under pipelines/, folders, files; none: all that are scheduled.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only show what runs when; starts nothing.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Let nothing start these any more, until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let them go on after --pause.")] = False,
    at_once: Annotated[int, typer.Option(min=1, help="Runs of different pipelines at a time.")] = 1,
    as_json: Json = False,
) -> None:
    """Retrain by the pipelines' schedules, and when new data lands, and watch their live texts, until Ctrl-C.

    Prefect does it: the server of PREFECT_API_URL, or one of its own, whose page this prints. A pipeline has one run at
    a time. Ticks that were missed while nothing ran are made up for by one run. With PREFECT_API_URL set, a worker
    elsewhere can do the runs instead: docs/scheduling.md.
    """
    with reported(as_json):
        from flows.commands import schedule

        asked = [mode for mode, wanted in (("list", list_only), ("pause", pause), ("resume", resume)) if wanted]
        schedule.act(pipelines or (), asked, at_once, as_json=as_json)


def doctor(as_json: Json = False) -> None:
    """Say what is wrong with this installation, and how to mend it. Exit code 1 if something is."""
    with reported(as_json):
        from flows.commands import doctor
        from perennial.core.home import Home
        from perennial.doctor import examine_installation

        with watching(as_json):
            findings = examine_installation(Home.from_environment())
        if as_json:
            print_json(doctor.health_as_json(findings))
        else:
            doctor.show_health(findings)
        raise typer.Exit(1 if doctor.is_ill(findings) else 0)
