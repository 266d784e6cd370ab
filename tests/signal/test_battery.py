"""What every stage promises, over every registered stage: one line in `stage_cases` registers a new one."""

from __future__ import annotations

import copy
import inspect
import pickle
import shutil
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_cases import all_cases

from pulselet.errors import PipelineError
from pulselet.signal import pipeline  # noqa: F401  registers every stage
from pulselet.signal.stage import Format, Kernel, Samples, Stage
from pulselet_firmware.kernels import CoreKernels, HostKernels, KernelMachine

CASES = {f"{type(case.stage).__name__}-{i}": case for i, case in enumerate(all_cases())}
COMPILERS = [(name, level) for name in ("clang", "gcc") for level in ("-Os", "-O3")]
CORE_ROWS = 1500
Events = list["Samples | int"]

each_case = pytest.mark.parametrize("name", CASES)


@cache
def kernel_of(name: str) -> Kernel:
    return CASES[name].kernel


@cache
def signal_of(name: str, seed: int = 0) -> Samples:
    case = CASES[name]
    x = case.signal(case.source, case.rows, seed)
    assert x.shape == (case.rows, case.source.width)
    assert x.dtype == np.float32
    return x


def run(kernel: Kernel, events: Sequence[Samples | int]) -> Events:
    state, found = kernel.start(), []
    for what in events:
        y, state = kernel.gap(state, what) if isinstance(what, int) else kernel.step(state, what)
        found.append(y)
    return found


def rows_of(kernel: Kernel, found: Events) -> Samples:
    return np.concatenate(
        [np.empty((0, kernel.output.width), np.float32), *[y for y in found if not isinstance(y, int)]]
    )


def same(a: Samples, b: Samples) -> bool:
    return a.shape == b.shape and np.array_equal(a.view(np.int32), b.view(np.int32))


def split(x: Samples, cuts: list[int]) -> list[Samples]:
    edges = sorted({0, len(x), *(min(c, len(x)) for c in cuts)})
    return [x[a:b] for a, b in pairwise(edges)]


def test_every_registered_stage_is_in_the_battery() -> None:
    ours = {stage for stage in Stage.registry.values() if stage.__module__.startswith("pulselet.")}
    assert {type(case.stage) for case in CASES.values()} >= ours


@each_case
def test_it_gives_something_and_what_it_declares(name: str) -> None:
    kernel = kernel_of(name)
    y, _ = kernel.step(kernel.start(), signal_of(name))
    assert len(y) > 0
    assert y.dtype == np.float32
    assert y.shape[1] == kernel.output.width
    assert np.isfinite(y).all()
    assert kernel.latency_s >= 0
    assert kernel.operations > 0
    assert len(kernel.output.names) in (0, kernel.output.channels)
    assert len(y) <= kernel.c_form().rows * len(signal_of(name))


@each_case
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_chunking_equals_the_whole_bit_for_bit(name: str, data: st.DataObject) -> None:
    kernel, x = kernel_of(name), signal_of(name)
    cuts = data.draw(st.lists(st.integers(0, len(x)), max_size=12))
    whole = run(kernel, [x])
    assert same(rows_of(kernel, run(kernel, split(x, cuts))), rows_of(kernel, whole))


@each_case
def test_one_row_at_a_time_equals_the_whole_with_a_gap_and_empty_chunks(name: str) -> None:
    kernel, x = kernel_of(name), signal_of(name)[: min(600, CASES[name].rows)]
    at = len(x) // 3
    wanted = run(kernel, [x[:at], 7, x[at:]])
    got = run(kernel, [*split(x[:at], list(range(at))), x[:0], 7, x[:0], *split(x[at:], list(range(len(x))))])
    assert same(rows_of(kernel, got), rows_of(kernel, wanted))
    assert [y for y in got if isinstance(y, int)] == [y for y in wanted if isinstance(y, int)]


@each_case
def test_output_does_not_depend_on_later_input(name: str) -> None:
    kernel, x = kernel_of(name), signal_of(name)
    at = 2 * len(x) // 3
    changed = x.copy()
    changed[at:] = signal_of(name, seed=1)[at:] * np.float32(1.5)
    before, _ = kernel.step(kernel.start(), x[:at])
    after, _ = kernel.step(kernel.start(), changed)
    assert same(after[: len(before)], before)


@each_case
def test_step_leaves_the_state_that_it_was_given(name: str) -> None:
    kernel, x = kernel_of(name), signal_of(name)
    _, state = kernel.step(kernel.start(), x[: len(x) // 2])
    kept = copy.deepcopy(state)
    first, _ = kernel.step(state, x[len(x) // 2 :])
    kernel.gap(state, 3)
    again, _ = kernel.step(kept, x[len(x) // 2 :])
    other, _ = kernel.step(state, x[len(x) // 2 :])
    assert same(first, again)
    assert same(first, other)


@each_case
def test_the_state_does_not_grow(name: str) -> None:
    """The pickled state after many rows is no larger than after some, but for a number's own digits."""
    kernel, x, sizes, state = kernel_of(name), signal_of(name), [], kernel_of(name).start()
    for _ in range(6):
        _, state = kernel.step(state, x)
        sizes.append(len(pickle.dumps(state)))
    assert sizes[-1] <= sizes[1] * 1.02 + 64


@each_case
def test_a_gap_starts_anew_unless_the_stage_says_otherwise(name: str) -> None:
    kernel, x = kernel_of(name), signal_of(name)
    after = run(kernel, [x, 5, x])
    if type(kernel).gap is Kernel.gap:
        assert after[1] == 5
        assert same(after[2], after[0])  # type: ignore[arg-type]
    lost = after[1]
    assert isinstance(lost, int)
    assert lost >= 0


@each_case
@pytest.mark.parametrize(("cut", "lost"), [(1, 97), (40, 97), (96, 97), (20, 40)])
def test_a_gap_in_two_parts_is_one_gap(name: str, cut: int, lost: int) -> None:
    """Lost samples may be told one by one, as a NaN is, or all at once."""
    kernel, x = kernel_of(name), signal_of(name)
    at = len(x) // 2 + 1
    whole = run(kernel, [x[:at], lost, x[at:]])
    parts = run(kernel, [x[:at], cut, lost - cut, x[at:]])
    assert same(rows_of(kernel, parts), rows_of(kernel, whole))
    assert sum(y for y in parts if isinstance(y, int)) == sum(y for y in whole if isinstance(y, int))


def bad_rows(source: Format) -> dict[str, Samples]:
    """Return what sensors deliver on bad days, all of it finite and below the pipeline's limit of 1e12."""
    n, width = 600, source.width
    rng = np.random.default_rng(0)
    rail = np.where(np.arange(n)[:, None] // 40 % 2, 32767.0, -32768.0) * np.ones((1, width))
    return {
        "zeros": np.zeros((n, width), np.float32),
        "a flat line": np.full((n, width), 1.25, np.float32),
        "a lead that falls off": np.where(np.arange(n)[:, None] < n // 2, rng.standard_normal((n, width)), 0).astype(
            np.float32
        ),
        "rails of a 16-bit converter": rail.astype(np.float32),
        "integers near overflow": (2.0**31 - 128 * rng.integers(1, 9, (n, width))).astype(np.float32),
        "as large as may be": (9e11 * rng.choice([-1, 1], (n, width))).astype(np.float32),
        "as small as may be": (1e-42 * rng.standard_normal((n, width))).astype(np.float32),
    }


@each_case
def test_bad_rows_give_finite_output(name: str) -> None:
    kernel = kernel_of(name)
    for what, x in bad_rows(CASES[name].source).items():
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            y, _ = kernel.step(kernel.start(), x)
        assert np.isfinite(y).all(), what


@each_case
def test_the_declared_latency_is_that_of_a_tone_in_the_pass_band(name: str) -> None:
    case, kernel = CASES[name], kernel_of(name)
    if case.probe_hz is None:
        return
    assert case.source.rate_hz is not None
    assert kernel.output.rate_hz is not None
    seconds = 30 / case.probe_hz
    t = np.arange(round(seconds * case.source.rate_hz)) / case.source.rate_hz
    x = np.repeat(np.sin(2 * np.pi * case.probe_hz * t)[:, None], case.source.width, axis=1).astype(np.float32)
    y, _ = kernel.step(kernel.start(), x)
    half = len(y) // 2
    at = np.arange(half, len(y)) / kernel.output.rate_hz
    phase = -np.angle(np.sum(y[half:, 0] * np.exp(-2j * np.pi * case.probe_hz * at)) / (-1j))
    cycle = 1 / case.probe_hz
    delay = (phase / (2 * np.pi) * cycle + cycle / 2 - kernel.latency_s) % cycle - cycle / 2 + kernel.latency_s
    assert delay == pytest.approx(kernel.latency_s, abs=1 / min(case.source.rate_hz, kernel.output.rate_hz))


def trial(name: str, rows: int | None = None) -> Events:
    """Return good rows, gaps and bad rows for the parity of a kernel."""
    x = signal_of(name)[:rows]
    at = max(1, 2 * len(x) // 3)
    bad = [b[:120] for b in bad_rows(CASES[name].source).values()]
    return [x[:at], 1, x[at:], 1000, x[: at // 2], *bad, 3, 2**20, x[: at // 2]]


def assert_parity(machine: KernelMachine, name: str, rows: int | None = None) -> None:
    for i, (wanted, got) in enumerate(
        zip(run(kernel_of(name), trial(name, rows)), machine.run(name, trial(name, rows)), strict=True)
    ):
        if isinstance(wanted, int) or isinstance(got, int):
            assert wanted == got, f"event {i}: rows lost"
            continue
        assert wanted.shape == got.shape, f"event {i}"
        differ = np.flatnonzero((wanted.view(np.int32) != got.view(np.int32)).any(axis=1))
        assert not len(differ), f"event {i}, row {differ[0]}: wanted {wanted[differ[0]]}, C gives {got[differ[0]]}"


@cache
def on_host(compiler: str, level: str) -> HostKernels:
    command = {"clang": None, "gcc": ["gcc"]}[compiler]
    return HostKernels({name: kernel_of(name) for name in CASES}, compiler=command, optimise=level)


@cache
def on_core() -> CoreKernels:
    return CoreKernels({name: kernel_of(name) for name in CASES})


@each_case
@pytest.mark.parametrize(("compiler", "level"), COMPILERS)
def test_c_on_this_computer_is_python_bit_for_bit(name: str, compiler: str, level: str) -> None:
    if compiler == "gcc" and shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    assert_parity(on_host(compiler, level), name)


@each_case
def test_c_on_an_emulated_cortex_m4_is_python_bit_for_bit(name: str) -> None:
    assert_parity(on_core(), name, CORE_ROWS)


@each_case
def test_parameters_are_all_that_a_stage_is(name: str) -> None:
    stage = CASES[name].stage
    assert type(stage)(**{field: getattr(stage, field) for field in stage.__dataclass_fields__}) == stage  # type: ignore[attr-defined]
    assert (inspect.getdoc(type(stage)) or "").strip()


@each_case
def test_a_source_that_does_not_fit_is_refused_in_words(name: str) -> None:
    """No channels at all, and windows or events where samples are wanted, or the other way round."""
    case = CASES[name]
    if case.source.rate_hz is None:
        wrong = Format(0.001, 1, "furlong")
    elif case.source.length > 1:
        wrong = Format(None, 1, "furlong")
    else:
        wrong = Format(None, case.source.channels, "furlong", length=3)
    try:
        case.stage.design(wrong)
    except PipelineError as error:
        assert "wanted" in str(error)  # noqa: PT017  a stage may also take anything
