# `make demo` and `make test` do all their own set-up into .venv.
# BACKEND=jax|torch|tensorflow chooses the backend of the demo.

PYTHON ?= python3
BACKEND ?= jax
BACKENDS ?= jax torch tensorflow
VENV := .venv
BIN := $(VENV)/bin

# Several runtimes in one process fight over threads; one each is faster.
export OMP_NUM_THREADS ?= 1
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint test-backend clean

demo: $(VENV)/demo-$(BACKEND)
	KERAS_BACKEND=$(BACKEND) $(BIN)/python examples/demo.py

test: $(VENV)/locked
	PYTHON=$(BIN)/python BACKENDS="$(BACKENDS)" sh .ci/test

lint: $(VENV)/locked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo-%: pyproject.toml requirements/%.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements/$*.txt
	$(BIN)/python -m pip install -q --no-deps -e .
	touch $@

$(VENV)/locked: pyproject.toml requirements/lock.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -r requirements/lock.txt
	$(BIN)/python -m pip install -q --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) build dist out
