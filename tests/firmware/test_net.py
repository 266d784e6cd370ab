"""The C of a net equals TFLite Micro, vector for vector."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pulselet.errors import ModelError
from pulselet.model import quantize, tflm
from pulselet.model._backend import keras
from pulselet_firmware import toolchain
from pulselet_firmware.emulate import Core
from pulselet_firmware.graph import Graph, read_graph
from pulselet_firmware.machines import RUNTIME
from pulselet_firmware.netc import net_header, quantised_multiplier
from pulselet_firmware.plan import _lives, plan

DRIVER = """
#include "net_net.h"
#ifndef COUNT
#define COUNT 1
#endif
int8_t arena[NET_NET_ARENA_BYTES];
int8_t inputs[COUNT * IN];
int8_t outputs[COUNT * OUT];
void go(void);
void go(void)
{
    for (int32_t n = 0; n < COUNT; n++) {
        for (int32_t i = 0; i < IN; i++)
            arena[NET_NET_INPUT_OFFSET + i] = inputs[n * IN + i];
        net_net_invoke(arena);
        for (int32_t i = 0; i < OUT; i++)
            outputs[n * OUT + i] = arena[NET_NET_OUTPUT_OFFSET + i];
    }
}
"""
Run = Callable[[bytes, NDArray[np.int8], Path], NDArray[np.int8]]


def sources(model: bytes, count: int, folder: Path) -> tuple[Path, list[str], Graph]:
    graph = read_graph(model)
    (folder / "net_net.h").write_text(net_header(graph, "net").text)
    (folder / "driver.c").write_text(DRIVER)
    return folder / "driver.c", [f"COUNT={count}", f"IN={graph.input.size}", f"OUT={graph.output.size}"], graph


def on_host(model: bytes, x: NDArray[np.int8], folder: Path) -> NDArray[np.int8]:
    driver, defines, graph = sources(model, len(x), folder)
    library = ctypes.CDLL(
        str(toolchain.compile_host([driver], folder / "net.so", include=[folder, RUNTIME], defines=defines))
    )
    inputs = (ctypes.c_int8 * x.size).in_dll(library, "inputs")
    ctypes.memmove(inputs, np.ascontiguousarray(x).ctypes.data, x.size)
    library.go()
    outputs = (ctypes.c_int8 * (len(x) * graph.output.size)).in_dll(library, "outputs")
    return np.frombuffer(outputs, np.int8).reshape(len(x), -1).copy()


def on_core(core: str) -> Run:
    def run(model: bytes, x: NDArray[np.int8], folder: Path) -> NDArray[np.int8]:
        driver, defines, graph = sources(model, 1, folder)
        elf = toolchain.compile_core(
            [driver], folder / "net.elf", core=core, include=[folder, RUNTIME], defines=defines, entries=["go"]
        )
        emulated, rows = Core(elf, core=core), []
        for row in x:
            emulated.write(emulated.symbol("inputs"), row.tobytes())
            emulated.call("go")
            rows.append(np.frombuffer(emulated.read(emulated.symbol("outputs"), graph.output.size), np.int8))
        return np.array(rows)

    return run


@pytest.mark.parametrize("net", ["ecg", "har", "mlp"])
@pytest.mark.parametrize(
    ("run", "count"),
    [(on_host, 1000), (on_core("cortex-m4f"), 20), (on_core("cortex-m3"), 3), (on_core("cortex-m0plus"), 3)],
    ids=["host", "cortex-m4f", "cortex-m3", "cortex-m0plus"],
)
def test_reference_nets_equal_tflite_micro(net: str, run: Run, count: int, tmp_path: Path) -> None:
    if "PULSELET_NETS" not in os.environ:
        pytest.skip("PULSELET_NETS does not say where the reference nets are")
    folder = Path(os.environ["PULSELET_NETS"])
    vectors = np.load(folder / f"{net}_vectors.npz")
    x, wanted = vectors["input"][:count], vectors["tflm_output"][:count]
    assert np.array_equal(run((folder / f"{net}.tflite").read_bytes(), x, tmp_path), wanted)


def small_net(kind: str) -> Any:
    """Return an untrained net whose weights are large enough for every rounding to matter."""
    k = keras()
    layers = k.layers
    bodies: dict[str, list[Any]] = {
        "conv same stride 2": [layers.Conv2D(5, (1, 4), strides=(1, 2), padding="same", activation="relu")],
        "conv valid dilated": [layers.Conv2D(3, (1, 3), dilation_rate=(1, 2))],
        "conv relu6": [layers.Conv2D(4, (1, 3), activation="relu6")],
        "depthwise": [layers.DepthwiseConv2D((1, 5), padding="same", activation="relu")],
        "depthwise multiplied": [layers.DepthwiseConv2D((1, 3), strides=2, depth_multiplier=2)],
        "max pool": [layers.MaxPooling2D((1, 3), strides=(1, 2), padding="same"), layers.Conv2D(2, 1)],
        "dense": [layers.Flatten(), layers.Dense(7, activation="relu"), layers.Dense(3)],
    }
    inputs = layers.Input((1, 21, 3))
    hidden = inputs
    for layer in bodies[kind]:
        hidden = layer(hidden)
    if len(hidden.shape) == 4:
        hidden = layers.GlobalAveragePooling2D()(hidden)
    net = k.Model(inputs, hidden)
    rng = np.random.default_rng(3)
    net.set_weights([rng.normal(0, 0.5, w.shape) for w in net.get_weights()])
    return net


@pytest.mark.parametrize(
    "kind",
    [
        "conv same stride 2",
        "conv valid dilated",
        "conv relu6",
        "depthwise",
        "depthwise multiplied",
        "max pool",
        "dense",
    ],
)
def test_every_operation_equals_tflite_micro(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    model = quantize.to_int8(small_net(kind), rng.normal(0, 1, (50, 21, 3)).astype(np.float32))
    x = rng.integers(-128, 128, (300, 63)).astype(np.int8)
    wanted = tflm.invoke(model, x)
    assert len(np.unique(wanted)) > 20
    assert np.array_equal(on_host(model, x, tmp_path), wanted)


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        ("Softmax", "no C for the operation SOFTMAX; there is C for CONV_2D"),
        ("tanh", "no C for the operation TANH"),
    ],
)
def test_an_operation_without_c_is_named(layer: str, complaint: str) -> None:
    k = keras()
    inputs = k.layers.Input((1, 8, 2))
    flat = k.layers.Dense(3)(k.layers.Flatten()(inputs))
    net = k.Model(inputs, k.layers.Softmax()(flat) if layer == "Softmax" else k.layers.Activation(layer)(flat))
    model = quantize.to_int8(net, np.random.default_rng(0).normal(0, 1, (20, 8, 2)).astype(np.float32))
    with pytest.raises(ModelError, match=complaint):
        read_graph(model)


def test_a_net_over_two_dimensions_is_refused() -> None:
    k = keras()
    inputs = k.layers.Input((8, 8, 1))
    net = k.Model(inputs, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(2, 3)(inputs)))
    model = quantize.to_int8(net, np.random.default_rng(0).normal(0, 1, (20, 8, 8, 1)).astype(np.float32))
    with pytest.raises(ModelError, match="put time last but one"):
        net_header(read_graph(model), "net")


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite"):
        read_graph(b"nothing of the kind")
    with pytest.raises(ModelError):
        read_graph(b"\x1c\0\0\0TFL3" + b"\xff" * 40)


@settings(deadline=None)
@given(st.floats(1e-9, 8.0))
def test_a_multiplier_is_the_real_number_to_31_bits(real: float) -> None:
    multiplier, shift = quantised_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) / Fraction(real) - 1) <= Fraction(1, 2**31)


def rescaled(x: int, multiplier: int, shift: int) -> int:
    """Return the definition in whole numbers without bound: halves upwards at first, then away from 0."""
    product = (x << max(shift, 0)) * multiplier
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = max(-shift, 0)
    rounded = (2 * abs(high) + 2**right) // 2 ** (right + 1)
    return rounded if high >= 0 else -rounded


@pytest.fixture(scope="module")
def scale_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, int], int]:
    folder = tmp_path_factory.mktemp("scale")
    (folder / "scale.c").write_text(
        '#include "pl_net.h"\nint32_t scale(int32_t x, int32_t m, int32_t s);\n'
        "int32_t scale(int32_t x, int32_t m, int32_t s) { return pl_scale_by(x, m, s); }\n"
    )
    library = ctypes.CDLL(str(toolchain.compile_host([folder / "scale.c"], folder / "scale.so", include=[RUNTIME])))
    return lambda x, m, s: int(library.scale(x, m, s))


@settings(max_examples=500, deadline=None)
@given(x=st.integers(-(2**24), 2**24), multiplier=st.integers(2**30, 2**31 - 1), shift=st.integers(-31, 6))
def test_rescaling_follows_its_definition(
    scale_by: Callable[[int, int, int], int], x: int, multiplier: int, shift: int
) -> None:
    assert scale_by(x, multiplier, shift) == rescaled(x, multiplier, shift)


def test_no_two_activations_that_live_together_overlap(classifier: Any) -> None:
    graph = read_graph(classifier.model)
    planned = plan(graph)
    lives = _lives(graph)
    for a in lives:
        for b in lives:
            if a is not b and a.first <= b.last and b.first <= a.last:
                at_a, at_b = planned.offsets[a.tensors[0]], planned.offsets[b.tensors[0]]
                assert at_a + a.size <= at_b or at_b + b.size <= at_a
    assert planned.arena_bytes < sum(life.size for life in lives)
