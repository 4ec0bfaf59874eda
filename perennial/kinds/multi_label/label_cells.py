"""A cell with any number of labels: a list, or text with something between them."""

SEPARATORS = ("|", ";", ",")
"""Between labels in a cell of plain text; the first that is in the cell."""


def labels_of_cell(value: object) -> list[str] | None:
    """A cell's labels, each once, in alphabetical order; none for an empty cell; None if it holds something else.

    In order, because two people who name the same labels do not contradict each other.
    """
    if value is None or (isinstance(value, float) and value != value):
        return []
    if isinstance(value, str):
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
