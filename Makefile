# Gyre. `make up` sets everything up and runs it; `make test` sets everything up and tests it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
GYRE := .venv/bin/gyre
# They start no engine, and a test is one process: two of them fill two cores.
ALONE := tests/unit tests/training

.PHONY: help setup setup-train setup-llm setup-clients up down test unit e2e screenshots faults attack training lint types proto contracts lock upgrade bench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything: Python packages, engine jars, the web console (idempotent, instant when nothing changed)
	@tools/setup.sh

setup-train: setup ## Install what training needs too: torch, DeepSpeed (about 6 GB; only the first time)
	@tools/setup.sh train

setup-llm: setup ## Install what runs language models, and the weights of a small one (250 MB)
	@tools/setup.sh llm

setup-clients: setup ## Install the clients of others that tests let talk to Gyre, Chromium among them (600 MB)
	@tools/setup.sh clients

up: setup ## Start the whole system, submit the project's own docs, suggest three questions, name the page
	@$(GYRE) up --detach
	@$(GYRE) submit README.md docs --include '*.md' --source-uri .
	@$(GYRE) questions
	@echo "Or ask on the page: $$($(GYRE) open --address)"

down: ## Stop the system started by `make up`
	@$(GYRE) down

test: setup-train setup-llm setup-clients ## Run every check: lint, types, import rules, unit, contract, real engines, end to end
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint types
	@failed=0; $(PY) -m pytest --numprocesses 2 --dist loadfile $(ALONE) || failed=1; \
		$(PY) -m pytest tests $(ALONE:%=--ignore %) || failed=1; exit $$failed

unit: setup ## Run the tests that need no engine
	@$(PY) -m pytest tests/unit tests/contract

e2e: setup-clients setup-llm ## Run the end-to-end test on the whole system
	@$(PY) -m pytest tests/e2e

screenshots: setup-clients setup-train ## Take the pictures in docs/images again, by the test of the page
	@GYRE_SCREENSHOTS=docs/images $(PY) -m pytest tests/e2e/test_the_page*.py

faults: setup ## Run the fault harness and the long fault tests: kill -9 at random points, judged by what was promised
	@failed=0; $(PY) -m tests.faults.harness.memory_run --runs 30 || failed=1; \
		$(PY) -m tests.faults.harness.delivery_run --actions $${GYRE_FAULT_RECORDS:-20000} --kills $${GYRE_FAULT_RECORD_KILLS:-20} || failed=1; \
		GYRE_FAULTS=1 GYRE_CRASH_KILLS=$${GYRE_CRASH_KILLS:-20} $(PY) -m pytest tests/faults --timeout 1200 || failed=1; \
		$(PY) -m tests.faults.harness.three_brokers || failed=1; \
		$(PY) -m tests.faults.harness.system_run --actions $${GYRE_FAULT_ACTIONS:-20000} --kills $${GYRE_FAULT_KILLS:-60} || failed=1; \
		exit $$failed

attack: setup ## Attack a system of its own over gRPC, HTTP and Kafka, by a seed, and print what held
	@$(PY) -m bench.attack --seed $${GYRE_ATTACK_SEED:-1} --attempts $${GYRE_ATTACK_ATTEMPTS:-2000}

training: setup-train ## Run the long training matrix: kill -9 at every step, and a table of ZeRO stages and process counts by recipe
	@GYRE_TRAINING_MATRIX=1 $(PY) -m pytest tests/training --timeout 1200

lint: ## Check style and import rules, and the web console
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports
	@PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix services/gateway/console run --silent lint

types: ## Check types (mypy, strict)
	@.venv/bin/mypy

proto: ## Generate the Python stubs from proto/
	@$(PY) -m tools.proto

contracts: proto ## Generate stubs, JSON schemas, example payloads, AsyncAPI and the ClickHouse reference
	@$(PY) -m tools.contracts

lock: ## Write the lock files again; what is locked keeps its version
	@$(PY) -m tools.lock

upgrade: ## Write the lock files with the newest versions
	@$(PY) -m tools.lock --upgrade

bench: setup-train ## Run the benchmarks (see bench/README.md)
	@$(PY) -m bench

clean: ## Remove the environment, the jars and the local data
	@rm -rf .venv .gyre services/gateway/console/node_modules services/gateway/src/gyre_gateway/static infra/local/target infra/local/engines/*/target uv.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
