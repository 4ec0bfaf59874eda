"""What a training attaches to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perennial.training.attachments.attachment import Attachment
from perennial.training.attachments.vocabulary import TrimmedVocabulary

if TYPE_CHECKING:
    from perennial.training.encoding.dataset import EncodedRows


def chosen_attachments(rows: EncodedRows, padding: int) -> tuple[Attachment, ...]:
    """What a training on `rows`, filled up with the token id `padding`, attaches to its network, in this order.

    What depends on a setting belongs here, too; `finetuning.training_key` holds all of TrainingSpec already.
    """
    return (TrimmedVocabulary(np.union1d(rows.tokens, [padding])),)
