# Everything a person or CI runs. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo servers test faults oracle bench lint audit lock up down backup restore clean community screenshots

PYTHON_OF_VENV := .venv/bin/python

# Addresses and data of `make demo`.
HTTP_PORT ?= 8000
MQTT_PORT ?= 1883
DATA_DIR ?= .demo
# What `make test` runs, as `make test T="tests/unit -k ledger"`.
T ?= tests
# The backup that `make backup` writes and `make restore` reads.
FILE ?=
# How often `make faults` injects each fault.
N ?= 20

# What `make oracle` plays, and how much of it.
SCENARIO ?= ordinary-day
BACKFILL ?= 6h

COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header --quiet

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: ## make .venv from the pinned dependencies, with this package and its page in it
	@tools/setup.sh

demo: setup ## three living towns on this machine, without Docker (HTTP_PORT, MQTT_PORT, DATA_DIR)
	@exec $(PYTHON_OF_VENV) tools/demo.py --http-port $(HTTP_PORT) --mqtt-port $(MQTT_PORT) --data-dir $(DATA_DIR)

servers: setup ## a Docker engine, the images and the browser the tests need
	@tools/docker_engine.sh || { [ -n "$${THUBON_TEST_DATABASE_URL:-}" ] && [ -n "$${THUBON_TEST_BROKER_URL:-}" ]; }
	@if docker version >/dev/null 2>&1; then tools/docker_images.sh timescaledb broker; fi
	@tools/chromium.sh >/dev/null

test: servers ## every test, on a real TimescaleDB and a real Mosquitto (T: which)
	@$(if $(filter tests,$(T)),tools/test.sh $(PYTHON_OF_VENV),$(PYTHON_OF_VENV) -m pytest $(T))

community: servers ## the tests of compressed chunks, on a TimescaleDB of the community edition (THUBON_TEST_DATABASE_URL)
	@test -n "$${THUBON_TEST_DATABASE_URL:-}" || { echo "community: set THUBON_TEST_DATABASE_URL to an administrator's address of such a server" >&2; exit 2; }
	THUBON_TEST_COMMUNITY=yes $(PYTHON_OF_VENV) -m pytest tests/community

screenshots: setup ## pictures of the page of a running demo into screenshots/ (HTTP_PORT)
	@$(PYTHON_OF_VENV) tools/screenshots.py --url http://127.0.0.1:$(HTTP_PORT)/

faults: servers ## the tests that kill and cut things, many times over (N: how often)
	THUBON_TEST_FAULT_COUNT=$(N) $(PYTHON_OF_VENV) -m pytest -m fault tests

oracle: servers ## play a scenario through real servers and judge what arrived (SCENARIO; BACKFILL: how much of it)
	$(PYTHON_OF_VENV) -m tests.acceptance.oracle --scenario $(SCENARIO) --backfill $(BACKFILL)

bench: servers ## measure the targets of docs/measurements.md, one line each (T: which, as T=T2,T5; SECONDS: of a run)
	@$(PYTHON_OF_VENV) -m pip install --quiet --require-hashes --requirement requirements-bench.lock
	$(PYTHON_OF_VENV) -m tests.benchmarks --targets "$(filter-out tests,$(T))" --seconds $(or $(SECONDS),20)

lint: setup ## style, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

audit: setup ## known weaknesses of the pinned dependencies (asks the network)
	@tools/audit.sh

lock: ## pin the dependencies of pyproject.toml (UPGRADE=yes: to their newest; needs uv)
	$(COMPILE) --extra demo --extra dev --extra history --extra load $(if $(UPGRADE),--upgrade) --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock --output-file requirements-app.lock
	$(COMPILE) --extra bench --constraints requirements.lock --output-file requirements-bench.lock

up: ## run the whole way with compose (DEMO=yes: with simulated devices); needs a Docker engine
	@tools/docker_engine.sh
	@tools/secrets.sh
	@tools/up.sh $(if $(DEMO),--profile demo)

down: ## end what `make up` started; data stays
	@tools/compose.sh --profile demo down

backup: setup ## save the database of `make up` (or of THUBON_DATABASE_URL) into FILE, by default backups/thubon-<time>.dump
	@$(PYTHON_OF_VENV) tools/backup.py save $(FILE)

restore: setup ## put the backup FILE into that database (REPLACE=yes: gives up what is in it)
	@$(PYTHON_OF_VENV) tools/backup.py restore $(if $(REPLACE),--replace) $(FILE)

clean: ## remove what demo and tests made (keeps .venv and the data of `make up`)
	@tools/clean.sh $(DATA_DIR)
