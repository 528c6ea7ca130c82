# Every target sets up what it needs; the first takes a minute or two, later calls are instant.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench docs

# Bytecode is kept out of the tree, so that running something does not look like changing it.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache

BIN := .venv/bin
READY := .venv/.ready

help: ## Show this table
	@printf '\nmemwell: memory for AI agents\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile
	@printf '\nPython 3.11 to 3.13 is needed; name one with PYTHON=... if the choice is wrong.\n\n'

setup: $(READY) ## Make .venv and install the project with semantic recall and the tools for developers

$(READY): pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" bash scripts/setup.sh .venv
	@touch $@

demo: $(READY) ## Take in a conversation and answer questions about it
	@$(BIN)/memwell models pull --optional
	@$(BIN)/memwell demo

test: $(READY) ## Run all tests
	$(BIN)/pytest -n auto --dist worksteal

check: $(READY) ## Check format, lint, types, the import rule, docstrings and generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/docs.py --check
	$(BIN)/pytest -q tests/test_imports.py tests/test_docstrings.py
	@echo 'All checks passed.'

bench: $(READY) ## Measure speed and quality; tables, JSON and plots go to benchmarks/results
	@mkdir -p benchmarks/results
	-$(BIN)/python -m benchmarks.speed $(addprefix --data ,$(firstword $(DATA))) \
	  --json benchmarks/results/speed.json --plot benchmarks/results/speed.png
	@test -z "$(DATA)" && echo 'Quality: make bench DATA="file.json ..." (see benchmarks/README.md)' || \
	  $(BIN)/python -m benchmarks.quality --data $(DATA)

docs: $(READY) ## Write the generated parts of README.md and docs/ anew
	@$(BIN)/python scripts/docs.py
