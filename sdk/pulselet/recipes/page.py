"""One self-contained page: a table, and the signal with true and predicted exercise along time."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pulselet import __version__
from pulselet._extras import require
from pulselet.model.classifier import Classifier
from pulselet.model.decide import Decision
from pulselet.stream.recording import Recording

COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, told apart by everyone
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .3rem 1rem; border-bottom: 1px solid #ccc }
td { text-align: right } th { text-align: left; font-weight: 500 } img { width: 100% }
"""


def table(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of the short table: what, how much."""
    return [
        ("person, never seen in training", f"{figures['subject']}"),
        ("windows", f"{figures['windows']}"),
        ("Python = C here = C on the core, bit for bit", f"{figures['agreement']:.0%} ({figures['agree']})"),
        ("accuracy on this person, int8", f"{figures['accuracy']:.1%}"),
        (f"flash on {figures['core']}, cleaning and net", f"{figures['flash_bytes']:,} B"),
        ("RAM, and stack", f"{figures['ram_bytes']:,} B + {figures['stack_bytes']:,} B"),
        ("instructions per window, from sample to class", f"{figures['instructions_per_window']:,}"),
    ]


def page(figures: Mapping[str, Any], png: bytes) -> str:
    """Return the page as HTML with the picture in it."""
    rows = "".join(
        f"<tr><th>{html.escape(what)}</th><td>{html.escape(much)}</td></tr>" for what, much in table(figures)
    )
    picture = base64.b64encode(png).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pulselet demo</title><style>{STYLE}</style></head><body>
<h1>Which exercise is person {figures["subject"]} doing?</h1>
<p>A real recording of a wrist watch, replayed over Bluetooth LE, cleaned and classified three times: by Python with
TFLite Micro, by the exported C on this computer, and by the same C on an emulated {html.escape(figures["core"])}.</p>
<table>{rows}</table>
<img alt="Raw and cleaned acceleration, rotation, true and predicted exercise along time"
 src="data:image/png;base64,{picture}">
<p>The bundle is in <code>{html.escape(figures["bundle"])}</code>, the recording in
<code>{html.escape(figures["recording"])}</code>. Pulselet {__version__}. Not a medical device.</p>
</body></html>
"""


def picture(
    recording: Recording, classifier: Classifier, decisions: Sequence[Decision], truth: NDArray[np.int64]
) -> bytes:
    """Return a PNG of raw signals, cleaned signals, and true and predicted classes along time."""
    figure = require("matplotlib.figure", "plots").Figure(figsize=(14, 9), layout="constrained")
    require("matplotlib.backends.backend_agg", "plots").FigureCanvasAgg(figure)
    branches = classifier.pipeline.branches
    axes = figure.subplots(2 * len(branches) + 1, 1, sharex=True, height_ratios=[1] * 2 * len(branches) + [1.6])
    for i, branch in enumerate(branches):
        signal = recording.signals[branch.name]
        for first, raw in recording.segments(branch.name):
            cleaned = classifier.pipeline.start().clean(branch.name, raw)  # as after a gap: each run starts anew
            seconds = (first + np.arange(len(raw))) / branch.rate_hz
            for axis, values in ((axes[2 * i], raw), (axes[2 * i + 1], cleaned)):
                for column, colour in zip(values.T, COLOURS, strict=False):
                    axis.plot(seconds, column, colour, linewidth=0.4)
        axes[2 * i].set_ylabel(f"{branch.name}\nraw, {branch.unit}")
        axes[2 * i + 1].set_ylabel(f"{branch.name}\ncleaned")
        for name, colour in zip(signal.channels, COLOURS, strict=False):
            axes[2 * i].plot([], [], colour, label=name)
        axes[2 * i].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    _classes(axes[-1], classifier, decisions, truth)
    figure.align_ylabels()
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _classes(axis: Any, classifier: Classifier, decisions: Sequence[Decision], truth: NDArray[np.int64]) -> None:
    rate_hz = classifier.pipeline.rate_hz
    middle = np.array([d.start for d in decisions]) / rate_hz + classifier.pipeline.window.length_s / 2
    predicted = np.array([d.label for d in decisions])
    right = predicted == truth
    axis.plot(middle, truth, "s", color="#bbbbbb", markersize=7, label="true")
    axis.plot(middle[right], predicted[right], ".", color=COLOURS[2], label="predicted, right")
    axis.plot(middle[~right], predicted[~right], "x", color=COLOURS[1], label="predicted, wrong")
    axis.set_yticks(range(len(classifier.labels)), classifier.labels)
    axis.set_ylabel("exercise")
    axis.set_xlabel("device time, s")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
