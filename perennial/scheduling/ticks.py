"""Whether the ticks of a schedule have runs, and if not, why.

Prefect's scheduler plans runs ahead of time. So a pipeline that is served and not paused has one planned for its next
tick, and that it has none is seen long before the tick passes.
"""

from dataclasses import dataclass

from perennial.core import incompatible_packages
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.scheduling import prefect_api

DAYS_AHEAD = 100
"""So far ahead the scheduler plans at most, unless its server sets it otherwise."""


@dataclass(frozen=True)
class Reason:
    """Why no runs are planned, as far as that can be known from here."""

    observed: str
    remedy: str


def reason_without_runs(home: Home, address: str) -> Reason:
    """Why the server at `address` plans no runs."""
    bad = next(
        (pair for pair in incompatible_packages.installed_pairs() if pair.pair is incompatible_packages.NO_RUNS),
        None,
    )
    return _elsewhere(address, bad) if address != prefect_api.running_server(home) else _here(home, bad)


def _here(home: Home, bad: incompatible_packages.InstalledPair | None) -> Reason:
    log = home.prefect / prefect_api.LOG
    error = prefect_api.last_error(home)
    observed = f"Its last error: {error}." if error else f"It wrote no error to {log}."
    if bad is not None:
        return Reason(f"{observed} Here is {bad.observed}.", bad.pair.remedy)
    return Reason(
        observed, f"Start `perennial schedule` again; if that does not help, see {log}, and run `make setup`."
    )


def _elsewhere(address: str, bad: incompatible_packages.InstalledPair | None) -> Reason:
    observed = f"That server is {mask_secrets(address)}" + (f"; here is {bad.observed}." if bad else ".")
    remedy = (
        "Look where it runs: what its log says of schedule_deployments, whether its services are on "
        "(PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED), and for versions that don't fit: "
        f"{incompatible_packages.NO_RUNS.sentence}."
    )
    return Reason(observed, remedy)
