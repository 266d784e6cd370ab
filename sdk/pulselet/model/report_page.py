"""A report as one self-contained page: tables, and plots as PNG in it."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pulselet._extras import require
from pulselet.model.measure import SCALARS, Figures
from pulselet.model.report import NAMES, Report, cell, class_rows, execution_rows, number, people, plain, signed

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's, told apart by everyone
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
td, th { padding: .25rem .8rem; border-bottom: 1px solid #ccc; white-space: nowrap }
td { text-align: right } th { text-align: left; font-weight: 500 } thead th { font-weight: 600 }
img { max-width: 100% } pre { background: #f5f5f5; padding: 1rem; overflow: auto; max-height: 30rem }
"""


def page(report: Report) -> str:
    """Return a report as HTML; the same report gives the same bytes.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    one = report.figures
    parts = [
        f"<p>{int(one.confusion.sum())} windows of {people(one)}. Headline: <b>{_text(report.headline)}</b>. "
        "In brackets, 95 % percentile bootstrap intervals over people; a dash is a figure that is not defined.</p>",
        *(f"<p>Note: {_text(note)}.</p>" for note in report.notes),
        "<h2>Executions and baselines</h2>",
        table(execution_rows(report)),
        table(_agreement_rows(report)),
        f"<h2>Classes, {_text(report.headline)}</h2>",
        table(class_rows(one)),
        image(_confusion, one, "confusion matrix"),
        "<h2>Differences</h2>",
        table(_difference_rows(report)),
        "<h2>By person</h2>",
        image(_people, one, "accuracy of each person"),
        "<h2>Without the person who carries most of a class</h2>",
        table(_without_rows(one)),
        *_of_scores(report),
        "<h2>All figures</h2>",
        table(_scalar_rows(report)),
    ]
    return document("Evaluation", parts, report.provenance)


def document(title: str, parts: Iterable[str], provenance: Any) -> str:
    """Return a whole page with what made it at its end."""
    made = _text(json.dumps(plain(provenance), indent=2))
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title><style>{STYLE}</style></head><body>
<h1>{_text(title)}</h1>
{body}
<h2>What made these figures</h2>
<pre>{made}</pre>
<p>Not a medical device.</p>
</body></html>
"""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table, the first as its head and the first column as names; nothing if there is only a head."""
    if len(rows) < 2:
        return ""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in rows[0])
    lines = [
        f"<tr><th>{_text(first)}</th>{''.join(f'<td>{_text(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows[1:]
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def image(draw: Callable[[Any, Any], None], what: Any, name: str, size: tuple[float, float] = (9.0, 4.5)) -> str:
    """Return a plot, which `draw` puts on axes, as an image in the text."""
    figure = require("matplotlib.figure", "plots").Figure(figsize=size, layout="constrained")
    require("matplotlib.backends.backend_agg", "plots").FigureCanvasAgg(figure)
    draw(figure.subplots(), what)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100, metadata={"Software": None})
    return f'<p><img alt="{_text(name)}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"></p>'


def _text(value: object) -> str:
    return html.escape(str(value))


def _of_scores(report: Report) -> list[str]:
    scored = {name: one for name, one in report.executions.items() if one.reliability}
    if not scored:
        return []
    return [
        "<h2>Calibration, and error against coverage</h2>",
        "<p>Bins of the confidence in the class named, 15 of equal width; below, the error among the windows that are "
        "answered when the least sure ones abstain.</p>",
        image(_reliability, scored, "reliability", (6.0, 5.0)),
        image(_coverage, scored, "error against coverage", (6.0, 4.0)),
    ]


def _confusion(axis: Any, figures: Figures) -> None:
    counts = np.asarray(figures.confusion, np.float64)
    abstained = bool(counts[:, -1].any())
    counts = counts if abstained else counts[:, :-1]
    rows = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    names = [*figures.labels, *(["abstained"] if abstained else [])]
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_yticks(range(len(figures.labels)), figures.labels)
    axis.set_xlabel("named")
    axis.set_ylabel("true")
    for (i, j), count in np.ndenumerate(counts):
        axis.text(j, i, f"{count:.0f}", ha="center", va="center", color="white" if rows[i, j] > 0.5 else "#222222")


def _people(axis: Any, figures: Figures) -> None:
    values = sorted((one["accuracy"], who) for who, one in figures.by_subject.items())
    axis.plot([value for value, _ in values], ".", color=COLOURS[0], markersize=9)
    axis.axhline(figures.accuracy, color="#888888", linewidth=1)
    axis.text(1.005, figures.accuracy, "all", transform=axis.get_yaxis_transform(), va="center")
    if len(values) <= 60:
        axis.set_xticks(range(len(values)), [who for _, who in values], rotation=90 if len(values) > 12 else 0)
    axis.set_xlabel("person, in order of accuracy")
    axis.set_ylabel("accuracy")


def _reliability(axis: Any, scored: dict[str, Figures]) -> None:
    axis.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for (name, one), colour in zip(scored.items(), COLOURS * len(scored), strict=False):
        bins = [found for found in one.reliability if found.windows]
        axis.plot(
            [found.confidence for found in bins],
            [found.accuracy for found in bins],
            ".-",
            color=colour,
            label=f"{name}, ECE {number(one.scalars['ece'])}",
        )
    axis.set_xlabel("confidence, mean of the bin")
    axis.set_ylabel("share right")
    axis.legend(frameon=False)


def _coverage(axis: Any, scored: dict[str, Figures]) -> None:
    for (name, one), colour in zip(scored.items(), COLOURS * len(scored), strict=False):
        coverage, error = zip(*one.error_at_coverage, strict=True)
        axis.plot(coverage, error, color=colour, label=f"{name}, AURC {number(one.scalars['aurc'])}")
    axis.set_xlabel("share answered")
    axis.set_ylabel("error among these")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)


def _agreement_rows(report: Report) -> list[list[str]]:
    return [["same class", "share of windows"], *([what, f"{share:.4f}"] for what, share in report.agreement.items())]


def _difference_rows(report: Report) -> list[list[str]]:
    names = list(dict.fromkeys(one.figure for one in report.differences))
    rows: dict[str, list[str]] = {}
    for one in report.differences:
        pair = f"{one.one} minus {one.other}"
        rows.setdefault(pair, [pair]).append(signed(one.value, one.interval))
    return [["", *(NAMES[name] for name in names)], *rows.values()]


def _without_rows(figures: Figures) -> list[list[str]]:
    head = ["class", "person", "carries", "sensitivity", "PPV", "F1", "accuracy", "macro F1"]
    names = ("sensitivity", "ppv", "f1", "accuracy", "macro_f1")
    return [
        head,
        *(
            [one.label, one.subject, f"{one.share:.0%}", *(number(getattr(one, name)) for name in names)]
            for one in figures.without
        ),
    ]


def _scalar_rows(report: Report) -> list[list[str]]:
    shown = {**report.executions, **report.baselines}
    rows = [["", *shown]]
    for name in SCALARS:
        cells = [_value(one, name) for one in shown.values()]
        if any(cells):
            rows.append([NAMES[name], *cells])
    return rows


def _value(figures: Figures, name: str) -> str:
    return cell(figures.scalars[name], figures.intervals[name]) if name in figures.scalars else ""
