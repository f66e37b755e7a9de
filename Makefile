# The commands of this project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo start test soak faults mutants bench performance infra package lint format schema clean

BIN := .venv/bin
# Tests wait more than they work, so more of them than there are cores run side by side.
WORKERS := 4

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

demo: .venv/local.done ## run the main job on a simulated cloud, and show it
	@$(BIN)/python -m local.demo

start: .venv/local.done ## keep the app and its simulated cloud running, to try it by hand
	@$(BIN)/python -m local.start

test: .venv/tests.done ## run all tests; PYTEST="-k name" runs some, one after the other
	$(BIN)/python -m pytest $(or $(PYTEST),-n $(WORKERS))

faults: .venv/tests.done ## break every call of a rotation in every way, and show what came of it (about three quarters of an hour; FAULTS="--worlds 40" takes half of that)
	$(BIN)/python -m tests.faults $(FAULTS)

mutants: .venv/mutants.done ## change the planner and the executor in every place, and see that a test notices (a quarter of an hour)
	nice $(BIN)/python -m tests.mutation $(MUTANTS)

infra: .venv/tests.done ## check the templates, with the bicep CLI too where it is on the PATH
	$(BIN)/python -m pytest -q tests/infra
	@if command -v bicep >/dev/null; then \
		bicep build infra/main.bicep --stdout >/dev/null && bicep lint infra/main.bicep && \
		bicep build-params infra/main.bicepparam --stdout >/dev/null; \
	else echo "bicep is not on the PATH, so its own build and lint were not run."; fi

package: .venv/local.done ## build the deployment package as the folder build/app
	rm -rf build/app
	$(BIN)/python -m local.package build/app

bench: .venv/local.done ## measure Patrol against its limits, about eight minutes; BENCH="leak idle" runs some cases
	@$(BIN)/python -m local.bench $(BENCH)

performance: .venv/local.done ## write docs/performance.md anew from the latest three results of make bench
	@$(BIN)/python -m local.bench.page

soak: .venv/tests.done ## search for histories that break a promise, for about 20 minutes
	$(BIN)/python -m pytest tests/machine --hypothesis-profile=soak $(PYTEST)

lint: .venv/tests.done ## ruff, mypy, import directions, secret patterns
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_no_secrets.py

format: .venv/tests.done ## bring the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: .venv/tests.done ## write what is generated in docs/ anew: schemas, OpenAPI document, errors, requests to try
	$(BIN)/python -m shared.manifest > docs/pats.schema.json
	$(BIN)/python -m shared.openapi > docs/openapi.json
	$(BIN)/python -m shared.pages.catalogue > docs/problems.md
	$(BIN)/python -m local.collection

clean: ## remove everything that a run or an installation left here
	rm -rf .venv .local build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@echo "Creating a virtual environment with Python 3.13"
	@python="$$(sh local/find-python)" && "$$python" -m venv .venv

.venv/local.done: requirements.txt local/requirements.txt | .venv/bin/python
	@echo "Installing the app and the local cloud (about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r local/requirements.txt
	@touch $@

.venv/tests.done: requirements.txt local/requirements.txt tests/requirements.txt | .venv/bin/python
	@echo "Installing the app, the local cloud and the tests (about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@ .venv/local.done

.venv/mutants.done: tests/mutation/requirements.txt .venv/tests.done
	@echo "Installing what changes the code (a few seconds)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/mutation/requirements.txt
	@touch $@
