"""The graphs of one process: where two begin alike, as with a frozen encoder, that is loaded and run once."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet, WeakValueDictionary

import numpy as np

from perennial.core.errors import PackageError
from perennial.inference.runtime import (
    CPU,
    INPUTS,
    OUTPUT,
    AnsweredBatch,
    Graph,
    by_segment,
    open_session,
    run_session,
)
from perennial.inference.sharing.cuts import Cut, Outline, outline
from perennial.inference.sharing.onnx_graph import NotDivisibleError
from perennial.inference.tokenization import Tokenizer

LOG = logging.getLogger(__name__)
PROBES = ((2, 3), (3, 7))
"""Rows × tokens of the batches on which a graph in two parts must answer as the whole one."""
TOLERANCE = 1e-3


class _Head:
    """A graph from what an encoder gives to logits."""

    def __init__(self, model: bytes, cut: Cut) -> None:
        # A product of some rows: a second thread would cost more than it does.
        self._session, self._cut = open_session(model, 1, gpu=False), cut
        self._needs = [given.name for given in self._session.get_inputs() if given.name in INPUTS]

    def run(self, states: np.ndarray, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """Logits of the rows of `states`; the other two as they were given to the encoder."""
        given = dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
        return run_session(
            self._session, OUTPUT, {self._cut.tensor: states} | {name: given[name] for name in self._needs}
        )


@dataclass(frozen=True)
class _Encoder:
    """The first part of several graphs."""

    print: str
    graph: Graph


@dataclass(frozen=True)
class _Whole:
    graph: Graph


@dataclass(frozen=True)
class _Parts:
    encoder: _Encoder
    head: _Head


class PooledGraph:
    """A graph as `Graph` is one, whose first part may be that of other graphs, too. Safe to share by threads."""

    def __init__(self, file: Path, pad_id: int, threads: int | None, form: _Whole | _Parts, prints: frozenset[str]):
        """To be had from a `GraphPool`."""
        self.file, self.pad_id, self.threads, self.prints = file, pad_id, threads, prints
        self.form = form
        """How it is run; another one is put there in one step, and gives the same."""

    @property
    def provider(self) -> str:
        """The execution provider that ONNX Runtime uses."""
        return self._first.provider

    @property
    def runs_at_once(self) -> int:
        """As of `Graph`."""
        return self._first.runs_at_once

    @property
    def encoder(self) -> object:
        """What runs it, or its first part: the same for graphs that `outputs_together` answers in one run."""
        return self.form.encoder if isinstance(self.form, _Parts) else self.form

    @property
    def _first(self) -> Graph:
        return self.form.encoder.graph if isinstance(self.form, _Parts) else self.form.graph

    def outputs_of(
        self,
        segments: Sequence[np.ndarray],
        *,
        tokens_per_batch: int = 1024,
        width: int = 1,
        run_tokens: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """As `Graph.outputs_of`."""
        form = self.form
        if isinstance(form, _Whole):
            return form.graph.outputs_of(
                segments,
                tokens_per_batch=tokens_per_batch,
                width=width,
                run_tokens=run_tokens,
                on_progress=on_progress,
            )
        batches = form.encoder.graph.batches_of(segments, tokens_per_batch, width, run_tokens)
        heads = [form.head] * len(segments)
        return by_segment((part for batch in batches for part in _by_head(batch, heads)), segments, on_progress)


def outputs_together(
    asked: Sequence[tuple[PooledGraph, Sequence[np.ndarray]]], tokens_per_batch: int, run_tokens: int = 0
) -> list[list[np.ndarray]]:
    """`outputs_of` for each graph and its segments; those with one encoder are run together, each by its own head."""
    outputs: list[list[np.ndarray]] = [[] for _ in asked]
    by_encoder: dict[int, list[tuple[int, _Parts]]] = {}
    for index, (graph, segments) in enumerate(asked):
        form = graph.form  # read once: a graph may be divided meanwhile
        if isinstance(form, _Parts):
            by_encoder.setdefault(id(form.encoder), []).append((index, form))
        else:
            outputs[index] = form.graph.outputs_of(segments, tokens_per_batch=tokens_per_batch, run_tokens=run_tokens)
    for members in by_encoder.values():
        segments = [ids for index, _ in members for ids in asked[index][1]]
        heads = [parts.head for index, parts in members for _ in asked[index][1]]
        batches = members[0][1].encoder.graph.batches_of(segments, tokens_per_batch, 1, run_tokens)
        answers = iter(by_segment((part for batch in batches for part in _by_head(batch, heads)), segments))
        for index, _ in members:
            outputs[index] = [next(answers) for _ in asked[index][1]]
    return outputs


def _by_head(batch: AnsweredBatch, heads: Sequence[_Head]) -> Iterator[AnsweredBatch]:
    """What an encoder gave for a batch as what the heads of its rows give; `heads`: of each segment."""
    owners: dict[int, list[int]] = {}
    for number, row in enumerate(batch.rows.tolist()):
        owners.setdefault(id(heads[row]), []).append(number)
    for places in owners.values():
        rows, ids, mask, states = (
            (batch.rows, batch.input_ids, batch.attention_mask, batch.outputs)
            if len(owners) == 1
            else (part[places] for part in batch)
        )
        yield AnsweredBatch(rows, ids, mask, heads[int(rows[0])].run(states, ids, mask))


class GraphPool:
    """The graphs and tokenizers that are loaded in a process. What nobody uses any more is let go."""

    def __init__(self) -> None:
        self._graphs: WeakSet[PooledGraph] = WeakSet()
        self._encoders: WeakValueDictionary[str, _Encoder] = WeakValueDictionary()
        self._tokenizers: WeakValueDictionary[tuple[str, int], Tokenizer] = WeakValueDictionary()
        # One at a time: two that come at once might each load the encoder that they share.
        self._loading = threading.Lock()

    def graph(self, file: Path, *, pad_id: int, threads: int | None, gpu: bool) -> PooledGraph:
        """The graph in `file`, with the encoder of one that is here where it begins as that does.

        Raises PackageError as `Graph` does. A graph that can't be shared is loaded whole.
        """
        with self._loading:
            whole = Graph(file, pad_id=pad_id, threads=threads, gpu=gpu)
            try:
                divided = _outline(file, whole)
                made = PooledGraph(file, pad_id, threads, _Whole(whole), frozenset(cut.print for cut in divided.cuts))
                self._share(made, divided)
            except NotDivisibleError as why:
                LOG.info("A graph is served by itself: %s.", why)
                made = PooledGraph(file, pad_id, threads, _Whole(whole), frozenset())
            self._graphs.add(made)
            return made

    def tokenizer(self, file: Path, sha256: str, max_length: int) -> Tokenizer:
        """The tokenizer in `file`, whose digest is `sha256`; one that is here already, if there is. Raises PackageError
        as `Tokenizer` does."""
        with self._loading:
            held = self._tokenizers.get((sha256, max_length))
            if held is None:
                held = self._tokenizers[sha256, max_length] = Tokenizer(file, max_length)
            return held

    def _share(self, made: PooledGraph, divided: Outline) -> None:
        """Let `made` share the longest beginning that it has in common with another, whole or so divided."""
        for cut in reversed(divided.cuts):
            others = [other for other in self._graphs if cut.print in other.prints and other.pad_id == made.pad_id]
            whole = [other for other in others if isinstance(other.form, _Whole)]
            encoder = self._encoders.get(cut.print)
            if encoder is not None or whole:
                encoder = encoder or self._new_encoder(divided, cut, made)
                for graph in (made, *whole):
                    _divide(graph, encoder, divided if graph is made else None)
                return

    def _new_encoder(self, divided: Outline, cut: Cut, made: PooledGraph) -> _Encoder:
        graph = Graph(divided.first_part(cut), pad_id=made.pad_id, threads=made.threads, gpu=False, output=cut.tensor)
        self._encoders[cut.print] = encoder = _Encoder(cut.print, graph)
        return encoder


def _outline(file: Path, whole: Graph) -> Outline:
    if whole.provider != CPU:
        raise NotDivisibleError(f"it runs on {whole.provider}")
    return outline(file)


def _divide(graph: PooledGraph, encoder: _Encoder, divided: Outline | None) -> None:
    """Let `graph`, which is whole, be run by `encoder` and a head of its own, if that answers as the whole does."""
    form = graph.form
    if not isinstance(form, _Whole):
        return
    try:
        divided = divided or outline(graph.file)
        [cut] = [cut for cut in divided.cuts if cut.print == encoder.print]
        parts = _Parts(encoder, _Head(divided.second_part(cut), cut))
        difference = max(_difference(form.graph, parts, size) for size in PROBES)
    except (NotDivisibleError, PackageError, ValueError) as error:
        LOG.warning("A graph is served by itself: in two parts it does not run (%s).", type(error).__name__)
        return
    if difference > TOLERANCE:
        LOG.warning("A graph is served by itself: in two parts its outputs differ by %.2g.", difference)
        return
    graph.form = parts


def _difference(whole: Graph, parts: _Parts, size: tuple[int, int]) -> float:
    """The largest between the outputs of both on made-up tokens, as a share of the largest output."""
    rows, tokens = size
    ids = np.arange(rows * tokens, dtype=np.int64).reshape(size)
    mask = np.ones_like(ids)
    mask[0, tokens - 1 :] = 0
    expected = whole.run(ids, mask)
    states = parts.encoder.graph.run(ids, mask)
    if states.shape[0] != rows or (expected.ndim == 3 and states.shape[1] != tokens):
        raise NotDivisibleError("what the encoder gives is not by row")
    # All rows at once: int8 scales a batch's numbers by the largest among them, so apart they may differ a little.
    divided = parts.head.run(states, ids, mask)
    return float(np.abs(divided - expected).max() / max(1.0, np.abs(expected).max()))
