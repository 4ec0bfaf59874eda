"""The command line. Commands are thin: heavy libraries are imported when a command runs, so that --help is instant."""

from collections.abc import Callable

import typer

from flows.command_line.pipelines import (
    behaviours,
    doctor,
    drift,
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
    export_annotations,
    serve,
    behaviours,
    promote,
    review,
    decide,
    report,
    approve,
    reject,
    rollback,
    resume,
    reconcile,
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

for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """The entry point `perennial`."""
    app()


if __name__ == "__main__":
    main()
