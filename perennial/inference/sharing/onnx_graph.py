"""An ONNX graph as parts that can be copied into another graph. (onnx.proto3; numbers are those of its fields.)"""

import mmap
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from perennial.inference.sharing import wire

# ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto
GRAPH, OPSET, FUNCTIONS = 7, 8, 25
NODE, INITIALIZER, SPARSE, INPUT, OUTPUT = 1, 5, 15, 11, 12
NODE_INPUT, NODE_OUTPUT, OP_TYPE, ATTRIBUTE, DOMAIN, OVERLOAD = 1, 2, 4, 5, 7, 8
SUBGRAPH, SUBGRAPHS = 6, 11
TENSOR_NAME, TENSOR_DOC, TENSOR_LOCATION = 8, 12, 14
NAME, TYPE, TENSOR_TYPE, ELEMENT = 1, 2, 1, 1
FLOAT = 1


class NotDivisibleError(Exception):
    """A graph that is of another make than those that are cut here, in words."""


@dataclass(frozen=True, eq=False)
class GraphNode:
    """An operation; equal to itself only."""

    operator: bytes
    """All that makes it what it is, but for what it reads: type, domain, attributes."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw: memoryview


@dataclass(frozen=True)
class OnnxGraph:
    """A model's graph."""

    nodes: tuple[GraphNode, ...]
    """Each after those it reads from."""
    weights: dict[str, memoryview]
    """Initializers, as they are written."""
    inputs: dict[str, memoryview]
    outputs: dict[str, memoryview]
    header: bytes
    """The model's fields that say which operators are meant: version of the format, operator sets."""

    def part(self, nodes: Set[GraphNode], read: str | None, answered: str | None) -> bytes:
        """A model of `nodes`, in the graph's order. `read`: a tensor that it is given (float, of any shape), beside
        those of the graph's inputs that it needs; `answered`: the tensor that it gives (float); None: the graph's own.
        """
        chosen = [node for node in self.nodes if node in nodes]
        needed = {name for node in chosen for name in node.inputs}
        parts = [wire.field(NODE, node.raw) for node in chosen]
        parts.append(wire.field(2, b"part"))
        parts += [wire.field(INITIALIZER, raw) for name, raw in self.weights.items() if name in needed]
        parts += [wire.field(INPUT, raw) for name, raw in self.inputs.items() if name in needed]
        parts += [wire.field(INPUT, _float_tensor(read))] if read else []
        outputs: Iterable[bytes | memoryview] = [_float_tensor(answered)] if answered else self.outputs.values()
        parts += [wire.field(OUTPUT, raw) for raw in outputs]
        return self.header + wire.field(GRAPH, b"".join(parts))


def read_graph(file: Path) -> OnnxGraph:
    """The graph in `file`, whose bytes stay on disk. Raises NotDivisibleError if it has what can't be copied so."""
    try:
        with file.open("rb") as opened:
            model = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        return _graph(model)
    except (OSError, ValueError) as error:
        raise NotDivisibleError(f"the graph can't be read ({type(error).__name__})") from error


def _graph(model: memoryview) -> OnnxGraph:
    header, graph = b"", memoryview(b"")
    for number, kind, content in wire.fields(model):
        if number == FUNCTIONS:
            raise NotDivisibleError("the model has functions of its own")
        if number == GRAPH:
            graph = content
        elif number in {1, OPSET}:
            header += wire.field(number, content, kind)
    parts: dict[int, list[memoryview]] = {number: [] for number in (NODE, INITIALIZER, SPARSE, INPUT, OUTPUT)}
    for number, _, content in wire.fields(graph):
        parts.get(number, []).append(content)
    if parts[SPARSE]:
        raise NotDivisibleError("the model has sparse weights")
    weights = dict(map(_weight, parts[INITIALIZER]))
    inputs, outputs = ({_first_text(raw, NAME): raw for raw in parts[number]} for number in (INPUT, OUTPUT))
    given = {name: raw for name, raw in inputs.items() if name not in weights}
    return OnnxGraph(tuple(map(_node, parts[NODE])), weights, given, outputs, header)


def _node(raw: memoryview) -> GraphNode:
    inputs, outputs, operator = [], [], b""
    for number, kind, content in wire.fields(raw):
        if number == NODE_INPUT:
            inputs.append(wire.text(content))
        elif number == NODE_OUTPUT:
            outputs.append(wire.text(content))
        elif number in {OP_TYPE, ATTRIBUTE, DOMAIN, OVERLOAD}:
            operator += wire.field(number, content, kind)
            if number == ATTRIBUTE and any(part[0] in {SUBGRAPH, SUBGRAPHS} for part in wire.fields(content)):
                raise NotDivisibleError("the model has branches or loops")
    return GraphNode(operator, tuple(inputs), tuple(outputs), raw)


def _weight(raw: memoryview) -> tuple[str, memoryview]:
    if any(number == TENSOR_LOCATION and wire.number(content) for number, _, content in wire.fields(raw)):
        raise NotDivisibleError("the model's weights are in a file of their own")
    return _first_text(raw, TENSOR_NAME), raw


def _first_text(raw: memoryview, wanted: int) -> str:
    return next(wire.text(content) for number, _, content in wire.fields(raw) if number == wanted)


def _float_tensor(name: str) -> bytes:
    of_type = wire.field(TYPE, wire.field(TENSOR_TYPE, wire.integer(ELEMENT, FLOAT)))
    return wire.field(NAME, name.encode()) + of_type
