"""The queries of pipelines over databases: whether they can miss rows."""

from collections.abc import Iterator

from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.doctor.finding import HealthFinding
from perennial.ingest.sources import sql
from perennial.pipeline_file import loader
from perennial.settings.data import SqlSource

NAME = "queries"


def queries(home: Home) -> Iterator[HealthFinding]:
    """No pipeline's query leaves out rows of its watermark's own instant, or such as are committed late."""
    looked_at = 0
    for file in sorted(loader.PIPELINES.glob(f"*/{loader.FILE}")):
        try:
            spec = loader.read_pipeline(file)
        except PerennialError:
            continue  # said by the check of pipelines
        if not isinstance(spec.data.source, SqlSource):
            continue
        looked_at += 1
        if sql.missed_rows(spec.data.source):
            yield HealthFinding.warning(
                f"query {spec.name}",
                "asks for rows after :watermark (>), so rows of the same instant, and such as are committed late, are "
                "never read",
                "Write >= :watermark, and data.source.lookback: 1 day for late ones; known rows count once.",
            )
    yield HealthFinding.ok(NAME, f"{looked_at:,} pipelines here ask a database")
