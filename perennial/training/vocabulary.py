"""Token embeddings of which only those are trained that the training rows hold: the others could learn nothing."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class HeldEmbedding(nn.Module):
    """An embedding whose vectors of some tokens are trained, and whose others stay as they are.

    Embeddings are half of a small model's weights, and most of them belong to tokens that no training row holds. In one
    table with the others, AdamW would read and write their gradients of zero and their moments at each step.
    """

    whole: torch.Tensor
    held: torch.Tensor
    places: torch.Tensor

    def __init__(self, table: nn.Embedding, held: np.ndarray) -> None:
        """`held`: ids of the tokens that are trained, sorted, each once; in training there may be no others."""
        super().__init__()
        ids = torch.from_numpy(held.astype(np.int64))
        places = torch.full((table.num_embeddings,), -1)
        places[ids] = torch.arange(len(ids))
        padding = -1 if table.padding_idx is None else int(places[table.padding_idx])
        self.padding_place = padding if padding >= 0 else None
        self.weight = nn.Parameter(table.weight.detach()[ids].clone())
        # No part of the state: the base model and the rows, which a resumed run has too, give them.
        self.register_buffer("whole", table.weight.detach(), persistent=False)
        self.register_buffer("held", ids, persistent=False)
        self.register_buffer("places", places, persistent=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The vector of each token id."""
        places = self.places[input_ids]
        if self.training:
            return F.embedding(places, self.weight, padding_idx=self.padding_place)
        trained = F.embedding(places.clamp(min=0), self.weight)
        return torch.where((places >= 0).unsqueeze(-1), trained, F.embedding(input_ids, self.whole))

    def table(self) -> nn.Embedding:
        """All vectors in one table, those that were trained in their places."""
        weights = self.whole.index_copy(0, self.held, self.weight.detach())
        tokens, width = weights.shape
        return nn.Embedding(tokens, width, _weight=weights)


def narrow(network: nn.Module, held: np.ndarray) -> None:
    """Let `network` train the embeddings of the tokens `held` (ids, sorted, each once) and of no others.

    A network whose embeddings are frozen, or no plain table, is left as it is.
    """
    encoder = _encoder(network)
    table = encoder.get_input_embeddings()
    if type(table) is nn.Embedding and table.weight.requires_grad and table.max_norm is None:
        encoder.set_input_embeddings(HeldEmbedding(table, held))


def widen(network: nn.Module) -> None:
    """Give `network` its whole table of embeddings back, with what was trained in it."""
    encoder = _encoder(network)
    embeddings = encoder.get_input_embeddings()
    if isinstance(embeddings, HeldEmbedding):
        encoder.set_input_embeddings(embeddings.table())


def _encoder(network: nn.Module) -> Any:
    """The transformers model inside `network`."""
    inner = network.classifier if hasattr(network, "classifier") else network.encoder
    return cast(Any, inner)
