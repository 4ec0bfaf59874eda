"""A cell with any number of labels: a list, or text with something between them."""

SEPARATORS = ("|", ";", ",")
"""Between labels in a cell of plain text; the first that is in the cell."""


def labels_of_cell(value: object) -> list[str] | None:
    """A cell's labels, each once, in alphabetical order; None if it is empty or holds something else.

    In order, because two people who name the same labels do not contradict each other. An empty list says that there is
    none; an empty cell says nothing.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        separator = next((mark for mark in SEPARATORS if mark in value), SEPARATORS[0])
        # What begins as a JSON list and can't be read as one is no list of names either.
        value = None if value.lstrip().startswith(("[", "{")) else value.split(separator)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not all(map(_is_name, value)):
        return None
    names = (str(name).strip() for name in value)
    return sorted({name for name in names if name})


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
