"""What a decoder is: how rows of one kind of task become token ids, and outputs become answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from perennial.inference.tokenization import Tokenizer

Input = Any
"""What the model reads of one row; which type that is, the kind decides: a text, two texts, a list of tokens."""

Columns = Mapping[str, Sequence[Any]]
"""Cells by canonical column, for example `text` or `tokens`."""

Outputs = Sequence[np.ndarray]
"""What a model gives for each segment, float32: (outputs,), or (tokens, outputs) where it answers each token."""


class Reading(Protocol):
    """What a decoder must know to read a model's outputs; a package knows it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the outputs."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """What the kind chose on validation rows: a temperature, a threshold for each label; JSON-ready."""


@dataclass(frozen=True)
class Meaning:
    """The reading of a model that is not packed yet."""

    labels: tuple[str, ...]
    decoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoded:
    """Rows as a model reads them."""

    segments: list[np.ndarray]
    """Token ids (int32): one segment a row, or several for a row that is longer than the model reads at once."""
    truncated: int
    """Rows that lost their ends."""
    layout: Any = None
    """What the decoder needs to put segments together again; its own affair."""
    row_of: np.ndarray | None = None
    """For each segment the number of its row; None: one segment a row."""


class Decoder(Protocol):
    """One kind of task, from rows to token ids and from outputs to answers."""

    per_token: bool
    """Whether the model answers each token, or each segment as a whole."""
    columns: tuple[tuple[str, ...], ...]
    """Canonical columns a row is read from; alternatives, the preferred first."""

    @abstractmethod
    def inputs(self, columns: Columns) -> list[Input]:
        """What the model reads of each row of `columns`, which holds one of `self.columns`."""

    @abstractmethod
    def encode(self, inputs: Sequence[Input], tokenizer: Tokenizer) -> Encoded:
        """`inputs` as token ids. Raises TypeError if one is not of this kind's type."""

    @abstractmethod
    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        """One JSON-ready answer for each row of `encoded`, from the outputs of its segments."""

    @abstractmethod
    def details(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, np.ndarray]]:
        """What an answer leaves out of what the model says of each row: nothing, or arrays by name."""

    @abstractmethod
    def in_words(self, answer: Mapping[str, Any]) -> str:
        """`answer` for a person, on one line; "" if all of it is marked in the text."""

    @abstractmethod
    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        """A JSON Schema (draft 2020-12) of an answer of a model with these labels."""

    @abstractmethod
    def marked(self, answer: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        """What is marked in the text of `answer`: first character, the one after the last, label."""


class TextDecoder(Decoder, ABC):
    """A decoder of one text a row, read as one segment, of which the answer says all there is to say."""

    per_token = False
    columns: tuple[tuple[str, ...], ...] = (("text",),)

    def inputs(self, columns: Columns) -> list[Input]:
        return answer_to(columns["text"])

    def encode(self, inputs: Sequence[Input], tokenizer: Tokenizer) -> Encoded:
        return Encoded(*tokenizer.encode(inputs))

    def details(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, np.ndarray]]:
        return [{} for _ in outputs]

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        return {"type": "object"}

    def marked(self, answer: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        return []


def answer_to(cells: Sequence[str | None]) -> list[str]:
    """`cells` with "" for what is missing: it is answered all the same."""
    return ["" if cell is None else cell for cell in cells]


def tempered(logits: np.ndarray, reading: Reading) -> np.ndarray:
    """`logits` (float64) divided by the temperature that makes their scores as sure as they are right; an older package
    has none. (Guo et al. 2017.) Which answer is likeliest stays the same.
    """
    divided: np.ndarray = logits.astype(np.float64) / reading.decoding.get("temperature", 1.0)
    return divided


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (float32) along the last axis; computed in float64, so that they don't overflow and add up to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities.astype(np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities (float32) of each output by itself; computed in float64, so that they don't overflow."""
    probabilities: np.ndarray = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
    return probabilities.astype(np.float32)
