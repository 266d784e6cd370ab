"""Decodes many Polar frames of one stream at once: the numbers of `Frame.samples`, several times faster.

The blocks of all frames are found in as many steps as the longest frame has blocks. Then every difference is cut out
of the 64 bits that begin at its byte, and one running sum gives all samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PacketError
from pulselet.packets.polar import HEADER, MAX_WIDTH_BITS, Frame
from pulselet.packets.polar_layout import Layout

Indices = NDArray[np.int64]
TOGETHER = 512  # frames at a time: their intermediate arrays fit a processor's cache
GUARD = bytes(8)  # after the last frame, so that 64 bits can be read at its last byte


class Decoded(NamedTuple):
    """Samples of many frames.

    Attributes
    ----------
    samples
        int32 `(n, channels)`, in the order of the frames.
    counts
        How many of them each frame held, `(frames,)`.
    timestamps_ns
        uint64 `(frames,)`: device clock at the last sample of each frame, in ns since 2000-01-01 UTC.
    layout
        What a sample holds; `layout.scaled(samples, factor)` gives values in its units.
    """

    samples: NDArray[np.int32]
    counts: Indices
    timestamps_ns: NDArray[np.uint64]
    layout: Layout


def decode_many(frames: Sequence[bytes], channels: int | None = None, resolution_bits: int | None = None) -> Decoded:
    """Return the samples of frames of one measurement and one frame type.

    Parameters
    ----------
    frames
        Notifications, one at least.
    channels, resolution_bits
        As in `Frame.samples`.

    Raises
    ------
    PacketError
        If there are none, they differ in type, or one is malformed: its `payload` is that frame.
    """
    if not frames:
        raise PacketError("wanted one Polar frame or more to decode, got none")
    heads = _heads(frames)
    first = Frame.from_bytes(frames[0])
    layout = first.layout(channels, resolution_bits)
    read = _compressed if first.compressed else _raw
    pieces = [read(frames[at : at + TOGETHER], layout) for at in range(0, len(frames), TOGETHER)]
    samples, counts = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return Decoded(samples, counts, heads["time"].astype(np.uint64), layout)


HEAD = np.dtype([("type", "u1"), ("time", "<u8"), ("kind", "u1")])


def _heads(frames: Sequence[bytes]) -> NDArray[np.void]:
    short = min(frames, key=len)
    if len(short) < HEADER.size:
        raise PacketError(f"a Polar frame wants {HEADER.size} bytes or more, got {len(short)}", bytes(short))
    joined = b"".join([frame[: HEADER.size] for frame in frames])
    heads = np.frombuffer(joined, HEAD)
    others = ((heads["type"] & 0x3F) != (heads["type"][0] & 0x3F)) | (heads["kind"] != heads["kind"][0])
    if others.any():
        at = int(np.argmax(others))
        raise PacketError(f"frame {at} is of another measurement or frame type than the first", bytes(frames[at]))
    return heads


def _singly(frames: Sequence[bytes], layout: Layout) -> tuple[NDArray[np.int32], Indices]:
    """Decode one by one: the first malformed frame raises its own error."""
    pieces = []
    for frame in frames:
        try:
            pieces.append(Frame.from_bytes(frame).samples_as(layout))
        except PacketError as error:
            raise PacketError(str(error), bytes(frame)) from error
    return np.concatenate(pieces), np.array([len(piece) for piece in pieces])


def _raw(frames: Sequence[bytes], layout: Layout) -> tuple[NDArray[np.int32], Indices]:
    sizes = np.array([len(frame) for frame in frames]) - HEADER.size
    if (sizes % layout.size).any() or not sizes.all():
        return _singly(frames, layout)
    return layout.read(b"".join([frame[HEADER.size :] for frame in frames])), sizes // layout.size


def _compressed(frames: Sequence[bytes], layout: Layout) -> tuple[NDArray[np.int32], Indices]:
    octets = np.frombuffer(b"".join([*frames, GUARD]), np.uint8)
    ends = np.cumsum([len(frame) for frame in frames])
    begins = np.concatenate([[0], ends[:-1]]) + HEADER.size
    if (begins + layout.size > ends).any():
        return _singly(frames, layout)
    references = layout.read(octets[begins[:, None] + np.arange(layout.size)].tobytes())
    blocks = _blocks(octets, begins + layout.size, ends, len(layout.fields))
    if blocks is None:
        return _singly(frames, layout)
    frame, bit, width, count = blocks
    deltas = _cut(octets, bit, width, count * len(layout.fields))
    counts = 1 + np.bincount(frame, count, len(frames)).astype(np.int64)
    return _running_sums(references, deltas.reshape(-1, len(layout.fields)), counts), counts


def _blocks(octets: NDArray[np.uint8], at: Indices, ends: Indices, channels: int) -> tuple[Indices, ...] | None:
    """Return of every block its frame, first bit, width and number of samples; None if one is malformed."""
    found = []
    frames = np.flatnonzero(at < ends)
    at, ends = at[frames], ends[frames]
    while len(frames):
        width, count = octets[at].astype(np.int64), octets[at + 1].astype(np.int64)
        found.append((frames, (at + 2) * 8, width, count))
        at = at + 2 + (width * count * channels + 7) // 8
        if (at > ends).any() or (width == 0).any() or (width > MAX_WIDTH_BITS).any():
            return None
        left = at < ends
        frames, at, ends = frames[left], at[left], ends[left]
    if not found:
        return (np.zeros(0, np.int64),) * 4
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    order = np.argsort(columns[1])
    return tuple(column[order] for column in columns)


def _cut(octets: NDArray[np.uint8], bit: Indices, width: Indices, count: Indices) -> Indices:
    """Return from each block, which begins at `bit`, `count` integers of `width` bits."""
    if not len(count):
        return np.zeros(0, np.int64)
    before = np.cumsum(count) - count
    widths = np.repeat(width, count)
    bits = np.arange(len(widths)) * widths + np.repeat(bit - before * width, count)
    words = np.ndarray(len(octets) - 7, "<i8", octets, strides=(1,))[bits >> 3]
    found: Indices = (words << (64 - widths - (bits & 7))) >> (64 - widths)
    return found


def _running_sums(references: NDArray[np.int32], deltas: Indices, counts: Indices) -> NDArray[np.int32]:
    """Return the samples of all frames: each begins at its reference, and wraps at 32 bits."""
    firsts = np.cumsum(counts) - counts
    steps = np.empty((counts.sum(), references.shape[1]), np.int32)
    among = np.ones(len(steps), bool)
    among[firsts] = False
    steps[among] = deltas
    steps[firsts] = references
    sums = np.cumsum(steps, axis=0, dtype=np.int32)
    before = np.zeros_like(references)
    before[1:] = sums[firsts[1:] - 1]
    return sums - np.repeat(before, counts, axis=0)
