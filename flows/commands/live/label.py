"""What `perennial label` does and answers: texts labelled on a page or in the terminal, and how far that has come."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.labelling.desk import Desk, Progress
from perennial.labelling.stopping import MoreLabels, more_labels
from perennial.pipeline_file import loader


class LabelsStanding(Record):
    """How far labelling has come."""

    model: str
    file: str
    progress: Progress
    more: MoreLabels
    annotators: dict[str, int]
    """Texts that each person labelled."""
    last: datetime | None
    """When a label was given last."""


def desk_of(pipeline: str) -> Desk:
    """Where people label the pipeline's texts. Raises PerennialError where they can't."""
    return Desk(loader.read_pipeline(loader.find_pipeline(pipeline)), Home.from_environment())


def standing(pipeline: str) -> LabelsStanding:
    """How far labelling has come; nothing is labelled."""
    desk = desk_of(pipeline)
    labelled = desk.labelled()
    annotators = {one.annotator: 0 for one in labelled}
    for one in labelled:
        annotators[one.annotator] += 1
    return LabelsStanding(
        model=pipeline,
        file=str(desk.path),
        progress=desk.progress(""),
        more=more_labels(labelled),
        annotators=annotators,
        last=max((one.labelled_at for one in labelled), default=None),
    )


def standing_as_json(shown: LabelsStanding) -> dict[str, Any]:
    """The same as one JSON-ready object."""
    return {"status": "done", **shown.model_dump(mode="json")}


def on_page(
    pipeline: str, host: str, port: int, keys: Path | None, say: Callable[[str], None], *, insecure: bool
) -> None:
    """Serve the page until told to end. `keys`: the file of API keys; None: the home's, if it is there."""
    from perennial.labelling.page.server import serve_page
    from perennial.serving.access.key_ring import KeyRing
    from perennial.serving.problems import RequestProblem

    desk = desk_of(pipeline)
    ring = KeyRing(keys or Home.from_environment().api_keys)
    if keys and not ring.asks:
        raise SpecError(
            f"There is no file of API keys at {keys}, so the page would ask for none.",
            remedy=f"`perennial keys add NAME --scope label --keys {keys}` makes one.",
        )

    def admits(key: str | None) -> str | None:
        try:
            ring.admit(key, "label")
        except RequestProblem as problem:
            return f"{problem.problem} {problem.remedy}".strip()
        return None

    say(f"{pipeline}: {desk.progress('').waiting} texts wait; labels go to {desk.path}.")
    serve_page(desk, host, port, say, admits=admits if ring.asks else None, insecure=insecure)


def in_terminal(pipeline: str, annotator: str | None, say: Callable[[str], None]) -> int:
    """Ask a person at this terminal; how many texts they answered."""
    from perennial.labelling.terminal import label_in_terminal

    desk = desk_of(pipeline)
    name = annotator or _read("Your name: ")
    if not name:
        raise SpecError("Nobody said who labels.", remedy="Say it with --annotator NAME.")
    return label_in_terminal(desk, name, say, _read)


def _read(words: str) -> str | None:
    try:
        return input(words)
    except EOFError:
        return None
