"""Commands on live traffic: a stream of texts, its page and its labels, a challenger beside the champion."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.options import Json, answer, print_json, watching
from flows.failures import reported
from perennial.core.errors import SpecError


def monitor(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    looks: Annotated[
        int | None, typer.Option("--looks", min=1, metavar="N", help="Look at nothing: show the last N looks.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read, store and tell nothing: replay history instead.")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="With --replay: only from then on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="With --replay: only before, UTC.")] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --replay: JSON of what happened when, to be compared.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting: --set monitor.keep_days=30. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read what is new in a pipeline's live texts, once, now: answer it with the champion and keep it, each text once.

    Where the texts come from stands in pipeline.yaml:

    monitor: {source: {type: file, path: "live/*.jsonl"}, columns: {time: published_at, source: publisher}}

    The first look begins at the source's beginning, each later one where the one before ended, also if that was killed.
    Personal data is taken out before anything is stored (monitor.redaction). `perennial schedule` looks every
    monitor.every_minutes by itself. Settings: `monitor` in docs/settings.md; what lies where: docs/monitoring.md.
    With --replay the texts of a file go by at full speed, and it is said when alarms would have sounded: the way to
    choose monitor.alarms. Exit code: 0 done, 1 the source could not be read to its end (what was read is kept), or a
    part of the look failed, 2 invalid pipeline or usage.
    """
    with reported(as_json, pipeline):
        from flows.commands.live import monitor

        if replay is not None:
            from flows.commands.live.replay import replayed_as_json, replayed_in_words

            with watching(as_json):
                done = monitor.replayed(pipeline, replay, since, until, truth, overrides or ())
            answer(replayed_as_json(done), replayed_in_words(done), as_json)
            return
        if since or until or truth:
            raise SpecError("--from, --to and --truth are of a replay.", remedy="Add --replay FILE, or leave them out.")
        if looks is not None:
            from flows.console import terminal

            name, runs = monitor.recent(pipeline, looks)
            if as_json:
                print_json({"pipeline": name, "looks": [monitor.run_as_json(run) for run in runs]})
            else:
                monitor.show_looks(name, runs, terminal())
            return
        with watching(as_json):
            run = monitor.look(pipeline, overrides or ())
        if as_json:
            print_json(monitor.run_as_json(run))
        else:
            from flows.console import say, terminal

            monitor.show(run, terminal())
            for trouble in run.troubles:
                say(terminal(stderr=True), f"Error: {trouble}")
        raise typer.Exit(1 if run.troubles else 0)


def challenger(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    version: Annotated[str | None, typer.Argument(help="The version to try; none: show how the trial stands.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the trial; the champion answers everybody.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting: --set rollout.mode=canary. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try a version that passed its gates on live traffic beside the champion, and say how that stands.

    Servers of the model ask both versions what a share of users asks: in the shadow, where the champion's answers are
    returned, or as a canary, where that share gets the challenger's. When it is shown to be worse (wrong by late
    labels, slower, failing) it is dropped by itself; when it is shown to be within its margins, it is promoted or a
    person is asked. On what terms: `rollout` in docs/settings.md.
    """
    with reported(as_json, model):
        from flows.commands.live import challenger

        if stop and version is not None:
            raise SpecError(
                "A version and --stop were given.", remedy="One trial is under way at a time; leave one out."
            )
        with watching(as_json):
            if stop:
                shown = challenger.stop(model, reason)
            elif version is not None:
                shown = challenger.begin(model, version, reason, overrides or ())
            else:
                shown = challenger.show(model)
        answer(challenger.shown_as_json(shown), challenger.shown_in_words(shown), as_json)


def labels(
    model: Annotated[str, typer.Argument(help="The model's name: its pipeline's.")],
    file: Annotated[Path, typer.Argument(help="A CSV, TSV, JSON or Parquet file with ids and labels.")],
    id_column: Annotated[str, typer.Option("--id", help="The column with REQUEST/ROW, or the request's id.")] = "id",
    label_column: Annotated[str, typer.Option("--label", help="The column with the right label.")] = "label",
    as_json: Json = False,
) -> None:
    """Join labels that came late to what was answered: how often each version was right on live rows.

    Answers are those of the prediction log (serving.log) and of the trial that is under way, which they decide.
    """
    with reported(as_json, model):
        from flows.commands.live import labels

        with watching(as_json):
            done = labels.join(model, file, id_column, label_column)
        answer(labels.joined_as_json(done), labels.joined_in_words(done), as_json)


def alarms(
    pipeline: Annotated[str, typer.Argument(help="The pipeline's name.")],
    action: Annotated[str | None, typer.Argument(help="acknowledge or verdict; none: list the alarms.")] = None,
    alarm: Annotated[str | None, typer.Argument(metavar="ID", help="The alarm's id, or how it begins.")] = None,
    verdict: Annotated[str | None, typer.Argument(help="With verdict: real or false.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List all alarms, not the newest 20.")] = False,
    as_json: Json = False,
) -> None:
    """List the alarms of a live stream, say that you look after one, or whether it was worth being told of.

    An alarm is a surge of bad news: far more than is usual at that hour. `acknowledge ID`: nobody is told more of it
    until it is over. `verdict ID real|false`: kept with it, and counted.
    """
    with reported(as_json, pipeline):
        from flows.commands.live.alarms import act, alarms_as_json, alarms_in_words

        shown = act(pipeline, action, alarm, verdict, every=every)
        answer(alarms_as_json(shown), alarms_in_words(shown), as_json)


def dashboard(
    pipeline: Annotated[str, typer.Argument(help="A pipeline's name under pipelines/, its folder, or its file.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page there, as one file that needs no network.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; others than this machine need --insecure.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8090,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Show it to whoever reaches --host, texts and all.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Show it in the browser.")] = True,
    as_json: Json = False,
) -> None:
    """Show the live stream: sentiment over time, alarms, versions, newest stories, the model's health.

    Serves a page that follows the stream, for this machine alone, until Ctrl-C. --out writes it as one HTML file that
    can be sent and kept; --json prints the same figures. A click on a bucket of time lists its texts.
    """
    with reported(as_json, pipeline):
        from flows.commands import report
        from flows.commands.live import dashboard

        if not as_json and out is None:

            def begun(address: str) -> None:
                typer.echo(f"{address} shows the stream of {pipeline} until Ctrl-C.")
                if open_page:
                    report.open_address(address)

            dashboard.serve(pipeline, host, port, insecure=insecure, begun=begun)
            return
        with watching(as_json):
            figures = dashboard.look(pipeline)
            path = dashboard.write(figures, out) if out else None
        if as_json:
            print_json(dashboard.figures_as_json(figures, path))
        elif path:
            typer.echo(path)
            if open_page:
                report.open_page(path)


def label(
    pipeline: Annotated[str, typer.Argument(help="The pipeline whose live texts are labelled.")],
    in_terminal: Annotated[
        bool, typer.Option("--terminal", help="Label here, in the terminal, not on a page.")
    ] = False,
    annotator: Annotated[str | None, typer.Option(help="With --terminal: who labels; default: it is asked.")] = None,
    host: Annotated[str, typer.Option(help="Where the page listens; 0.0.0.0: for other machines, too.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one; it is said which.")] = 8010,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The API keys that `perennial keys` writes; default: those of the home."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody label from other machines, too, where there are no keys.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how far labelling has come as one JSON object, and end.")
    ] = False,
) -> None:
    """Label the live texts that `perennial monitor` chose: on a page, by keyboard or on a phone, or in the terminal.

    Each label is a line of monitor.labelling.file at once; name that file in data.source, and the next run learns from
    it. It is said what 100 more labels would bring at most.
    """
    with reported(as_json, pipeline):
        from flows.commands.live import label

        if as_json:
            print_json(label.standing_as_json(label.standing(pipeline)))
        elif in_terminal:
            label.in_terminal(pipeline, annotator, typer.echo)
        else:
            label.on_page(pipeline, host, port, keys, typer.echo, insecure=insecure)
