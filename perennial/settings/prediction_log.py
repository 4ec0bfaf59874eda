"""Settings of the prediction log: what a server answered, kept for monitoring, drift and labels that come later."""

from typing import Literal, Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings


class PredictionLogSpec(Settings):
    """What `perennial serve` writes down of its answers: ids, scores, version and time; off by default."""

    to: Literal["nowhere", "jsonl", "parquet", "sql"] = "nowhere"
    """jsonl and parquet: files in `predictions/MODEL` of the home, closed every hour or day; Parquet needs the package
    pyarrow, which the server's image lacks. sql: the table `perennial_predictions` of a database."""
    every: Literal["hour", "day"] = "hour"
    """How often a file is closed and the next one begun, in UTC; one of 100 MB is closed earlier."""
    url_env: str | None = None
    """With `to: sql`: the environment variable that holds the database's address, as SQLAlchemy takes it."""
    texts: bool = False
    """Whether the texts are written down as well: they are people's. Drift of live texts needs them."""
    keep_days: float = Field(default=30, gt=0, allow_inf_nan=False)
    """After so many days what was logged is deleted: files as a whole, rows one by one."""
    queue_rows: int = Field(default=20_000, ge=100)
    """Rows that may wait to be written; what comes beyond is dropped and counted
    (`perennial_unlogged_rows_total`), so that a slow disk or database makes nobody wait and fills no memory."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.to == "sql") != (self.url_env is not None):
            raise ValueError("url_env goes with to: sql, which needs it: the variable that holds the address")
        return self
