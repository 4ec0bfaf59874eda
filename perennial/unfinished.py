"""Whether a run of a pipeline was begun and never came to its end: what it had taken in is new no more, yet unlearned.

Rows that passed validation count as read from then on. A run that was killed, or found MLflow down, after that must be
gone on with by the next one, though nothing new came.
"""

from perennial.home import Home
from perennial.store import write_atomically

FILE = "unfinished"


def begin(home: Home, pipeline: str, run_key: str) -> None:
    """From now on there is something to finish."""
    path = home.state(pipeline) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, run_key + "\n")


def is_there(home: Home, pipeline: str) -> bool:
    """Whether a run was begun and has not ended."""
    return (home.state(pipeline) / FILE).exists()


def end(home: Home, pipeline: str) -> None:
    """All that was begun is done."""
    (home.state(pipeline) / FILE).unlink(missing_ok=True)
