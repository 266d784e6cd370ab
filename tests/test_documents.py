"""What the documents say is so: their code runs, their links lead somewhere, their commands exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from pulselet_firmware import toolchain

if TYPE_CHECKING:
    from conftest import DemoRun

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_readme_runs_from_top_to_bottom(demo_run: DemoRun) -> None:
    assert len(blocks("python")) >= 3
    program = "\n".join(blocks("python"))
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=demo_run.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readmes_c_builds_against_a_bundle(demo_run: DemoRun, tmp_path: Path) -> None:
    (block,) = blocks("c")
    (tmp_path / "application.c").write_text(block)
    bundle = Path(demo_run.figures["bundle"])
    folder = bundle if bundle.is_absolute() else demo_run.folder / bundle
    sources = [tmp_path / "application.c", folder / "rehab.c"]
    toolchain.compile_host(sources, tmp_path / "application.so", include=[folder])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_in_code_quotes_exists(document: Path) -> None:
    roots = ("sdk/", "datasets/", "firmware_export/", "tests/", "benchmarks/", "docs/", "notebooks/")
    for path in re.findall(r"`([\w./]+)`", document.read_text()):
        if path.startswith(roots):
            assert (ROOT / path).exists(), path


def test_every_room_is_one_hop_from_the_readme() -> None:
    for room in ("sdk", "datasets", "firmware_export", "notebooks", "tests", "benchmarks", "docs"):
        assert f"({room}" in README, room


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for document in DOCUMENTS for name in re.findall(r"\bmake ([a-z-]+)", document.read_text(), re.M)}
    code = {name for name in named if name in targets or re.search(rf"(^    |`)make {name}", README, re.M)}
    assert {"venv", "demo", "test", "test-all", "lint"} <= targets
    assert code <= targets


def test_ci_runs_the_readmes_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec make test")
    assert "make test" in README


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_is_stored_without_outputs(notebook: Path, tmp_path: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    assert not any(cell.get("outputs") for cell in content.cells)
    NotebookClient(content, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_the_distribution_holds_templates_and_c(tmp_path: Path) -> None:
    """An editable install finds them in the tree; what a wheel ships is what git and hatchling agree on."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.check_output(["git", "ls-files", "firmware_export"], cwd=ROOT, text=True).split()
    for kind in (".j2", ".h", ".c", ".ld", "py.typed"):
        assert any(name.endswith(kind) for name in listed), kind
