"""What a person marks is there after every mark, stays within bounds, and nothing counts that nobody accepted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.signal.ecg_peaks import r_peaks
from pulselet.simulate import ecg
from pulselet.stream.block import Block, Signal
from pulselet.stream.corpus import Recording, Run
from pulselet.stream.label_tables import from_csv, to_csv
from pulselet.stream.pulse_files import as_recording
from pulselet.stream.recording import Recording as PulseFile
from pulselet.windows.label_sheet import Mark
from pulselet.windows.labelling import Labeller, Suggested

ACC = Signal("acc", "g", 50.0, ("x", "y", "z"))
ECG = Signal("ecg", "mV", 250.0, ("ecg",))
RATES = Signal("hr", "bpm", None, ("hr",))
WORDS = ("rest", "walking")


def recording(
    folder: Path | None = None, *, start_s: float = 0.0, heart: NDArray[np.float32] | None = None
) -> Recording:
    """Return 100 s of acceleration with 10 s lost from 60 s on, 30 s of ECG, and a file to keep marks beside."""
    runs = {
        "acc": [Run(0, np.ones((3000, 3), np.float32)), Run(3500, np.zeros((1500, 3), np.float32))],
        "ecg": [Run(0, np.zeros((7500, 1), np.float32) if heart is None else heart[:, None])],
        "hr": [Run(0, np.ones((3, 1), np.float32))],
    }
    files = () if folder is None else (folder / "walk.pulse",)
    signals = {"acc": ACC, "ecg": ECG, "hr": RATES}
    return Recording("own", "walk", "P1", signals, lambda name: runs[name], start_s={"acc": start_s}, files=files)


@pytest.fixture
def labeller(tmp_path: Path) -> Labeller:
    return Labeller(recording(tmp_path), "acc", "activity", WORDS, rater="me")


def test_every_mark_is_on_disk_when_the_call_returns(labeller: Labeller, tmp_path: Path) -> None:
    assert labeller.table == tmp_path / "walk.activity.csv"
    for number, word in enumerate(("rest", "walking", "rest")):
        assert labeller.mark(word, 10.0 * number, 10.0 * number + 5) == Mark(500 * number, 500 * number + 250, word)
        kept = from_csv(labeller.table)["activity"]
        assert kept.words == labeller.labels.words
        assert np.array_equal(kept.begin, labeller.labels.begin)
    assert [path.name for path in tmp_path.iterdir()] == ["walk.activity.csv"]
    assert labeller.table.read_text().splitlines()[1] == "walk.pulse,P1,activity,rest,0.0,5.0,50.0,me"


def test_work_goes_on_where_it_was_left(labeller: Labeller, tmp_path: Path) -> None:
    labeller.mark("walking", 20.0, 30.0)
    labeller.mark("rest", 5.0, 20.0)
    again = Labeller(recording(tmp_path), "acc", "activity", WORDS)
    assert again.marks == labeller.marks == (Mark(250, 1000, "rest"), Mark(1000, 1500, "walking"))
    assert (again.rater, again.shape) == ("me", "intervals")
    with pytest.raises(DatasetError, match="overlaps"):
        again.mark("rest", 25.0, 40.0)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda one: one.mark("running", 0, 1), "'running' is not in the vocabulary"),
        (lambda one: one.mark("rest", 5, 5), "a sample or more"),
        (lambda one: one.mark("rest", 6, 5), "a sample or more"),
        (lambda one: one.mark("rest", -1, 5), "out of range: 'acc' is from 0 to 100 s"),
        (lambda one: one.mark("rest", 95, 101), "out of range"),
        (lambda one: one.mark("rest", float("nan"), 5), "wanted a time"),
        (lambda one: one.mark("rest", 40, 60), "overlaps 'walking' at 50 to 70 s"),
        (lambda one: one.mark("rest", 69, 80), "overlaps"),
        (lambda one: one.mark("rest", 55, 56), "overlaps"),
        (lambda one: one.mark("rest", 0, 100), "overlaps"),
        (lambda one: one.mark_at("rest", 5), "are intervals: give instants another kind"),
        (lambda one: one.remove(5), "no mark of 'activity' is at 5 s"),
        (lambda one: one.jump(100), "out of range"),
    ],
)
def test_what_cannot_be_marked_says_why_and_changes_nothing(
    labeller: Labeller, act: Callable[[Labeller], object], message: str
) -> None:
    labeller.mark("walking", 50, 70)
    before = labeller.table.read_bytes()
    with pytest.raises(DatasetError, match=message):
        act(labeller)
    assert labeller.marks == (Mark(2500, 3500, "walking"),)
    assert labeller.table.read_bytes() == before


def test_neighbours_may_touch(labeller: Labeller) -> None:
    labeller.mark("walking", 50, 70)
    labeller.mark("rest", 40, 50)
    labeller.mark("rest", 70, 100)
    assert labeller.labels.words == ["rest", "walking", "rest"]


def test_no_order_of_marks_makes_an_overlap(tmp_path: Path) -> None:
    """Against the plain rule: two intervals overlap if each begins before the other ends."""
    rng = np.random.default_rng(3)
    one = Labeller(recording(), "acc", "activity", WORDS, table=tmp_path / "t.csv")
    allowed: list[tuple[int, int]] = []
    for begin, length in zip(rng.integers(0, 95, 60).tolist(), rng.integers(1, 6, 60).tolist(), strict=True):
        free = all(begin + length <= low or high <= begin for low, high in allowed)
        try:
            one.mark("rest", begin, begin + length)
            marked = True
        except DatasetError:
            marked = False
        assert marked == free
        allowed += [(begin, begin + length)] if free else []
    assert all(a.until <= b.begin for a, b in itertools.pairwise(one.marks))


def test_undo_takes_back_changes_one_by_one_on_disk_too(labeller: Labeller) -> None:
    labeller.mark("rest", 0, 5)
    labeller.mark("walking", 5, 10)
    labeller.remove(2)
    assert labeller.labels.words == ["walking"]
    for wanted in (["rest", "walking"], ["rest"], []):
        assert labeller.undo()
        assert labeller.labels.words == wanted
        kept = from_csv(labeller.table)
        assert (kept["activity"].words if wanted else kept) == (wanted or {})
    assert not labeller.undo()
    assert labeller.shape is None
    labeller.mark_at("rest", 5)


def test_a_mark_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    one = Labeller(recording(), "acc", "activity", WORDS, table=tmp_path / "gone" / "t.csv")
    with pytest.raises(DatasetError, match="no labels were written"):
        one.mark("rest", 0, 5)
    assert one.marks == ()
    assert not one.undo()


def test_instants_stand_on_samples_of_their_own(tmp_path: Path) -> None:
    one = Labeller(recording(tmp_path), "ecg", "beat", ("N", "V"))
    one.mark_at("N", 1.0)
    one.mark_at("V", 1.004)
    with pytest.raises(DatasetError, match="overlaps"):
        one.mark_at("V", 1.0)
    with pytest.raises(DatasetError, match="out of range"):
        one.mark_at("V", 30.0)
    assert one.labels.end is None
    assert one.remove(1.003).word == "V"


def test_times_count_from_the_zero_of_the_recording(tmp_path: Path) -> None:
    one = Labeller(recording(tmp_path, start_s=2.5), "acc", "activity", WORDS)
    assert (one.begin_s, one.pages) == (2.5, 4)
    with pytest.raises(DatasetError, match=r"from 2\.5 to 102\.5 s"):
        one.mark("rest", 0.0, 3.0)
    assert one.mark("rest", 2.5, 102.5) == Mark(125, 5125, "rest")


def test_pages_cover_the_recording(labeller: Labeller) -> None:
    seen = [(labeller.begin_s, labeller.end_s)]
    while labeller.next():
        seen.append((labeller.begin_s, labeller.end_s))
    assert seen == [(0.0, 30.0), (30.0, 60.0), (60.0, 90.0), (90.0, 100.0)]
    assert labeller.previous()
    labeller.jump(59.9)
    assert labeller.begin_s == 30.0
    labeller.jump(0)
    assert not labeller.previous()
    assert "page 1 of 4" in str(labeller)


def test_the_peaks_of_a_detector_become_marks_when_a_person_accepts_them(tmp_path: Path) -> None:
    heart = ecg(30.0, rate_hz=250.0, seed=1)
    one = Labeller(
        recording(tmp_path, heart=heart.values_mv.astype(np.float32)), "ecg", "beat", ("N", "V"), page_s=10.0
    )
    first = round(heart.r_times_s[2] * 250) / 250
    one.mark_at("V", first)
    found = one.suggest(r_peaks, "N")
    assert found.waiting == len(one.suggestions)
    assert not one.table.read_text().count(",N,")
    on_page = sum(mark.begin < 2500 for mark in one.suggestions)
    assert one.accept() == on_page
    assert one.reject(10.0, 20.0) > 0
    one.accept(20.0, 30.0)
    assert one.suggestions == ()
    truth = heart.r_times_s[(heart.r_times_s < 10) | (heart.r_times_s >= 20)]
    assert all(np.abs(one.labels.begin_s - at_s).min() < 0.02 for at_s in truth[:-1])
    assert one.undo()
    assert one.labels.begin_s.max() < 10
    assert one.undo()
    assert one.labels.words == ["V"]


def test_proposals_keep_clear_of_marks_and_of_each_other(labeller: Labeller) -> None:
    labeller.mark("rest", 10, 20)

    def thirds(values: NDArray[np.float32], *, rate_hz: float) -> list[list[int]]:
        assert values.shape[1] == 3
        return [[0, 100], [50, 200], [600, 700]] if len(values) == 3000 else [[0, 10]]

    assert labeller.suggest(thirds, "walking") == Suggested(waiting=2, left_out=2)
    assert [(mark.begin, mark.end) for mark in labeller.suggestions] == [(0, 100), (3500, 3510)]
    labeller.mark("rest", 0, 1)
    assert labeller.accept(0, 100) == 1
    assert labeller.labels.words == ["rest", "rest", "walking"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([[1, 2, 3]], r"\(m,\) or \(m, 2\), got \(1, 3\)"),
        (["soon"], "got list"),
        (None, r"got \(\)"),
        ([-1], "in a run of"),
        ([float("nan")], "in a run of"),
        ([10**9], "in a run of"),
        ([5], "give instants another kind"),
    ],
)
def test_a_detector_that_returns_nonsense_is_told(labeller: Labeller, found: object, message: str) -> None:
    labeller.mark("rest", 0, 1)
    with pytest.raises(DatasetError, match=message):
        labeller.suggest(lambda values, rate_hz: found, "walking")  # type: ignore[arg-type, return-value]
    assert labeller.suggestions == ()


def test_instants_proposed_before_intervals_were_marked_are_refused(labeller: Labeller) -> None:
    labeller.suggest(lambda values, rate_hz: np.array([5]), "rest")
    labeller.mark("walking", 10, 20)
    with pytest.raises(DatasetError, match="give instants another kind"):
        labeller.accept(0, 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"signal": "ppg"}, "no signal 'ppg'"),
        ({"signal": "hr"}, "has no rate"),
        ({"vocabulary": ()}, "wanted words"),
        ({"vocabulary": ("a", "a")}, "each once"),
        ({"kind": "a/b"}, "wanted a kind"),
        ({"shape": "points"}, "'intervals' or 'instants'"),
        ({"page_s": 0.0}, "longer than 0 s"),
        ({"also": ("hr",)}, "has no rate"),
    ],
)
def test_a_labeller_that_cannot_work_says_why(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    usual: dict[str, object] = {"signal": "acc", "kind": "activity", "vocabulary": WORDS}
    with pytest.raises(DatasetError, match=message):
        Labeller(recording(tmp_path), **{**usual, **arguments})  # type: ignore[arg-type]


def test_a_recording_without_files_wants_a_table() -> None:
    with pytest.raises(DatasetError, match="give table="):
        Labeller(recording(), "acc", "activity", WORDS)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("beat,x,1.0,,50.0", "holds labels of"),
        ("activity,running,1.0,2.0,50.0", "not in the vocabulary"),
        ("activity,rest,1.0,2.0,25.0", "counts at 25 Hz"),
        ("activity,rest,1.0,200.0,50.0", "out of range"),
        ("activity,rest,1.0,3.0,50.0\nactivity,rest,2.0,4.0,50.0", "overlaps"),
    ],
)
def test_a_table_of_something_else_is_never_overwritten(tmp_path: Path, lines: str, message: str) -> None:
    table = tmp_path / "walk.activity.csv"
    table.write_text(f"kind,label,begin_s,end_s,rate_hz\n{lines}\n")
    before = table.read_bytes()
    with pytest.raises(DatasetError, match=message):
        Labeller(recording(tmp_path), "acc", "activity", WORDS)
    assert table.read_bytes() == before


def test_a_pulse_file_is_labelled_and_becomes_a_data_set(tmp_path: Path) -> None:
    folder = pytest.importorskip("pulselet_datasets").folder
    with PulseFile.create(tmp_path / "walk.pulse", subject="P1") as file:
        arrival_ns = int(file.meta["started_ns"]) + 250_000_000
        file.add([Block(ACC, np.ones((500, 3), np.float32), 0, None, arrival_ns)])
    one = Labeller(as_recording(tmp_path / "walk.pulse"), "acc", "activity", WORDS, table=tmp_path / "labels.csv")
    one.mark("walking", 1.0, 9.0)
    (found,) = folder(tmp_path)
    assert found.label("activity").words == ["walking"]
    assert found.label("activity").end_s.tolist() == [9.0]


def test_a_page_shows_signals_marks_and_proposals(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one = Labeller(recording(tmp_path), "acc", "activity", WORDS, also=("ecg",))
    one.mark("walking", 10, 20)
    one.mark("rest", 40, 50)
    one.suggest(lambda values, rate_hz: [[0, 100]], "rest")
    figure = one.show()
    upper, lower = figure.axes
    assert [text.get_text() for text in upper.texts] == ["walking", "rest"]  # the mark at 40 s is on the next page
    assert (len(upper.lines), len(lower.lines)) == (3, 1)
    assert upper.get_xlim() == (0.0, 30.0)
    one.next()
    one.next()
    lines = one.show().axes[0].lines
    assert max(line.get_xdata().max() for line in lines) <= 90.1
    assert min(line.get_xdata().min() for line in lines) == 70.0  # 60 to 70 s are lost
    assert one._repr_png_().startswith(b"\x89PNG")


def test_keys_and_mouse_do_what_the_calls_do(tmp_path: Path) -> None:
    backend = pytest.importorskip("matplotlib.backends.backend_agg")
    events = pytest.importorskip("matplotlib.backend_bases")
    figures = pytest.importorskip("matplotlib.figure")
    one = Labeller(recording(tmp_path), "acc", "activity", WORDS)
    figure = figures.Figure(figsize=(6, 3))
    canvas = backend.FigureCanvasAgg(figure)
    controls = one.interact(figure)

    def press(key: str) -> None:
        canvas.callbacks.process("key_press_event", events.KeyEvent("key_press_event", canvas, key))

    def drag(begin_s: float, end_s: float) -> None:
        for name, at_s in (("button_press_event", begin_s), ("button_release_event", end_s)):
            canvas.draw()
            x, _ = figure.axes[0].transData.transform((at_s, 0.0))
            y = figure.axes[0].bbox.y0 + figure.axes[0].bbox.height / 2
            canvas.callbacks.process(name, events.MouseEvent(name, canvas, x, y, 1))

    press("2")
    drag(20.0, 10.0)
    assert one.labels.words == ["walking"]
    assert one.labels.begin_s[0] == pytest.approx(10.0, abs=0.1)
    drag(15.0, 25.0)
    assert "overlaps" in controls.said
    assert len(one.marks) == 1
    press("u")
    assert (one.marks, controls.said) == ((), "")
    one.suggest(lambda values, rate_hz: [[2000, 2100], [2200, 2300]] if len(values) == 3000 else [], "rest")
    press("right")
    press("enter")
    assert one.labels.words == ["rest", "rest"]
    press("left")
    press("9")  # no such word
    press("unknown")
    assert (one.begin_s, controls.word) == (0.0, "walking")
    controls.close()
    press("u")
    assert len(one.marks) == 2


def test_a_click_marks_an_instant(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = pytest.importorskip("matplotlib.figure")
    one = Labeller(recording(tmp_path), "ecg", "beat", ("N", "V"), shape="instants")
    controls = one.interact(figures.Figure())
    controls.key("2")
    controls._press(4.0)
    controls._release(4.0)
    controls._press(None)
    controls._release(5.0)
    assert one.marks == (Mark(1000, None, "V"),)
    controls.key("x")
    assert controls.said == ""


def test_without_a_window_interact_says_what_to_do(labeller: Labeller, monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for backend in ("agg", "module://matplotlib_inline.backend_inline"):
        monkeypatch.setattr(pyplot, "get_backend", lambda backend=backend: backend)
        with pytest.raises(DatasetError, match="no window to click on"):
            labeller.interact()


def test_a_table_of_labels_written_by_hand_is_taken_up(tmp_path: Path, labeller: Labeller) -> None:
    to_csv(labeller.table, [labeller.labels], file="walk.pulse", subject="P1")
    assert Labeller(recording(tmp_path), "acc", "activity", WORDS).marks == ()
