"""What each stage of a pipeline does and costs, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from pulselet._extras import require
from pulselet.signal.stage import Format, Kernel, Stage

if TYPE_CHECKING:
    from pulselet.signal.pipeline import Pipeline

HEADINGS = ("", "stage", "gives", "latency", "state", "float operations")


@dataclass(frozen=True)
class StageCost:
    """One stage of a pipeline.

    Attributes
    ----------
    where
        The branch's name, or `together` for what works on the aligned rows.
    stage
        The stage as one would write it.
    output
        What it gives.
    latency_s
        Its own latency, s.
    state_bytes
        Its state on a microcontroller.
    operations
        Float operations for one row of input.
    operations_per_s
        The same for one second of signal; None if its input are events.
    """

    where: str
    stage: str
    output: Format
    latency_s: float
    state_bytes: int
    operations: float
    operations_per_s: float | None


@dataclass(frozen=True)
class Description:
    """The stages of a pipeline in the order in which a sample walks through them.

    Attributes
    ----------
    stages
        One for each stage.
    latency_s
        Of the slowest way through the pipeline, s.
    state_bytes
        Of all stages, and of the ring that brings the branches together.
    operations_per_s
        Of all stages whose input is even, for one second of signal.
    """

    stages: tuple[StageCost, ...]
    latency_s: float
    state_bytes: int
    operations_per_s: float

    @classmethod
    def of(cls, pipeline: Pipeline) -> Description:
        """Return the description of a pipeline."""
        stages: list[StageCost] = []
        latencies = []
        for branch, kernels in zip(pipeline.branches, pipeline.branch_kernels, strict=True):
            stages += _costs(branch.name, branch.stages_in_a_row, kernels)
            latencies.append(sum(kernel.latency_s for kernel in kernels))
        joint = pipeline.joint_kernels
        stages += _costs("together", pipeline.joint_stages, joint)
        ring = 0
        if len(pipeline.branches) > 1:
            ring = 4 * (1 + len(pipeline.branches) + pipeline.ahead * (pipeline.aligned.width + 1))
        return cls(
            tuple(stages),
            max(latencies) + sum(kernel.latency_s for kernel in joint),
            ring + sum(stage.state_bytes for stage in stages),
            sum(stage.operations_per_s or 0.0 for stage in stages),
        )

    def __str__(self) -> str:
        rows = [HEADINGS, *(_cells(stage) for stage in self.stages)]
        whole = (f"{1e3 * self.latency_s:.0f} ms", f"{self.state_bytes} B", f"{self.operations_per_s:,.0f}/s")
        rows.append(("", "whole", "", *whole))
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
        lines = [
            "  ".join(
                [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
                + [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
            ).rstrip()
            for row in rows
        ]
        return "\n".join(lines)

    def draw(self) -> Any:
        """Return a matplotlib figure: branches from left to right, each stage a box with its cost.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        figure = require("matplotlib.figure", "plots").Figure(layout="constrained")
        lanes = list(dict.fromkeys(stage.where for stage in self.stages))
        branches = [lane for lane in lanes if lane != "together"] or ["together"]
        longest = max((sum(s.where == lane for s in self.stages) for lane in branches), default=0)
        columns = longest + sum(stage.where == "together" for stage in self.stages)
        figure.set_size_inches(max(4.0, 2.6 * columns), max(1.6, 1.5 * len(branches)))
        axes = figure.add_subplot()
        for y, lane in enumerate(branches):
            _draw_lane(axes, [s for s in self.stages if s.where == lane], -y, 0, lane)
        if "together" in lanes and branches != ["together"]:
            middle = -(len(branches) - 1) / 2
            _draw_lane(axes, [s for s in self.stages if s.where == "together"], middle, longest, "together")
        axes.set(xlim=(-0.7, columns - 0.4), ylim=(-len(branches) + 0.4, 0.6))
        axes.set_axis_off()
        axes.set_title(
            f"{1e3 * self.latency_s:.0f} ms, {self.state_bytes} B of state, {self.operations_per_s:,.0f} operations/s"
        )
        return figure


def _costs(where: str, stages: Sequence[Stage], kernels: Sequence[Kernel]) -> list[StageCost]:
    return [
        StageCost(
            where,
            brief(stage),
            kernel.output,
            kernel.latency_s,
            4 * kernel.c_form().state_words,
            kernel.operations,
            None if kernel.source.rate_hz is None else kernel.operations * kernel.source.rate_hz,
        )
        for stage, kernel in zip(stages, kernels, strict=True)
    ]


def brief(stage: Stage) -> str:
    """Return a stage as one would write it: without the parameters that are as always."""
    given = []
    for field in fields(stage):  # type: ignore[arg-type]
        value = getattr(stage, field.name)
        if field.default is MISSING or value != field.default:
            given.append(f"{field.name}={value!r}")
    return f"{type(stage).__name__}({', '.join(given)})"


def _cells(stage: StageCost) -> tuple[str, ...]:
    rate = stage.operations_per_s
    cost = f"{stage.operations:,.0f} each" if rate is None else f"{rate:,.0f}/s"
    return (
        stage.where, stage.stage, str(stage.output), f"{1e3 * stage.latency_s:.0f} ms", f"{stage.state_bytes} B", cost
    )  # fmt: skip


def _draw_lane(axes: Any, stages: Sequence[StageCost], y: float, x: int, name: str) -> None:
    axes.annotate(name, (x - 0.62, y + 0.3), fontsize=9, color="#555555")
    for i, stage in enumerate(stages):
        _, _, gives, latency, state, cost = _cells(stage)
        text = "\n".join((stage.stage.split("(")[0], gives, f"{latency}, {state}", cost))
        axes.annotate(
            text,
            (x + i, y),
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "round", "facecolor": "#eef3f8", "edgecolor": "#4878a8"},
        )
        axes.annotate("", (x + i - 0.36, y), (x + i - 0.64, y), arrowprops={"arrowstyle": "->", "color": "#4878a8"})
