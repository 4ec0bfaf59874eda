"""How long a person waits for a cold process: `--help`, and `predict` of one text beside `transformers.pipeline`.

BENCH_HOME names a home that has a champion of the sentiment pipeline; without it one is trained first.
"""

import sys
from pathlib import Path

from benchmarks.common import turns
from benchmarks.common.command import MODEL, Measured, home_with_champion, perennial, run

REPETITIONS = 7
HEADLINE = "Profit warning sends shares down 12%"
PREDICT = "perennial predict"
PEER = """
import os, sys
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from transformers import pipeline
print(pipeline("text-classification", model=sys.argv[1], device="cpu")(sys.argv[2]))
"""
"""The champion's base model under the class that the peer asks for; its head's weights cost no time."""


def measure(scratch: Path) -> dict[str, object]:
    """Median seconds of each, in turn, and what `predict` takes over each of the others."""
    home = home_with_champion(scratch)
    base = str(_base())
    seconds = turns.take(
        {
            "perennial --help": lambda: _seconds(perennial("--help", home=home)),
            PREDICT: lambda: _seconds(perennial("predict", MODEL, HEADLINE, "--json", home=home)),
            "transformers.pipeline": lambda: _seconds(run(sys.executable, "-c", PEER, base, HEADLINE, home=home)),
        },
        REPETITIONS,
    )
    return turns.figures(seconds, PREDICT, "seconds")


def _base() -> Path:
    from perennial.pipeline_file import loader
    from perennial.training import base_model

    return base_model.find_base_model(loader.read_pipeline(loader.find_pipeline(MODEL))).folder


def _seconds(measured: Measured) -> float:
    assert measured.code == 0, measured.output
    return measured.seconds
