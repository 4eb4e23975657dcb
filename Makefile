# `make run` starts the main job, `make test` runs every check; both set up what they need.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install run check format test test-long faults bench build clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

install: .venv/.installed ## Create .venv with the service in it

.venv/.created: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

.venv/.installed: .venv/.created pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

.venv/.tools: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	@$(BIN)/python -c 'from tests.faults.clocks import library; library()' 2>/dev/null \
	  || (apt-get update -qq && apt-get install -y -qq libfaketime) >/dev/null 2>&1 \
	  || $(BIN)/python -m pip install --quiet libfaketime \
	  || echo "libfaketime could not be installed: the tests of process clocks will be skipped"
	@touch $@

run: .venv/.installed ## Start the service on SQLite with an example service beside it
	@$(BIN)/python scripts/run.py

check: .venv/.tools ## Format, lint, types and import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.tools ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: check ## Every check and test that runs before a change lands
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-long: check ## The same with the long forms
	ORACLE_CASES=100000 FAULT_REPEATS=20 STORE_STORIES=500 $(BIN)/python -m pytest --timeout 3600

faults: .venv/.tools ## Try to break every guarantee in the long form (hours); prints one table
	$(BIN)/python -m tests.faults

# The peers stay out of .venv, so that tests and types never depend on them.
.venv-bench/.installed: .venv/.created pyproject.toml constraints.txt
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-bench/bin/python -m pip install --quiet --constraint constraints.txt --group bench --editable '.[all]'
	@touch $@

bench: .venv-bench/.installed ## Measure every budget beside floors and peers (an hour; OPTIONS="--only herd")
	.venv-bench/bin/python -m bench $(OPTIONS)

build: .venv/.tools ## Build the wheel and the sdist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what was made
	rm -rf .venv .venv-bench dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
