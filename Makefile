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
	$(BIN)/python -m pytest

test-long: check ## The same with the long forms
	ORACLE_CASES=100000 FAULT_REPEATS=20 $(BIN)/python -m pytest --timeout 3600

faults: .venv/.tools ## The fault tests in their long form
	FAULT_REPEATS=20 $(BIN)/python -m pytest tests/faults --timeout 3600

bench: .venv/.tools ## Measure on PostgreSQL (BENCH_POSTGRES_URL, default the local server)
	$(BIN)/python -m bench.herd --database-url "$${BENCH_POSTGRES_URL:-postgresql://postgres@127.0.0.1:5432}"

build: .venv/.tools ## Build the wheel and the sdist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what was made
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
