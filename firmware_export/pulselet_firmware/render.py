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
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet_firmware.golden import Golden
from pulselet_firmware.templating import environment, rows

C_FLOAT_LIMIT = 1e38
RESERVED = frozenset(  # words of C
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto if inline int long "
        "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
        "streams classes",  # and what the header calls its counts
    )
)


def check_identifier(what: str, text: str) -> None:
    """Raise ExportError unless `text` can be a part of names in C."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text) or text in RESERVED or f"{text}_".startswith("pl_"):
        raise ExportError(
            f"{what} wants lower-case letters, digits and _, a letter first, no word of C and no pl_, got {text!r}"
        )


def c_float(value: float | np.floating[Any]) -> str:
    """Return the shortest float32 literal that reads back as `value`.

    >>> c_float(np.float32(0.1)), c_float(3.0), c_float(1e-20)
    ('0.1f', '3.0f', '1e-20f')
    """
    single = np.float32(value)
    if not abs(single) < C_FLOAT_LIMIT:
        raise ExportError(f"a table holds {value}, which is not a finite float32")
    return f"{single!s}f"


@dataclass(frozen=True)
class Cost:
    """What a bundle costs on a core, from raw sample to class."""

    core: str
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    instructions_per_window: int


def sources(name: str, source: Classifier, golden: Golden, *, net_header: str, arena: int) -> dict[str, str]:
    """Return the C and C++ files of a bundle, by file name."""
    context = _context(name, source, golden, arena)
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
    return {**texts, f"{name}_net.h": net_header}


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
    own = {"cost": cost, "core": cost.core, "card": sections}
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
        "length_s": pipeline.window.length_s,
        "hop_s": pipeline.window.hop_s,
        "abstain_below": source.abstain_below,
        "input_scale": c_float(input_scale),
        "input_zero": input_zero,
        "output_scale": c_float(output_scale),
        "output_zero": output_zero,
    }


def _context(name: str, source: Classifier, golden: Golden, arena: int) -> dict[str, Any]:
    layout = _layout(source.pipeline)
    length, hop, slack = source.pipeline.window.samples(source.pipeline.rate_hz)
    columns = source.pipeline.shape[1]
    names = _names(name, source)
    for branch, placed in zip(names["branches"], layout["branches"], strict=True):
        branch.update(placed)
    return {
        **names,
        "tables": layout["tables"],
        "constants": _constants(name, layout),
        "state_words": layout["state_words"],
        "widest": max(branch.channels for branch in source.pipeline.branches),
        "columns": columns,
        "length": length,
        "hop": hop,
        "ahead": slack,
        "capacity": length + slack,
        "ring_bytes": (length + slack) * (columns + 1),
        "arena_words": -(-arena // 4),
        "input_size": length * columns,
        "softmax": [c_float(factor) for factor in softmax_factors(io_parameters(source.model)[2])],
        "abstain_literal": c_float(source.abstain_below),
        "model_bytes": len(source.model),
        "model_rows": rows([f"0x{byte:02x}" for byte in source.model], 16),
        **_golden(golden),
    }


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
    stages = ", ".join(repr(stage) for stage in branch.stages)
    return {
        "name": branch.name,
        "unit": branch.unit,
        "rate": f"{branch.rate_hz:g}",
        "channels": branch.channels,
        "description": f"`{stages}`" if stages else "nothing",
    }


def _layout(pipeline: Pipeline) -> dict[str, Any]:
    """Return where each branch's stages, state and columns lie, with the float tables that they share."""
    tables: list[dict[str, Any]] = []
    branches, column, word = [], 0, 0
    for branch in pipeline.branches:
        kernels = branch.design()
        stages: list[dict[str, Any]] = []
        for i, kernel in enumerate(kernels):
            form, stage = kernel.c_form(), f"in_{branch.name}_{i}"
            for field, value in form.fields:
                if not isinstance(value, int):
                    tables.append({"name": f"{stage}_{field}", "values": [c_float(v) for v in np.ravel(value)]})
            stages.append({"name": stage, "kind": form.kind, "state_words": form.state_words, "fields": form.fields})
        words = sum(stage["state_words"] for stage in stages)
        branches.append({"stages": stages, "column": column, "state_offset": word, "state_words": words})
        column += kernels[-1].channels if kernels else branch.channels
        word += words
    return {"tables": tables, "branches": branches, "state_words": word}


def _constants(name: str, layout: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one struct of constants per stage, in the order of the runtime's type."""
    return [
        {
            "kind": stage["kind"],
            "name": stage["name"],
            "fields": [
                value if isinstance(value, int) else f"{name}_{stage['name']}_{field}"
                for field, value in stage["fields"]
            ],
        }
        for branch in layout["branches"]
        for stage in branch["stages"]
    ]


def _golden(golden: Golden) -> dict[str, Any]:
    decisions = [
        {"start": d.start, "label": d.label, "bits": bits, "abstained": d.abstained, "scores": d.scores}
        for d, bits in zip(golden.decisions, _bits(np.array([d.confidence for d in golden.decisions])), strict=True)
    ]
    return {
        "events": golden.events,
        "raw": rows([c_float(value) for value in golden.raw], 9),
        "cleaned": rows(_bits(golden.cleaned), 9),
        "inputs": [_vector(window) for window in golden.inputs],
        "decisions": decisions,
        "stress": [_vector(vector) for vector in golden.stress],
        "stress_scores": [", ".join(map(str, row)) for row in golden.stress_scores],
    }


def _vector(values: NDArray[np.int8]) -> str:
    return ",\n      ".join(rows(values.ravel(), 24))


def _bits(values: NDArray[Any]) -> list[str]:
    return [f"0x{word:08x}u" for word in values.astype(np.float32).view(np.uint32).ravel()]
