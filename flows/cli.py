"""The command line. Commands are thin: heavy libraries are imported when a command runs, so that --help is instant."""

from collections.abc import Callable

import typer

from flows.command_line.access import keys, sign, verify
from flows.command_line.live import alarms, challenger, dashboard, label, labels, monitor
from flows.command_line.pipelines import (
    behaviours,
    doctor,
    drift,
    explain,
    export_annotations,
    init,
    power,
    predict,
    run,
    schedule,
    serve,
    tune,
)
from flows.command_line.versions import (
    approve,
    decide,
    forget,
    gc,
    history,
    promote,
    reconcile,
    reject,
    report,
    reproduce,
    resume,
    review,
    rollback,
    runs,
)

app = typer.Typer(
    name="perennial",
    help="Keeps text models current: validate, fine-tune, export, judge, promote.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


COMMANDS: tuple[Callable[..., None], ...] = (
    run,
    init,
    tune,
    predict,
    explain,
    export_annotations,
    serve,
    behaviours,
    promote,
    review,
    decide,
    report,
    approve,
    reject,
    monitor,
    alarms,
    challenger,
    labels,
    dashboard,
    label,
    rollback,
    resume,
    reconcile,
    sign,
    verify,
    history,
    runs,
    power,
    drift,
    reproduce,
    gc,
    forget,
    schedule,
    doctor,
)
"""In the order in which --help lists them."""

GROUPS: dict[str, typer.Typer] = {"keys": keys}
"""Commands that have commands of their own."""

for command in COMMANDS:
    app.command()(command)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def main() -> None:
    """The entry point `perennial`."""
    app()


if __name__ == "__main__":
    main()
