"""MIT-BIH Noise Stress Test: noise without a person, and two people of mitdb with noise."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from wfdb_records import ramp, write_annotations, write_record

from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import guarded, library
from pulselet_datasets import mitdb, nstdb

pytest.importorskip("wfdb", reason="wfdb writes and reads the records to compare with")

DATA = Path(os.environ.get("PULSELET_DATA", "nowhere")) / "nstdb"
real = pytest.mark.skipif(not DATA.is_dir(), reason="PULSELET_DATA holds no nstdb")


def test_noise_has_no_subject_and_no_labels(tmp_path: Path) -> None:
    write_record(tmp_path, "em", ramp(100, 2), names=["noise1", "noise2"])
    (one,) = nstdb.recordings(tmp_path)
    assert (one.subject, dict(one.labels), one.facts["noise"]) == ("", {}, "electrode motion")
    assert one.signal("noise").channels == ("noise1", "noise2")
    assert one.repairs == ()


def test_a_gain_of_0_is_the_default_of_the_header_and_said(tmp_path: Path) -> None:
    path = write_record(tmp_path, "bw", ramp(100, 2))
    path.write_text(path.read_text().replace("200.0(0)/mV", "0"))
    (one,) = nstdb.recordings(tmp_path)
    assert one.repairs == ("bw.hea states no gain: 200 steps per mV are assumed, as header(5) says",)
    with guarded(path):
        wanted = library().rdrecord(str(tmp_path / "bw")).p_signal
    assert np.array_equal(one.values("noise"), wanted.astype(np.float32))


@pytest.mark.parametrize(("ending", "snr_db"), [("24", "24"), ("06", "6"), ("00", "0"), ("_6", "-6")])
def test_an_ecg_with_noise_is_of_a_person_of_mitdb(tmp_path: Path, ending: str, snr_db: str) -> None:
    write_record(tmp_path, f"118e{ending}", ramp(100, 2), names=["MLII", "V1"])
    write_annotations(tmp_path, f"118e{ending}", "atr", [(10, "N", 0, ""), (50, "V", 0, "")])
    (one,) = nstdb.recordings(tmp_path)
    assert one.subject == "118"
    assert "118" in mitdb.CARD.subjects
    assert one.facts["snr_db"] == snr_db
    assert one.label("beat").words == ["N", "V"]


def test_a_truncated_record_is_told(tmp_path: Path) -> None:
    write_record(tmp_path, "ma", ramp(100, 2))
    (tmp_path / "ma.dat").write_bytes((tmp_path / "ma.dat").read_bytes()[:-1])
    (one,) = nstdb.recordings(tmp_path)
    with pytest.raises(DatasetError, match=r"truncated.*300 bytes, and it has 299"):
        one.values("noise")


@real
def test_the_real_noise_is_what_wfdb_reads() -> None:
    for one in nstdb.recordings(DATA):
        with guarded(DATA):
            wanted = library().rdrecord(str(DATA / one.name)).p_signal
        assert np.array_equal(one.values(next(iter(one.signals))), wanted.astype(np.float32))
        assert len(wanted) == 650_000
