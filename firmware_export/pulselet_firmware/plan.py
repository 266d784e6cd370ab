"""Where each activation lies in the arena."""

from __future__ import annotations

from dataclasses import dataclass

from pulselet_firmware.graph import Graph, Tensor

ALIGNMENT = 4


@dataclass(frozen=True)
class Plan:
    """Offsets in bytes by the index of the tensor, and the size of the arena."""

    offsets: dict[int, int]
    arena_bytes: int


@dataclass
class _Life:
    """A buffer, the tensors that share it, and the first and last operation that touch it."""

    tensors: list[int]
    size: int
    first: int
    last: int


def plan(graph: Graph) -> Plan:
    """Return a plan in which no two activations that are alive at the same time overlap.

    Greedy by size, largest first, each at the lowest offset that is free while it lives (Pisarchyk and Lee, "Efficient
    memory management for deep neural net inference", arXiv 2001.03288). A reshape shares its input's buffer.
    """
    placed: list[tuple[int, _Life]] = []
    for life in sorted(_lives(graph), key=lambda one: -one.size):
        at = 0
        for offset, other in sorted((o, p) for o, p in _together(placed, life)):
            if at + life.size <= offset:
                break
            at = max(at, offset + other)
        placed.append((at, life))
    offsets = {tensor: at for at, life in placed for tensor in life.tensors}
    return Plan(offsets, max(at + life.size for at, life in placed))


def _together(placed: list[tuple[int, _Life]], life: _Life) -> list[tuple[int, int]]:
    """Return offset and size of what lives while `life` does."""
    return [(at, other.size) for at, other in placed if other.first <= life.last and life.first <= other.last]


def _lives(graph: Graph) -> list[_Life]:
    buffers: dict[int, _Life] = {}
    _touch(buffers, graph.input, -1)
    for step, operation in enumerate(graph.operations):
        source = operation.inputs[0]
        if operation.name == "Reshape":
            shared = buffers[source.index]
            shared.tensors.append(operation.output.index)
            buffers[operation.output.index] = shared
        for tensor in (*operation.inputs, operation.output):
            if tensor.data is None:
                _touch(buffers, tensor, step)
    _touch(buffers, graph.output, len(graph.operations))
    return list({id(life): life for life in buffers.values()}.values())


def _touch(buffers: dict[int, _Life], tensor: Tensor, step: int) -> None:
    life = buffers.setdefault(tensor.index, _Life([tensor.index], 0, step, step))
    life.size = max(life.size, -(-tensor.size // ALIGNMENT) * ALIGNMENT)
    life.last = step
