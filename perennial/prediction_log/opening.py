"""From settings to the place that is written to, or read."""

from collections.abc import Iterator, Sequence

from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.prediction_log import files, parquet
from perennial.prediction_log.logged import LoggedRow, LogWriter
from perennial.settings.prediction_log import PredictionLogSpec


def open_writer(home: Home, model: str, settings: PredictionLogSpec) -> LogWriter:
    """Where the answers of `model` are written. Raises ServingError where they can't be."""
    if settings.to == "sql":
        from perennial.prediction_log import sql

        return sql.SqlWriter(str(settings.url_env), model, settings.keep_days)
    if settings.to == "parquet":
        parquet.require_pyarrow()
    folder = files.predictions_folder(home, model)
    try:
        return files.FileWriter(folder, settings.every, settings.keep_days, as_parquet=settings.to == "parquet")
    except OSError as error:
        raise ServingError(
            f"The prediction log can't be written to {folder}: {error.strerror}.",
            remedy="Make sure that the folder can be written and has space, or leave serving.log.to out.",
        ) from error


def logged_rows(home: Home, model: str, settings: PredictionLogSpec, ids: Sequence[str]) -> Iterator[LoggedRow]:
    """The rows of `model` with these ids, those of files that are still open included."""
    if settings.to == "sql":
        from perennial.prediction_log import sql

        yield from sql.rows_of_table(str(settings.url_env), model, ids)
        return
    folder, wanted = files.predictions_folder(home, model), set(ids)
    for path in [*files.closed_files(folder), *sorted(folder.glob(f"*{files.OPEN}"))]:
        rows = parquet.rows_of_parquet(path) if path.suffix == ".parquet" else files.lines_of(path)
        yield from (row for row in rows if row["id"] in wanted)
