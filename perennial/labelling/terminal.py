"""Labelling in a terminal: a text, a line of input, the next text."""

from __future__ import annotations

from collections.abc import Callable

from perennial.core.errors import PerennialError
from perennial.labelling.answers import AnswerError, AnswerForm
from perennial.labelling.desk import Desk, check_name
from perennial.labelling.stopping import more_labels

Say = Callable[[str], None]
Read = Callable[[str], str | None]
"""Asks with these words for a line; None: there are no more."""
KEYS = "s skips, u undoes, q ends"


def label_in_terminal(desk: Desk, annotator: str, say: Say, read: Read) -> int:
    """Ask one person for labels until nothing waits, or they have enough; how many texts they answered.

    Raises SpecError where what is asked can't be given in a line of text.
    """
    check_name(annotator)
    if desk.form.asks == "spans":
        raise AnswerError(
            "Spans are marked in the text, which a terminal can't.",
            remedy=f"`perennial label {desk.spec.name}` is a page on which they can.",
        )
    answered, passed = 0, set[str]()
    for line in _guide(desk.form):
        say(line)
    while True:
        queue = [one for one in desk.queue(annotator) if one not in passed]
        if not queue:
            say("Nothing waits. New texts come with the next look at the stream.")
            break
        progress = desk.progress(annotator)
        shown = desk.shown(annotator, queue[0])
        say(f"\n[{progress.waiting} waiting, {progress.labelled} labelled] {shown.source}\n{_printable(shown.text)}")
        given = read("> ")
        if given is None or given.strip() == "q":
            break
        answered += _take(desk, annotator, queue[0], given.strip(), say)
    say(more_labels(desk.labelled()).sentence)
    return answered


def _take(desk: Desk, annotator: str, text_id: str, given: str, say: Say) -> int:
    """Do what a person typed; 1: it was an answer that was kept, -1: an answer was taken back."""
    try:
        if given == "s":
            desk.skip(annotator, text_id)
            return 0
        if given == "u":
            undone = desk.undo(annotator)
            say("Taken back; it is asked again." if undone else "There is nothing of yours to undo.")
            return -1 if undone else 0
        desk.answer(annotator, text_id, _value(desk.form, given))
    except PerennialError as error:
        say(f"{error} Nothing was kept.")
        return 0
    return 1


def _value(form: AnswerForm, given: str) -> object:
    """What was typed as an answer: numbers stand for labels, several are parted by blanks or commas."""
    if form.asks == "number":
        return given
    parts = given.replace(",", " ").split() if form.asks == "labels" else [given]
    if form.asks == "labels" and parts == ["0"]:
        return []
    labels = [_label(form, part) for part in parts]
    if not labels or not given:
        raise AnswerError("Nothing was typed.", remedy=f"Type the number of a label; {KEYS}.")
    return labels if form.asks == "labels" else labels[0]


def _label(form: AnswerForm, part: str) -> str:
    if part.isdecimal() and 1 <= int(part) <= len(form.labels) and part not in form.labels:
        return form.labels[int(part) - 1]
    return part


def _guide(form: AnswerForm) -> list[str]:
    if form.asks == "number":
        return [f"Type the number; {KEYS}."]
    lines = [
        f"{number:>3}  {label}" + (f": {form.meanings[label]}" if label in form.meanings else "")
        for number, label in enumerate(form.labels, 1)
    ]
    several = "Type the numbers of all labels that hold, parted by blanks, 0 for none"
    return [*lines, f"{several if form.asks == 'labels' else 'Type the number of the label'}; {KEYS}."]


def _printable(text: str) -> str:
    """The text without what would move a terminal's cursor or change its colours."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
