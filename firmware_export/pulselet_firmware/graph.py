"""A `.tflite` as a small typed graph: what the C generator and the memory plan read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model.quantize import parsed

TYPES = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16, 9: np.int8}  # of the schema


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor; `real = scale * (quantised - zero_point)`."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: Any
    scales: NDArray[np.float32]  # one, or one for each output channel; empty if not quantised
    zero_points: NDArray[np.int64]
    data: NDArray[Any] | None  # None if it is computed

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape))

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that is quantised as a whole."""
        return int(self.zero_points[0])


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation, under the name by which TFLite Micro's resolver adds it."""

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    options: dict[str, int]


@dataclass(frozen=True, eq=False)
class Graph:
    """Operations in the order in which they run."""

    operations: tuple[Operation, ...]
    input: Tensor
    output: Tensor


def _conv(options: Any) -> dict[str, int]:
    return {
        "padding": options.Padding(),
        "stride_h": options.StrideH(),
        "stride_w": options.StrideW(),
        "dilation_w": options.DilationWFactor(),
        "activation": options.FusedActivationFunction(),
    }


def _pool(options: Any) -> dict[str, int]:
    return {
        "padding": options.Padding(),
        "stride_w": options.StrideW(),
        "filter_h": options.FilterHeight(),
        "filter_w": options.FilterWidth(),
        "activation": options.FusedActivationFunction(),
    }


def _dense(options: Any) -> dict[str, int]:
    return {"activation": options.FusedActivationFunction()}


def _none(options: Any) -> dict[str, int]:
    return {}


# the schema's code: name of the resolver's method without "Add", type of the options, their reader
KNOWN: dict[int, tuple[str, str, Callable[[Any], dict[str, int]]]] = {
    3: ("Conv2D", "Conv2DOptions", _conv),
    4: ("DepthwiseConv2D", "DepthwiseConv2DOptions", _conv),
    9: ("FullyConnected", "FullyConnectedOptions", _dense),
    17: ("MaxPool2D", "Pool2DOptions", _pool),
    22: ("Reshape", "ReshapeOptions", _none),
    40: ("Mean", "ReducerOptions", _none),
}


def read_graph(model: bytes) -> Graph:
    """Return the graph of an int8 `.tflite` with one subgraph, one input and one output.

    Raises
    ------
    MissingExtraError
        If the package `tflite` (the file's schema) is not installed.
    ModelError
        If the bytes are no such file, or an operation has no C here; the message names all of these.
    """
    return parsed(model, _read)


def _read(tflite: Any, file: Any) -> Graph:
    if file.SubgraphsLength() != 1:
        raise ModelError(f"wanted a .tflite with one subgraph, got {file.SubgraphsLength()}")
    sub = file.Subgraphs(0)
    if sub.InputsLength() != 1 or sub.OutputsLength() != 1:
        raise ModelError(f"wanted one input and one output, got {sub.InputsLength()} and {sub.OutputsLength()}")
    _refuse_unknown(tflite, file, sub)
    tensors = [_tensor(file, sub.Tensors(i), i) for i in range(sub.TensorsLength())]
    operations = tuple(_operation(tflite, file, sub.Operators(i), tensors) for i in range(sub.OperatorsLength()))
    graph = Graph(operations, tensors[sub.Inputs(0)], tensors[sub.Outputs(0)])
    for tensor in (graph.input, graph.output):
        if tensor.dtype != np.int8:
            raise ModelError(f"wanted an int8 input and output, {tensor.name!r} is {np.dtype(tensor.dtype)}")
    return graph


def _code(file: Any, operator: Any) -> int:
    code = file.OperatorCodes(operator.OpcodeIndex())
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))


def _refuse_unknown(tflite: Any, file: Any, sub: Any) -> None:
    codes = {_code(file, sub.Operators(i)) for i in range(sub.OperatorsLength())}
    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    unknown = sorted(names.get(code, f"number {code}") for code in codes - KNOWN.keys())
    if unknown:
        known = ", ".join(sorted(names[code] for code in KNOWN))
        raise ModelError(f"no C for the operation {', '.join(unknown)}; there is C for {known}: change the net")


def _tensor(file: Any, tensor: Any, index: int) -> Tensor:
    shape = tuple(int(n) for n in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    if tensor.Type() not in TYPES:
        raise ModelError(f"a tensor of the schema's type {tensor.Type()} has no C here")
    dtype = TYPES[tensor.Type()]
    content = file.Buffers(tensor.Buffer())
    data = content.DataAsNumpy().view(dtype).reshape(shape) if content.DataLength() else None
    quantisation = tensor.Quantization()
    quantised = quantisation is not None and quantisation.ScaleLength() > 0
    return Tensor(
        index=index,
        name=(tensor.Name() or b"").decode(errors="replace"),
        shape=shape,
        dtype=dtype,
        scales=quantisation.ScaleAsNumpy() if quantised else np.empty(0, np.float32),
        zero_points=quantisation.ZeroPointAsNumpy() if quantised else np.empty(0, np.int64),
        data=data,
    )


def _operation(tflite: Any, file: Any, operator: Any, tensors: list[Tensor]) -> Operation:
    name, kind, read = KNOWN[_code(file, operator)]
    options: dict[str, int] = {}
    if operator.BuiltinOptions() is not None:
        typed = getattr(tflite, kind)()
        typed.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        options = read(typed)
    present = [operator.Inputs(i) for i in range(operator.InputsLength()) if operator.Inputs(i) >= 0]
    return Operation(name, tuple(tensors[i] for i in present), tensors[operator.Outputs(0)], options)
