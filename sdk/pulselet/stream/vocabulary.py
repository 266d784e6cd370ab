"""Words that labels are made of: MIT beat and rhythm codes, AAMI beat classes, sleep stages and activities.

Codes and their meanings: PhysioNet, "WFDB annotations", https://archive.physionet.org/physiobank/annotations.shtml.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pulselet.stream.corpus import Labels

MIT_CODES: Mapping[int, str] = MappingProxyType(
    {code: symbol for code, symbol in enumerate(' NLRaVFJASEj/Q~ | sT*D"=pB^t+u?![]en@xf()r') if symbol != " "}
)
"""Symbol of each number that an annotation file in the MIT format holds."""

BEATS: Mapping[str, str] = MappingProxyType(
    {
        "N": "normal",
        "L": "left bundle branch block",
        "R": "right bundle branch block",
        "B": "bundle branch block",
        "A": "atrial premature",
        "a": "aberrated atrial premature",
        "J": "nodal (junctional) premature",
        "S": "supraventricular premature or ectopic",
        "V": "premature ventricular contraction",
        "r": "R-on-T premature ventricular contraction",
        "F": "fusion of ventricular and normal",
        "e": "atrial escape",
        "j": "nodal (junctional) escape",
        "n": "supraventricular escape",
        "E": "ventricular escape",
        "/": "paced",
        "f": "fusion of paced and normal",
        "Q": "unclassifiable",
        "?": "not classified during learning",
    }
)
"""The MIT codes that are beats."""

MARKS: Mapping[str, str] = MappingProxyType(
    {
        "[": "ventricular flutter or fibrillation begins",
        "!": "ventricular flutter wave",
        "]": "ventricular flutter or fibrillation ends",
        "x": "non-conducted P wave",
        "(": "waveform begins",
        ")": "waveform ends",
        "p": "P peak",
        "t": "T peak",
        "u": "U peak",
        "^": "non-captured pacemaker artefact",
        "|": "isolated QRS-like artefact",
        "s": "ST segment change",
        "T": "T wave change",
        "*": "systole",
        "D": "diastole",
        "=": "measurement",
        "@": "link to external data",
    }
)
"""The MIT codes that are neither beats nor changes of rhythm or signal quality, nor comments."""

AAMI_CLASSES = ("N", "S", "V", "F", "Q")
AAMI: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys("NLRBej", "N"),
        **dict.fromkeys("AaJSn", "S"),
        **dict.fromkeys("VEr", "V"),
        "F": "F",
        **dict.fromkeys("/fQ?", "Q"),
    }
)
"""AAMI class of each MIT beat code as the literature has it: de Chazal et al., IEEE Trans Biomed Eng 51, 2004, Table I.

It puts the escape beats e and j into N, and all published figures on DS1 and DS2 do the same.
"""

AAMI_LITERAL: Mapping[str, str] = MappingProxyType({**AAMI, "e": "S", "j": "S"})
"""AAMI classes by the words of ANSI/AAMI EC57: an atrial or nodal escape beat is supraventricular ectopic, so S."""

RHYTHMS: Mapping[str, str] = MappingProxyType(
    {
        "AB": "atrial bigeminy",
        "AFIB": "atrial fibrillation",
        "AFL": "atrial flutter",
        "B": "ventricular bigeminy",
        "BII": "second-degree heart block",
        "IVR": "idioventricular rhythm",
        "J": "AV junctional rhythm",
        "N": "normal sinus rhythm",
        "NOD": "nodal (AV junctional) rhythm",
        "P": "paced rhythm",
        "PREX": "pre-excitation (WPW)",
        "SBR": "sinus bradycardia",
        "SVTA": "supraventricular tachyarrhythmia",
        "T": "ventricular trigeminy",
        "VFL": "ventricular flutter",
        "VT": "ventricular tachycardia",
    }
)
"""Rhythms of the MIT-BIH databases, without the bracket that precedes them in the files."""

SIGNAL_QUALITY = ("clean", "noisy", "unreadable")

SLEEP_STAGES_RK = ("W", "1", "2", "3", "4", "R", "M", "?")
"""Rechtschaffen and Kales, 1968: wake, four stages, REM, movement time; "?" is not scored."""

SLEEP_STAGES = ("W", "N1", "N2", "N3", "R")
"""AASM Manual for the Scoring of Sleep, 2007."""

AASM_FROM_RK: Mapping[str, str | None] = MappingProxyType(
    {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R", "M": None, "?": None}
)
"""AASM stages of the older ones: 3 and 4 are one; movement time and what is not scored have none."""

ACTIVITIES = (
    *("lying", "sitting", "standing", "walking", "walking upstairs", "walking downstairs", "running", "cycling"),
    *("driving", "eating", "working", "turning", "sitting down", "standing up", "jumping", "other"),
)
"""Words for activities that mean the same in every set; a set's own words are `mapped` to them."""


def aami(labels: Labels, mapping: Mapping[str, str] = AAMI) -> Labels:
    """Return beats in the AAMI classes N, S, V, F and Q.

    Parameters
    ----------
    labels
        Beats in MIT codes.
    mapping
        `AAMI`, as the literature has it, or `AAMI_LITERAL`, as the standard words it.

    Raises
    ------
    DatasetError
        If a label is no beat.
    """
    return labels.mapped(mapping, AAMI_CLASSES)
