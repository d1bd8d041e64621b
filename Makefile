# Everything is set up in .venv inside this folder. Needs Python 3.11 to 3.13 and make, nothing else.
PYTHON ?= python3
# More than two cores have, since tests wait too: for servers, for workers, for a killed one to be given up.
WORKERS ?= 3
ARGS ?=
BIN := .venv/bin

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# Each start of a test's process would compile all modules of ours anew where somebody's environment forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo up up-postgres test test-slow test-ui test-scale bench prove mutants lint ruff format mypy imports docs sync-client venv clean

help:  ## What there is to do
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/'

demo: .venv/.plain  ## The main job from end to end against a local REVER, and what became of every return
	@$(BIN)/python -m deployments.demo $(ARGS)

up: .venv/.plain  ## The desk in Prefect on this machine: server, receiver, fast lane, worker; a sandbox without a key
	@$(BIN)/rever-returns up $(ARGS)

up-postgres: .venv/.dev  ## The same on PostgreSQL and Redis, with two workers; UP_POSTGRES_URL and UP_REDIS_URL name them
	@$(BIN)/rever-returns up --shared --workers 2 $(ARGS)

test: .venv/.dev  ## The tests; ARGS='-k ledger' for a part, WORKERS=4 for more cores
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(ARGS)

test-slow: .venv/.dev  ## What test leaves out because it only repeats: more kills, seeds and examples, the demo at full length
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup -m "slow or property" $(ARGS)

test-ui: .venv/.dev  ## What a person sees in Prefect: real servers, workers, a browser (Debian: apt-get install chromium); ARGS='-k up' for a part
	$(BIN)/python -m pytest -q -m live -n 2 --dist loadfile $(ARGS) tests/ui

test-scale: .venv/.dev  ## Several workers on PostgreSQL and Redis, one killed; needs both (Debian: apt-get install postgresql redis-server)
	$(BIN)/python -m pytest -q -s -m live $(ARGS) tests/scale

bench: .venv/.bench  ## Measure the desk beside a plain script, DBOS and plain Prefect; ARGS='--only throughput --returns 500 --rounds 1' for a part
	@$(BIN)/python -m tests.benchmarks $(ARGS)

prove: .venv/.dev  ## Kill workers at every point under every fault, and write docs/proof.md; an hour and a half on two cores
	@$(BIN)/python -m tests.proof $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m pytest -q -m slow)

mutants: .venv/.dev  ## Change the money's code in small ways and see what no test notices; ARGS=money for a part
	@$(BIN)/python -m tests.mutants $(ARGS)

lint: mypy ruff format imports  ## Style, types and the direction of imports

mypy: .venv/.dev
	$(BIN)/mypy

ruff: .venv/.dev
	$(BIN)/ruff check .

format: .venv/.dev
	$(BIN)/ruff format --check .

imports: .venv/.dev
	$(BIN)/lint-imports --no-cache

docs: .venv/.plain  ## Write the generated pages anew
	$(BIN)/python -m tasks.settings > docs/settings.md
	$(BIN)/python -m tasks.in_prefect.limits_page > docs/limits.md
	$(BIN)/python -m tasks.policy.policy_schema > docs/policy.schema.json
	$(BIN)/python -m tasks.policy.conditions_page > docs/conditions.md
	$(BIN)/python -m tasks.reporting.figures_page > docs/reports.md
	$(BIN)/python -m tasks.reporting.frames_page > docs/frames.md

sync-client: .venv/.dev  ## Make the synchronous client out of the asynchronous one
	@$(BIN)/python -m tests.rever_api.sync_twin

venv: .venv/.dev  ## Only set up .venv

clean:  ## Remove .venv, and what tests and tools left behind
	rm -rf .venv .demo .up .bench .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11, 3.12 or 3.13, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "$$($(PYTHON) --version 2>&1) does not fit: Python 3.11, 3.12 or 3.13 is needed; say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "$(PYTHON) cannot make a virtual environment: install its venv package (on Debian and Ubuntu: python3-venv)" >&2; exit 1; }

# One install holds the other: the stamps say which of the two has been made for these dependencies.
.venv/.plain: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv (once, about a minute) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv, with the tools for tests (once, about a minute) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch .venv/.plain $@

.venv/.bench: pyproject.toml constraints.txt constraints-bench.txt | $(BIN)/python
	@echo "Installing into .venv, with what the bench measures beside the desk (once, about a minute) ..."
	@$(BIN)/python -m pip install -q -c constraints.txt -c constraints-bench.txt -e '.[dev,bench]'
	@touch .venv/.plain .venv/.dev $@
