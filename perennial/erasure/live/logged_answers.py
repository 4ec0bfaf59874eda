"""Forgotten texts in the prediction log of a pipeline's servers: its files, and its table in a database."""

from __future__ import annotations

import json
from collections.abc import Iterator

from perennial.core.home import Home
from perennial.erasure.receipt import TracePlace
from perennial.ingest.forgotten import Sieve
from perennial.prediction_log import erasing
from perennial.prediction_log.logged import LoggedRow
from perennial.settings.pipeline import PipelineSpec

WHAT = "texts of logged answers"
OPEN = "a server has the file open until its hour or day is over; then the same `perennial forget` command erases it"


def places(spec: PipelineSpec, home: Home, sieve: Sieve, *, erases: bool) -> Iterator[TracePlace]:
    """The files and the table that hold any. Texts of answers whose texts were not logged can't be there."""

    def is_forgotten(row: LoggedRow) -> bool:
        texts = [row[name] for name in ("text", "text_pair") if row.get(name) is not None]
        if not texts and row.get("tokens") is not None:
            texts = [" ".join(json.loads(row["tokens"]))]
        return bool(texts) and sieve.has_texts(texts)

    for path, rows, is_open in erasing.in_files(home, spec.name, is_forgotten, erases=erases):
        where = path.relative_to(home.root).as_posix()
        yield TracePlace(what=WHAT, where=where, rows=rows, stays=OPEN if is_open else "")
    log = spec.serving.log
    if log.to == "sql" and (rows := erasing.in_table(str(log.url_env), spec.name, is_forgotten, erases=erases)):
        yield TracePlace(what=WHAT, where=f"the table of {log.url_env}", rows=rows)
