"""The names of `pulselet.signal`: what is loaded, what a type checker sees and what is public are the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from pulselet import signal
from pulselet.signal.stage import Stage

SOURCE = Path(signal.__file__)


def typed_imports() -> dict[str, str]:
    """Return names and modules of the imports that only a type checker reads."""
    tree = ast.parse(SOURCE.read_text("utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    assert len(guarded) == 1
    found = {}
    for node in guarded[0].body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        found.update({alias.name: node.module for alias in node.names})
        assert all(alias.asname is None for alias in node.names)
    return found


def test_a_type_checker_sees_what_is_loaded() -> None:
    tables = {name: module for module, names in signal.STAGES.items() for name in names} | signal.FUNCTIONS
    others = {"Branch": "pipeline", "Pipeline": "pipeline", "PipelineStream": "run"}
    assert typed_imports() == {name: f"pulselet.signal.{module}" for name, module in (tables | others).items()}


def test_every_public_name_is_loaded_from_the_module_that_defines_it() -> None:
    assert sorted(signal.__all__) == sorted(typed_imports())
    for name, module in typed_imports().items():
        assert getattr(signal, name).__module__ == module


def test_every_stage_has_a_public_name() -> None:
    signal.load_stages()
    rooms = {name for name, kind in Stage.registry.items() if kind.__module__.startswith("pulselet.signal.")}
    assert rooms == {name for names in signal.STAGES.values() for name in names}


def test_importing_the_room_imports_none_of_its_modules_and_no_scipy() -> None:
    code = "import sys, pulselet.signal; print([m for m in sys.modules if m.startswith(('pulselet.signal.', 'scipy'))])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_importing_the_pipeline_imports_no_scipy() -> None:
    code = "import sys, pulselet.signal.pipeline; print([m for m in sys.modules if m.startswith('scipy')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
