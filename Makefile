# Two commands on a fresh machine: make demo, make test. Everything lives in .venv.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin

# Tests and proofs start the hub a few hundred times: it is not to be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo servers test bench chaos lint format docs clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed (set PYTHON=python3.x)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/.runtime ## live through a merchant's day against simulators, and prove the result
	$(BIN)/connector demo

servers: $(VENV)/.runtime ## obtain the RabbitMQ and nginx that tests run for themselves (nothing is installed)
	@tests/servers/get.sh

test: $(VENV)/.dev servers ## run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.dev servers ## measure, print the table, keep the JSON in benchmarks/results
	$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev servers ## kill, cut, stall and flood a real installation, print what held
	$(BIN)/python -m tests.chaos

lint: $(VENV)/.dev ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.runtime ## write what is generated: settings, each adapter's DOCS.md, the table of levels
	$(BIN)/connector settings > docs/settings.md
	for folder in adapters/*/quality.toml; do \
		$(BIN)/connector adapter docs $$(basename $$(dirname $$folder)) --write || exit 1; \
	done
	$(BIN)/connector adapter table --write

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
