"""Prefect's runner, made to outlast its server's absence."""

from typing import Any, Self

from httpx import HTTPError
from prefect.exceptions import PrefectException
from prefect.runner import Runner

from perennial.core import progress


class PatientRunner(Runner):
    """A runner that asks again when the server can't say which runs are due, however long.

    Prefect's own gives up after a few tries, as when the server's database restarts, and takes the runs with it that
    are at work.
    """

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        poller = self._scheduled_run_poller
        ask = poller._get_and_submit_flow_runs

        away = False

        async def ask_patiently(*arguments: Any) -> None:
            nonlocal away
            try:
                await ask(*arguments)
                away = False
            except (PrefectException, HTTPError) as error:
                if not away:
                    progress.note(f"Prefect's server does not answer ({type(error).__name__}); asking again.")
                away = True

        poller._get_and_submit_flow_runs = ask_patiently  # type: ignore[method-assign, assignment]
        return self
