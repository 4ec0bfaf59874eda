"""MLflow's scoring protocol: the body of `POST /invocations` as rows, in each format that MLflow's own server reads.

The source: "MLflow Model Scoring Protocol" in MLflow's documentation, and `mlflow.pyfunc.scoring_server`. What that
server fills in, drops or turns into another type, /predict would refuse, and so does this.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from perennial.serving import problems
from perennial.serving.requests.reading import Rows, read_json, seen

JSON, CSV = "application/json", "text/csv"
SPLIT, RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMATS = (SPLIT, RECORDS, INSTANCES, INPUTS)
PARAMS = "params"
SPLIT_KEYS = {"columns", "index", "data"}


def read_invocation(body: bytes, content_type: str) -> tuple[Rows, bool]:
    """The rows of `body`, and whether it had params, of which no model here has any. Raises RequestProblem.

    `content_type`: the header; empty is JSON.
    """
    media_type = _media_type(content_type)
    if media_type == CSV:
        return _csv(body), False
    if media_type != JSON:
        raise problems.unsupported(
            f"The body's type is none that is read here: {JSON} or {CSV}, in UTF-8.", "Set the header Content-Type."
        )
    content = read_json(body, _example())
    given = [name for name in FORMATS if isinstance(content, dict) and name in content]
    if len(given) != 1 or len(content) - (PARAMS in content) != 1:
        raise problems.bad(
            f"The body must be an object with one of {', '.join(FORMATS)}, and beside it at most {PARAMS}.", _example()
        )
    params = content.get(PARAMS)
    if params is not None and not isinstance(params, dict):
        raise problems.bad(f"{PARAMS} must be an object; it is {seen(params)}.", f"Leave {PARAMS} out.")
    return _rows(given[0], content[given[0]]), bool(params)


def _media_type(content_type: str) -> str:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    pairs = dict(part.partition("=")[::2] for part in parameters if part)
    if pairs.pop("charset", "utf-8").strip('"') not in {"utf-8", "utf8"} or pairs:
        return ""
    return media_type or JSON


def _rows(name: str, content: Any) -> Rows:
    if name == SPLIT:
        return Rows(SPLIT, "rows", _split(content))
    if name == RECORDS:
        return Rows(RECORDS, "rows", content)
    if isinstance(content, dict):
        return Rows(name, "rows", _columns(name, content))
    objects = isinstance(content, list) and bool(content) and isinstance(content[0], dict)
    return Rows(name, "rows" if objects else "texts", content)


def _split(content: Any) -> list[dict[str, Any]]:
    keys = set(content) if isinstance(content, dict) else set()
    if not {"columns", "data"} <= keys <= SPLIT_KEYS:
        raise problems.bad(
            f"{SPLIT} must be an object with columns, data and perhaps index, and nothing else.", _example()
        )
    columns, data = content["columns"], content["data"]
    _check_names(columns, f"{SPLIT}.columns")
    if not isinstance(data, list):
        raise problems.bad(f"{SPLIT}.data must be a list of rows; it is {seen(data)}.", _example())
    for index, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise problems.bad(
                f"{SPLIT}.data[{index}] must be a list of {len(columns):,} cells, one for each column; it is "
                f"{seen(row)}."
            )
    return [dict(zip(columns, row, strict=True)) for row in data]


def _columns(name: str, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns as rows; of cells that are no lists there is one row."""
    if not any(isinstance(cells, list) for cells in content.values()):
        return [dict(content)]
    lengths = [len(cells) if isinstance(cells, list) else -1 for cells in content.values()]
    if len(set(lengths)) > 1:
        raise problems.bad(f"The columns of {name} must be lists of one length.", _example())
    return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]


def _csv(body: bytes) -> Rows:
    try:
        # Strict: an open quote would swallow the rows behind it.
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        [columns, *rows] = [cells for cells in lines if cells]
    except (ValueError, csv.Error) as error:
        raise problems.bad(
            f"The body is no CSV in UTF-8 with the columns' names in its first line ({type(error).__name__}).",
            "For example: a line `text`, and below it a text on each line, in quotes where it holds a comma.",
        ) from error
    _check_names(columns, "The first line")
    for index, row in enumerate(rows):
        if len(row) != len(columns):
            raise problems.bad(
                f"Row {index} of the CSV has {len(row):,} cells; its first line names {len(columns):,} columns.",
                "Put texts that hold a comma or a line break into quotes.",
            )
    return Rows("csv", "rows", [dict(zip(columns, row, strict=True)) for row in rows])


def _check_names(columns: Any, where: str) -> None:
    names: Sequence[Any] = columns if isinstance(columns, list) else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise problems.bad(f"{where} must be a list of names, each once.", _example())


def _example() -> str:
    return 'For example {"dataframe_split": {"columns": ["text"], "data": [["a text"], ["another"]]}}.'
