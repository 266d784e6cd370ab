"""Sleep-EDF Expanded: nights of EEG, EOG and EMG at home or in hospital, sleep stages after Rechtschaffen and Kales.

Written from its documentation, https://physionet.org/content/sleep-edfx/1.0.0/. `SC4ssNx0-PSG.edf` is night N of
subject ss at home (a cassette recorder), `ST7ssNx0-PSG.edf` the same in hospital (telemetry); the hypnogram beside it,
`SC4ssNxr-Hypnogram.edf`, is an EDF+ file of annotations alone, whose letter r stands for its scorer.

Source: Kemp et al., "Analysis of a sleep-dependent neuronal feedback loop: the slow-wave microcontinuity of the EEG",
IEEE Trans Biomed Eng 47, 2000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError, RecordingError
from pulselet.stream.block import Signal
from pulselet.stream.convert.edf_file import Channel, Header, bytes_to_samples, tals
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet.stream.vocabulary import SLEEP_STAGES_RK
from pulselet_datasets import _physionet
from pulselet_datasets.card import Card

NAME = "sleep-edf"
STAGES = {**{f"Sleep stage {stage}": stage for stage in SLEEP_STAGES_RK if stage != "M"}, "Movement time": "M"}
SIGNALS = {
    "EEG": "eeg",
    "EOG": "eog",
    "EMG": "emg",
    "Resp": "respiration",
    "Temp": "temperature",
    "Event": "marker",
    "Marker": "marker",
}  # by the first word of a channel's label
PLACES = {"SC": "sleep-cassette", "ST": "sleep-telemetry"}
_NAME = re.compile(r"((S[CT])[47]\d\d)(\d)[A-Z]0-PSG\.edf")
STAGES_HZ = 1.0  # of the numbers in which stages begin and end: whole seconds


def recordings(folder: Path) -> Iterator[Recording]:
    """Return an iterator over the nights that are in a folder; it goes on after one that is damaged.

    Signals, as far as a night has them: "eeg" (two channels), "eog", "emg", "respiration", "temperature", "marker".
    Label "stage": intervals W, 1, 2, 3, 4, R, M (movement) and ? (not scored), in whole seconds from the first sample;
    `pulselet.stream.vocabulary.AASM_FROM_RK` maps them to the newer stages.

    Raises
    ------
    DatasetError
        From the iterator, if a file is damaged or a night has not exactly one hypnogram.
    """
    bases = [folder, *(folder / place for place in PLACES.values())]
    found = {path.name: path for base in bases for path in base.glob("S[CT]*-PSG.edf") if _NAME.fullmatch(path.name)}
    return map(_recording, [found[name] for name in sorted(found)])


def _recording(path: Path) -> Recording:
    said = _NAME.fullmatch(path.name)
    assert said is not None  # it was chosen so
    subject, study, night = said.groups()
    header = _header(path)
    places = _groups(path, header)
    signals = {name: _signal(path, header, name, at) for name, at in places.items()}
    repairs: list[str] = []
    scored = _hypnogram(path)
    return Recording(
        dataset=NAME,
        name=path.name[:7],
        subject=subject,
        signals=signals,
        read=partial(_read, path, header, places),
        labels={"stage": _stages(scored, header, repairs)},
        facts={"night": night, "study": PLACES[study], "patient": header.patient},
        repairs=tuple(repairs),
        files=(path, scored),
    )


def _header(path: Path) -> Header:
    try:
        return Header.read(path)
    except (RecordingError, OSError) as error:
        raise DatasetError(f"{error}; fetch {path.name} again") from error


def _hypnogram(path: Path) -> Path:
    """Return the hypnogram of a night; the letter of its scorer is not known before."""
    beside = sorted(path.parent.glob(f"{path.name[:7]}?-Hypnogram.edf"))
    if len(beside) != 1:
        raise DatasetError(
            f"{path.name} should have one hypnogram beside it, {path.name[:7]}?-Hypnogram.edf; found "
            f"{[one.name for one in beside] or 'none'}: fetch the set again"
        )
    return beside[0]


def _groups(path: Path, header: Header) -> dict[str, tuple[int, ...]]:
    """Return the columns of the file by signal."""
    if "+D" in header.kind or not header.record_s or not header.records:
        raise DatasetError(f"{path}: wanted a continuous recording with samples, got {header.kind!r}; fetch it again")
    places: dict[str, tuple[int, ...]] = {}
    for number, channel in enumerate(header.channels):
        if channel.annotations or not channel.per_record:
            continue
        name = SIGNALS.get(channel.label.partition(" ")[0])
        if name is None:
            raise DatasetError(f"{path}: wanted channels that begin with {sorted(SIGNALS)}, found {channel.label!r}")
        places[name] = (*places.get(name, ()), number)
    return places


def _signal(path: Path, header: Header, name: str, columns: tuple[int, ...]) -> Signal:
    channels = [header.channels[number] for number in columns]
    if len({(channel.per_record, channel.unit) for channel in channels}) > 1:
        said = [(channel.label, channel.per_record, channel.unit) for channel in channels]
        raise DatasetError(f"{path}: the channels of {name!r} should have one rate and unit, have {said}")
    names = tuple(channel.label.partition(" ")[2] or channel.label for channel in channels)
    rate_hz = float(Fraction(channels[0].per_record) / header.record_s)
    return Signal(name, channels[0].unit, rate_hz, names, loss_detectable=False)


def _read(path: Path, header: Header, places: dict[str, tuple[int, ...]], name: str) -> list[Run]:
    _header(path)  # it may have been cut since
    shape = (header.records, header.record_bytes)
    data = np.memmap(path, np.uint8, "r", offset=header.size, shape=shape)
    ends = np.cumsum([channel.per_record * header.width for channel in header.channels])
    columns = [_values(header, header.channels[number], data, int(ends[number])) for number in places[name]]
    return [Run(0, np.stack(columns, axis=1))]


def _values(header: Header, channel: Channel, data: NDArray[np.uint8], end: int) -> NDArray[np.float32]:
    digital = bytes_to_samples(data[:, end - channel.per_record * header.width : end], header.width).ravel()
    return (digital * channel.gain + channel.offset).astype(np.float32)


def _stages(path: Path, night: Header, repairs: list[str]) -> Labels:
    """Return the stages in whole seconds from the first sample of the night; what lies beyond the samples is cut."""
    header = _header(path)
    late_s = Fraction((header.start - night.start).total_seconds())
    last = int(night.records * night.record_s)
    begin, end, words = [], [], []
    beyond = 0
    for at_s, length_s, text in _annotations(path, header):
        if text not in STAGES:
            raise DatasetError(f"{path}: wanted one of {sorted(STAGES)}, found {text!r}")
        first, until = round(at_s + late_s), round(at_s + late_s + length_s)
        beyond += max(0, until - max(first, last)) + max(0, min(until, 0) - first)
        if max(first, 0) < min(until, last):
            begin.append(max(first, 0))
            end.append(min(until, last))
            words.append(STAGES[text])
    if beyond:
        repairs.append(f"{path.name}: {beyond} s of stages before or after the samples are cut off")
    order = np.argsort(begin, kind="stable")
    if (np.diff(order) < 0).any():
        repairs.append(f"{path.name}: time goes back {(np.diff(begin) < 0).sum()} times; stages are put in order")
    return Labels.of(
        "stage",
        [words[at] for at in order],
        np.array(begin, np.int64)[order],
        np.array(end, np.int64)[order],
        rate_hz=STAGES_HZ,
        vocabulary=SLEEP_STAGES_RK,
        rater=f"scorer {path.name[7]}",
    )


def _annotations(path: Path, header: Header) -> list[tuple[Fraction, Fraction, str]]:
    """Return onset and length in s and text of the annotations of an EDF+ file."""
    if not any(channel.annotations for channel in header.channels):
        raise DatasetError(f"{path} holds no EDF+ annotations: it is no hypnogram; fetch it again")
    data = path.read_bytes()[header.size :]
    ends = np.cumsum([channel.per_record * header.width for channel in header.channels]).tolist()
    found = []
    for record in range(header.records):
        base = record * header.record_bytes
        for channel, end in zip(header.channels, ends, strict=True):
            if channel.annotations:
                found += tals(data[base + end - channel.per_record * header.width : base + end])
    return [one for one in found if one[2]]


CARD = Card(
    name=NAME,
    folder="sleep-edf",
    title="Sleep-EDF Database Expanded",
    what="197 whole nights of EEG, EOG and EMG (of some also breathing and temperature), with hypnograms.",
    who="78 healthy people of 25 to 101 years, mostly two nights each at home (SC); 22 people with mild difficulty to "
    "fall asleep, one night each on temazepam and on placebo in hospital (ST).",
    sensors=("2-channel EEG (Fpz-Cz, Pz-Oz)", "horizontal EOG", "submental EMG", "oro-nasal airflow", "temperature"),
    rates={"eeg": 100.0, "eog": 100.0, "emg": 1.0, "respiration": 1.0, "temperature": 1.0, "marker": 1.0},
    labels={"stage": "W, 1, 2, 3, 4, R, M (movement) and ? (not scored) in epochs of 30 s, by one of several scorers"},
    subjects=(
        *(f"SC4{number:02d}" for number in range(83) if number not in (39, 68, 69, 78, 79)),
        *(f"ST7{number:02d}" for number in range(1, 25) if number not in (3, 23)),
    ),
    licence=_physionet.LICENCE,
    licence_url=_physionet.LICENCE_URL,
    citation="B. Kemp et al. Analysis of a sleep-dependent neuronal feedback loop: the slow-wave microcontinuity"
    f" of the EEG. IEEE Trans. Biomed. Eng. 47(9):1185-1194, 2000; and {_physionet.CITATION}",
    bytes=8_100_000_000,
    manual="Get sleep-cassette and sleep-telemetry from https://physionet.org/content/sleep-edfx/1.0.0/ (8.1 GB), "
    "and put the two folders, or their .edf files, into the folder.",
    notes=(
        "Two nights are mostly of one person: split by subject.",
        "The first nights of SC436 and SC452 and the second of SC413 were lost.",
        "In SC the EMG is an envelope at 1 Hz, in ST a signal at 100 Hz: they are not alike.",
        "SC nights hold about 20 hours, most of them awake: say how much of W a figure is of.",
        "The loader is written from the documentation and tested on small files of the same format, not on the set.",
    ),
)
