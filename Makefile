# Every tool of this project is one word: `make help` lists them.
# Python >= 3.11 with venv is all that the machine must bring; PYTHON names another one: make install PYTHON=python3.13

PYTHON ?= python3
# Processes that run tests side by side: one more than there are cores, since they wait for others. make test TESTERS=1
TESTERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
SOAK_SECONDS ?= 600
CHAOS_SECONDS ?= 300
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check
NODE_TESTS := tests/contract/node
JS_SDK := sdks/js
# A file's tests share servers, so they stay together; tests/conftest.py says which files come first.
PYTEST := $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_NODE := $(NODE_TESTS)/node_modules/.installed
INSTALLED_JS := $(JS_SDK)/node_modules/.installed
BUILT_JS := $(JS_SDK)/dist/index.js
ASKED_DEBIAN := $(VENV)/.debian-packages
DOCS_VENV := .venv-docs
BENCH_VENV := .venv-bench
# A distribution's Python is built with profiles and link-time optimisation, pyenv's is not: a fifth of the cost.
SYSTEM_PYTHON := /usr/bin/python3
BENCH_PYTHON ?= $(shell $(SYSTEM_PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' \
  2>/dev/null && echo $(SYSTEM_PYTHON) || echo $(PYTHON))
BENCH := $(BENCH_VENV)/bin/python -m benchmarks
INSTALLED_DOCS := $(DOCS_VENV)/.installed

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: screenshots help install install-dev install-node install-js install-debian install-docs install-bench serve test test-parsed check docs bench bench-full bench-pages soak chaos format lock clean

help:  ## list these words
	@sed -n 's/^\([a-z][a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(INSTALLED)  ## make .venv with the server, the CLI and the SDK

install-dev: $(INSTALLED_DEV)  ## install what `test` and `check` need as well

install-debian: $(ASKED_DEBIAN)  ## as root on Debian: install once what tests run of other languages; APT=no leaves it

install-node: install-debian  ## install the Node clients that the contract tests run, where there is npm
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory $(INSTALLED_NODE)

install-js: install-node  ## build the JavaScript SDK, and install its tools, where there is npm
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory $(BUILT_JS)

install-docs: $(INSTALLED_DOCS)  ## install what builds the documentation's site, apart from all else

serve: install  ## start the gateway with the built-in echo model; prints the first admin key once
	@exec $(BIN)/innoai serve

test: install-dev install-node install-js install-docs  ## run all tests; the heart (innoai.access) must be covered to the last branch
	$(PYTEST) tests/access -q --cov=innoai.access --cov-branch --cov-report=term-missing --cov-fail-under=100
	$(PYTEST) --ignore=tests/access

test-parsed: install-dev install-node  ## the tests of the gateway and the whole server, with server.shortcuts off
	INNOAI_SERVER_SHORTCUTS=false $(PYTEST) tests/gateway tests/contract

check: install-dev  ## formatting, lint, types, who may import whom, and the facts that the documents state
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.facts

docs: install $(INSTALLED_DOCS)  ## build the documentation's site into site/; needs no network once it is installed
	@rm -rf build/reference
	@$(BIN)/python -m scripts.reference build/reference
	@INNOAI_REFERENCE=build/reference NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --quiet --strict --clean
	@echo "The site is in site/. To read it: $(BIN)/python -m http.server --directory site"

bench: install-bench  ## CPU per request beside nginx; wants nginx and wrk (see benchmarks/README.md)
	$(BENCH)

bench-full: install-bench  ## the same with every peer; installs other gateways into ~/.cache/innoai-bench
	$(BENCH) --full

install-bench:
	@$(MAKE) --no-print-directory install VENV=$(BENCH_VENV) PYTHON=$(BENCH_PYTHON)

bench-pages: install-dev  ## how long each page of the dashboard takes with 10 million usage records; 8 GB of disk
	$(BIN)/python -m benchmarks.pages

soak: install  ## ten minutes of full load with callers that vanish; SOAK_SECONDS=30 for less
	$(BIN)/python -m benchmarks.soak --seconds $(SOAK_SECONDS)

chaos: install-dev  ## five minutes in which servers and their stores die at random, twice; CHAOS_SECONDS=60 for less
	CHAOS_SECONDS=$(CHAOS_SECONDS) $(BIN)/python -m pytest tests/contract/test_chaos.py

screenshots: install-dev  ## pictures of the dashboard's pages, into docs/images/dashboard; wants chromium
	$(BIN)/python -m scripts.screenshots

format: install-dev  ## format the code, repair what ruff can repair, and write the tables of the documents
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format --quiet
	$(BIN)/python -m scripts.tables

lock:  ## bring the locks in line with pyproject.toml and package.json; scripts/lock --upgrade takes newer releases
	PYTHON="$(PYTHON)" scripts/lock

clean:  ## remove .venv, node_modules, caches and built files; never a store or a secret
	rm -rf $(VENV) $(DOCS_VENV) $(BENCH_VENV) $(NODE_TESTS)/node_modules $(JS_SDK)/node_modules $(JS_SDK)/dist build dist site
	rm -rf .coverage .hypothesis .schemathesis
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests benchmarks scripts -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "innoai needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo not there)." \
	    "Name another one: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): requirements.lock pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing innoai into $(VENV) (a minute, once)"
	@$(PIP) --require-hashes --no-deps -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock $(INSTALLED)
	@echo "Installing the test and check tools into $(VENV)"
	@$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

$(INSTALLED_DOCS): requirements-docs.lock | $(VENV)/pyvenv.cfg
	@echo "Installing what builds the site into $(DOCS_VENV)"
	@$(VENV)/bin/python -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install -qq --no-input --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

$(ASKED_DEBIAN): scripts/debian-packages | $(VENV)/pyvenv.cfg
	@APT="$(APT)" scripts/debian-packages
	@touch $@

$(INSTALLED_NODE): $(NODE_TESTS)/package.json $(NODE_TESTS)/package-lock.json
	@echo "Installing the Node clients into $(NODE_TESTS)"
	@npm ci --prefix $(NODE_TESTS) --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(INSTALLED_JS): $(JS_SDK)/package.json $(JS_SDK)/package-lock.json
	@echo "Installing the JavaScript SDK's tools into $(JS_SDK)"
	@npm ci --prefix $(JS_SDK) --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(BUILT_JS): $(INSTALLED_JS) $(wildcard $(JS_SDK)/src/*.ts $(JS_SDK)/src/*/*.ts $(JS_SDK)/tsconfig*.json)
	@npm run build --prefix $(JS_SDK) --silent
