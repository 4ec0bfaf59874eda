"""Token embeddings of which only those are trained that the training rows hold: the others could learn nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from perennial.training.model import pretrained_part


class TrimmedEmbedding(nn.Module):
    """An embedding whose vectors of some tokens are trained, and whose others stay as they are.

    Embeddings are half of a small model's weights, and most of them belong to tokens that no training row holds. In one
    table with the others, AdamW would read and write their gradients of zero and their moments at each step.
    """

    whole: torch.Tensor
    trained_ids: torch.Tensor
    row_of_id: torch.Tensor

    def __init__(self, table: nn.Embedding, trained_ids: np.ndarray) -> None:
        """`trained_ids`: of the tokens, sorted, each once; in training there may be no others."""
        super().__init__()
        ids = torch.from_numpy(trained_ids.astype(np.int64))
        row_of_id = torch.full((table.num_embeddings,), -1)
        row_of_id[ids] = torch.arange(len(ids))
        padding = -1 if table.padding_idx is None else int(row_of_id[table.padding_idx])
        self.padding_row = padding if padding >= 0 else None
        self.weight = nn.Parameter(table.weight.detach()[ids].clone())
        # No part of the state: the base model and the rows, which a resumed run has too, give them.
        self.register_buffer("whole", table.weight.detach(), persistent=False)
        self.register_buffer("trained_ids", ids, persistent=False)
        self.register_buffer("row_of_id", row_of_id, persistent=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The vector of each token id."""
        rows = self.row_of_id[input_ids]
        if self.training:
            return F.embedding(rows, self.weight, padding_idx=self.padding_row)
        trained = F.embedding(rows.clamp(min=0), self.weight)
        return torch.where((rows >= 0).unsqueeze(-1), trained, F.embedding(input_ids, self.whole))

    def table(self) -> nn.Embedding:
        """All vectors in one table, with those that were trained."""
        weights = self.whole.index_copy(0, self.trained_ids, self.weight.detach())
        tokens, width = weights.shape
        return nn.Embedding(tokens, width, _weight=weights)


@dataclass(frozen=True, eq=False)
class TrimmedVocabulary:
    """Lets a network train the embeddings of some tokens and of no others: an `Attachment`."""

    trained_ids: np.ndarray
    """Of these tokens; sorted, each once."""

    def attach(self, network: nn.Module) -> None:
        """A network whose embeddings are frozen, or no plain table, is left as it is."""
        encoder = pretrained_part(network)
        table = encoder.get_input_embeddings()
        if type(table) is nn.Embedding and table.weight.requires_grad and table.max_norm is None:
            encoder.set_input_embeddings(TrimmedEmbedding(table, self.trained_ids))

    def fold(self, network: nn.Module) -> None:
        """Gives `network` its whole table back, with what was trained of it."""
        encoder = pretrained_part(network)
        embeddings = encoder.get_input_embeddings()
        if isinstance(embeddings, TrimmedEmbedding):
            encoder.set_input_embeddings(embeddings.table())
