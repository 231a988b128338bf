# The commands of this project. Everything that they need is put into .venv, from exact versions with their hashes.
#
#   make demo           the app, a worker and both simulated services on this machine; prints one address to open
#   make demo ONCE=1    the workflows without a browser: prints a table and ends
#   make test           everything that CI runs; PART=unit runs one part of it
#   make check          format, lint and types only
#   make lock           make requirements.lock and .txt anew from pyproject.toml
#   make clean          remove what was made here, the demo's data included
#
# PYTHON=/path/to/python3 chooses the interpreter that .venv is made with; it must be 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check lock clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(STAMP)

# Runs once; again only when the interpreter's folder is gone or the locked versions have changed.
$(STAMP): requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/make-venv.sh $(VENV)
	@echo "Installing the locked packages into $(VENV) ..."
	@$(BIN)/pip install -qq --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	@$(BIN)/bcapp demo $(if $(ONCE),--once)

test: $(STAMP)
	@$(BIN)/python -m tests.run $(PART)

check: $(STAMP)
	@$(BIN)/python -m tests.run check

# requirements.lock: everything, for developing and for one small machine. requirements.txt: what a platform installs.
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet

lock: $(STAMP)
	@$(BIN)/pip install -qq uv
	@$(COMPILE) --all-extras --upgrade --output-file requirements.lock
	@$(COMPILE) --constraint requirements.lock --output-file requirements.txt

# The built-in PostgreSQL under var/ stops with the last process that uses it; a running demo must be ended first.
clean:
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
