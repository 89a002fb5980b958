# Everything that CI does, and everything the README names, is a target here. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGES := events ledger projections consumers choice_ledger
SOURCES := $(PACKAGES) tests $(wildcard benchmarks docs examples conftest.py)
PYTEST_ARGS ?=

# Stamps make a second run start at once: an install happens again only when its lock file has changed.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo demo-kafka million test tests lint types contracts core format lock audit bench long coverage translations clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "choice-ledger needs Python 3.11 or newer: name one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(RUN_STAMP): requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked run-time packages into $(VENV) ..."
	@$(PIP) install --quiet --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked run-time and development packages into $(VENV) ..."
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@ $(RUN_STAMP)

demo: $(RUN_STAMP) ## the worked example on the embedded log: nothing but Python is needed
	@$(BIN)/choice-ledger demo

demo-kafka: $(DEV_STAMP) ## the same on Kafka: the brokers in CHOICE_LEDGER_KAFKA, Docker's, or one in a JVM
	@$(BIN)/python -m tests.broker.with_kafka $(BIN)/choice-ledger demo

test: lint types contracts core tests ## everything that CI checks, the broker's tests included

lint: $(DEV_STAMP) ## style, format and undeclared dependencies
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/deptry .

types: $(DEV_STAMP) ## mypy --strict over the packages and the tests
	$(BIN)/mypy

contracts: $(DEV_STAMP) ## import directions, and the purity of the core
	$(BIN)/lint-imports --no-logo

core: $(DEV_STAMP) ## the pure core: its unit tests and vectors reach every branch of it
	$(BIN)/python -m pytest --quiet --cov=events --cov=ledger --cov=projections --cov-report= tests/unit tests/vectors
	$(BIN)/coverage report --include="$$($(BIN)/python -m tests.tidy.core_files)" --fail-under=100

tests: $(DEV_STAMP) ## the tests alone (PYTEST_ARGS="-k notice" for some)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

long: $(DEV_STAMP) ## the same tests with the long profiles: more examples, more kills, more histories
	CHOICE_LEDGER_LONG=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

coverage: $(DEV_STAMP) ## branch coverage of the packages, without a broker
	$(BIN)/python -m pytest -q --ignore=tests/broker --cov --cov-report=term-missing $(PYTEST_ARGS)

bench: $(DEV_STAMP) ## ratios against bare libraries, measured side by side (not part of CI)
	$(BIN)/python -m benchmarks

million: $(DEV_STAMP) ## a million events on both logs: the same decisions, the same digest; writes the report
	$(BIN)/python -m benchmarks.million --report docs/reports/million.json

audit: $(DEV_STAMP) ## known vulnerabilities in the locked run-time packages
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/run.txt

format: $(DEV_STAMP) ## rewrite the sources as the linter wants them
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

reference: $(DEV_STAMP) ## write the reference pages that are made from the HTTP service's tables
	$(BIN)/python -m tests.http.reference_pages

# --universal: one file for every platform and every supported Python.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
          --custom-compile-command "make lock" pyproject.toml

lock: | $(BIN)/python ## choose versions again and write requirements/*.txt
	@$(PIP) install --quiet 'uv>=0.9'
	$(COMPILE) --output-file requirements/run.txt
	$(COMPILE) --extra otel --group dev --output-file requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --custom-compile-command "make lock" --group build --constraints requirements/dev.txt --output-file requirements/build.txt

LOCALE := choice_ledger/locale

translations: $(DEV_STAMP) ## gather the messages, put new ones into the .po files, and make the .mo files from them
	@mkdir -p .cache
	$(BIN)/pybabel --quiet extract --no-default-keywords --keywords marked --keywords counted:1,2 --no-location \
	  --output-file .cache/choice_ledger.pot choice_ledger
	$(BIN)/pybabel --quiet update --domain choice_ledger --input-file .cache/choice_ledger.pot --output-dir $(LOCALE) \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width 110
	$(BIN)/pybabel --quiet compile --domain choice_ledger --directory $(LOCALE)

clean: ## remove what these targets made
	rm -rf $(VENV) .cache build dist .coverage htmlcov .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
