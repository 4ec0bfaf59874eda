"""Training the embeddings of the held tokens alone gives what training the whole table gives."""

import numpy as np
import pytest
import torch
from torch import nn

from perennial.training.attachments.vocabulary import TrimmedEmbedding, TrimmedVocabulary

HELD = np.array([0, 2, 3, 7])
TRIMMED = TrimmedVocabulary(HELD)
IDS = torch.tensor([[2, 3, 0], [7, 2, 2]])


class Encoder(nn.Module):
    """As transformers' models are: with a table of embeddings that can be asked for and replaced."""

    def __init__(self, table: nn.Module) -> None:
        super().__init__()
        self.table = table

    def get_input_embeddings(self) -> nn.Module:
        return self.table

    def set_input_embeddings(self, table: nn.Module) -> None:
        self.table = table


class Network(nn.Module):
    def __init__(self, table: nn.Module) -> None:
        super().__init__()
        self.encoder = Encoder(table)
        self.head = nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder.get_input_embeddings()(ids).mean(1))


def network(padding: int | None = 0) -> Network:
    torch.manual_seed(3)
    return Network(nn.Embedding(9, 4, padding_idx=padding))


def trained(made: Network, steps: int = 5) -> Network:
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.1, weight_decay=0.0)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(made(IDS), torch.tensor([0, 1]))
        loss.backward()
        nn.utils.clip_grad_norm_(made.parameters(), 0.1)
        optimizer.step()
        optimizer.zero_grad()
    return made


@pytest.mark.parametrize("padding", [0, None, 5])
def test_it_learns_what_the_whole_table_learns(padding: int | None) -> None:
    whole, held = trained(network(padding)), network(padding)
    TRIMMED.attach(held)
    trained(held)
    TRIMMED.fold(held)
    one, other = whole.state_dict(), held.state_dict()
    assert one.keys() == other.keys()
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights)


def test_other_tokens_are_read_in_evaluation_and_never_changed() -> None:
    made = network()
    before = made.encoder.table.weight.detach().clone()
    TRIMMED.attach(made)
    trained(made)
    embeddings = made.eval().encoder.table
    assert isinstance(embeddings, TrimmedEmbedding)
    assert len(embeddings.weight) == len(HELD)
    everything = embeddings(torch.arange(9))
    torch.testing.assert_close(everything, embeddings.table().weight)
    others = np.setdiff1d(np.arange(9), HELD)
    torch.testing.assert_close(everything[others], before[others])
    assert not torch.equal(everything[2], before[2])


def test_a_token_that_no_row_held_is_no_token_to_train_on() -> None:
    made = network()
    TRIMMED.attach(made)
    with pytest.raises(IndexError):
        made(torch.tensor([[1]]))


def test_the_state_is_what_is_trained() -> None:
    made = network()
    TRIMMED.attach(made)
    assert made.state_dict()["encoder.table.weight"].shape == (4, 4)
    assert set(made.state_dict()) == {"encoder.table.weight", "head.weight", "head.bias"}


def test_frozen_embeddings_are_left_alone() -> None:
    made = network()
    made.encoder.table.weight.requires_grad_(False)
    TRIMMED.attach(made)
    assert type(made.encoder.table) is nn.Embedding
    TRIMMED.fold(made)
    assert type(made.encoder.table) is nn.Embedding
