# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format pictures clean

help:  ## list the targets
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(STAMP)  ## make the virtual environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "infoshed needs Python 3.11 or newer; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[report,download,dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## train a plain and a debiased classifier on bundled digits, write a report page
	$(BIN)/infoshed demo

test: $(STAMP)  ## run the test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest

lint: $(STAMP)  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(STAMP)  ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: $(STAMP)  ## make the README's pictures (from runs/demo)
	$(BIN)/python docs/pictures.py

clean:  ## remove the environment, caches and runs
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis
