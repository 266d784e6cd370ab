"""The text of a bundle: numbers in tables, glue from templates that fail on anything undefined."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet import __version__
from pulselet.errors import ExportError
from pulselet.model.classifier import Classifier
from pulselet.model.decide import softmax_factors
from pulselet.model.quantize import io_parameters
from pulselet.signal.pipeline import Branch
from pulselet.signal.stage import Format
from pulselet_firmware.golden import Golden
from pulselet_firmware.kernels import constants, runtime_files
from pulselet_firmware.layout import Layout, layout
from pulselet_firmware.netc import NetHeader
from pulselet_firmware.program import RUNTIME
from pulselet_firmware.templating import c_float, environment, rows

RESERVED = frozenset(  # words of C
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto if inline int long "
        "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
        "streams classes",  # and what the header calls its counts
    )
)


MOST_RESULTS = 15  # of one sample


def check_identifier(what: str, text: str) -> None:
    """Raise ExportError unless `text` can be a part of names in C."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text) or text in RESERVED or f"{text}_".startswith("pl_"):
        raise ExportError(
            f"{what} wants lower-case letters, digits and _, a letter first, no word of C and no pl_, got {text!r}"
        )


@dataclass(frozen=True)
class Cost:
    """What a bundle costs on a core, from raw sample to class."""

    core: str
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    instructions_per_window: int


def sources(name: str, source: Classifier, golden: Golden, net: NetHeader) -> dict[str, str]:
    """Return the C and C++ files of a bundle, those of the runtime among them, by file name.

    Raises
    ------
    ExportError
        If one sample may give more rows than a bundle keeps results for.
    """
    placed = layout(name, source.pipeline, net=True)
    if placed.rows > MOST_RESULTS:
        raise ExportError(
            f"one sample may give {placed.rows} rows, a bundle keeps {MOST_RESULTS} results: "
            "let a Window have a hop longer than what a sample becomes"
        )
    context = _context(name, source, golden, placed, net)
    templates = environment()
    files = {
        f"{name}.h": "api.h.j2",
        f"{name}.c": "api.c.j2",
        f"{name}_tables.h": "tables.h.j2",
        f"{name}_golden.h": "golden.h.j2",
        f"{name}_selftest.c": "selftest.c.j2",
        f"{name}_model_data.h": "model_data.h.j2",
        f"{name}_model_data.cc": "model_data.cc.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    texts = {file: templates.get_template(template).render(context) for file, template in files.items()}
    always = ["pl_pipeline.h", "pl_window.h", "pl_net.h", "pl_decide.h"]
    runtime = runtime_files([*always, *placed.headers, *(["pl_smoothing.h"] if source.smoothing else [])])
    copied = {file: (RUNTIME / file).read_text(encoding="utf-8") for file in runtime}
    return {**texts, **copied, f"{name}_net.h": net.text}


def tflm_header(name: str, source: Classifier, operations: Sequence[str], arena_measured: int) -> str:
    """Return the header for TFLite Micro: operations, arena, quantisation."""
    margin = -(-arena_measured * 9 // 8)
    own = {
        "operations": operations,
        "arena_measured": arena_measured,
        "arena_bytes": -(-margin // 16) * 16,
    }
    return str(environment().get_template("tflm.h.j2").render({**_names(name, source), **own}))


def card(name: str, source: Classifier, cost: Cost, sections: Mapping[str, str]) -> str:
    """Return the model card, with the caller's sections (evaluation, training, intended use) in it."""
    own = {"cost": cost, "core": cost.core, "card": sections, "smoothing": source.smoothing}
    return str(environment().get_template("MODEL_CARD.md.j2").render({**_names(name, source), **own}))


def _names(name: str, source: Classifier) -> dict[str, Any]:
    """Return what every file may mention."""
    pipeline = source.pipeline
    input_scale, input_zero, output_scale, output_zero = io_parameters(source.model)
    return {
        "name": name,
        "upper": name.upper(),
        "version": __version__,
        "labels": [_label(text) for text in source.labels],
        "branches": [_branch(name, branch) for branch in pipeline.branches],
        "pipeline_hash": pipeline.hash,
        "model_hash": hashlib.sha256(source.model).hexdigest(),
        "stages": [f"`{stage!r}`" for stage in pipeline.joint_stages],
        "every_s": 1 / pipeline.output.rate_hz if pipeline.output.rate_hz else 0,
        "abstain_below": source.abstain_below,
        "input_scale": c_float(input_scale),
        "input_zero": input_zero,
        "output_scale": c_float(output_scale),
        "output_zero": output_zero,
    }


def _context(name: str, source: Classifier, golden: Golden, placed: Layout, net: NetHeader) -> dict[str, Any]:
    pipeline = source.pipeline
    rate_hz = pipeline.output.rate_hz
    return {
        **_names(name, source),
        "pipeline": placed,
        "source_ahead_s": pipeline.ahead_s,
        "events": pipeline.output.placed,
        "at_events": rate_hz is None,
        "start": _start(pipeline.output),
        "several": placed.rows > 1,
        "step": 1 if rate_hz is None else round(pipeline.rate_hz / rate_hz),
        "arena_words": -(-net.arena_bytes // 4),
        "input_size": pipeline.output.width,
        "softmax": [c_float(factor) for factor in softmax_factors(io_parameters(source.model)[2])],
        "smoothing": _smoothing(name, source),
        "abstain_literal": c_float(source.abstain_below),
        "model_bytes": len(source.model),
        "model_rows": rows([f"0x{byte:02x}" for byte in source.model], 16),
        **_golden(golden),
    }


def _start(output: Format) -> str:
    """Return what a result's `start` is."""
    if output.placed:
        return "sample of the event"
    return "events before this one" if output.rate_hz is None else "index of the window's first aligned sample"


def _smoothing(name: str, source: Classifier) -> dict[str, Any] | None:
    if source.smoothing is None:
        return None
    form = source.smoothing.design(source.confidence_format).c_form()
    return {"constants": constants(f"{name}_smoothing", form), "words": form.state_words, "header": form.header}


def check_labels(labels: Sequence[str]) -> None:
    """Raise ExportError if two labels become one name in C."""
    names = [_label(text)["identifier"] for text in labels]
    twice = sorted({text for text, name in zip(labels, names, strict=True) if names.count(name) > 1})
    if twice:
        raise ExportError(f"the labels {twice} give one name in C: let their ASCII letters and digits differ")


def _label(text: str) -> dict[str, str]:
    identifier = re.sub(r"\W", "_", text, flags=re.ASCII).upper()
    return {"text": text, "identifier": identifier, "literal": c_string(text)}


def c_string(text: str) -> str:
    r"""Return a C literal of the text in UTF-8; what is not plain becomes an octal escape.

    >>> print(c_string('walk "fast"'), c_string("Ω"))
    "walk \042fast\042" "\316\251"
    """
    plain = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+.,:;()/%")
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def _branch(name: str, branch: Branch) -> dict[str, Any]:
    stages = ", ".join(repr(stage) for stage in branch.stages_in_a_row)
    return {
        "name": branch.name,
        "unit": branch.unit,
        "rate": f"{branch.rate_hz:g}",
        "channels": branch.channels,
        "description": f"`{stages}`" if stages else "nothing",
    }


def _golden(golden: Golden) -> dict[str, Any]:
    decisions = [
        {"start": d.start, "label": d.label, "bits": bits, "abstained": d.abstained, "scores": d.scores}
        for d, bits in zip(golden.decisions, _bits(np.array([d.confidence for d in golden.decisions])), strict=True)
    ]
    return {
        "golden_events": golden.events,
        "raw": rows([c_float(value) for value in golden.raw], 9),
        "cleaned": rows(_bits(golden.cleaned), 9),
        "cleaned_count": golden.cleaned.size,
        "inputs": [_vector(window) for window in golden.inputs],
        "decisions": decisions,
        "stress": [_vector(vector) for vector in golden.stress],
        "stress_scores": [", ".join(map(str, row)) for row in golden.stress_scores],
    }


def _vector(values: NDArray[np.int8]) -> str:
    return ",\n      ".join(rows(values.ravel(), 24))


def _bits(values: NDArray[Any]) -> list[str]:
    return [f"0x{word:08x}u" for word in values.astype(np.float32).view(np.uint32).ravel()]
