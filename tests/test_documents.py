"""What the documents say is so: their code runs, their links lead somewhere, their commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
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


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_readme_and_the_page_on_streaming_run_from_top_to_bottom(demo_run: DemoRun) -> None:
    streaming = blocks("python", (ROOT / "docs" / "streaming.md").read_text())
    assert len(blocks("python")) >= 3
    assert len(streaming) >= 3
    program = "\n".join([*blocks("python"), *streaming])
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=demo_run.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["signal.md", "datasets.md", "evaluation.md"])
def test_a_page_runs_from_top_to_bottom(page: str) -> None:
    code = blocks("python", (ROOT / "docs" / page).read_text())
    assert code
    exec("\n".join(code), {})


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
    assert {"venv", "demo", "test", "test-all", "lint"} <= targets
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", document.read_text(), re.M))
        assert named <= targets, document.name


def test_ci_runs_the_readmes_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec make test")
    assert "make test" in README


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_is_stored_without_outputs(notebook: Path, tmp_path: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    assert not any(cell.get("outputs") for cell in content.cells)
    NotebookClient(content, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_the_wheel_holds_all_that_an_export_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        held = set(content.namelist())
    for root in ("sdk", "datasets", "firmware_export"):
        for path in (ROOT / root).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT / root)) in held
