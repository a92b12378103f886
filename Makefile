# The project's commands; each makes the environments it needs, once, under .environments/.
#
#   make run IMAGE=picture [FAMILY=flux1] [MODEL=checkpoint folder or hub name]
#   make test         everything: lint, unit, real ComfyUI, real vLLM, real browser, real Ray
#   make test-fast    tests/unit: no torch, no servers
#   make test-families  10,000 analyses for every family, where make test takes 1,000
#   make test-scale   20,000 pictures captioned in one run, its memory watched, where make test takes 800
#   make test-faults  every process of the engine killed, in many orders, five times; adds to benchmarks/results/
#   make test-gpu     what only a GPU can show [GPU_VLLM=program] [GPU_MODEL=8B]; docs/gpu-checks.md
#   make lint         ruff (format and rules) and pyright
#   make comfyui      a real ComfyUI with the nodes in it, for a browser [PORT=8188]
#   make bench        the measurements that the README's numbers come from
#   make clean        remove .environments/ and every cache

PYTHON ?= python3
PORT ?= 8188
PYTEST_ARGS ?=
TODAY := $(shell date +%F)
export PYTHON PORT

ENVIRONMENTS := $(PYTHON) scripts/environments.py
BIN := .environments/comfyui/bin
# Tests that share no server and mostly wait: two at a time, those first that take long.
SIDE_BY_SIDE := tests/vllm/test_faults.py tests/vllm/test_supervisor.py tests/vllm/test_managed.py tests/unit
# What asks ComfyUI or runs in the browser waits much for one process: two at a time, each with ComfyUIs of its own. But
# for those that ask the real vLLM: it is started once, for all of them.
WITH_VLLM := tests/browser/test_seeing.py tests/browser/test_example_workflows.py

.PHONY: help run test test-fast test-families test-scale test-faults test-gpu lint comfyui bench clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

run:
	@bash scripts/run.sh

test:
	$(ENVIRONMENTS) comfyui vllm ray
	$(PYTHON) scripts/chromium.py
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest $(SIDE_BY_SIDE) --numprocesses=2 --dist=worksteal --timeout=900 $(PYTEST_ARGS)
	.environments/ray/bin/pytest tests/ray --timeout=600 $(PYTEST_ARGS)
	$(BIN)/pytest tests/browser tests/comfyui $(WITH_VLLM:%=--ignore=%) --numprocesses=2 --dist=loadfile --timeout=900 \
	  $(PYTEST_ARGS)
	$(BIN)/pytest $(WITH_VLLM) tests/vllm $(SIDE_BY_SIDE:%=--ignore=%) --timeout=900 $(PYTEST_ARGS)

test-fast:
	$(ENVIRONMENTS) dev
	.environments/dev/bin/pytest tests/unit --numprocesses=auto --timeout=120 $(PYTEST_ARGS)

test-families:
	$(ENVIRONMENTS) comfyui
	$(BIN)/pytest tests/comfyui/test_families.py --analyses=10000 --timeout=1800

test-scale:
	$(ENVIRONMENTS) dev
	.environments/dev/bin/pytest tests/unit/captions/test_scale.py --pictures=20000 --timeout=1800 -rP

test-faults:
	$(ENVIRONMENTS) comfyui vllm
	for round in 1 2 3 4 5; do \
	  $(BIN)/pytest tests/vllm/test_faults.py --timeout=900 --faults=benchmarks/results/$(TODAY)-cpu-faults.jsonl || exit 1; \
	done

test-gpu:
	$(ENVIRONMENTS) comfyui
	$(BIN)/pytest tests/gpu -m gpu --timeout=3600 --gpu-results=benchmarks/results/$(TODAY)-gpu-engine.jsonl \
	  --gpu-vllm=$(GPU_VLLM) --gpu-model=$(GPU_MODEL) $(PYTEST_ARGS)

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
	$(BIN)/python -P benchmarks/engine.py
	$(BIN)/python -P benchmarks/recover.py
	$(BIN)/python -P benchmarks/fuzz_recover.py

clean:
	rm -rf .environments .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
