"""Which nodes of a float graph become integers, and which of its tensors share a scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from models.manifest import State

__all__ = ["Plan", "plan"]

_WEIGHED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Operators in which time is spent; the second input holds the weights."""

_MOVING = {
    *("Concat", "Slice", "Split", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"),
    *("MaxPool", "Identity"),
}
"""Operators that only move values: integers pass unchanged where both sides share a scale."""

_BETWEEN = _MOVING | {"Add", "Relu", "Clip", "AveragePool", "GlobalAveragePool"}
"""Operators that become integers where what they take already is."""

_SMALLEST_MATRIX = 4096  # weights; a smaller matrix product costs less than its conversions


@dataclass(frozen=True, slots=True)
class Plan:
    """nodes: names of the nodes to quantise. tensors: float tensors that need a range.

    groups: sets of tensors that must share one range, so that moving a value between them
    is exact. carried: states that only join the stream and leave it, and so may be integers.
    """

    nodes: tuple[str, ...]
    tensors: tuple[str, ...]
    groups: tuple[frozenset[str], ...]
    carried: tuple[str, ...]


def plan(graph: Any, states: Sequence[State]) -> Plan:
    """The plan for an `onnx.GraphProto` whose nodes all have names.

    A state that is computed with (a running mean, a recurrent unit) stays in floats, and so
    does all that depends on it: the rounding of its own past would add up in it.
    """
    carried = [state for state in states if _only_moves(graph, state)]
    summed = {state.name_in for state in states} - {state.name_in for state in carried}
    recurrent = _reached(graph, summed)
    free = [node for node in graph.node if recurrent.isdisjoint(node.output)]
    chosen = _chosen(graph, free, {state.name_in for state in carried})
    constants = {tensor.name for tensor in graph.initializer}
    tensors = _in_order(n for node in chosen for n in (*_data_inputs(node), *node.output))
    return Plan(
        nodes=tuple(node.name for node in chosen),
        tensors=tuple(name for name in tensors if name and name not in constants),
        groups=_groups(chosen, carried, constants),
        carried=tuple(state.name_in for state in carried),
    )


def _only_moves(graph: Any, state: State) -> bool:
    takers = [node for node in graph.node if state.name_in in node.input]
    makers = [node for node in graph.node if state.name_out in node.output]
    return bool(takers and makers) and all(n.op_type in _MOVING for n in (*takers, *makers))


def _reached(graph: Any, names: Iterable[str]) -> set[str]:
    """These tensors and all that depend on them (the nodes of a graph are in order)."""
    reached = set(names)
    for node in graph.node:
        if not reached.isdisjoint(node.input):
            reached.update(node.output)
    return reached


def _chosen(graph: Any, nodes: Sequence[Any], carried: set[str]) -> list[Any]:
    sizes = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    integer = {value.name for value in graph.input} | carried | set(sizes)
    chosen = []
    for node in nodes:
        if _is_weighed(node, sizes) or (
            node.op_type in _BETWEEN and all(name in integer for name in _data_inputs(node))
        ):
            chosen.append(node)
            integer.update(node.output)
    return _trimmed(chosen)


def _trimmed(chosen: list[Any]) -> list[Any]:
    """Without movement alone: a graph without weights has nothing to gain."""
    return chosen if any(node.op_type in _WEIGHED for node in chosen) else []


def _is_weighed(node: Any, sizes: Mapping[str, int]) -> bool:
    if node.op_type not in _WEIGHED or node.domain or node.input[1] not in sizes:
        return False
    return "Conv" in node.op_type or sizes[node.input[1]] >= _SMALLEST_MATRIX


def _data_inputs(node: Any) -> list[str]:
    """Inputs that carry the signal: not weights, shapes or bounds."""
    return list(node.input) if node.op_type in ("Concat", "Add") else list(node.input[:1])


def _groups(
    chosen: Iterable[Any], carried: Iterable[State], constants: set[str]
) -> tuple[frozenset[str], ...]:
    joined = [{*_data_inputs(n), *n.output} - constants for n in chosen if n.op_type in _MOVING]
    joined += [{state.name_in, state.name_out} for state in carried]
    groups: list[set[str]] = []
    for names in joined:
        touching = [group for group in groups if not group.isdisjoint(names)]
        groups = [group for group in groups if group.isdisjoint(names)]
        groups.append(names.union(*touching))
    return tuple(frozenset(group) for group in groups)


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
