# `make run` and `make test` are all one needs: each makes its own environment first.
PYTHON ?= python3
VENV := .venv
SIMULATORS := .venv-simulators
PY := $(VENV)/bin/python
OUT ?= out
JOBS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLBACKEND := Agg

.PHONY: help run test lint tests test-slow notebooks sbml-suite simulators test-simulators docs clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | sort

run: $(VENV)/.run  ## the whole chain on the default model; the report is out/report.html
	$(VENV)/bin/cascades run --out $(OUT) --force

test: lint tests notebooks  ## lint, types, import contracts, tests, the wheel, the notebooks

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

tests: $(VENV)/.test
	$(PY) -m pytest -n $(JOBS) --dist worksteal

test-slow: $(VENV)/.test  ## the tests that take long
	$(PY) -m pytest -n $(JOBS) --dist worksteal -m "slow and not oracle"

notebooks: $(VENV)/.test  ## execute the notebooks
	$(PY) -m pytest -n $(JOBS) --nbmake notebooks

sbml-suite: $(VENV)/.test  ## the SBML semantic suite in the folder SBML_TEST_SUITE
	@test -n "$(SBML_TEST_SUITE)" || { echo "say where it is: make sbml-suite SBML_TEST_SUITE=/path/to/cases"; exit 2; }
	SBML_TEST_SUITE="$(SBML_TEST_SUITE)" $(PY) -m pytest tests/test_sbml_suite.py -m "slow or oracle or not slow"

simulators: $(SIMULATORS)/.installed  ## Brian2, NEST with NESTML, NEURON and Arbor, in an environment of their own

test-simulators: $(SIMULATORS)/.installed $(VENV)/.test  ## run every export there, against our own replay
	CASCADES_SIMULATORS="$(abspath $(SIMULATORS))/bin/python" $(PY) -m pytest tests/export tests/commands/test_network.py -m "slow or oracle or not slow"

docs: $(VENV)/.run  ## docs/models, written from the models themselves, and the figure of the README
	$(PY) -m cascades.report.pages docs
	$(PY) -m cascades.export.support docs/exporters.md

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "cascades needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(PY) install pip; }

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(PY) -m pip install --quiet -e ".[test,fit]"
	@touch $@ $(VENV)/.run

# what they need beside wheels: a C++ compiler, cmake, and the headers of GSL and Boost
$(SIMULATORS)/.installed: pyproject.toml
	$(PYTHON) -m venv $(SIMULATORS) || { \
		$(PYTHON) -m venv --clear --without-pip $(SIMULATORS) && \
		$(PYTHON) -m pip --python $(SIMULATORS)/bin/python install pip; }
	$(SIMULATORS)/bin/python -c 'import tomllib; \
		print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["sim"]))' \
		> $(SIMULATORS)/requirements.txt
	$(SIMULATORS)/bin/python -m pip install --quiet -r $(SIMULATORS)/requirements.txt
	@touch $@

clean:  ## remove the environment, caches and output
	rm -rf $(VENV) $(SIMULATORS) $(OUT) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
