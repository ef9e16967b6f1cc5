# Every command a contributor needs, and the one environment they all share.
# What runs, and in which order, is in tests/run.py; the clusters are the business of tests/testbed/bed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BED := tests/testbed/bed
RUN := .venv/bin/python tests/run.py
COLLECTION := .venv/collections/ansible_collections/service_mesh/istio

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.venv/collections
export ANSIBLE_HOME := $(CURDIR)/.venv/ansible
# The tools refuse to start under a locale that cannot say UTF-8, which is what bare machines have.
export LC_ALL := C.UTF-8

# A virtual environment is stale when its pins, its Python or the checkout's path (it is in every script) change.
stamp = $(1)/made-from-$(shell { echo "$(CURDIR)"; $(PYTHON) --version; cat tests/$(2); } 2>&1 | sha256sum | cut -c1-12)
TOOLS := $(call stamp,.venv,requirements.txt)
OLDEST := $(call stamp,.venv-2.16,requirements-2.16.txt)

define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { \
	  echo "The tools are pinned for Python 3.11 and 3.12, and $(PYTHON) is neither: make PYTHON=/path/to/python3.12 venv" >&2; exit 1; }
	@echo "Making $(1) from tests/$(2) (about a minute the first time)" >&2
	@rm -rf $(1)
	@$(PYTHON) -m venv $(1) || { \
	  echo "Python cannot make virtual environments here; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(1)/bin/pip install --quiet --disable-pip-version-check --requirement tests/$(2)
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {gsub(/\$$\$$/, "$$", $$2); printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: venv ## a cluster, a mesh and real traffic through it, from an inventory
	@examples/demo/run

.PHONY: test
test: venv oldest ## lint, unit, integration and molecule, with one summary
	@$(RUN)

.PHONY: lint
lint: venv oldest ## everything that reads the code without running it
	@$(RUN) lint

.PHONY: format
format: venv ## let ruff lay out the Python, and repair what it can
	@ruff check --quiet --fix-only . ; ruff format --quiet .

.PHONY: unit
unit: venv oldest ## tests without a cluster, on the newest and the oldest ansible-core
	@$(RUN) unit

.PHONY: integration
integration: venv ## tests against a real API server (no root needed)
	@$(RUN) bed integration

.PHONY: molecule
molecule: venv ## whole clusters with Istio and traffic (root needed)
	@$(RUN) molecule

.PHONY: bench
bench: venv ## measure beside kubectl and kubernetes.core (half an hour on a quiet machine); writes docs/performance.md
	@.venv/bin/python tests/benchmarks/run.py

.PHONY: campaign
campaign: venv ## a proof too long for every commit: make campaign NAME=faults ARGS="seeds=20"
	@$(BED) up --lane api
	@.venv/bin/python tests/campaigns/run.py $(NAME) $(ARGS)

.PHONY: artifact
artifact: venv ## build the collection and install it in .venv/artifact
	@.venv/bin/python tests/lint/artifact.py

.PHONY: up
up: venv ## start the test bed: make up, or make up LANE=api
	@$(BED) up --lane $(or $(LANE),cluster)

.PHONY: down
down: venv ## stop the test bed and leave nothing of it
	@$(BED) down

.PHONY: env
env: venv ## how to use the tools by hand: eval "$$(make env)"
	@for name in PATH ANSIBLE_COLLECTIONS_PATH ANSIBLE_HOME; do echo "export $$name='$${!name}'"; done

.PHONY: venv
venv: $(TOOLS) ## the pinned tools in .venv

.PHONY: oldest
oldest: $(OLDEST)

$(TOOLS):
	$(call make_venv,.venv,requirements.txt)
	@mkdir -p $(dir $(COLLECTION)) && ln -sfn "$(CURDIR)" $(COLLECTION)
	@touch $@

$(OLDEST):
	$(call make_venv,.venv-2.16,requirements-2.16.txt)
	@touch $@

.PHONY: pins
pins: ## resolve tests/requirements*.in anew into tests/requirements*.txt
	@set -e; for name in requirements requirements-2.16; do \
	  new=$$(mktemp -d); $(PYTHON) -m venv $$new; $$new/bin/pip install --quiet --requirement tests/$$name.in; \
	  { echo "# Made by \`make pins\` from $$name.in. Change that file, not this one."; $$new/bin/pip freeze; } > tests/$$name.txt; \
	  rm -rf $$new; done

.PHONY: clean
clean: ## stop the bed, remove all that make made here (builds stay in the cache)
	@if [ -d .venv ]; then $(BED) down; fi
	@rm -rf .venv .venv-2.16 .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
