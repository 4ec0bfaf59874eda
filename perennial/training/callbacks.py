"""What a training calls after each epoch, with its figures, and how that ends it."""

from collections.abc import Callable, Mapping

AfterEpoch = Callable[[float, Mapping[str, float]], None]
"""Hears how many epochs are done, and the metrics on the validation rows; may raise Stopped."""


class Stopped(Exception):  # noqa: N818 - a wish, not an error
    """Its listener does not want the training to go on: nothing of it is kept."""
