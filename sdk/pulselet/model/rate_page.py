"""The report of a heart rate as one self-contained page."""

from __future__ import annotations

from typing import Any

import numpy as np

from pulselet.model.heart_rate_figures import RateReport
from pulselet.model.report_page import COLOURS, document, image, table


def page(report: RateReport) -> str:
    """Return a report as HTML; the same report gives the same bytes. MissingExtraError without matplotlib."""
    columns = ("windows", "values", "mae", "bias", "within")
    people = [
        [
            "person",
            "windows",
            "with a value",
            "mean absolute error, bpm",
            "bias, bpm",
            f"within {report.within_bpm:g} bpm",
        ],
        *([who, *(f"{one[name]:.6g}" for name in columns)] for who, one in report.by_subject.items()),
    ]
    parts = [
        f"<p>{report.windows} windows of {len(report.subjects)} people; {report.without_value} without a value, "
        f"{report.without_truth} without a true rate left out. In brackets, 95 % percentile bootstrap intervals over "
        "people. The constant is the median true rate of all other people.</p>",
        table(report.rows()),
        "<h2>Bland-Altman</h2><p>Limits of agreement with people as clusters (Bland and Altman 2007).</p>",
        image(_differences, report, "Found minus true rate against their mean"),
        "<h2>By person</h2>",
        image(_people, report, "Absolute errors of each person"),
        table(people),
    ]
    if report.error_at_coverage:
        parts += ["<h2>Error against coverage</h2>", image(_coverage, report, "error against coverage", (6.0, 4.0))]
    return document("Heart rate", parts, report.provenance)


def _differences(axis: Any, report: RateReport) -> None:
    true, found, person = report.pairs
    for i in range(len(report.subjects)):
        own = person == i
        axis.plot(
            (true + found)[own] / 2, (found - true)[own], ".", color=COLOURS[i % len(COLOURS)], markersize=4, alpha=0.6
        )
    limits = report.agreement
    for value, style in ((limits.lower, "--"), (limits.bias, "-"), (limits.upper, "--")):
        if np.isfinite(value):
            axis.axhline(value, color="#444444", linestyle=style, linewidth=1)
            axis.text(1.005, value, f"{value:.1f}", transform=axis.get_yaxis_transform(), va="center")
    axis.set_xlabel("mean of true and found rate, bpm")
    axis.set_ylabel("found minus true, bpm")


def _people(axis: Any, report: RateReport) -> None:
    true, found, person = report.pairs
    errors = [np.abs(found - true)[(person == i) & np.isfinite(found)] for i in range(len(report.subjects))]
    axis.boxplot(errors, whis=(5, 95), showfliers=False)
    if len(errors) <= 60:
        axis.set_xticks(range(1, len(errors) + 1), report.subjects, rotation=90 if len(errors) > 12 else 0)
    else:
        axis.set_xticks([])
    axis.set_xlabel("person; whiskers from the 5th to the 95th percentile")
    axis.set_ylabel("absolute error, bpm")
    axis.set_ylim(bottom=0)


def _coverage(axis: Any, report: RateReport) -> None:
    share, error = zip(*report.error_at_coverage, strict=True)
    axis.plot(share, error, ".-", color=COLOURS[0])
    axis.set_xlabel("share of windows answered, surest first")
    axis.set_ylabel("mean absolute error, bpm")
    axis.set_ylim(bottom=0)
