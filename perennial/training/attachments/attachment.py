"""The seam between a training and what its network carries meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn


class Attachment(Protocol):
    """A change of the network for the time of its training, as a trimmed vocabulary or low-rank updates are."""

    def attach(self, network: nn.Module) -> None:
        """Change `network`, which has its first weights, with those frozen that the settings freeze.

        Trained afterwards is what `requires_grad` says: weights may be frozen here and others added. What is added is
        called like the weights beside it (its learning rate follows from its layer's number), and belongs to the
        network's state, which is what a checkpoint holds; what base model and rows give again does not. The same
        settings and rows attach the same, so that a training that was killed resumes. How many random numbers this
        draws is part of what is trained.
        """

    def fold(self, network: nn.Module) -> None:
        """Put what was learned into the network's own weights, which are then called and shaped as before `attach`.

        The network has its best weights by then, and answers the same afterwards.
        """


def attach_all(network: nn.Module, attachments: Sequence[Attachment]) -> None:
    """Attach each to `network`, in order."""
    for attachment in attachments:
        attachment.attach(network)


def fold_all(network: nn.Module, attachments: Sequence[Attachment]) -> None:
    """Fold each into `network`, what was attached last first."""
    for attachment in reversed(attachments):
        attachment.fold(network)
