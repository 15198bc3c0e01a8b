# Everything a person does with this repository. `make` alone lists it.
# Needs make and Python 3.11 or newer; the rest is fetched by `make setup`, which the others call.

# A system's own Python is compiled with profile-guided optimisation; one that a version manager has compiled mostly is
# not, and takes up to a third more CPU for the same.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
BIN    := .venv/bin
RUN    := $(BIN)/python -m tern_local
# A broker that is given is one for all: tests that meet on its topics run one after the other then.
TWO    := $(if $(TERN_TEST_KAFKA),,--numprocesses 2 --dist loadfile --no-loadscope-reorder)
COMPOSE := docker compose -f deploy/compose.yml

export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo run clean-local test test-fast test-deep simulate chaos check format lock docs bench up down

help: ## list what there is
	@echo "Tern: events in, triggers out."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and fetch Kafka and PostgreSQL, once (the others call this)
	@$(PYTHON) deploy/local/bootstrap.py

demo: setup ## play a story in a shop on the real platform, and read its triggers from Kafka
	@$(RUN) demo

run: setup ## run the platform in the foreground for development (`tern clock advance 2h` moves its time; CLOCK=real)
	@$(RUN) run $(if $(filter real,$(CLOCK)),,--virtual-clock)

clean-local: setup ## forget everything that the local platform stored
	@$(RUN) clean

# All but tests/e2e in two processes, each with a broker and a database of its own: they hold the coverage floors. Then
# e2e, untraced: its platforms are to run as a user's does, and no floor rests on them. Its tests wait as often as they
# work, so two processes share them too (tests/e2e/conftest.py).
# With ARGS only what they select, in one process and held to no floor.
test: setup ## run the whole suite on a real Kafka and PostgreSQL, with its coverage floors (ARGS=tests/…: a part of it)
ifeq ($(ARGS),)
	@status=0; \
	$(BIN)/pytest --ignore=tests/e2e $(TWO) --cov --cov-report=term:skip-covered || status=$$?; \
	$(BIN)/pytest tests/e2e --numprocesses 2 --no-loadscope-reorder || status=$$?; \
	exit $$status
else
	@$(BIN)/pytest $(ARGS)
endif

test-fast: setup ## run the tier without I/O
	@$(BIN)/pytest tests/unit $(TWO) -m "not teeth" $(ARGS)

test-deep: setup ## try identity's promises on 5,000 histories each (about ten minutes)
	@TERN_HYPOTHESIS=deep $(BIN)/pytest tests/unit/identity $(ARGS)

simulate: setup ## play simulated worlds again or further ones (ARGS="1000 2000": these seeds)
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

chaos: setup ## kill everything with -9 under traffic, then hold the result against an oracle (ARGS="--minutes 10 --seed 7")
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

check: setup ## check format, style, types, architecture, documents and dependencies
	@$(BIN)/python .ci/check.py

format: setup ## format the code and repair what can be repaired
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: setup ## write the documents that are derived from code
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m deploy.env_example

lock: setup ## renew requirements/*.lock from requirements/*.in
	@$(BIN)/python .ci/lock.py

bench: setup ## measure, print a table, write bench.json
	@PYTHONPATH=tests $(BIN)/python -m load $(ARGS)

# The jobs run before anything is replaced: if one fails, what runs goes on running.
up: ## run the platform in Docker Compose; makes deploy/.env with fresh secrets when there is none
	@$(PYTHON) deploy/env_file.py
	@$(COMPOSE) build
	@$(COMPOSE) run --rm migrate
	@$(COMPOSE) run --rm topics
	@$(COMPOSE) up --detach --wait

down: ## stop it; its data stays
	@docker compose --project-name tern down
