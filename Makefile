# RetinaGate. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help install up demo test lint types training lock bench clean
BIN := .venv/bin

help:  ## Say what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## Make .venv and install the service into it
	@scripts/install.sh requirements/default.lock

up: install  ## Run the whole service here, in the foreground, on 127.0.0.1
	@exec $(BIN)/retinagate up

demo: install  ## Send synthetic eyes through the real route; runs the service where none runs
	@exec $(BIN)/retinagate demo

test:  ## Run every test that can run here; says what could not, and what installs it
	@scripts/peers.sh
	@scripts/node.sh
	@scripts/install.sh requirements/dev.lock
	@$(BIN)/pytest tests/unit -n 2 -q
	@$(BIN)/pytest tests/peers tests/route tests/browser -n 2 --dist loadfile -q

lint:  ## Check form, rules and floors
	@scripts/install.sh requirements/dev.lock
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/lint-imports

types:  ## Check types
	@scripts/install.sh requirements/dev.lock
	@$(BIN)/mypy

training:  ## Install what training needs; torch comes first, by plain pip
	@scripts/install.sh requirements/training.lock
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet 'torch==2.13.0'

lock:  ## Resolve the lock files anew
	@for pair in default: training:--extra=training dev:'--extra=dev --extra=training'; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    $${pair#*:} pyproject.toml -o requirements/$${pair%%:*}.lock || exit 1; done
	@echo 'hatchling>=1.27' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate - -o requirements/build.lock

bench: training  ## Measure speed, memory and size beside what else there is; DATA=FOLDER adds real photographs
	@$(BIN)/python -m benchmarks $(if $(DATA),--data '$(DATA)')

clean:  ## Remove what was installed and cached here
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/node/node_modules
