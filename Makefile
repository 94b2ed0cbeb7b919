# matlake: `make demo` sets everything up and runs the main job, `make test` sets everything up and runs all tests.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_FIND_LINKS
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Compiled modules are kept: importing prefect without them takes ten seconds, every time.
unexport PYTHONDONTWRITEBYTECODE
DEMO_LAKE ?= build/demo-lake
PYTEST_ARGS ?=

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/uv-ready: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	@touch $@

$(VENV)/ready: $(VENV)/uv-ready pyproject.toml constraints.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraint constraints.txt --editable '.[structures,ml]'
	@touch $@

$(VENV)/dev-ready: $(VENV)/ready
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraint constraints.txt --editable '.[structures,ml,dev]'
	@touch $@

.PHONY: setup
setup: $(VENV)/ready ## install matlake into .venv

.PHONY: demo
demo: $(VENV)/ready ## ingest the shipped records, compare the databases, write a report
	$(BIN)/python -m flows.demo --samples samples --lake $(DEMO_LAKE)

.PHONY: lint
lint: $(VENV)/dev-ready ## style, docstrings, types, SQL
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar sql

.PHONY: test
test: $(VENV)/dev-ready ## lint and run all tests, side by side
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

.PHONY: pytest
pytest: $(VENV)/dev-ready
	$(BIN)/python -m pytest -n 3 --dist loadgroup $(PYTEST_ARGS)

.PHONY: test-long
test-long: $(VENV)/dev-ready ## every fault with every source, more examples: what is too long for each time
	TEST_LONG=1 $(BIN)/python -m pytest -n 3 --dist loadgroup tests $(PYTEST_ARGS)

.PHONY: bench
bench: $(VENV)/dev-ready .venv-reference/ready ## measure against the named peers; prints the ratios
	@missed=0; for name in ingest symmetry overlap memory fingerprints similarity within all_pairs clusters graphs training matching_pursuit screening sisso stacked search; do \
	  echo "== benchmarks/$$name.py"; $(BIN)/python -m benchmarks.$$name || missed=1; done; exit $$missed

.venv-optimade/ready: $(VENV)/uv-ready
	$(UV) venv --quiet --allow-existing .venv-optimade
	VIRTUAL_ENV=.venv-optimade $(UV) pip install --quiet 'optimade[server]==1.5.0'
	@touch $@

.PHONY: test-optimade
test-optimade: $(VENV)/dev-ready .venv-optimade/ready ## ingest from a real OPTIMADE server, in its own environment
	$(BIN)/python -m pytest -m optimade $(PYTEST_ARGS)

.venv-reference/ready: $(VENV)/uv-ready
	$(UV) venv --quiet --allow-existing .venv-reference
	VIRTUAL_ENV=.venv-reference $(UV) pip install --quiet 'spectral-fingerprints==2.1.2' rdkit 'matminer==0.10.1' 'TorchSisso==0.1.8' 'torch==2.13.0'
	@touch $@

.PHONY: test-reference
test-reference: $(VENV)/dev-ready .venv-reference/ready ## compare with the public fingerprint code and matminer, in their own environment
	TEST_REFERENCE_PYTHON=.venv-reference/bin/python $(BIN)/python -m pytest -m reference $(PYTEST_ARGS)

.PHONY: lock
lock: $(VENV)/uv-ready ## pin the newest versions that work together into constraints.txt
	$(UV) pip compile --quiet --no-header --no-annotate --universal --extra dev --extra structures --extra ml --upgrade \
	  pyproject.toml -o constraints.new
	@# torch and what CUDA needs are named by torch itself, by platform.
	@sed -i -E '/^(torch==|nvidia-|cuda-|triton)/d' constraints.new
	@printf '# The ml extra: the version whose CPU build is offered beside the registry.\ntorch==2.13.0\n' >> constraints.new
	@grep '^uv==' constraints.txt >> constraints.new
	@mv constraints.new constraints.txt

.PHONY: clean
clean: ## remove what make has made, the demo's lake included
	rm -rf $(VENV) .venv-optimade .venv-reference build .pytest_cache .mypy_cache .ruff_cache
