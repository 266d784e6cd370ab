"""Counters of stages across pauses of weeks and years: C counts in 32 bits, Python without end, and they agree."""

from __future__ import annotations

import pytest
from stage_cases import all_cases

from pulselet.signal.stage import Kernel, Samples
from pulselet_firmware.kernels import STATE_WORDS, HostKernels

CASES = {f"{i} {case!r}": case for i, case in enumerate(all_cases())}
PAUSES = {
    "below what the beats take for long, five times": [2**22 - 1] * 5,
    "more than float32 counts": [2**24 + 3],
    "more than 32 bits count": [2**29] * 8,
    "the same in many parts": [2**21] * 2050,
    "much the same": [2**21] * 2060,
}


def in_python(kernel: Kernel, events: list[Samples | int]) -> list[Samples | int]:
    state, found = kernel.start(), []
    for what in events:
        y, state = kernel.gap(state, what) if isinstance(what, int) else kernel.step(state, what)
        found.append(y % 2**32 if isinstance(y, int) else y)
    return found


@pytest.fixture(scope="module")
def host() -> HostKernels:
    kernels = {name: case.kernel for name, case in CASES.items()}
    return HostKernels({name: k for name, k in kernels.items() if k.c_form().state_words <= STATE_WORDS})


@pytest.mark.parametrize("pause", PAUSES)
def test_what_comes_after_a_long_pause_is_the_same_in_c(host: HostKernels, pause: str) -> None:
    for name, kernel in host.kernels.items():
        case = CASES[name]
        x = case.signal(case.source, case.rows, 0)
        events: list[Samples | int] = [x, *PAUSES[pause], x]
        for wanted, got in zip(in_python(kernel, events), host.run(name, events), strict=True):
            if isinstance(wanted, int) or isinstance(got, int):
                assert wanted == got, name
            else:
                assert wanted.tobytes() == got.tobytes(), name
