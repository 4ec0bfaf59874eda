"""Each pipeline of the repository as a newcomer runs it: a home of its own, then the same again with nothing new."""

from pathlib import Path

from benchmarks.common.command import Measured, perennial

PIPELINES = Path("pipelines")


def measure(scratch: Path) -> dict[str, object]:
    """What each run ended as, its seconds, its memory, and those of the second run."""
    figures: dict[str, object] = {}
    for pipeline in sorted(path.parent.name for path in PIPELINES.glob("*/pipeline.yaml")):
        first, again = (_run(pipeline, scratch / pipeline) for _ in range(2))
        figures |= _figures(pipeline, first) | _figures(f"{pipeline} again", again)
    return figures


def _run(pipeline: str, home: Path) -> Measured:
    return perennial("run", pipeline, "--json", home=home)


def _figures(name: str, ran: Measured) -> dict[str, object]:
    answer = ran.answer
    return {
        f"{name}: status": f"{answer['status']} (exit {ran.code})",
        f"{name}, seconds": ran.seconds,
        f"{name}, peak MB": ran.peak_mb,
        f"{name}, seconds of steps": answer.get("seconds"),
    }
