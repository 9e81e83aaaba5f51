# The commands of the project. `make` alone lists them.
# Each prepares what it needs: Python 3.11 or newer is enough to start with.

PYTHON := .venv/bin/python
HOST ?= 127.0.0.1
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help run test lint audit sbom check format compat crash chaos fuzz interop bench bench-check bench-budget bench-growth bench-pages bench-sleepers load load-attack screenshots reference venv dev

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv ## Run the dashboard and a worker with the demo workflows, until Ctrl-C
	@$(PYTHON) -m scripts.run --host "$(HOST)" --port "$(PORT)" $(ARGS)

test: ## Run every test, on SQLite and on PostgreSQL
	@sh scripts/test.sh $(ARGS)

lint: dev ## Check format, lint, types, import contracts and migrations
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run

audit: dev ## Ask for known vulnerabilities of the pinned packages, where the answer can be had
	$(PYTHON) -m scripts.audit_pins

sbom: ## Write sbom.cdx.json, the list of what an installation consists of
	$(PYTHON) -m scripts.sbom

check: lint audit ## Lint and audit, then every test: what a change must pass
	@sh scripts/test.sh $(ARGS)

format: dev ## Format the code and mend what the linter can
	$(PYTHON) -m ruff check --fix-only .
	$(PYTHON) -m ruff format .

compat: dev ## Test the installed wheel on the lowest and the highest Python and Django to be had here
	$(PYTHON) -m scripts.compat

crash: dev ## Kill engines at every storage call and in random programs, and workers with kill -9
	$(PYTHON) -m pytest tests/crash tests/properties tests/workflows/datasources/test_crash.py $(ARGS)

chaos: dev ## Take databases, processes, time, threads and files away from workers under load
	$(PYTHON) -m pytest -n 2 tests/chaos $(ARGS)

fuzz: dev ## Put hostile values into every column of every table, and walk all pages and loops over them
	$(PYTHON) -m pytest tests/fuzz $(ARGS)
	DBOSHUB_TEST_DATABASE=postgres $(PYTHON) -m pytest tests/fuzz -m django $(ARGS)

interop: dev ## Share one database with the dbos libraries of Python and TypeScript, in both directions
	$(PYTHON) -m pytest tests/interop tests/databases tests/queues/test_foreign.py tests/workflows/datasources/test_crash.py $(ARGS)

bench: dev ## Measure every kind of work beside the dbos library; ARGS="--rows PATTERN" for some
	$(PYTHON) -m bench.engine $(ARGS)

bench-check: dev ## The same, and fail where a figure is below 80 % of its goal
	$(PYTHON) -m bench.engine --check $(ARGS)

bench-budget: dev ## Show where the time goes from an enqueue to the start of the body; ARGS="--samples 10" is quick
	$(PYTHON) -m bench.budget $(ARGS)

bench-growth: dev ## Measure how it grows, up to ten million workflows; ARGS="--most 1e5 --rounds 1" is quick
	$(PYTHON) -m bench.growth $(ARGS)

bench-sleepers: dev ## Let a million workflows sleep in one worker, wake a thousand a second, kill it; ARGS="--sleepers 1e4" is quick
	$(PYTHON) -m bench.sleeping $(ARGS)

bench-pages: dev ## Measure every page over a million workflows and ten million steps, on both databases
	$(PYTHON) -m bench.pages $(ARGS)

load: dev ## Open 500 pages on one web process and see what its live view promises, and keeps
	$(PYTHON) -m bench.load $(ARGS)

load-attack: dev ## Flood the dashboard as strangers and as a viewer, and see what somebody else notices
	$(PYTHON) -m bench.attack $(ARGS)

screenshots: dev ## Photograph every page of a demo, light and dark, wide and narrow
	$(PYTHON) -m scripts.screenshots $(ARGS)

reference: dev ## Write docs/reference.md, the table of every public name
	$(PYTHON) -m scripts.reference

venv:
	@sh scripts/bootstrap.sh requirements.txt

dev:
	@sh scripts/bootstrap.sh requirements-dev.txt
