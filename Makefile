# Everything happens in .venv, which the first target that needs it makes. Only Python 3.10+ and make are asked for.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
C360   := $(VENV)/bin/c360
PIP     = -m pip install --quiet --disable-pip-version-check --prefer-binary
COMPAT := .venv-compat

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test lint fmt bench build test-compat clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev  ## make .venv with all that developing needs (other targets do it by themselves)

# A sample that was interrupted says that it has delivered nothing so far; it is then completed.
run: $(VENV)/.run  ## write the sample if ./landing is empty, then build the customer 360 from it
	@if [ -z "$$(ls -A landing 2>/dev/null)" ] || grep -qs '"delivered": 0,' landing/.sample.json; then $(C360) sample; fi
	@$(C360) run

test: lint  ## lint, then run every test
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev  ## check style, types and the direction of imports
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

fmt: $(VENV)/.dev  ## format the code and mend what can be mended
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

bench: $(VENV)/.bench  ## measure side by side: NAME=main-job|components|… (default: all), SIZE=s|m|l, RUNS=3
	$(PY) -m benchmarks $(if $(NAME),--name $(NAME)) $(if $(SIZE),--size $(SIZE)) $(if $(RUNS),--runs $(RUNS))

build: $(VENV)/.dev  ## make the wheel, the zip for --py-files and the tar.gz for --archives in dist/
	@rm -rf dist
	$(PY) setup.py --quiet archives

test-compat: $(COMPAT)/.installed  ## run the journeys on the oldest supported Spark (4.0), in .venv-compat
	$(COMPAT)/bin/python -m pytest tests/journeys -m compat $(ARGS)

clean:  ## remove what was built and installed; ./landing and ./lakehouse stay
	rm -rf $(VENV) $(COMPAT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# A stamp says what was installed. It is older than pyproject.toml only where the requirements may have changed, so a
# second run asks the network for nothing.
$(VENV)/.run: pyproject.toml setup.py | $(VENV)/bin/python
	@echo "Installing the suite, Spark, Delta, MLflow and the sample data into $(VENV) (some minutes, once) ..."
	@$(PY) $(PIP) --editable '.[local,sample]'
	@touch $@

$(VENV)/.dev: pyproject.toml setup.py | $(VENV)/bin/python
	@echo "Installing the suite and all that developing needs into $(VENV) (some minutes, once) ..."
	@$(PY) $(PIP) --editable '.[local,sample,dev]'
	@touch $(VENV)/.run $@

$(VENV)/.bench: pyproject.toml setup.py | $(VENV)/.dev
	@echo "Installing what benchmarks compare with into $(VENV) ..."
	@$(PY) $(PIP) --editable '.[local,sample,dev,bench]'
	@touch $(VENV)/.run $(VENV)/.dev $@

$(COMPAT)/.installed: pyproject.toml setup.py | $(COMPAT)/bin/python
	@echo "Installing the suite with Spark 4.0 into $(COMPAT) (some minutes, once) ..."
	@$(COMPAT)/bin/python $(PIP) --editable '.[compat,sample,test]'
	@touch $@

# Debian ships venv without ensurepip in a package of its own; without it venv fails half way.
%/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found. Install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $$($(PYTHON) --version) is too old: Python 3.10 or newer is needed. Name one: make PYTHON=/path/to/python3 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments (its modules venv and ensurepip are missing). On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(PYTHON) -m venv $*
