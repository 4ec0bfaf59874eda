"""Where a graph can be cut in two, and what the first part is, whatever its tensors are called.

The first part is known by a hash tree (Merkle 1987): a tensor's print is the hash of the operator that makes it and of
the prints of what that reads, down to the bytes of the weights. Two tensors with one print are the same function of
the graph's inputs.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perennial.inference.sharing import wire
from perennial.inference.sharing.onnx_graph import TENSOR_DOC, TENSOR_NAME, GraphNode, OnnxGraph, read_graph

HEAVY = 1024
"""Bytes of the smallest weight that is worth not to be computed with twice. What needs none, as the mask in the form
that attention reads, is computed in both parts."""


@dataclass(frozen=True)
class Cut:
    """A place at which all that the rest of the graph needs is one tensor, and light things."""

    tensor: str
    print: str
    """Of the tensor: sha256, in hex."""


@dataclass(frozen=True)
class Outline:
    """A graph's cuts, from its beginning to its end."""

    graph: OnnxGraph
    cuts: tuple[Cut, ...]

    def first_part(self, cut: Cut) -> bytes:
        """The model from the graph's inputs to `cut`."""
        return self.graph.part(_ancestors(self.graph, cut.tensor, None), None, cut.tensor)

    def second_part(self, cut: Cut) -> bytes:
        """The model from `cut` (and the graph's inputs, as far as it needs them) to the graph's output."""
        [output] = self.graph.outputs
        return self.graph.part(_ancestors(self.graph, output, cut.tensor), cut.tensor, None)


def outline(file: Path) -> Outline:
    """The cuts of the graph in `file`. Raises NotDivisibleError if it is none that can be cut."""
    graph = read_graph(file)
    prints = _prints(graph)
    return Outline(graph, tuple(Cut(tensor, prints[tensor]) for tensor in _narrow_places(graph)))


def _prints(graph: OnnxGraph) -> dict[str, str]:
    prints = {"": "nothing"} | {name: _print(graph.header, name.encode()) for name in graph.inputs}
    prints |= {name: _print(*_content(raw)) for name, raw in graph.weights.items()}
    for node in graph.nodes:
        made = _print(node.operator, *(prints[name].encode() for name in node.inputs))
        prints |= {name: f"{made}:{index}" for index, name in enumerate(node.outputs)}
    return prints


def _content(weight: memoryview) -> Iterator[bytes | memoryview]:
    """All of a weight but its name."""
    for number, kind, content in wire.fields(weight):
        if number not in {TENSOR_NAME, TENSOR_DOC}:
            yield bytes((number, kind))
            yield content


def _print(*parts: bytes | memoryview) -> str:
    hasher = hashlib.sha256()
    for part in parts:
        # With its length, so that no two lists of parts read the same.
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return hasher.hexdigest()


def _narrow_places(graph: OnnxGraph) -> Iterator[str]:
    """Tensors that are alone alive among heavy ones after some node: made before it, and read behind it."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    heavy = {name for name, raw in graph.weights.items() if len(raw) >= HEAVY}
    alive: set[str] = set()
    for node in graph.nodes:
        is_heavy = any(name in heavy for name in node.inputs)
        readers.subtract(node.inputs)
        alive -= {name for name in node.inputs if not readers[name]}
        if is_heavy:
            heavy |= set(node.outputs)
            alive |= {name for name in node.outputs if readers[name]}
        if is_heavy and len(alive) == 1:
            [tensor] = alive
            if tensor in node.outputs:
                yield tensor


def _ancestors(graph: OnnxGraph, tensor: str, stop: str | None) -> set[GraphNode]:
    """The nodes that `tensor` is computed by; where `stop` is given, from that one on."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    ancestors: set[GraphNode] = set()
    wanted = [tensor]
    while wanted:
        name = wanted.pop()
        node = makers.get(name)
        if node is not None and name != stop and node not in ancestors:
            ancestors.add(node)
            wanted += node.inputs
    return ancestors
