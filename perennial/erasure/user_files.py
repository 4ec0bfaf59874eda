"""What only the user can take out: rows that the source still has, and files of corrections that name them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from perennial.core.errors import PerennialError, listing
from perennial.ingest import canonical_rows, sources
from perennial.ingest.forgotten import ForgottenRows, Sieve
from perennial.labelling import label_file
from perennial.rows.columns import FILE, LINE
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import corrections

SHOWN = 5


def sentences(spec: PipelineSpec, rows: ForgottenRows) -> Iterator[str]:
    """What is to be done by hand, a sentence each; reads all of the source."""
    try:
        places = [where for batch in _batches(spec, rows) for where in batch]
    except PerennialError as error:
        yield f"Whether the source still has them is not known: {error.problem}"
    else:
        if places:
            yield (
                f"The source still has {len(places):,} of the rows ({listing(places, SHOWN)}): take them out there. "
                "Runs that read them set them aside."
            )
    yield from _corrections(spec, rows)
    yield from _labels(spec, rows)


def _batches(spec: PipelineSpec, rows: ForgottenRows) -> Iterator[list[str]]:
    import pyarrow as pa

    sieve = Sieve(rows)
    for piece in sources.pieces(spec):
        for batch in piece.read(None):
            if batch.numbers:
                read = canonical_rows.canonical_batch(batch, spec).rows
                hits = read.filter(pa.array(sieve.is_forgotten(read)))
                cells = zip(hits.column(FILE).to_pylist(), hits.column(LINE).to_pylist(), strict=True)
                yield [f"{file}:{line}" for file, line in cells]


def _corrections(spec: PipelineSpec, rows: ForgottenRows) -> Iterator[str]:
    try:
        named = corrections.read_corrections(spec)
    except PerennialError:
        return  # the next run says what is wrong with them
    sieve = Sieve(rows, made=datetime.fromtimestamp(0, UTC))
    count = sum(sieve.id_pseudonym(row_id) is not None for row_id in named)
    if count:
        yield f"data.corrections ({listing(spec.data.corrections)}) names {count:,} of the rows: take them out there."


def _labels(spec: PipelineSpec, rows: ForgottenRows) -> Iterator[str]:
    """Of live texts that people labelled."""
    if spec.monitor is None:
        return
    sieve, path = Sieve(rows, beside=True), label_file.label_path(spec)
    try:
        lines, _ = label_file.read_lines(path, 0)
    except PerennialError as error:
        yield f"Whether labels of live texts name them is not known: {error.problem}"
        return
    count = len({one.id for one in lines if sieve.is_of(one.id, one.text)})
    if count:
        yield f"The labels in {path} are of {count:,} of the texts: take their lines out there."
