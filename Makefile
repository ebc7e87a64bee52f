# `make try` and `make test` are all that a fresh clone needs: each sets up what it uses.

PYTHON   ?= python3
VENV     ?= .venv
WORKERS  ?= 2
EXAMPLES ?= 20000
SECONDS  ?= 60
ARGS     ?=

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/installed
PIP       := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
PYTEST    := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: help setup try test check fmt lint type golden docs gallery soundness mutants onnx fuzz bench clean

help:
	@echo 'make try        check, draw, count, compile and run ResNet-50; train a LeNet on digits'
	@echo 'make test       the tests                   (ARGS="-k unet" for some of them)'
	@echo 'make check      lint, type and test: what CI runs'
	@echo 'make fmt        format the code, and mend what can be mended'
	@echo 'make lint       style, formatting and the floors (import-linter)'
	@echo 'make type       mypy --strict'
	@echo 'make golden     rewrite the golden files; read the difference before committing it'
	@echo 'make docs       write anew what is made of docs/: layers, zoo, diagnostics, shown output'
	@echo 'make gallery    draw the pictures of docs/gallery.md anew; look at them before committing them'
	@echo 'make soundness  random specifications by the thousand  (EXAMPLES=20000)'
	@echo 'make fuzz       damaged and hostile texts, guided by coverage  (SECONDS=60)'
	@echo 'make mutants    wrong shape rules, each of which a test must notice  (ARGS="archdsl/ops/conv.py")'
	@echo 'make onnx       every network of the zoo as ONNX, against torch; writes docs/onnx.md'
	@echo 'make bench      measure time and memory, for docs/speed.md and README  (ARGS=--quick: a round)'
	@echo 'make setup      only the environment, in $(VENV)'
	@echo 'make clean      remove what make made'

setup: $(INSTALLED)

# A fresh environment whenever what it should hold has changed.
$(INSTALLED): pyproject.toml constraints.txt
	@echo 'Setting up $(VENV); torch makes this a few minutes the first time.'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install -c constraints.txt hatchling editables
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev,onnx,safetensors,train,lamb,bench]'
	@touch $@

try: setup
	$(BIN)/archdsl check specs/resnet.arch:resnet50
	@mkdir -p build
	$(BIN)/archdsl draw specs/resnet.arch:resnet50 -o build/resnet50.svg
	$(BIN)/archdsl summary specs/resnet.arch:resnet50
	$(BIN)/archdsl compile specs/resnet.arch:resnet50 -o build/resnet50.py
	$(BIN)/python examples/resnet50.py
	$(BIN)/archdsl train examples/digits.arch -o build/digits --overwrite

test: setup
	$(PYTEST) $(ARGS)

check: lint type test

fmt: setup
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

type: setup
	$(BIN)/mypy

golden: setup
	$(PYTEST) --update-golden -q $(ARGS)
	@git status --short tests/golden

docs: setup
	$(PYTEST) --update-golden -q tests/test_docs.py tests/errors/test_codes.py
	@git status --short docs

gallery: setup
	$(PYTEST) --update-golden -q tests/test_gallery.py
	@git status --short docs/gallery.md docs/gallery

soundness: setup
	ARCHDSL_EXAMPLES=$(EXAMPLES) $(PYTEST) -m soundness $(ARGS)

fuzz: setup
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS) $(ARGS)

# One after the other, so that measurements do not disturb one another.
bench: setup
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[bench]'
	$(BIN)/python benchmarks/table.py -o docs/speed.md --readme README.md $(ARGS)

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
