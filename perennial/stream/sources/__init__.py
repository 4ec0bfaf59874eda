"""Where live texts come from: files, a query, feeds, streams of Redis, topics of Kafka."""

from perennial.settings.data import FileSource, SqlSource
from perennial.settings.monitor.streams import FeedSource, LiveColumnsSpec, LiveSource, RedisSource
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.sources.live_rows import RowColumns, RowLimits
from perennial.stream.sources.reader import ChunkSource, LiveReader, ReadBatch

__all__ = ["LiveReader", "ReadBatch", "open_source"]


def open_source(spec: PipelineSpec, position: str | None) -> LiveReader:
    """The live source of the pipeline (monitor.source), to be read from `position` on; None: from its beginning.

    Raises SpecError where the settings contradict one another, and SourceError where a package, a variable or the
    position is not there.
    """
    monitor = spec.live_stream()
    source, columns = monitor.source, _columns(monitor.columns)
    limits = RowLimits(spec.data.max_text_length, spec.data.future_tolerance)
    opened, columns = _opened(spec, source, columns, limits)
    return LiveReader(source.type, opened, columns, limits, position)


def _opened(
    spec: PipelineSpec, source: LiveSource, columns: RowColumns, limits: RowLimits
) -> tuple[ChunkSource, RowColumns]:
    """The source, and the columns of its rows."""
    if isinstance(source, FileSource):
        from perennial.stream.sources.files.live_files import LiveFiles

        return LiveFiles(spec.folder, source, columns), columns
    if isinstance(source, SqlSource):
        from perennial.stream.sources.live_sql import LiveSql

        return LiveSql(source, columns, limits), columns
    if isinstance(source, FeedSource):
        from perennial.stream.sources.feeds.entries import feed_columns
        from perennial.stream.sources.feeds.live_feeds import LiveFeeds

        return LiveFeeds(spec.folder, source), feed_columns(columns)
    from perennial.stream.sources.stream_entries import stream_columns

    if isinstance(source, RedisSource):
        from perennial.stream.sources.live_redis import LiveRedis

        return LiveRedis(source, columns, f"perennial-{spec.name}"), stream_columns(columns)
    from perennial.stream.sources.live_kafka import LiveKafka

    return LiveKafka(source, columns, spec.name), stream_columns(columns)


def _columns(named: LiveColumnsSpec) -> RowColumns:
    said = named.model_fields_set
    wanted = (named.text, named.id, named.time if "time" in said else None, named.source, *named.kept)
    return RowColumns(
        text=named.text,
        id=named.id,
        time=named.time,
        source=named.source,
        kept=named.kept,
        time_format=named.time_format,
        needed=tuple(dict.fromkeys(name for name in wanted if name is not None)),
    )
