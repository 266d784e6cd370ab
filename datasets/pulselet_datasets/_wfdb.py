"""What the loaders of WFDB records share: samples of formats 16 and 212, and records as recordings.

Samples are decoded by NumPy, many at once, and the package wfdb is not needed: signal(5),
https://physionet.org/physiotools/wag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets._wfdb_header import DEFAULT_GAIN, Column, Header

ROWS = 2**15  # samples of each signal in a piece; even, as two of format 212 share a byte


def _size(samples: int, format_: str) -> int:
    """Return the bytes of so many samples: two make three bytes in format 212, and an odd last one takes two."""
    return samples + (samples + 1) // 2 if format_ == "212" else 2 * samples


def samples(header: Header) -> list[Run]:
    """Return the runs of valid samples, float32 `(n, channels)`, in the header's unit.

    A sample with the lowest value of its format is invalid (signal(5)): it is NaN, and where all channels are invalid,
    the samples are lost.

    Raises
    ------
    DatasetError
        If a file is not there or is too short, or first sample or checksum are not what the header says.
    """
    _check_sizes(header)
    values = np.empty((header.samples, len(header.columns)), np.float32)
    lost = False
    for file, members in groupby(enumerate(header.columns), key=lambda one: one[1].file):
        numbers, columns = zip(*members, strict=True)
        place = values[:, numbers[0] : numbers[-1] + 1]
        try:
            lost |= _fill(header, header.path.with_name(file), columns, place)
        except OSError as error:
            raise DatasetError(f"{header.path.with_name(file)} cannot be read: {error}; fetch it again") from error
    if not lost:
        return [Run(0, values)]
    there = np.concatenate([[False], ~np.isnan(values).all(axis=1), [False]])
    edges = np.flatnonzero(there[1:] != there[:-1]).reshape(-1, 2)
    return [Run(int(begin), values[begin:end]) for begin, end in edges]


def _check_sizes(header: Header) -> None:
    """Raise DatasetError if a file is not there, or shorter than the header says; nothing is allocated before."""
    for path in header.files:
        columns = [column for column in header.columns if column.file == path.name]
        if len({(column.format, column.offset) for column in columns}) > 1:
            raise DatasetError(f"{header.path}: the signals in {path.name} should have one format and one place")
        if not path.is_file():
            raise DatasetError(f"{path} is not there, and {header.path.name} wants its samples; fetch it again")
        wanted = columns[0].offset + _size(header.samples * len(columns), columns[0].format)
        if path.stat().st_size < wanted:
            raise DatasetError(
                f"{path} is truncated: {header.path.name} wants {header.samples} samples of {len(columns)} signals, "
                f"{wanted} bytes, and it has {path.stat().st_size}; fetch it again"
            )


def _fill(header: Header, path: Path, columns: Sequence[Column], values: NDArray[np.float32]) -> bool:
    """Write the values of a file into `values`, and return whether one is invalid; the header is verified.

    A piece at a time, so that what is made on the way stays in the processor's cache.
    """
    format_, offset = columns[0].format, columns[0].offset
    sums = np.zeros(len(columns), np.int64)
    scale = _Scale.of(columns)
    lost = False
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        for first in range(0, header.samples, ROWS):
            piece = values[first : first + ROWS]
            raw = np.frombuffer(file.read(_size(piece.size, format_)), np.uint8)
            digital = _DECODERS[format_](raw, piece.size).reshape(piece.shape)
            if first == 0:
                _check_first(header, path, columns, digital[0])
            sums += [int(column.sum(dtype=np.int16)) for column in digital.T]
            scale.apply(digital, piece)
            invalid = digital == _INVALID[format_]
            if invalid.any():
                piece[invalid] = np.nan
                lost = True
    _check_sums(header, path, columns, sums)
    return lost


def _check_first(header: Header, path: Path, columns: Sequence[Column], row: NDArray[np.int16]) -> None:
    for column, found in zip(columns, row.tolist(), strict=True):
        if column.initial not in (None, found):
            raise DatasetError(
                f"{path}, signal {column.name!r}: {header.path.name} wants a first sample of {column.initial}, it is "
                f"{found}; the two do not belong together: fetch them again"
            )


def _check_sums(header: Header, path: Path, columns: Sequence[Column], sums: NDArray[np.int64]) -> None:
    """Raise DatasetError unless the sums are those of header(5): of all samples, in 16 bits."""
    for column, found in zip(columns, sums.tolist(), strict=True):
        if column.checksum is not None and (column.checksum - found) % 2**16:
            raise DatasetError(
                f"{path}, signal {column.name!r}: {header.path.name} wants the checksum {column.checksum}, it is "
                f"{(found + 2**15) % 2**16 - 2**15}; the samples are damaged: fetch it again"
            )


def _from_212(raw: NDArray[np.uint8], count: int) -> NDArray[np.int16]:
    """Return samples of 12 bits; three bytes hold two: the low byte of one, the high nibbles of both, the other's."""
    if len(raw) % 3:  # an odd number of samples
        raw = np.append(raw, np.uint8(0))
    pairs = len(raw) // 3
    front: NDArray[np.uint16] = np.ndarray((pairs,), "<u2", raw.data, 0, (3,))
    back: NDArray[np.uint16] = np.ndarray((pairs,), "<u2", raw.data, 1, (3,))
    found = np.empty((pairs, 2), np.int16)
    four, eight = np.uint16(4), np.uint16(8)
    np.right_shift((front << four).view(np.int16), 4, out=found[:, 0])  # the shift back carries the sign along
    high = (back & np.uint16(0xF0)) << eight
    high |= (back >> eight) << four
    np.right_shift(high.view(np.int16), 4, out=found[:, 1])
    return found.reshape(-1)[:count]


def _from_16(raw: NDArray[np.uint8], count: int) -> NDArray[np.int16]:
    return raw.view("<i2")[:count].astype(np.int16, copy=False)


_DECODERS: Mapping[str, Callable[[NDArray[np.uint8], int], NDArray[np.int16]]] = {"16": _from_16, "212": _from_212}
_INVALID = {"16": -(2**15), "212": -(2**11)}


class _Scale(NamedTuple):
    """`value = (digital - baseline) / gain`; numbers, if all channels have the same, because that is faster.

    Whole numbers below 2**24 are exact in float32, so that its division rounds as the one in float64 and a rounding
    to float32 do together, if the gain is exact too.
    """

    baseline: Any
    gain: Any
    kind: Any

    @classmethod
    def of(cls, columns: Sequence[Column]) -> _Scale:
        exact = all(float(np.float32(one.gain)) == one.gain and abs(one.baseline) < 2**23 for one in columns)
        kind: Any = np.float32 if exact else np.float64
        if len({(one.gain, one.baseline) for one in columns}) == 1:
            return cls(kind(columns[0].baseline), kind(columns[0].gain), kind)
        return cls(
            np.array([one.baseline for one in columns], kind), np.array([one.gain for one in columns], kind), kind
        )

    def apply(self, digital: NDArray[np.int16], values: NDArray[np.float32]) -> None:
        if self.kind is np.float32:
            np.subtract(digital, self.baseline, out=values, dtype=np.float32)
            values /= self.gain
        else:
            values[:] = (digital - self.baseline) / self.gain


def recording(
    header: Header,
    *,
    dataset: str,
    subject: str,
    signal: str,
    labels: Mapping[str, Labels],
    facts: Mapping[str, str],
    repairs: Sequence[str] = (),
    more_files: Sequence[Path] = (),
) -> Recording:
    """Return a record as one signal of all its channels, whose samples are read and verified when asked for.

    Raises
    ------
    DatasetError
        If the channels are not all in mV.
    """
    units = sorted({column.unit for column in header.columns})
    if units != ["mV"]:
        raise DatasetError(f"{header.path}: wanted all signals in mV, got {units}")
    said = list(repairs)
    if any(not column.calibrated for column in header.columns):
        said.append(f"{header.path.name} states no gain: {DEFAULT_GAIN:g} steps per mV are assumed, as header(5) says")
    said += _longer(header)
    channels = _unique([column.name or f"signal {number}" for number, column in enumerate(header.columns, 1)])
    return Recording(
        dataset=dataset,
        name=header.path.stem,
        subject=subject,
        signals={signal: Signal(signal, "mV", header.rate_hz, channels, loss_detectable=False)},
        read=partial(_read, header),
        labels=labels,
        facts=facts,
        repairs=tuple(said),
        files=(header.path, *header.files, *more_files),
    )


def _read(header: Header, _: str) -> list[Run]:
    return samples(header)


def _longer(header: Header) -> list[str]:
    """Return what to say of bytes after the last sample that the header knows of."""
    found = []
    for path in header.files:
        beside = [column for column in header.columns if column.file == path.name]
        size = beside[0].offset + _size(header.samples * len(beside), beside[0].format)
        if path.is_file() and path.stat().st_size > size:
            found.append(f"{path.name}: {path.stat().st_size - size} bytes after the last sample are left out")
    return found


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        while name in found:
            name += "'"
        found.append(name)
    return tuple(found)
