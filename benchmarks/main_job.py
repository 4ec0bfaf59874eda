"""The main job on the repository's own use case: a first run, the same again, one more part of data, and an answer."""

import shutil
import statistics
from pathlib import Path

from benchmarks.common.command import Measured, perennial

PIPELINE = Path("pipelines/sentiment")
HEADLINE = "Profit warning sends shares down 12%"


def measure(scratch: Path) -> dict[str, object]:
    """Run the sentiment pipeline on all but its last part, again, with the last part, and ask the champion."""
    pipeline, home = scratch / "sentiment", scratch / "home"
    shutil.copytree(PIPELINE, pipeline)
    *_, last = sorted((pipeline / "data").glob("*.jsonl"))
    withheld = last.rename(scratch / last.name)

    first = _run(pipeline, home)
    again = _run(pipeline, home)
    before = _entries(home)
    withheld.rename(last)
    more = _run(pipeline, home)
    answers = [perennial("predict", "sentiment", HEADLINE, "--json", home=home) for _ in range(3)]
    return {
        **_figures("first run", first),
        **_figures("again", again),
        **_figures("one more part", more),
        "one more part: parts validated, encoded": _new(before, _entries(home)),
        "predict of one text, seconds": statistics.median(answer.seconds for answer in answers),
        "predict of one text, answer": answers[0].answer["label"],
    }


def _run(pipeline: Path, home: Path) -> Measured:
    return perennial("run", str(pipeline), "--json", home=home)


def _figures(name: str, measured: Measured) -> dict[str, object]:
    answer = measured.answer
    figures: dict[str, object] = {
        f"{name}: status": f"{answer['status']} (exit {measured.code})",
        f"{name}, seconds": measured.seconds,
        f"{name}, peak MB": measured.peak_mb,
        f"{name}, seconds of steps": answer.get("seconds"),
    }
    if answer.get("metrics"):
        baselines = {model: values["accuracy"] for model, values in answer["metrics"]["baselines"].items()}
        figures[f"{name}, accuracy"] = answer["metrics"]["accuracy"]
        figures[f"{name}, accuracy of baselines"] = baselines
    return figures


def _entries(home: Path) -> dict[str, int]:
    return {step: sum(1 for _ in (home / "store" / step).iterdir()) for step in ("validate", "encode")}


def _new(before: dict[str, int], after: dict[str, int]) -> list[int]:
    return [after[step] - before[step] for step in before]
