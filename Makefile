# What one does here over and over. CONTRIBUTING.md says when; .ci/run and the hooks before a commit run these too.

# Another environment: make unit PYTHON=/elsewhere/bin/python
PYTHON ?= .venv/bin/python
# What is installed by `make setup`: `make setup EXTRA=test` is small, and enough for `make unit`.
EXTRA ?= dev

.PHONY: setup unit test campaigns lint format types mypy pyright guards check hooks operations openapi lock bench ci

setup:
	python3 -m venv .venv
	.venv/bin/pip install -c constraints-dev.txt -e '.[$(EXTRA)]'

unit:
	$(PYTHON) -m pytest -n 4 tests/unit

test:
	$(PYTHON) -m pytest -n 4

campaigns:
	$(PYTHON) -m pytest -m campaign -s

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

types: mypy pyright

mypy:
	$(PYTHON) -m mypy

pyright:
	$(PYTHON) -m pyright --pythonpath $(PYTHON)

# Files that repeat what another one says, compared with it.
guards:
	$(PYTHON) -m pytest -q tests/habits tests/unit/test_operations_table.py tests/contract/test_openapi.py

# The hooks of .pre-commit-config.yaml, on all files.
check:
	$(PYTHON) -m pre_commit run --all-files

# Have git run them before every commit.
hooks:
	$(PYTHON) -m pre_commit install

operations:
	$(PYTHON) -m tools.operations_table > docs/operations.md
	$(PYTHON) -m tools.operations_table gate > docs/operations-gate.md
	$(PYTHON) -m tools.operations_table checkout > docs/operations-checkout.md

openapi:
	$(PYTHON) -m tools.openapi > docs/openapi.yaml
	$(PYTHON) -m tools.openapi gate > docs/openapi-gate.yaml
	$(PYTHON) -m tools.openapi checkout > docs/openapi-checkout.yaml

# Versions that still fit pyproject.toml stay; `make lock UPGRADE=--upgrade` takes the newest of all.
lock:
	$(PYTHON) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 $(UPGRADE) \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet -o constraints-dev.txt

bench:
	$(PYTHON) -m benchmarks --quick

ci:
	bash .ci/run
