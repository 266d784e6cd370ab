"""The report as text, JSON and page: complete, without leaks of arrays, and the same bytes for the same command."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import pulselet.model
from pulselet import __version__
from pulselet.errors import MissingExtraError
from pulselet.model import Fold, Report, evaluate
from pulselet.model.report import cell
from pulselet.windows import Seen, Windows

SCRIPT = """
import numpy as np
from pulselet.model import Fold, evaluate
from pulselet.windows import Seen, Windows
def windows(who):
    rng = np.random.default_rng(who)
    y = rng.integers(0, 3, 40)
    return Windows(rng.normal(size=(40, 50, 2)).astype("f4"), y, np.full(40, who), ("rest", "walk", "run <fast>"))
folds = []
for who in (1, 2, 3, 4):
    test, seen = windows(who), Seen()
    for other in {1, 2, 3, 4} - {who}:
        seen.add(windows(other), "training")
    rng = np.random.default_rng(who + 10)
    logits = (rng.normal(size=(40, 3)) + 2 * np.eye(3)[test.y]).astype("f4")
    scores = np.clip(np.round(logits / 0.05), -128, 127).astype(np.int8)
    folds.append(Fold(test, {"float": logits, "int8": scores}, seen, {"int8": 0.05}))
report = evaluate(folds, notes=["201 and 202 are one person"], resamples=200)
"""


@pytest.fixture(scope="module")
def report() -> Report:
    names: dict[str, Any] = {}
    exec(SCRIPT, names)
    found = names["report"]
    assert isinstance(found, Report)
    return found


def test_json_holds_every_figure_of_every_execution_and_baseline(report: Report) -> None:
    read = json.loads(report.to_json())
    assert (read["headline"], read["subjects"], read["windows"]) == ("int8", 4, 160)
    for name in ("float", "int8"):
        one = read["executions"][name]
        assert one["scalars"]["accuracy"] == report[name].accuracy
        assert set(one["by_class"]) == {"sensitivity", "specificity", "ppv", "f1", "auroc", "auprc"}
        assert sum(found["windows"] for found in one["reliability"]) == 160
        assert one["error_at_coverage"][-1] == [1.0, pytest.approx(1 - report[name].accuracy)]
        assert set(one["by_subject"]) == {"1", "2", "3", "4"}
        assert len(one["without"]) == 3
        assert "draws" not in one
    assert set(read["baselines"]) == {"majority class", "random by prior"}
    assert {(one["one"], one["other"]) for one in read["differences"]} == {
        ("float", "int8"),
        ("int8", "majority class"),
        ("int8", "random by prior"),
    }


def test_json_says_what_made_it_and_not_when(report: Report) -> None:
    made = json.loads(report.to_json())["provenance"]
    assert made["seed"] == 0
    assert made["versions"]["pulselet"] == __version__
    assert made["versions"]["numpy"] == np.__version__
    first = made["folds"][0]
    assert first["test"]["people"] == ["1"]
    assert re.fullmatch("[0-9a-f]{64}", first["test"]["sha256"])
    assert first["seen"]["training"]["people"] == ["2", "3", "4"]
    assert not re.search("time|date", report.to_json())


def test_the_same_command_writes_the_same_bytes() -> None:
    command = [sys.executable, "-c", f"{SCRIPT}\nprint(report.to_json())"]
    one, two = (subprocess.check_output(command, text=True) for _ in range(2))
    assert one == two


def test_json_holds_null_for_what_is_undefined() -> None:
    test = Windows(np.zeros((2, 4, 1), np.float32), np.array([0, 0]), np.array([5, 5]), ("a", "b"))
    read = json.loads(evaluate(Fold(test, {"int8": np.array([0, 0])}, Seen())).to_json())
    assert read["executions"]["int8"]["by_class"]["sensitivity"] == [1.0, None]
    assert read["executions"]["int8"]["intervals"]["accuracy"] == [None, None]
    assert "no test window of b" in read["notes"]


def test_the_table_names_classes_executions_baselines_and_notes(report: Report) -> None:
    text = str(report)
    lines = text.splitlines()
    assert lines[0] == "int8: 160 windows of 4 people, 95 % intervals over people"
    assert [line.split()[0] for line in lines[2:5]] == ["rest", "walk", "run"]
    assert [line.split("  ")[0] for line in lines[7:11]] == ["float", "int8", "majority class", "random by prior"]
    assert "note: 201 and 202 are one person" in lines
    assert any(line.startswith("without ") and "who carries" in line for line in lines)


def test_the_page_is_one_file_of_the_same_bytes_with_its_plots_inside(report: Report) -> None:
    pytest.importorskip("matplotlib")
    page = report.to_html()
    assert page == report.to_html()
    assert page.count('src="data:image/png;base64,') == 4
    assert "run &lt;fast&gt;" in page
    assert "<fast>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    for text in ("majority class", "201 and 202 are one person", "Cohen&#x27;s kappa", "AURC", "sha256"):
        assert text in page


def test_a_page_without_matplotlib_names_the_extra(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def absent(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *args, **options)

    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(MissingExtraError, match="plots"):
        report.to_html()


def test_every_public_name_resolves_and_no_module_is_called_like_one() -> None:
    for name in pulselet.model.__all__:
        assert getattr(pulselet.model, name) is not None
        assert importlib.util.find_spec(f"pulselet.model.{name}") is None
    assert set(pulselet.model.__all__) == set(pulselet.model._MODULES)


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.5, (0.25, 0.75), "0.500 (0.250-0.750)"),
        (0.0, (-0.1, 0.1), "0.000 (-0.100 to 0.100)"),
        (-1e-9, (-1e-9, 1e-9), "0.000 (0.000-0.000)"),
        (0.5, (np.nan, np.nan), "0.500"),
        (np.nan, (np.nan, np.nan), "-"),
    ],
)
def test_a_cell_of_a_table(value: float, spread: tuple[float, float], text: str) -> None:
    assert cell(value, spread) == text


def test_the_package_exports_its_functions_without_importing_what_is_heavy() -> None:
    code = (
        "import sys, pulselet.model as m; from pulselet.model import evaluate, Fold, Report; "
        "assert callable(evaluate) and callable(m.evaluate) and 'evaluate' in dir(m); "
        "print([n for n in ('matplotlib', 'tensorflow', 'scipy.signal', 'sklearn') if n in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
