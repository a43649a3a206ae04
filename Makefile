# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
USE := $(VENV)/.use
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format pictures clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(DEV)  ## make the virtual environment in .venv, with the tools for development

$(USE): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "infoshed needs Python 3.11 or newer; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) torch
	$(PIP) -e '.[report,download]'
	@touch $(USE)

$(DEV): $(USE)
	$(PIP) -e '.[dev]'
	@touch $(DEV)

demo: $(USE)  ## train a plain and a debiased classifier on bundled digits, write a report page
	$(BIN)/infoshed demo

test: $(DEV)  ## run the test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

lint: $(DEV)  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEV)  ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: $(USE)  ## make the README's pictures (from runs/demo)
	$(BIN)/python docs/pictures.py

clean:  ## remove the environment, caches and runs
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis
