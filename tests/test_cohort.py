"""One function over many recordings: the same result whatever runs it, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cohort_functions as made
import pytest

from pulselet import cohort
from pulselet._cohort import identity_of, key_of
from pulselet.errors import DatasetError, PipelineError, PulseletError
from pulselet.stream.corpus import Recording

parquet = pytest.importorskip("pyarrow.parquet", reason="results are written by pyarrow, of the extra 'cohort'")


def test_one_worker_and_four_give_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for workers in (0, 1, 4):
        out = tmp_path / f"{workers}.parquet"
        result = cohort.run(made.by_label, made.recordings(8), workers=workers, out=out)
        assert not result.failures
        files.append(out.read_bytes())
    assert files[0] == files[1] == files[2]


def test_results_stand_in_the_order_given_with_whose_they_are(tmp_path: Path) -> None:
    result = cohort.run(made.by_label, made.recordings(5), workers=2, out=tmp_path / "out.parquet")
    assert result.names == ("r0", "r1", "r2", "r3", "r4")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["recording"], row["subject"], row["label"]) for row in rows[:4]] == [
        *(("r0", "p0", "rest"), ("r0", "p0", "walk"), ("r1", "p1", "rest"), ("r1", "p1", "walk"))
    ]
    assert all(row["dataset"] == "made" and row["simulated"] for row in rows)
    assert rows[0]["spread"] == made.read(0, "acc")[0].values[:500].std(axis=0).tolist()


def test_without_a_file_any_value_comes_back() -> None:
    found = cohort.run(lambda recording: {recording.name}, made.recordings(2), workers=0)
    assert found.values == ({"r0"}, {"r1"})


def test_failures_are_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = cohort.run(made.odd_fails, made.recordings(6), workers=2, out=out, retries=2)
    assert [(one.recording, one.subject, one.attempts) for one in result.failures] == [
        *(("r1", "p1", 3), ("r3", "p1", 3), ("r5", "p1", 3))
    ]
    assert result.failures[0].error == "ValueError: nothing to see in r1"
    assert "in odd_fails" in result.failures[0].traceback
    assert [one["recording"] for one in json.loads((tmp_path / "out.parquet.failures.json").read_text())] == [
        *("r1", "r3", "r5")
    ]
    assert parquet.read_table(out).column("recording").to_pylist() == ["r0", "r2", "r4"]
    with pytest.raises(PulseletError, match="3 of 6 recordings failed: r1, r3, r5"):
        result.check()


def test_a_second_try_can_succeed(tmp_path: Path) -> None:
    assert not cohort.run(partial(made.second_try, tmp_path), made.recordings(2), workers=0).failures


def test_a_worker_that_dies_costs_one_recording_only() -> None:
    result = cohort.run(made.dies, made.recordings(6), workers=2)
    assert [one.recording for one in result.failures] == ["r2"]
    assert "died" in result.failures[0].error
    clean = cohort.run(made.figures, made.recordings(6), workers=0).values
    assert [result.values[i] for i in (0, 1, 3, 4, 5)] == [clean[i] for i in (0, 1, 3, 4, 5)]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    calls, out = tmp_path / "calls", tmp_path / "out.parquet"
    calls.mkdir()
    function = partial(made.counted, calls)
    cohort.run(function, made.recordings(3), workers=0, out=out)
    first = parquet.read_table(out).to_pylist()
    again = cohort.run(function, made.recordings(5), workers=0, out=out)
    assert again.reused == 3
    assert len(list(calls.iterdir())) == 5
    assert parquet.read_table(out).to_pylist()[:3] == first


@pytest.mark.parametrize(
    ("function", "recordings", "version"),
    [
        (made.odd_fails, made.recordings(1), ""),
        (made.figures, made.recordings(1, words=("rest", "run")), ""),
        (made.figures, [replace(made.recordings(1)[0], read=partial(made.read, 9))], ""),
        (made.figures, made.recordings(1), "2"),
    ],
)
def test_another_function_label_sample_or_version_is_done_anew(
    function: Any, recordings: list[Recording], version: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    cohort.run(made.figures, made.recordings(1), workers=0, out=out)
    assert cohort.run(made.figures, made.recordings(1), workers=0, out=out).reused == 1
    assert cohort.run(function, recordings, workers=0, out=out, version=version).reused == 0


def test_other_arguments_of_a_partial_are_another_function(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    for name, reused in (("a", 0), ("b", 0), ("a", 1)):
        (tmp_path / name).mkdir(exist_ok=True)
        assert (
            cohort.run(partial(made.counted, tmp_path / name), made.recordings(1), workers=0, out=out).reused == reused
        )


def test_an_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(cohort.CohortInterrupt) as caught:
        cohort.run(made.interrupts_parent, made.recordings(6), workers=0, out=out)
    assert caught.value.result.names == ("r0", "r1", "r2")
    assert parquet.read_table(out).column("recording").to_pylist() == ["r0", "r1", "r2"]


def test_ctrl_c_reaches_workers_and_keeps_what_they_did(tmp_path: Path) -> None:
    script, calls, out = tmp_path / "script.py", tmp_path / "calls", tmp_path / "out.parquet"
    calls.mkdir()
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from functools import partial\nfrom pathlib import Path\n"
        "import cohort_functions as made\nfrom pulselet import cohort\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        cohort.run(partial(made.slow, Path(sys.argv[2])), made.recordings(5000), workers=2, out=sys.argv[3])\n"
        "    except cohort.CohortInterrupt as interrupt:\n"
        "        print(len(interrupt.result), len(interrupt.result.failures))\n"
    )
    command = [sys.executable, str(script), str(Path(made.__file__).parent), str(calls), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        while len(list((tmp_path / "out.parquet.parts").glob("*.json"))) < 3 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        done, failed = map(int, process.communicate()[0].split())
    assert done >= 2  # of the three on disk, the last may not have been noted yet
    assert failed == 0
    assert len(parquet.read_table(out)) == done
    assert len(list((tmp_path / "out.parquet.parts").glob("*.json"))) >= done


def test_recordings_are_taken_as_workers_get_free() -> None:
    taken: list[str] = []
    ahead: list[int] = []

    def given() -> Any:
        for recording in made.recordings(5):
            taken.append(recording.name)
            yield recording

    cohort.run(lambda recording: ahead.append(len(taken)), given(), workers=0)
    assert ahead == [1, 2, 3, 4, 5]


def test_a_recording_that_cannot_be_sent_is_a_failure_with_the_reason() -> None:
    whole = made.recordings(3)
    bad = replace(whole[1], read=lambda name: made.read(1, name), facts={"lock": threading.Lock()})  # type: ignore[dict-item]
    result = cohort.run(made.figures, [whole[0], bad, whole[2]], workers=1)
    assert [one.recording for one in result.failures] == ["r1"]
    assert "cannot be sent to a worker" in result.failures[0].error


def test_a_data_set_that_breaks_off_is_a_failure_and_what_came_before_counts() -> None:
    def broken() -> Any:
        yield from made.recordings(2)
        raise DatasetError("the third header is damaged")

    result = cohort.run(made.figures, broken(), workers=0)
    assert result.names == ("r0", "r1", "?")
    assert [one.number for one in result.failures] == [2]
    assert "those after it were not read" in str(result)
    assert result.values[1] == made.figures(made.recordings(2)[1])


def test_a_lambda_runs_in_workers_too() -> None:
    pytest.importorskip("cloudpickle", reason="cloudpickle sends functions that no module holds")
    found = cohort.run(lambda recording: recording.name, made.recordings(3), workers=2)
    assert found.values == ("r0", "r1", "r2")


def test_a_lambda_without_cloudpickle_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(PipelineError, match=r"pulselet\[cohort\]"):
        cohort.run(lambda recording: recording.name, made.recordings(1), workers=1)


def test_what_a_closure_cannot_take_along_is_said() -> None:
    lock = threading.Lock()
    with pytest.raises(PipelineError, match="cannot be sent to workers"):
        cohort.run(lambda recording: lock, made.recordings(1), workers=1)


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import cohort_functions as made\nfrom pulselet import cohort\n"
        "cohort.run(made.figures, made.recordings(1), workers=1)\n"
    )
    command = [sys.executable, str(script), str(Path(made.__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "under `if __name__ == '__main__':`" in done.stderr


def test_rows_must_be_rows(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = cohort.run(lambda recording: 3, made.recordings(1), workers=0, out=out)
    assert "wanted a dict for a row" in result.failures[0].error
    result = cohort.run(lambda recording: {"subject": "me"}, made.recordings(1), workers=0, out=out)
    assert "'subject'" in result.failures[0].error
    result = cohort.run(lambda recording: {"what": {1, 2}}, made.recordings(1), workers=0, out=out)
    assert "column 'what'" in result.failures[0].error


def test_a_column_of_several_types_is_refused_and_keeps_what_was_computed(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(DatasetError, match="column 'what' holds values of several types"):
        cohort.run(made.several_types, made.recordings(2), workers=0, out=out)
    assert len(list((tmp_path / "out.parquet.parts").glob("*.json"))) == 2


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="workers=-1"):
        cohort.run(made.figures, [], workers=-1)
    with pytest.raises(PipelineError, match=r"distributed\.Client"):
        cohort.run(made.figures, [], object())
    with pytest.raises(DatasetError, match="the folder"):
        cohort.run(made.figures, [], out=tmp_path)


def test_a_dask_cluster_gives_the_same_as_this_machine(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the package distributed is not installed")
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    cohort.run(made.odd_fails, made.recordings(6), workers=1, out=here)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cluster's own
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            result = cohort.run(made.odd_fails, made.recordings(6), client, out=there)
    assert [one.recording for one in result.failures] == ["r1", "r3", "r5"]
    assert there.read_bytes() == here.read_bytes()


def typed(text: str, name: str, **known: Any) -> Any:
    """Return a function as somebody typed it at a prompt, whose source nobody keeps."""
    space: dict[str, Any] = {"__name__": "prompt", **known}
    exec(compile(text, "<prompt>", "exec"), space)
    return space[name]


def test_what_is_typed_anew_or_stands_in_its_module_is_part_of_a_function() -> None:
    minimum, maximum = (typed(f"def f(r):\n    return r.values('s').{one}()", "f") for one in ("min", "max"))
    assert identity_of(minimum, "") != identity_of(maximum, "")
    assert identity_of(minimum, "") == identity_of(typed("def f(r):\n    return r.values('s').min()", "f"), "")
    inner = [typed(f"def f(r):\n    return [(lambda v: v.{one}())(v) for v in r]", "f") for one in ("min", "max")]
    assert identity_of(inner[0], "") != identity_of(inner[1], "")
    limit = [typed("def f(r):\n    return r > LIMIT", "f", LIMIT=value) for value in (1, 2)]
    assert identity_of(limit[0], "") != identity_of(limit[1], "")


def test_defaults_of_keywords_and_the_object_of_a_method_are_part_of_a_function() -> None:
    def with_limit(value: int) -> Any:
        def function(recording: Recording, *, limit: int = value) -> dict[str, int]:
            return {"limit": limit}

        return function

    assert identity_of(with_limit(1), "") == identity_of(with_limit(1), "")
    assert identity_of(with_limit(1), "") != identity_of(with_limit(2), "")
    assert identity_of("a".join, "") != identity_of("b".join, "")


@pytest.mark.parametrize("change", ["rate", "start", "fact"])
def test_the_same_files_read_otherwise_are_another_recording(change: str) -> None:
    one = made.recordings(1)[0]
    name, signal_ = next(iter(one.signals.items()))
    other = {
        "rate": replace(one, signals={**one.signals, name: replace(signal_, rate_hz=1.5)}),
        "start": replace(one, start_s={name: 2.0}),
        "fact": replace(one, facts={"age": "41"}),
    }[change]
    assert key_of(replace(one), "") == key_of(one, "")
    assert key_of(other, "") != key_of(one, "")
