# Needs Python >= 3.10 and make; everything else comes from pip into .venv.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: venv demo test test-all lint

venv: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "Pulselet wants Python 3.10 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11 venv"; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "$(PYTHON) cannot make a virtual environment (on Debian: the package python3-venv)"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: venv
	$(BIN)/pulselet demo

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: lint
	$(BIN)/pytest

test-all: lint
	$(BIN)/pytest -m 'slow or not slow'
