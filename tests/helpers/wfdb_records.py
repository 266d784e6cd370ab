"""Small WFDB records for tests of loaders, written by the package wfdb: another implementation than the one tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet.stream.convert.wfdb_library import guarded, library

WRITTEN = "written"  # wfdb takes only letters for the ending, and LUDB has "v1"
WIDTH = {"16": 16, "212": 12}


def ramp(samples: int, channels: int, format_: str = "212", seed: int = 0) -> NDArray[np.int64]:
    """Return digital values `(samples, channels)` over the whole range of a format, but never its invalid one."""
    most = 2 ** (WIDTH[format_] - 1) - 1
    return np.random.default_rng(seed).integers(-most, most + 1, (samples, channels))


def write_record(
    folder: Path,
    name: str,
    digital: NDArray[np.int64],
    *,
    format_: str = "212",
    rate_hz: float = 360,
    gain: float = 200.0,
    baseline: int = 0,
    names: Sequence[str] = (),
    comments: Sequence[str] = (),
    unit: str = "mV",
) -> Path:
    """Write a record, and return the path of its header."""
    channels = digital.shape[1]
    with guarded(folder):
        library().wrsamp(
            *(name, rate_hz, [unit] * channels, list(names or [f"lead {one}" for one in range(channels)])),
            d_signal=digital,
            fmt=[format_] * channels,
            adc_gain=[gain] * channels,
            baseline=[baseline] * channels,
            comments=list(comments) or None,
            write_dir=str(folder),
        )
    return folder / f"{name}.hea"


def write_annotations(
    folder: Path, name: str, ending: str, marks: Sequence[tuple[int, str, int, str]], rate_hz: float | None = None
) -> Path:
    """Write annotations, each a sample, a symbol, a subtype and a text; return the path of the file."""
    more: dict[str, Any] = {} if rate_hz is None else {"fs": rate_hz}
    with guarded(folder):
        library().wrann(
            *(name, WRITTEN, np.array([mark[0] for mark in marks])),
            symbol=[mark[1] for mark in marks],
            subtype=np.array([mark[2] for mark in marks]),
            aux_note=[mark[3] for mark in marks],
            write_dir=str(folder),
            **more,
        )
    return (folder / f"{name}.{WRITTEN}").replace(folder / f"{name}.{ending}")
