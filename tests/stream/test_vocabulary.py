"""Codes against the table of the package wfdb, and classes against the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import DatasetError
from pulselet.stream.convert.wfdb_library import library
from pulselet.stream.corpus import Labels
from pulselet.stream.vocabulary import (
    AAMI,
    AAMI_CLASSES,
    AAMI_LITERAL,
    AASM_FROM_RK,
    BEATS,
    MARKS,
    MIT_CODES,
    SLEEP_STAGES,
    SLEEP_STAGES_RK,
    aami,
)


def test_codes_are_those_of_wfdb() -> None:
    pytest.importorskip("wfdb", reason="its table is what is compared with")
    known = {one.label_store: one.symbol for one in library().io.annotation.ann_labels if one.label_store}
    assert dict(MIT_CODES) == known


def test_every_code_is_a_beat_or_a_mark_or_a_change_or_a_note() -> None:
    assert set(MIT_CODES.values()) == set(BEATS) | set(MARKS) | set('+~"')
    assert not set(BEATS) & set(MARKS)


def test_classes_are_those_of_de_chazal_table_1() -> None:
    table = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
    for name, symbols in table.items():
        assert {AAMI[symbol] for symbol in symbols} == {name}
    assert set(AAMI) == set(BEATS)
    assert set(AAMI.values()) == set(AAMI_CLASSES)


def test_the_words_of_the_standard_put_escape_beats_elsewhere() -> None:
    assert {symbol for symbol in BEATS if AAMI[symbol] != AAMI_LITERAL[symbol]} == {"e", "j"}
    labels = Labels.of("beat", ["N", "j"], np.array([1, 2]), rate_hz=360.0)
    assert aami(labels).words == ["N", "N"]
    assert aami(labels, AAMI_LITERAL).words == ["N", "S"]
    assert aami(labels).vocabulary == AAMI_CLASSES


def test_what_is_no_beat_has_no_class() -> None:
    labels = Labels.of("mark", ["!"], np.array([1]), rate_hz=360.0)
    with pytest.raises(DatasetError, match="no other word is given"):
        aami(labels)


def test_stages_3_and_4_are_one_in_the_newer_rules() -> None:
    assert set(AASM_FROM_RK) == set(SLEEP_STAGES_RK)
    assert set(filter(None, AASM_FROM_RK.values())) == set(SLEEP_STAGES)
    assert AASM_FROM_RK["3"] == AASM_FROM_RK["4"] == "N3"
