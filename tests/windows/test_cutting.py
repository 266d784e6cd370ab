"""What a cut gives, on recordings small enough to count by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pulselet.errors import DatasetError, PipelineError
from pulselet.signal import Beats, Branch, Columns, LowPass, Pipeline, Window
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet.windows import Rows, Windows, WindowStore, cut, cut_around

Make = Callable[..., Recording]

PIPELINE = Pipeline(Branch("s", "g", 10.0, 1), Window(1.0, 1.0))


def ramp(count: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float32)[:, None]


def intervals(*spans: tuple[int, int, str], words: tuple[str, ...] = ("rest", "walk"), rate_hz: float = 10.0) -> Labels:
    begin, end, names = zip(*spans, strict=True)
    return Labels.of("activity", names, begin, end, rate_hz=rate_hz, vocabulary=words)


def test_windows_know_class_person_recording_and_time(make: Make) -> None:
    labels = intervals((0, 50, "rest"), (50, 100, "walk"))
    windows = cut([make("a", labels=[labels], subject="7"), make("b", labels=[labels], subject="8")], PIPELINE)
    assert windows.x.shape == (20, 10, 1)
    assert windows.x[3, :, 0].tolist() == list(range(30, 40))
    assert windows.y.tolist() == [0] * 5 + [1] * 5 + [0] * 5 + [1] * 5
    assert windows.subject.tolist() == ["7"] * 10 + ["8"] * 10
    assert windows.recordings == ["made/a", "made/b"]
    assert (windows.start_s[3], windows.end_s[3]) == (3.0, 4.0)
    assert windows.dropped.total == 0
    assert not windows.simulated.any()


def test_windows_that_touch_a_gap_are_left_out_and_counted(make: Make) -> None:
    # lost: samples 35 to 51, so the windows from 30, 40 and 50 on
    recording = make("a", [(0, ramp(35)), (52, ramp(48, 52))], [intervals((0, 100, "rest"))])
    windows = cut(recording, PIPELINE)
    assert windows.start_s.tolist() == [0, 1, 2, 6, 7, 8, 9]
    assert windows.x[3, 0, 0] == 60
    assert windows.dropped.gap == 3
    assert "3 that touch a gap" in str(windows)


def test_samples_that_are_no_numbers_are_a_gap(make: Make) -> None:
    values = ramp(100)
    values[44] = np.nan
    windows = cut(make("a", [(0, values)], [intervals((0, 100, "rest"))]), PIPELINE)
    assert (len(windows), windows.dropped.gap) == (9, 1)


def test_a_recording_that_begins_late_has_its_windows_at_their_time(make: Make) -> None:
    windows = cut(make("a", [(20, ramp(80, 20))], [intervals((0, 100, "rest"))]), PIPELINE)
    assert windows.start_s.tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert windows.dropped.gap == 2


def test_windows_without_a_label_or_with_two_are_left_out_and_counted(make: Make) -> None:
    # the window from 3 s on is half this, half that; from 7 s on nobody said anything
    labels = intervals((0, 35, "rest"), (35, 70, "walk"))
    windows = cut(make("a", labels=[labels]), PIPELINE)
    assert windows.start_s.tolist() == [0, 1, 2, 4, 5, 6]
    assert (windows.dropped.mixed, windows.dropped.label) == (1, 3)


def test_words_become_classes_in_the_order_of_the_mapping(make: Make) -> None:
    labels = intervals((0, 30, "rest"), (30, 60, "walk"), (60, 100, "odd"), words=("odd", "rest", "walk"))
    windows = cut(make("a", labels=[labels]), PIPELINE, classes={"walk": "moving", "rest": "still", "odd": None})
    assert windows.labels == ("moving", "still")
    assert windows.y.tolist() == [1, 1, 1, 0, 0, 0]
    assert windows.dropped.label == 4


def test_labels_count_at_their_own_rate(make: Make) -> None:
    labels = intervals((0, 500, "rest"), (500, 1000, "walk"), rate_hz=100.0)
    assert cut(make("a", labels=[labels]), PIPELINE).y.tolist() == [0] * 5 + [1] * 5


def test_a_filter_is_asked_what_was_its_latency_ago(make: Make) -> None:
    pipeline = Pipeline(Branch("s", "g", 10.0, 1, LowPass(1.0)), Window(1.0, 0.1))
    late = pipeline.branch_kernels[0][0].latency_s
    assert late > 0.1
    windows = cut(make("a", labels=[intervals((0, 50, "rest"), (50, 100, "walk"))]), pipeline)
    first = int(np.argmax(windows.y))
    assert windows.start_s[first] + 0.5 == pytest.approx(5.0, abs=0.1)
    assert np.allclose(windows.end_s - windows.start_s, 1.0 + late)


def test_two_signals_are_aligned_by_time_whatever_their_rate_and_begin() -> None:
    signals = {"fast": Signal("fast", "g", 20.0, ("x",)), "slow": Signal("slow", "g", 10.0, ("x",))}
    runs = {"fast": [Run(0, ramp(220) / 20)], "slow": [Run(0, ramp(100) / 10 + 1)]}  # values are seconds
    recording = Recording("made", "a", "a", signals, runs.__getitem__, start_s={"slow": 1.0})
    pipeline = Pipeline(
        (Branch("f", "g", 20.0, 1), Branch("g", "g", 20.0, 1)),
        Window(1.0, 1.0),
    )
    twice = Recording(
        "made",
        "b",
        "b",
        {**signals, "other": Signal("other", "g", 20.0, ("x",))},
        {**runs, "other": [Run(0, ramp(200) / 20 + 1)]}.__getitem__,
        start_s={"other": 1.0},
    )
    windows = cut(twice, pipeline, signals={"f": "fast", "g": "other"}, label=None)
    assert np.array_equal(windows.x[..., 0], windows.x[..., 1])
    assert windows.start_s.tolist() == list(range(1, 11))
    assert windows.labels == ("any",)
    with pytest.raises(PipelineError, match="wants 1 channels at 20 Hz"):
        cut(recording, pipeline, signals={"f": "fast", "g": "slow"}, label=None)


def test_signals_longer_than_a_minute_stay_together_over_gaps() -> None:
    n = 50 * 400
    signals = {name: Signal(name, "g", 50.0, ("x",)) for name in ("a", "b")}
    whole = ramp(n)
    runs = {"a": [Run(0, whole)], "b": [Run(0, whole[:2000]), Run(12000, whole[12000:])]}
    recording = Recording("made", "r", "r", signals, runs.__getitem__)
    pipeline = Pipeline((Branch("a", "g", 50.0, 1), Branch("b", "g", 50.0, 1)), Window(2.0, 2.0))
    windows = cut(recording, pipeline, label=None)
    assert np.array_equal(windows.x[..., 0], windows.x[..., 1])
    assert (len(windows), windows.dropped.gap) == (100, 100)


def test_a_branch_takes_one_channel_by_name_or_number(make: Make) -> None:
    both = np.concatenate([ramp(100), -ramp(100)], axis=1)
    for wanted in ("c1", 1, ["c1"]):
        windows = cut(make("a", [(0, both)]), PIPELINE, signals={"s": ("s", wanted)}, label=None)
        assert windows.x[0, :, 0].tolist() == [-float(i) for i in range(10)]
    with pytest.raises(PipelineError, match="no channel 'c9'"):
        cut(make("a", [(0, both)]), PIPELINE, signals={"s": ("s", "c9")}, label=None)
    with pytest.raises(PipelineError, match="no channel 2"):
        cut(make("a", [(0, both)]), PIPELINE, signals={"s": ("s", 2)}, label=None)


def beats(places: np.ndarray, words: str | None = None) -> Labels:
    return Labels.of("beat", list(words or "N" * len(places)), places, rate_hz=10.0)


def test_windows_around_annotated_instants_need_no_detector(make: Make) -> None:
    # those at 1 and at 99 are cut off by the ends
    labels = beats(np.array([1, 20, 50, 99]), "NVNV")
    windows = cut_around(make("a", labels=[labels]), Pipeline(Branch("s", "g", 10.0, 1)), 0.2, 0.3)
    assert windows.x[:, :, 0].tolist() == [[18, 19, 20, 21, 22, 23], [48, 49, 50, 51, 52, 53]]
    assert windows.y.tolist() == [1, 0]
    assert (windows.dropped.gap, windows.dropped.missed, windows.dropped.false) == (2, 0, 0)


def test_windows_around_instants_do_not_span_a_gap(make: Make) -> None:
    recording = make("a", [(0, ramp(48)), (49, ramp(51, 49))], [beats(np.array([20, 50]))])
    windows = cut_around(recording, Pipeline(Branch("s", "g", 10.0, 1)), 0.2, 0.3)
    assert windows.x[:, 2, 0].tolist() == [20]
    assert windows.dropped.gap == 1


def ecg(name: str = "e") -> Recording:
    """Return a minute of ECG with a beat every second, each annotated; the last three are said to be V."""
    rate_hz = 250.0
    t = np.arange(int(60 * rate_hz)) / rate_hz
    at = np.arange(1, 60)
    wave = sum(1.2 * np.exp(-(((t - beat) / 0.012) ** 2) / 2) for beat in at)
    noise = np.random.default_rng(0).normal(0, 0.005, len(t))
    labels = Labels.of("beat", ["N"] * 56 + ["V"] * 3, (at * rate_hz).astype(int), rate_hz=rate_hz)
    return Recording(
        "made",
        name,
        name,
        {"ecg": Signal("ecg", "mV", rate_hz, ("II",))},
        lambda _: [Run(0, (wave + noise).astype(np.float32)[:, None])],
        {"beat": labels},
    )


def test_a_detector_finds_the_beats_and_what_it_misses_is_counted() -> None:
    branch = Branch("ecg", "mV", 250.0, 1)
    pipeline = Pipeline(branch, Beats(0.2, 0.3))
    rows = cut(ecg(), pipeline, label="beat")
    waves = cut(ecg(), Pipeline(branch, (Beats(0.2, 0.3), Columns(4, 126))), label="beat")
    assert len(rows) + rows.dropped.missed == 59
    assert len(rows) >= 55
    found, _ = pipeline.batch({"ecg": ecg().values("ecg")})
    assert len(rows) + rows.dropped.false == len(found)
    assert rows.y[-1] == 1
    assert np.array_equal(rows.x[:, 4:], waves.x)
    assert np.array_equal(rows.start_s, waves.start_s)
    middle = (waves.start_s + 0.2) % 1
    assert np.minimum(middle, 1 - middle).max() < 0.02


def test_a_beat_that_nobody_annotated_is_false() -> None:
    one = ecg()
    labels = one.label("beat")
    fewer = Labels(labels.kind, labels.vocabulary, labels.begin[20:], None, labels.code[20:], labels.rate_hz)
    recording = Recording("made", "e", "e", one.signals, one.read, {"beat": fewer})
    rows = cut(recording, Pipeline(Branch("ecg", "mV", 250.0, 1), Beats(0.2, 0.3)), label="beat")
    assert rows.dropped.false >= 17
    assert len(rows) + rows.dropped.missed == 39


def test_intervals_such_as_rhythms_label_detected_beats() -> None:
    one = ecg()
    rhythm = Labels.of("rhythm", ["AF", "N"], [0, 7500], [7500, 15000], rate_hz=250.0)
    recording = Recording("made", "e", "e", one.signals, one.read, {"rhythm": rhythm})
    rows = cut(recording, Pipeline(Branch("ecg", "mV", 250.0, 1), Beats(0.2, 0.3)), label="rhythm")
    assert np.array_equal(rows.y, (rows.start_s + 0.2 >= 30).astype(int))


def test_what_is_simulated_stays_known(make: Make) -> None:
    assert cut(make("a", simulated=True), PIPELINE, label=None).simulated.all()


def test_repairs_of_a_recording_stay_known(make: Make) -> None:
    windows = cut(make("a", repairs=("2 samples were mended",)), PIPELINE, label=None)
    assert windows.notes == ("made/a: 2 samples were mended",)
    assert "2 samples were mended" in str(windows)


def test_the_cache_gives_the_same_windows_without_cutting(make: Make, tmp_path: Path) -> None:
    labels = intervals((0, 50, "rest"), (50, 92, "walk"))
    recordings = [make(name, [(0, ramp(100) * k)], [labels]) for k, name in enumerate("ab", 1)]
    plain, first = cut(recordings, PIPELINE), cut(recordings, PIPELINE, cache=tmp_path)

    def refuse(name: str) -> list[Run]:
        raise AssertionError("the samples were read again")

    unread = [Recording("made", one.name, one.subject, one.signals, refuse, one.labels, files=()) for one in recordings]
    for one, known in zip(unread, recordings, strict=True):
        one.__dict__["sha256"] = known.sha256  # as of files that have not changed
    again = cut(unread, PIPELINE, cache=tmp_path)
    assert isinstance(again.x, Rows)
    for found in (first, again):
        assert np.array_equal(found.x[:], plain.x)
        assert np.array_equal(found.y, plain.y)
        assert (found.dropped, found.files) == (plain.dropped, plain.files)
    assert plain.sha256 == first.sha256 == again.sha256


@pytest.mark.parametrize("change", ["samples", "pipeline", "channel", "name"])
def test_the_cache_knows_what_made_it(make: Make, tmp_path: Path, change: str) -> None:
    both = np.concatenate([ramp(100), ramp(100) + 1], axis=1)
    cut(make("a", [(0, both)]), PIPELINE, signals={"s": ("s", 0)}, label=None, cache=tmp_path)
    before = set(tmp_path.iterdir())
    recording = make("b" if change == "name" else "a", [(0, both + (change == "samples"))])
    pipeline = Pipeline(PIPELINE.branches, Window(1.0, 0.5)) if change == "pipeline" else PIPELINE
    wanted = {"s": ("s", int(change == "channel"))}
    found = cut(recording, pipeline, signals=wanted, label=None, cache=tmp_path)
    assert set(tmp_path.iterdir()) > before
    assert np.array_equal(found.x[:], cut(recording, pipeline, signals=wanted, label=None).x)


def test_other_labels_need_no_new_cut(make: Make, tmp_path: Path) -> None:
    cut(make("a", labels=[intervals((0, 100, "rest"))]), PIPELINE, cache=tmp_path)
    before = set(tmp_path.iterdir())
    found = cut(make("a", labels=[intervals((0, 100, "walk"))]), PIPELINE, cache=tmp_path)
    assert found.y.tolist() == [1] * 10
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_cache_is_cut_anew_and_said(make: Make, tmp_path: Path) -> None:
    recording = make("a")
    good = cut(recording, PIPELINE, label=None, cache=tmp_path)
    wanted = good.x[:]
    path = next(path for path in tmp_path.glob("*.npy") if ".spans" not in path.name)
    path.write_bytes(path.read_bytes()[:-5])
    again = cut(recording, PIPELINE, label=None, cache=tmp_path)
    assert np.array_equal(again.x[:], wanted)
    assert "1 recordings in the cache were damaged" in str(again)
    assert cut(recording, PIPELINE, label=None, cache=WindowStore(tmp_path)).notes == ()


def test_what_cannot_be_cut_is_refused_in_words(make: Make, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no labels 'activity'"):
        cut(make("a"), PIPELINE)
    with pytest.raises(DatasetError, match="has no signal 'ecg'"):
        cut(make("a"), PIPELINE, signals={"s": "ecg"}, label=None)
    with pytest.raises(PipelineError, match="made/a: branch 's' wants"):
        cut(make("a", [(0, np.zeros((5, 2), np.float32))]), PIPELINE, label=None)
    with pytest.raises(PipelineError, match=r"names the branches \['t'\]"):
        cut(make("a"), PIPELINE, signals={"t": "s"}, label=None)
    with pytest.raises(PipelineError, match="no recording to cut"):
        cut([], PIPELINE)
    with pytest.raises(PipelineError, match="two recordings are called made/a"):
        cut([make("a"), make("a")], PIPELINE, label=None)
    with pytest.raises(PipelineError, match="a Window, or with events"):
        cut(make("a"), Pipeline(Branch("s", "g", 10.0, 1)))
    with pytest.raises(PipelineError, match="ends in samples"):
        cut_around(make("a"), PIPELINE, 0.1, 0.1)
    with pytest.raises(PipelineError, match="more than 0 s after"):
        cut_around(make("a"), Pipeline(Branch("s", "g", 10.0, 1)), 0.1, 0)
    other = intervals((0, 100, "rest"), words=("rest",))
    with pytest.raises(PipelineError, match="say with classes="):
        cut([make("a", labels=[intervals((0, 9, "rest"))]), make("b", labels=[other])], PIPELINE)
    with pytest.raises(DatasetError, match="no other word is given for"):
        cut(make("a", labels=[other]), PIPELINE, classes={"walk": "walk"})
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be kept in"):
        cut(make("a"), PIPELINE, label=None, cache=tmp_path / "file")


def test_an_empty_recording_gives_no_windows(make: Make) -> None:
    windows = cut([make("a", [(0, ramp(0))]), make("b", [(0, ramp(5))])], PIPELINE, label=None)
    assert (len(windows), windows.dropped.total, windows.people) == (0, 0, [])
    assert windows.x.shape == (0, 10, 1)


def test_runs_that_overlap_are_refused(make: Make) -> None:
    recording = make(runs=((0, ramp(50)), (40, ramp(50))))
    with pytest.raises(DatasetError, match="begins at sample 40, before the last one ends at 50"):
        cut(recording, PIPELINE, label=None)


def test_the_cut_says_how_many_windows_each_recording_gave(make: Make) -> None:
    labels = intervals((0, 40, "rest"))
    data = cut([make("a", labels=[labels]), make("b", labels=[labels])], PIPELINE)
    assert data.of_recording == {"made/a": int((data.subject == "a").sum()), "made/b": int((data.subject == "b").sum())}
    some = data.take(data.subject == "a").take(np.arange(1))
    assert some.of_recording == {"made/a": data.of_recording["made/a"]}
    assert Windows.join([some, data.of(["b"])]).of_recording == data.of_recording


def test_the_cache_knows_when_a_signal_begins(make: Make, tmp_path: Path) -> None:
    for begin in (0.0, 3.0):
        data = cut(make(start_s={"s": begin}), PIPELINE, label=None, cache=tmp_path)
        assert data.start_s[0] == begin
