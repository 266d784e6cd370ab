"""Write a bundle, prove it, and come back to it later."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pulselet import __version__
from pulselet.errors import ExportError, PipelineError
from pulselet.model.classifier import Classifier
from pulselet.model.decide import Decision
from pulselet.model.smoothing import Smoothing
from pulselet.model.tflm import smallest_arena
from pulselet.signal.pipeline import Pipeline
from pulselet.signal.run import Event
from pulselet.signal.stage import Samples
from pulselet_firmware import render
from pulselet_firmware.golden import chunked, golden, golden_events, noise
from pulselet_firmware.graph import read_graph
from pulselet_firmware.machines import CoreMachine, HostMachine, footprint, selftest
from pulselet_firmware.netc import net_header
from pulselet_firmware.proof import Proof, compare
from pulselet_firmware.render import Cost
from pulselet_firmware.toolchain import target_of

FORMAT = 2  # of manifest.json


@dataclass(frozen=True)
class Bundle:
    """An exported folder, and the classifier that it must equal."""

    folder: Path
    name: str
    source: Classifier
    target: str
    cost: Cost

    @classmethod
    def load(cls, folder: str | Path) -> Bundle:
        """Return the bundle in `folder`.

        Raises
        ------
        ExportError
            If there is none, or a file is not the one that was exported.
        """
        folder = Path(folder)
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                raise ExportError(f"{folder} has format {manifest['format']}, this Pulselet reads {FORMAT}")
            changed = [file for file, digest in manifest["files"].items() if _digest(folder / file) != digest]
            if changed:
                raise ExportError(f"{folder}: not as exported: {', '.join(changed)}; export again, or restore them")
            name = manifest["name"]
            source = Classifier(
                Pipeline.from_json(json.dumps(manifest["pipeline"])),
                (folder / f"{name}.tflite").read_bytes(),
                tuple(manifest["labels"]),
                manifest["abstain_below"],
                Smoothing(**manifest["smoothing"]) if manifest["smoothing"] else None,
            )
            return cls(folder, name, source, manifest["target"], Cost(**manifest["cost"]))
        except PipelineError as error:
            raise ExportError(f"{folder}: its pipeline does not fit this Pulselet: {error}; export again") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExportError(f"{folder} is not a bundle: {error!r}") from error

    def predict(self, samples: Mapping[str, Samples] | Iterable[Event]) -> list[Decision]:
        """Return the decisions of the bundle's C, compiled for this computer.

        Parameters
        ----------
        samples
            Whole signals by branch `(n, channels)`, or events as they came from a stream.
        """
        return list(self._host.run(self._events(samples)))

    def emulate(self, samples: Mapping[str, Samples] | Iterable[Event], core: str | None = None) -> list[Decision]:
        """Return the decisions of the bundle's C on an emulated core; the bundle's target if none is named."""
        return list(self._machine(core or self.target).run(self._events(samples)))

    def verify(self, samples: Mapping[str, Samples] | Iterable[Event]) -> Proof:
        """Return how Python with TFLite Micro, C on this computer and C on the emulated target agree."""
        events = list(self._events(samples))
        core = self._machine(self.target)
        return compare(
            list(self.source.run(events)),
            {"C on this computer": list(self._host.run(events)), f"C on {self.target}": list(core.run(events))},
            instructions_per_window=core.instructions_per_window,
            stack_bytes=core.stack_bytes,
        )

    def report(self) -> Cost:
        """Return what the bundle costs on its target."""
        return self.cost

    @cached_property
    def _host(self) -> HostMachine:
        return HostMachine(self.folder, self.name, self.source.pipeline, len(self.source.labels))

    def _machine(self, core: str) -> CoreMachine:
        return CoreMachine(self.folder, self.name, self.source.pipeline, len(self.source.labels), core)

    def _events(self, samples: Mapping[str, Samples] | Iterable[Event]) -> Iterable[Event]:
        if not isinstance(samples, Mapping):
            return samples
        self.source.pipeline.require_all(samples)
        rates = {branch.name: branch.rate_hz for branch in self.source.pipeline.branches}
        longest_s = max((len(samples[name]) / rate_hz for name, rate_hz in rates.items()), default=0.0)
        return chunked(self.source.pipeline, samples, 0, longest_s)


def export(
    source: Classifier,
    out: str | Path,
    *,
    name: str,
    target: str = "cortex-m4f",
    golden_signals: Mapping[str, Samples] | None = None,
    card: Mapping[str, str] | None = None,
) -> Bundle:
    """Write `source` to the folder `out` as C, prove that it agrees on golden vectors, and return the bundle.

    No part of a bundle is left behind if anything fails.

    Parameters
    ----------
    source
        Pipeline, int8 net and labels.
    name
        Prefix of all files and names in C.
    target
        The core on which it is measured; the C itself is portable.
    golden_signals
        Raw signals by branch `(n, channels)` for the golden vectors; noise if not given.
    card
        Sections of the model card by title: intended use, training, evaluation.

    Raises
    ------
    ExportError
        If the folder is not empty, a name is not fit for C, or the self-test fails.
    ModelError
        If the net has an operation without C.
    ParityError
        If an execution disagrees.
    """
    out = Path(out)
    _check(source, out, name)
    target_of(target)
    graph = read_graph(source.model)
    signals = noise(source.pipeline) if golden_signals is None else golden_signals
    vectors = golden(source, signals)
    net = net_header(graph, name)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise ExportError(f"cannot write to {out.parent}: {error}") from error
    try:
        texts = render.sources(name, source, vectors, net)
        operations = sorted({op.name for op in graph.operations})
        texts[f"{name}_tflm.h"] = render.tflm_header(name, source, operations, smallest_arena(source.model))
        for file, text in texts.items():
            (scratch / file).write_text(text, encoding="utf-8")
        (scratch / f"{name}.tflite").write_bytes(source.model)
        selftest(scratch, name)
        unproven = Bundle(scratch, name, source, target, Cost(target, 0, 0, 0, 0))
        proof = unproven.verify(golden_events(source.pipeline, signals))
        proof.require()
        flash, ram = footprint(scratch, name, target)
        cost = Cost(target, flash, ram, proof.stack_bytes, proof.instructions_per_window)
        (scratch / "MODEL_CARD.md").write_text(render.card(name, source, cost, card or {}), encoding="utf-8")
        manifest = _manifest(scratch, name, source, target, cost)
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        if out.exists():
            out.rmdir()
        scratch.replace(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return Bundle(out, name, source, target, cost)


def _check(source: Classifier, out: Path, name: str) -> None:
    render.check_identifier("name", name)
    for branch in source.pipeline.branches:
        render.check_identifier("the name of a branch", branch.name)
    render.check_labels(source.labels)
    require_empty(out)


def require_empty(out: Path) -> None:
    """Raise ExportError unless `out` is absent or an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is not an empty folder: name a new one, or remove what is there")


def _manifest(folder: Path, name: str, source: Classifier, target: str, cost: Cost) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": name,
        "pulselet": __version__,
        "labels": source.labels,
        "abstain_below": source.abstain_below,
        "smoothing": asdict(source.smoothing) if source.smoothing else None,
        "pipeline": json.loads(source.pipeline.to_json()),
        "target": target,
        "cost": asdict(cost),
        "files": {file.name: _digest(file) for file in sorted(folder.iterdir())},
    }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
