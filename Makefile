# What a person types. `make` alone lists it; everything sets itself up first.

.DEFAULT_GOAL := help
.PHONY: help setup demo test check faults bench fmt lock up down clean

RUN := .venv/bin
READY := .venv/.ready
ARGS ?=
ROUNDS ?= 20

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## Make .venv (Python 3.11 or newer); nothing to do when it is up to date

$(READY): requirements.lock requirements-engine.txt tools/setup
	@tools/setup
	@touch $@

demo: $(READY) ## Play worked cases from referral to ledger, and write a page about them
	@$(RUN)/homeward demo $(ARGS)

# Three at a time on two cores: most tests wait for a broker, a database or a process to start. A file
# stays in one worker, so that what it starts once is started once; in order, the longest come first.
test: $(READY) ## Run all tests (ARGS="tests/homeward -x" narrows)
	@$(RUN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## Types, style, import rules, policies
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/homeward policy check

faults: $(READY) ## Break everything at random (ROUNDS=20); writes docs/reliability.md
	@PYTHONPATH=tests $(RUN)/python -m faults.rounds --rounds $(ROUNDS) --report docs/reliability.md

bench: $(READY) ## Measure against bare floors, on a machine that does nothing else
	@$(RUN)/python -m bench $(ARGS)

fmt: $(READY) ## Format code and policies
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .
	@if command -v opa >/dev/null; then opa fmt --write policies; fi

lock: ## Pin today's versions (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint requirements.lock --output-file requirements-run.lock

up: $(READY) ## Start everything here and stay; addresses are printed
	@$(RUN)/homeward up $(ARGS)

down: $(READY) ## Stop what `up` started
	@$(RUN)/homeward down $(ARGS)

clean: ## Remove caches and the environment; homes stay
	rm -rf .venv .venv-deploy .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
