# `make help` lists the targets. Every target does its own set-up.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Which ONNX Runtime: gpu where an NVIDIA GPU answers, else cpu. ACCEL=cpu or ACCEL=gpu overrides.
ACCEL  ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
# Where torch without CUDA is to be had for ACCEL=cpu: an index of CPU wheels, or a folder of wheels. Without it pip takes
# what its own index has, which on Linux is torch with gigabytes of CUDA's libraries.
TORCH_INDEX ?=
TORCH_FROM := $(if $(and $(filter cpu,$(ACCEL)),$(TORCH_INDEX)),$(if $(wildcard $(TORCH_INDEX)/.),PIP_FIND_LINKS,PIP_EXTRA_INDEX_URL)='$(TORCH_INDEX)')
STAMP  := $(VENV)/.installed-$(ACCEL)
PIPELINE ?= sentiment

.DEFAULT_GOAL := help
.PHONY: help setup pipeline schedule predict tools test soak check format docs bench ui mlflow-server doctor clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything pinned (ACCEL=cpu|gpu overrides the choice of ONNX Runtime)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Perennial needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Set PYTHON=python3.11 (or newer)."; exit 1; }
	@echo "Setting up $(VENV) for $(ACCEL): some minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip uninstall --quiet --yes onnxruntime onnxruntime-gpu 2>/dev/null || true
	@$(TORCH_FROM) $(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(ACCEL),tune,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $(STAMP)
	@test $(ACCEL) = gpu || $(BIN)/python -c 'from perennial.doctor import cuda_libraries; cuda_libraries.say()'

pipeline: setup ## Run the main job: PIPELINE=sentiment from its data to a judged, registered model
	@$(BIN)/perennial run $(PIPELINE)

schedule: setup ## Retrain by the pipelines' schedules and when new data lands, until Ctrl-C
	@$(BIN)/perennial schedule

predict: setup ## Ask the champion: make predict TEXT="Profit warning sends shares down 12%"
	@$(BIN)/perennial predict $(PIPELINE) "$(or $(TEXT),Profit warning sends shares down 12%)"

# Tests look at reports in a real browser, ask a server by curl, read a stream of Redis, and check alerts by Prometheus' own
# tool. Where these can't be had here, they say what to install. Only promtool is taken out of Debian's package: installed, it
# would start a server. Debian's redis-tools has Redis' server as redis-check-rdb, and starts none.
tools: setup
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		command -v google-chrome >/dev/null || test "$$(id -u)" != 0 || \
		{ echo "Installing Chromium, which looks at reports."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || true
	@command -v curl >/dev/null || test "$$(id -u)" != 0 || \
		{ echo "Installing curl, which asks servers."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends curl >/dev/null; } || true
	@command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null || test "$$(id -u)" != 0 || \
		{ echo "Installing Redis, which tests read a stream of."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-tools >/dev/null; } || true
	@command -v promtool >/dev/null || test -x $(BIN)/promtool || ! command -v apt-get >/dev/null || \
		{ echo "Fetching promtool, which checks alerts."; got=$$(mktemp -d); \
		(cd "$$got" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } \
		&& dpkg-deb --extract prometheus_*.deb .) >/dev/null 2>&1 && cp "$$got/usr/bin/promtool" $(BIN)/; rm -rf "$$got"; } || true

# Two workers: more would want more memory than a small machine has. Each begins with half of the tests, in their order,
# so that what a file's tests share is made once; the one that is ready first takes some of the other's.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal --durations=20

test: setup tools ## Run the tests, but those that take minutes: a quarter of an hour on two cores
	@$(PYTEST) -m "not soak"

soak: setup tools ## Run the tests that take minutes, and made-up examples in number: as long again
	@$(PYTEST) -m "soak or hypothesis" --hypothesis-profile=soak

check: setup ## What CI checks beside the tests: ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: setup ## Write docs/settings.md from the settings themselves
	@$(BIN)/python docs/make_settings.py

bench: setup ## Measure Perennial beside what you would pick instead, and print the figures
	@$(BIN)/python -m benchmarks

ui: setup ## Open MLflow's and Prefect's pages on this machine, until Ctrl-C
	@$(BIN)/python -m flows.ui

mlflow-server: setup ## Start a tracking server with authentication, until Ctrl-C (mlflow/README.md)
	@PYTHON="$(CURDIR)/$(BIN)/python" mlflow/start.sh

doctor: setup ## Say what is wrong with this installation
	@$(BIN)/perennial doctor

clean: ## Remove the environment and caches; what was trained stays in .perennial
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
