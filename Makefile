# The project's commands; each makes the environments it needs, once, under .environments/.
#
#   make run IMAGE=picture [FAMILY=flux1] [MODEL=checkpoint folder or hub name]
#   make test         everything: lint, unit, real ComfyUI, real vLLM, real browser
#   make test-fast    tests/unit: no torch, no servers
#   make lint         ruff (format and rules) and pyright
#   make comfyui      a real ComfyUI with the nodes in it, for a browser [PORT=8188]
#   make bench        the measurements that the README's numbers come from
#   make clean        remove .environments/ and every cache

PYTHON ?= python3
PORT ?= 8188
PYTEST_ARGS ?=
export PYTHON PORT

ENVIRONMENTS := $(PYTHON) scripts/environments.py
BIN := .environments/comfyui/bin

.PHONY: help run test test-fast lint comfyui bench clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

run:
	@bash scripts/run.sh

test:
	$(ENVIRONMENTS) comfyui vllm
	$(PYTHON) scripts/chromium.py
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest --timeout=900 $(PYTEST_ARGS)

test-fast:
	$(ENVIRONMENTS) dev
	.environments/dev/bin/pytest tests/unit --numprocesses=auto --timeout=120 $(PYTEST_ARGS)

# In the environment that has torch and ComfyUI, whose types the nodes use.
lint:
	$(ENVIRONMENTS) comfyui
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright --pythonpath $(BIN)/python

comfyui:
	@$(ENVIRONMENTS) comfyui
	@$(BIN)/python scripts/comfyui.py --port $(PORT)

bench:
	$(ENVIRONMENTS) comfyui vllm
	$(BIN)/python -P benchmarks/run.py

clean:
	rm -rf .environments .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
