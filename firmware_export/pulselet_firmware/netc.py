"""A net as C: tables of weights and a list of calls into `pl_net.h`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet import __version__
from pulselet.errors import ModelError
from pulselet_firmware.graph import Graph, Operation, Tensor
from pulselet_firmware.plan import plan
from pulselet_firmware.templating import environment, rows

SAME = 0  # of the schema's Padding
BOUNDS = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}  # of the schema's ActivationFunctionType


@dataclass(frozen=True)
class NetHeader:
    """The text of `<name>_net.h`, and the size of the arena that its net works in."""

    text: str
    arena_bytes: int


@dataclass(frozen=True)
class Call:
    """One operation: the runtime's function, its tables, and the initialiser of its struct in C."""

    function: str
    struct: str
    tables: list[dict[str, Any]]
    fields: list[str]


def net_header(graph: Graph, name: str) -> NetHeader:
    """Return the net `graph` as a header whose names begin with `name`.

    Raises
    ------
    ModelError
        If an operation has a shape or an option without C.
    """
    planned = plan(graph)
    calls = []
    for i, operation in enumerate(graph.operations):
        if operation.name == "Reshape":
            continue
        made = CALLS[operation.name](operation, f"{name}_net_{i}")
        where = planned.offsets[operation.inputs[0].index], planned.offsets[operation.output.index]
        calls.append({"call": made, "name": f"{name}_net_{i}", "operation": operation.name, "where": where})
    text = (
        environment()
        .get_template("net.h.j2")
        .render(
            name=name,
            upper=name.upper(),
            version=__version__,
            calls=calls,
            arena_bytes=planned.arena_bytes,
            input_offset=planned.offsets[graph.input.index],
            output_offset=planned.offsets[graph.output.index],
        )
    )
    return NetHeader(text, planned.arena_bytes)


def quantised_multiplier(real: float) -> tuple[int, int]:
    """Return the 31-bit multiplier and the shift of `real`: `real = multiplier * 2**(shift - 31)`.

    >>> quantised_multiplier(0.75)
    (1610612736, 0)
    >>> quantised_multiplier(2**-40)
    (0, 0)
    """
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def clamp(tensor: Tensor, activation: int) -> tuple[int, int]:
    """Return the least and greatest int8 that a fused activation lets into `tensor`."""
    if activation not in BOUNDS:
        raise ModelError(f"no C for the fused activation {activation} of {tensor.name!r}; there is ReLU, ReLU6, ReLU1")
    scale = tensor.scales[0]
    low, high = (
        None if bound is None else tensor.zero_point + math.floor(float(np.float32(bound) / scale) + 0.5)
        for bound in BOUNDS[activation]
    )
    return (-128 if low is None else max(-128, low)), (127 if high is None else min(127, high))


def _along_time(tensor: Tensor) -> tuple[int, int]:
    """Return length and channels of an activation `(1, 1, length, channels)`, or what reshapes to it."""
    if len(tensor.shape) < 2 or any(n != 1 for n in tensor.shape[:-2]):
        raise ModelError(
            f"wanted activations (1, 1, time, channels), {tensor.name!r} is {tensor.shape}: put time last but one"
        )
    return tensor.shape[-2], tensor.shape[-1]


def _pad(operation: Operation, length: int, out_length: int, reach: int) -> int:
    """Return the samples of padding in front."""
    if operation.options["padding"] != SAME:
        return 0
    return max(0, (out_length - 1) * operation.options["stride_w"] + reach - length) // 2


def _weights(operation: Operation) -> NDArray[np.int8]:
    tensor = operation.inputs[1]
    if tensor.dtype != np.int8 or tensor.data is None or tensor.zero_points.any():
        raise ModelError(f"{operation.name}: wanted constant int8 weights with zero point 0, {tensor.name!r} is not")
    return tensor.data


def _int8_activation(operation: Operation) -> None:
    for tensor in (operation.inputs[0], operation.output):
        if tensor.dtype != np.int8 or not len(tensor.scales):
            raise ModelError(f"{operation.name}: wanted int8 activations, {tensor.name!r} is {np.dtype(tensor.dtype)}")


def _bias(operation: Operation, channels: int) -> NDArray[np.int32]:
    if len(operation.inputs) < 3:
        return np.zeros(channels, np.int32)
    tensor = operation.inputs[2]
    if tensor.dtype != np.int32 or tensor.data is None:
        raise ModelError(f"{operation.name}: wanted a constant int32 bias, {tensor.name!r} is not")
    return tensor.data


def _requantise(operation: Operation, reals: list[float], symbol: str) -> tuple[list[dict[str, Any]], str]:
    """Return the tables of multipliers and shifts, and the initialiser of `pl_requantise_t`."""
    multipliers, shifts = zip(*(quantised_multiplier(real) for real in reals), strict=True)
    tables = [_table("int32_t", f"{symbol}_multiplier", multipliers), _table("int8_t", f"{symbol}_shift", shifts)]
    low, high = clamp(operation.output, operation.options.get("activation", 0))
    zero = operation.output.zero_point
    return tables, f"{{ {symbol}_multiplier, {symbol}_shift, {zero}, {low}, {high} }}"


def _table(kind: str, name: str, values: Any) -> dict[str, Any]:
    flat = [int(value) for value in np.ravel(values)]
    return {"type": kind, "name": name, "size": len(flat), "rows": rows(flat, 10 if kind == "int32_t" else 24)}


def _conv(operation: Operation, symbol: str) -> Call:
    """Convolution or depthwise convolution."""
    _int8_activation(operation)
    weights, options = _weights(operation), operation.options
    (length, channels), (out_length, out_channels) = _along_time(operation.inputs[0]), _along_time(operation.output)
    kernel_h, kernel = weights.shape[1:3]
    if kernel_h != 1:
        raise ModelError(f"{operation.name}: wanted a kernel along time only (1, n), got ({kernel_h}, {kernel})")
    if operation.name == "Conv2D" and weights.shape[3] != channels:
        raise ModelError(f"Conv2D: no C for groups: {channels} channels in, weights {weights.shape}")
    dilation = options["dilation_w"]
    source = operation.inputs[0]
    filter_scales = np.broadcast_to(operation.inputs[1].scales, (out_channels,))
    reals = [float(source.scales[0]) * float(s) / float(operation.output.scales[0]) for s in filter_scales]
    tables, out = _requantise(operation, reals, symbol)
    numbers = [length, channels, out_length, out_channels, kernel, options["stride_w"]]
    numbers += [_pad(operation, length, out_length, (kernel - 1) * dilation + 1), dilation, source.zero_point]
    return Call(
        function="pl_conv" if operation.name == "Conv2D" else "pl_depthwise",
        struct="pl_conv_t",
        tables=[
            _table("int8_t", f"{symbol}_weights", weights),
            _table("int32_t", f"{symbol}_bias", _bias(operation, out_channels)),
            *tables,
        ],
        fields=[*map(str, numbers), f"{symbol}_weights", f"{symbol}_bias", out],
    )


def _dense(operation: Operation, symbol: str) -> Call:
    _int8_activation(operation)
    weights, source = _weights(operation), operation.inputs[0]
    outputs, inputs = weights.shape
    if source.size != inputs:
        raise ModelError(f"FullyConnected: wanted {inputs} inputs at a time, {source.name!r} is {source.shape}")
    scales = operation.inputs[1].scales
    if len(scales) == 1:  # as TFLite Micro does it: the product of two scales in float32, only then in double
        reals = [float(source.scales[0] * scales[0]) / float(operation.output.scales[0])] * outputs
    else:
        reals = [float(source.scales[0]) * float(s) / float(operation.output.scales[0]) for s in scales]
    tables, out = _requantise(operation, reals, symbol)
    return Call(
        function="pl_dense",
        struct="pl_dense_t",
        tables=[
            _table("int8_t", f"{symbol}_weights", weights),
            _table("int32_t", f"{symbol}_bias", _bias(operation, outputs)),
            *tables,
        ],
        fields=[str(inputs), str(outputs), str(source.zero_point), f"{symbol}_weights", f"{symbol}_bias", out],
    )


def _max_pool(operation: Operation, symbol: str) -> Call:
    _int8_activation(operation)
    options = operation.options
    (length, channels), (out_length, _) = _along_time(operation.inputs[0]), _along_time(operation.output)
    if options["filter_h"] != 1:
        raise ModelError(
            f"MaxPool2D: wanted a pool along time only (1, n), got ({options['filter_h']}, {options['filter_w']})"
        )
    kernel = options["filter_w"]
    low, high = clamp(operation.output, options["activation"])
    pad = _pad(operation, length, out_length, kernel)
    numbers = [length, out_length, channels, kernel, options["stride_w"], pad, low, high]
    return Call("pl_max_pool", "pl_max_pool_t", [], [str(n) for n in numbers])


def _mean(operation: Operation, symbol: str) -> Call:
    """Mean over time; TFLite Micro works the division into the multiplier, and so does this."""
    _int8_activation(operation)
    source, axes = operation.inputs[0], operation.inputs[1].data
    length, channels = _along_time(source)
    rank = len(source.shape)
    if axes is None or rank - 1 in {int(a) % rank for a in axes.ravel()} or operation.output.size != channels:
        raise ModelError(f"Mean: wanted the mean over time, got {source.shape} to {operation.output.shape}")
    real = float(source.scales[0]) / float(operation.output.scales[0])
    multiplier, shift = quantised_multiplier(real)
    by = min(length.bit_length() - 1, 32, 31 + shift)
    tables, out = _requantise(operation, [real], symbol)
    tables = [
        _table("int32_t", f"{symbol}_multiplier", (multiplier << by) // length),
        _table("int8_t", f"{symbol}_shift", shift - by),
    ]
    return Call("pl_mean", "pl_mean_t", tables, [str(length), str(channels), str(source.zero_point), out])


CALLS: dict[str, Callable[[Operation, str], Call]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _conv,
    "FullyConnected": _dense,
    "MaxPool2D": _max_pool,
    "Mean": _mean,
}
