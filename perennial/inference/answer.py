"""`python -m perennial.inference.answer PACKAGE`: answers in a process that has loaded what serving takes, no more.

A line of standard input is a JSON list of inputs (texts, pairs of texts or lists of tokens). A line of standard output
says what was answered, on what, and which libraries that took: {"answers": […], "machine": […], "loaded": […]}. Lines
before it say after each batch how far it is: {"done": [segments, in all]}.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perennial.inference.predictor import Predictor
from perennial.inference.process import answer_requests, tell_progress


def loaded() -> list[str]:
    """The libraries that are imported in this process, the standard library's left out."""
    names = {name.partition(".")[0] for name in sys.modules}
    return sorted(name for name in names - set(sys.stdlib_module_names) if not name.startswith("_"))


def answering(package: Path) -> Callable[[list[Any]], dict[str, Any]]:
    """What replies to a list of inputs."""
    predictor = Predictor(package)

    def replies(inputs: list[Any]) -> dict[str, Any]:
        answers = predictor.predict(inputs, on_progress=tell_progress)
        return {"answers": answers, "machine": predictor.machine, "loaded": loaded()}

    return replies


if __name__ == "__main__":
    answer_requests(answering)
