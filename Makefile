# Two commands do everything on a fresh machine: `make run` and `make test`. They need Python 3.11 and make.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
# torch comes as the CPU build; `make setup TORCH=cuda` takes the registry's CUDA build, several GB larger.
TORCH  ?= cpu
# What the venv was made from. A moved folder, another lock or another build of torch makes a different stamp.
STAMP   = $(CURDIR) $(TORCH) $(shell cat requirements.lock pyproject.toml | cksum)

.PHONY: run test tests test-services check style types setup up down bench bench-setup clean

run: setup            ## live one night: ingest, verify, train, promote, forecast
	@$(BIN)/nightcast run

test: setup style     ## linter, types, import contracts, every test that needs no service
	@$(MAKE) --no-print-directory -j 2 types tests

tests: setup
	@$(BIN)/python -m pytest

test-services: setup  ## tests that need Chromium and Debian's PostgreSQL
	@$(BIN)/python -m pytest -m services tests/services

check: setup style types

style: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup          # takes as long as all else in `check` ten times over, on one core: `test` runs it beside the tests
	@$(BIN)/mypy

up: setup             ## Prefect dashboard, MLflow UI and the schedules; Ctrl-C stops them
	@$(BIN)/nightcast up

down:                 ## stop them from another terminal
	@$(BIN)/nightcast down

bench: setup          ## accuracy on the embedded sample (with peers after bench-setup), and how fast the network learns
	@$(BIN)/python benchmarks/accuracy.py --only sample
	@$(BIN)/python benchmarks/training.py

bench-setup:          ## a second venv, for the peers in benchmarks/accuracy.py: they want another pandas
	@test -d .venv-bench || { echo "making .venv-bench ..." && $(PYTHON) -m venv .venv-bench; }
	@echo "installing from benchmarks/requirements.txt, a few minutes the first time ..."
	@sh deployments/install-torch.sh .venv-bench/bin/python cpu
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt
	@.venv-bench/bin/python -m pip check

setup:                ## the venv and the install from the lock; nothing when up to date
	@if [ "$$(cat $(VENV)/.stamp 2>/dev/null)" != '$(STAMP)' ]; then $(MAKE) --no-print-directory install; fi

.PHONY: install
install:
	@case "$$(cat $(VENV)/.stamp 2>/dev/null)" in '$(CURDIR) $(TORCH) '*) ;; *) rm -rf $(VENV);; esac
	@test -d $(VENV) || { echo "making $(VENV) ..." && $(PYTHON) -m venv $(VENV); }
	@echo "installing from requirements.lock, a few minutes the first time ..."
	@sh deployments/install-torch.sh $(BIN)/python $(TORCH)
	@sh deployments/install-lock.sh $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check
	@echo '$(STAMP)' > $(VENV)/.stamp

clean:                ## the venv and every cache; readings, models and forecasts stay
	rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
