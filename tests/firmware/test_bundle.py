"""A bundle agrees with Python window for window; take anything away from it, and the proof fails."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulselet.errors import ExportError, ModelError, ParityError, PipelineError
from pulselet.model.classifier import Classifier
from pulselet.model.decide import Decision
from pulselet.model.smoothing import Smoothing
from pulselet.signal.pipeline import Branch, Pipeline, Window
from pulselet.signal.run import Event
from pulselet_firmware import toolchain
from pulselet_firmware.bundle import Bundle, export
from pulselet_firmware.golden import chunked, golden, golden_events, noise
from pulselet_firmware.machines import HostMachine, selftest
from pulselet_firmware.proof import compare


def events(bundle: Bundle, samples: int = 400, seed: int = 5) -> list[Event]:
    rng = np.random.default_rng(seed)
    signals = {
        branch.name: rng.normal(0, 1.5, (samples, branch.channels)).astype(np.float32)
        for branch in bundle.source.pipeline.branches
    }
    return list(chunked(bundle.source.pipeline, signals, 0, samples))


def copied(bundle: Bundle, folder: Path) -> Bundle:
    shutil.copytree(bundle.folder, folder)
    return replace(bundle, folder=folder)


def test_all_executions_agree_on_all_windows(bundle: Bundle) -> None:
    proof = bundle.verify(events(bundle))
    assert proof.windows == (400 - 32) // 8 + 1
    assert proof.agree == {"C on this computer": proof.windows, "C on cortex-m4f": proof.windows}
    assert proof.share == 1.0
    assert len({decision.scores for decision in proof.decisions}) > proof.windows // 2


story = st.lists(
    st.tuples(
        st.sampled_from(["acc", "ppg"]),
        st.one_of(
            st.integers(0, 90),
            st.sampled_from([10_000, 2**29, 2**29 + 1]),
            st.tuples(st.integers(1, 40), st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e20, 1e-42, -3.0])),
        ),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story)
def test_c_equals_python_whatever_is_pushed(bundle: Bundle, story: list[tuple[str, int | tuple[int, float]]]) -> None:
    """Any chunks, gaps, values that are no numbers and denormals: the same decisions, or the same refusal."""
    channels = {"acc": 2, "ppg": 1}
    made: list[Event] = []
    for i, (name, what) in enumerate(story):
        if isinstance(what, int):
            made.append((name, what))
        else:
            count, odd = what
            values = np.random.default_rng(i).normal(0, 1, (count, channels[name])).astype(np.float32)
            values[count // 2] = odd
            made.append((name, values))

    def outcome(run: Iterator[Decision]) -> tuple[list[Decision], bool]:
        found: list[Decision] = []
        try:
            for decision in run:
                found.append(decision)
        except PipelineError:
            return found, True
        return found, False

    live, dropped, python = bundle.source.start(), 0, []
    refused = False
    for one in made:
        try:
            decisions = live.push(one)
        except PipelineError:
            refused = True
            break
        python += decisions
        dropped = live.dropped if decisions else dropped
    assert outcome(bundle._host.run(made)) == (python, refused)
    if not refused and len(python) < 2:  # within one push a window may be dropped after the last decision
        assert bundle._host.dropped <= dropped


def test_one_sample_less_makes_the_proof_fail(bundle: Bundle) -> None:
    whole = events(bundle)
    name, values = whole[10]
    assert not isinstance(values, int)
    short = [*whole[:10], (name, values[1:]), *whole[11:]]
    proof = compare(
        list(bundle.source.run(whole)), {"host": bundle.predict(short)}, instructions_per_window=0, stack_bytes=0
    )
    assert proof.share < 1
    with pytest.raises(ParityError, match="host: window"):
        proof.require()


def constants(bundle: Bundle, file: str, tables_of: str) -> list[re.Match[str]]:
    """Return every number that is not 0 in the tables of a file whose names match."""
    text = (bundle.folder / file).read_text()
    tables = re.finditer(rf"static const (?:float|int8_t) (?:{tables_of})\[\d+\] = \{{(.*?)\}};", text, re.S)
    return [
        number
        for table in tables
        for number in re.compile(r"-?\d[\w.+-]*").finditer(text, table.start(1), table.end(1))
        if float(number[0].rstrip("f")) != 0
    ]


def without(bundle: Bundle, tmp_path: Path, file: str, number: re.Match[str]) -> Bundle:
    """Return a copy of the bundle in which one number is 0."""
    broken = copied(bundle, tmp_path / "broken")
    text = (broken.folder / file).read_text()
    zero = "0.0f" if "f" in number[0] else "0"
    (broken.folder / file).write_text(text[: number.start()] + zero + text[number.end() :])
    return broken


@pytest.mark.parametrize("which", range(0, 20, 2))
def test_a_coefficient_taken_away_makes_proof_and_self_test_fail(bundle: Bundle, tmp_path: Path, which: int) -> None:
    numbers = constants(bundle, "motion_tables.h", r"motion_in_(?:acc|ppg)_\d_(?:coefficients|gain|offset)")
    number = numbers[which % len(numbers)]
    broken = without(bundle, tmp_path, "motion_tables.h", number)
    with pytest.raises(ExportError, match="self-test"):
        selftest(broken.folder, "motion")
    proof = compare(
        list(bundle.source.run(events(bundle))),
        {"host": broken.predict(events(bundle))},
        instructions_per_window=0,
        stack_bytes=0,
    )
    with pytest.raises(ParityError):
        proof.require()
    with pytest.raises(ExportError, match=r"not as exported: motion_tables\.h"):
        Bundle.load(broken.folder)


def test_an_initial_state_taken_away_makes_the_self_test_fail(bundle: Bundle, tmp_path: Path) -> None:
    number = constants(bundle, "motion_tables.h", "motion_in_acc_0_initial")[0]
    broken = without(bundle, tmp_path, "motion_tables.h", number)
    with pytest.raises(ExportError, match="a cleaned sample differs"):
        selftest(broken.folder, "motion")


@pytest.mark.parametrize("part", np.linspace(0.02, 0.98, 9))
def test_a_weight_taken_away_makes_the_self_test_fail(bundle: Bundle, tmp_path: Path, part: float) -> None:
    numbers = [n for n in constants(bundle, "motion_net.h", r"motion_net_\w+_weights") if abs(float(n[0])) > 60]
    number = numbers[int(part * len(numbers))]
    broken = without(bundle, tmp_path, "motion_net.h", number)
    with pytest.raises(ExportError, match="an output of the net differs"):
        selftest(broken.folder, "motion")


def test_the_bundle_builds_and_passes_with_the_systems_compiler(bundle: Bundle, tmp_path: Path) -> None:
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("there is no `cc` on this computer")
    folder = copied(bundle, tmp_path / "copy").folder
    strict = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-O2"]
    for flags in ([], strict):
        line = f"{cc} -std=c99 -ffp-contract=off {' '.join(flags)} *.c -lm && ./a.out"
        done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "motion: every step agrees on 8 windows\n"), done.stderr


def test_two_bundles_and_cplusplus_live_in_one_program(bundle: Bundle, classifier: Classifier, tmp_path: Path) -> None:
    cc, cxx = shutil.which("cc"), shutil.which("c++")
    if cc is None or cxx is None:
        pytest.skip("there is no `cc` and `c++` on this computer")
    other = export(classifier, tmp_path / "other", name="other")
    (tmp_path / "main.cc").write_text(
        '#include "motion.h"\n#include "other.h"\n'
        "static motion_t a;\nstatic other_t b;\n"
        "int main() { motion_init(&a); other_init(&b); float x[2] = {1, 2}; int32_t used; "
        "return motion_push(&a, MOTION_ACC, x, 1, &used) + other_push(&b, OTHER_ACC, x, 1, &used) "
        "+ (motion_label(MOTION_CLASS_WALK)[0] != 'w') + (other_push(&b, 7, x, 1, &used) != PL_E_STREAM); }\n"
    )
    folders = f"-I{bundle.folder} -I{other.folder}"
    line = (
        f"{cc} -std=c99 -ffp-contract=off -c {folders} {bundle.folder}/motion.c {other.folder}/other.c && "
        f"{cxx} -Wall -Wextra -Werror {folders} main.cc motion.o other.o -o program && ./program"
    )
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_cmake_project_builds_and_tests_itself(bundle: Bundle, tmp_path: Path) -> None:
    if shutil.which("cmake") is None or shutil.which("cc") is None:
        pytest.skip("there is no `cmake` and `cc` on this computer")
    line = f"cmake -S {bundle.folder} -B . && cmake --build . && ctest"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "100% tests passed" in done.stdout, done.stdout + done.stderr


def test_a_build_with_fused_multiply_add_is_recognised(bundle: Bundle, tmp_path: Path) -> None:
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or " fma " not in cpu.read_text():
        pytest.skip("this computer has no fused multiply-add that could be switched on")
    program = tmp_path / "fused"
    command = [*toolchain.compiler(), "-std=c99", "-ffp-contract=fast", "-mcpu=x86_64_v3", "-O2"]
    status, output = toolchain.run([*command, *bundle.folder.glob("*.c"), "-lm", "-o", program])
    assert status == 0, output
    status, output = toolchain.run([program])
    assert status == 1
    assert "-ffp-contract=off" in output


def test_a_bundle_comes_back_from_its_folder(bundle: Bundle) -> None:
    again = Bundle.load(bundle.folder)
    assert again == bundle
    assert again.predict(noise(again.source.pipeline)) == bundle.predict(noise(bundle.source.pipeline))


def test_the_card_and_the_manifest_hold_the_measured_cost(bundle: Bundle) -> None:
    cost = bundle.report()
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    assert f"{cost.flash_bytes} B | {cost.ram_bytes} B" in card
    assert "Not a medical device" in card
    assert cost.flash_bytes > len(bundle.source.model) / 4
    assert cost.ram_bytes > 32 * 3 + 20 * 3
    assert cost.instructions_per_window > 100_000


def test_the_tflm_header_names_the_operations_once_and_an_arena_that_works(bundle: Bundle) -> None:
    text = (bundle.folder / "motion_tflm.h").read_text()
    assert sorted(re.findall(r"resolver\.Add(\w+)\(\)", text)) == [
        "Conv2D",
        "DepthwiseConv2D",
        "FullyConnected",
        "Mean",
    ]
    assert "MOTION_OPERATIONS 4" in text
    arena = int(re.findall(r"ARENA_BYTES (\d+)", text)[0])
    assert arena % 16 == 0
    assert 1000 < arena < 40_000


def test_a_folder_that_is_not_empty_is_left_alone(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="not an empty folder"):
        export(classifier, tmp_path, name="motion")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["Motion", "2fast", "for", "pl_net", "a-b", ""])
def test_a_name_that_c_cannot_have_is_refused(classifier: Classifier, tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match="name wants lower-case"):
        export(classifier, tmp_path / "out", name=name)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_behind_when_the_target_is_unknown(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="unknown core 'z80'; there are cortex-m0plus"):
        export(classifier, tmp_path / "out", name="motion", target="z80")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told_so(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot write to"):
        export(classifier, tmp_path / "file" / "out", name="motion")


@pytest.mark.parametrize("labels", [("a b", "a_b", "c", "d"), ("歩く", "走る", "c", "d")])
def test_labels_that_are_one_name_in_c_are_refused(
    classifier: Classifier, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    with pytest.raises(ExportError, match="one name in C"):
        export(replace(classifier, labels=labels), tmp_path / "out", name="motion")


def test_labels_and_branches_may_hold_what_c_would_trip_over(classifier: Classifier, tmp_path: Path) -> None:
    branches = tuple(replace(b, name=n) for b, n in zip(classifier.pipeline.branches, ("h", "net"), strict=True))
    odd = replace(
        classifier,
        labels=('say "hi"', "what??!", "\N{PEDESTRIAN}x", "Größe"),
        pipeline=replace(classifier.pipeline, branches=branches),
    )
    bundle = export(odd, tmp_path / "out", name="odd")
    assert Bundle.load(bundle.folder).source.labels == odd.labels


@pytest.mark.parametrize(("window", "ahead_s"), [(Window(2.0, 1.0), 1.0), (Window(1.0, 0.1), 0.1)])
def test_slow_pipelines_with_little_slack_have_golden_vectors(window: Window, ahead_s: float) -> None:
    pipeline = Pipeline((Branch("a", "g", 10.0, 1), Branch("b", "g", 10.0, 1)), window, ahead_s)
    stream = pipeline.start()
    windows = 0
    for name, what in golden_events(pipeline, noise(pipeline)):
        if isinstance(what, int):
            stream.gap(name, what)
        else:
            windows += len(stream.push(name, what))
    assert windows >= 2 * 4


def test_golden_signals_without_a_window_are_refused(classifier: Classifier) -> None:
    signals = {name: np.full_like(values, np.nan) for name, values in noise(classifier.pipeline).items()}
    with pytest.raises(ExportError, match="complete no window"):
        golden(classifier, signals)


def test_the_threshold_is_the_float32_that_c_compares_with(classifier: Classifier) -> None:
    assert replace(classifier, abstain_below=np.float64(0.1)).abstain_below == float(np.float32(0.1))
    assert type(replace(classifier, abstain_below=np.float32(0.1)).abstain_below) is float
    with pytest.raises(ModelError, match="from 0 to 1"):
        replace(classifier, abstain_below=np.nan)


def test_a_net_that_does_not_fit_the_pipeline_or_the_labels_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ModelError, match="4 outputs, but there are 1 labels"):
        replace(classifier, labels=("one",))
    longer = replace(classifier.pipeline, stages=Window(1.28, classifier.pipeline.window.hop_s))
    with pytest.raises(ModelError, match=r"windows of \(64, 3\)"):
        replace(classifier, pipeline=longer)


def test_a_folder_without_a_bundle_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is not a bundle"):
        Bundle.load(tmp_path)


def test_a_signal_that_is_missing_is_named(bundle: Bundle) -> None:
    with pytest.raises(PipelineError, match=r"wants signals \['ppg'\], got \['acc'\]"):
        bundle.predict({"acc": np.zeros((50, 2), np.float32)})


def test_an_event_that_does_not_fit_is_refused_by_c_and_python_alike(bundle: Bundle) -> None:
    wrong: list[list[Event]] = [[("acc", np.zeros((3, 3), np.float32))], [("ecg", 4)]]
    for one in wrong:
        for run in (bundle.source.run, bundle.predict):
            with pytest.raises(PipelineError, match=r"acc|ecg"):
                list(run(one))


def test_the_host_machine_starts_afresh_with_every_run(bundle: Bundle) -> None:
    machine = HostMachine(bundle.folder, bundle.name, bundle.source.pipeline, 4)
    first, second = (list(machine.run(events(bundle))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("smoothing", [Smoothing(3, "mean", debounce=2, hold=1), Smoothing(4, enter=0.7)])
def test_smoothed_decisions_agree_across_gaps_and_come_back(
    classifier: Classifier, tmp_path: Path, smoothing: Smoothing
) -> None:
    smooth = replace(classifier, abstain_below=0.0, smoothing=smoothing)
    bundle = export(smooth, tmp_path / "out", name="smooth")
    t = np.arange(1200) / 50
    rhythm = np.sin(2 * np.pi * (1 + 3 * (t // 0.7 % 4)) * t)[:, None] + np.random.default_rng(0).normal(
        0, 0.4, (1200, 3)
    )
    signals = {"acc": rhythm[:, :2].astype(np.float32), "ppg": rhythm[:, 2:].astype(np.float32)}
    signals["acc"][500] = np.nan
    proof = bundle.verify(signals)
    proof.require()
    assert proof.windows > 100
    assert {d.abstained for d in proof.decisions} == {False, True}
    assert any(d.label != int(np.argmax(d.scores)) for d in proof.decisions)
    assert Bundle.load(bundle.folder).source == smooth


def test_smoothing_beside_a_threshold_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ModelError, match="abstain_below 0"):
        replace(classifier, abstain_below=0.3, smoothing=Smoothing())
