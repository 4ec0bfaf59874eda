"""Settings of notifications: who is told how a run ended."""

from string import Formatter
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from perennial.settings.base import Settings, as_list

Event = Literal["promoted", "held", "rejected", "failed", "stale"]
PLACES = ("model", "version", "run_id", "report")


class NotifySpec(Settings):
    """Who is told how runs end, by Slack, Teams, e-mail, webhook or whatever else Apprise reaches."""

    urls_env: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()
    """Names of environment variables that hold Apprise URLs, such as slack://… or mailto://…, one or several by spaces.
    They hold secrets, so they are never in a file. None: nobody is told, and no network is used."""
    on: tuple[Event, ...] = ("promoted", "held", "rejected", "failed", "stale")
    """What is told. held: a person is needed. failed: once for each reason until a run succeeds. stale: every
    stale_after_runs runs without success."""
    stale_after_runs: int = Field(default=5, ge=2)
    """Runs that ended as held, rejected or failed since the last one that was promoted. Skipped runs don't count."""
    report_url: str | None = None
    """The link to the report, with {model}, {version}, {run_id} (MLflow's) and {report} (its path in the store), for
    example https://mlflow.example/#/models/{model}/versions/{version}; None: the path on the machine that ran."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    """How long all channels together may keep a run that has ended; a channel that is down is tried twice."""

    @field_validator("report_url")
    @classmethod
    def _known_places(cls, url: str | None) -> str | None:
        try:
            names = [name for _, name, _, _ in Formatter().parse(url or "") if name is not None]
        except ValueError:
            raise ValueError("report_url has a brace without its pair; write {{ and }} for braces themselves") from None
        unknown = sorted(set(names) - set(PLACES))
        if unknown:
            raise ValueError(f"report_url knows {{{'}, {'.join(PLACES)}}}; not {{{unknown[0]}}}")
        return url

    @field_validator("urls_env")
    @classmethod
    def _no_url(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any("://" in name for name in names):
            # Without showing it: it holds a secret.
            raise ValueError("urls_env takes names of environment variables, and one of these is a URL; export it")
        return names
