"""`perennial run --profile`: where the time of the run went, as files and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.table import Table

from flows.console import say_line, shown_path, terminal
from perennial.core.home import Home
from perennial.core.percent import percent
from perennial.profiling import Profile, flame, sampled

FOLDER = "profiles"


@contextmanager
def profiled(wanted: bool, pipeline: str, home: Home) -> Iterator[None]:
    """If `wanted`, sample the block, write a flame graph under the home and show the steps on standard error."""
    if not wanted:
        yield
        return
    with sampled() as sampler:
        try:
            yield
        finally:
            # Also of a run that failed or was cut short: that may be why somebody looks.
            profile = sampler.stop()
            folder = home.root / FOLDER / f"{pipeline}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            page = flame.write_profile(profile, folder, f"{pipeline}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
            console = terminal(stderr=True)
            console.print(table(profile))
            say_line(console, f"The flame graph is {shown_path(page)}")


def table(profile: Profile) -> Table:
    """A line for each step: seconds, how many cores worked, memory, and the functions that took most."""
    whole = sum(step.seconds for step in profile.steps)
    shown = Table(title="where the time went", title_justify="left", box=None, pad_edge=False)
    for name in ("step", "seconds", "share", "cores", "peak MB"):
        shown.add_column(name, justify="left" if name == "step" else "right")
    shown.add_column("most of it in (seconds)")
    for step in profile.steps:
        most = profile.seconds_in(step.name).most_common(3)
        shown.add_row(
            step.name,
            f"{step.seconds:,.1f}",
            percent(step.seconds / whole),
            f"{step.cpu_seconds / max(step.seconds, 1e-9):.1f}",
            f"{step.peak_mb:,.0f}",
            ", ".join(f"{name} {seconds:.1f}" for name, seconds in most if seconds >= 0.05),
        )
    return shown
