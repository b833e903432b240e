# The front door. Each target installs what it needs first: Debian packages (through sudo when not root), a virtual environment in .venv, Python packages.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/python
QUESTION ?= all
SECONDS_OF_FUZZING ?= 300
# Tests that ask for nothing but answers, wherever these are computed; what fails elsewhere stands in tests/places.txt.
EVERYWHERE := tests/ops tests/io tests/test_hypothesis.py
# Two tests at once, but for those that watch the time, or the memory of this machine.
TWO_AT_ONCE := -n 2 --dist worksteal
ALONE := tests/distributed tests/test_memory.py tests/test_interrupt.py tests/test_install.py tests/test_profilers.py

.PHONY: help demo test check bench lint wheel build environment clean check-asan check-ubsan check-tsan check-python-asan check-python-tsan check-fuzz check-long check-budget check-places check-soak

help:
	@echo "make demo    build, write the flights of 2013 as CSV, answer the first question from Python and C++"
	@echo "make test    build and run every kind of test in its short form"
	@echo "make check   the long form, part by part: check-asan check-ubsan check-tsan check-python-asan check-python-tsan check-fuzz check-long check-budget check-places check-soak"
	@echo "make bench   measure against the rivals (QUESTION=flights for one)"
	@echo "make lint    layers, documents, style"
	@echo "make wheel   a wheel in dist/ that needs nothing but Python"

environment:
	@tools/install_packages.sh
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "muster needs Python 3.11 to 3.13, this is %d.%d; say which: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@if [ ! -x $(BIN)/python ]; then echo "making the virtual environment $(VENV)"; $(PYTHON) -m venv $(VENV); fi
	@if ! cmp -s tools/requirements.txt $(VENV)/requirements.txt; then echo "installing Python packages (tools/requirements.txt)"; $(BIN)/python -m pip install -q --disable-pip-version-check -r tools/requirements.txt; cp tools/requirements.txt $(VENV)/; fi

# Libraries, C++ tests and the Python package, incrementally.
build: environment
	@echo "building muster (the first time takes some minutes)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall --config-settings=build-dir=$(BUILD) --config-settings=cmake.define.MUSTER_TESTS=ON .

demo: build
	@[ -e data/nycflights/2013-9.csv ] || { echo "writing the 336,776 flights of 2013 to data/nycflights"; $(BIN)/python -m muster.datasets flights; }
	@$(BIN)/python examples/first_question.py
	@$(BUILD)/first_question
	@$(BIN)/python examples/first_tasks.py
	@$(BUILD)/first_tasks

test: build
	@echo "== layers and documents"; $(BIN)/python tools/check_layers.py; $(BIN)/python tools/check_docs.py
	@echo "== C++ tests"; ctest --test-dir $(BUILD) --output-on-failure -j2 | tail -n 40
	@echo "== Python tests"; $(BIN)/python -m pytest $(TWO_AT_ONCE) $(addprefix --ignore=,$(ALONE))
	@$(BIN)/python -m pytest $(ALONE)
	@echo "== every 40th of them on a cluster, in little memory, and both"
	@MUSTER_TEST_PLACE=cluster MUSTER_TEST_SAMPLE=40 $(BIN)/python -m pytest $(TWO_AT_ONCE) $(EVERYWHERE)
	@MUSTER_MEMORY_LIMIT=256MB MUSTER_TEST_SAMPLE=40 $(BIN)/python -m pytest $(TWO_AT_ONCE) $(EVERYWHERE)
	@MUSTER_TEST_PLACE=cluster MUSTER_TEST_WORKER_MEMORY=256MB MUSTER_TEST_SAMPLE=160 $(BIN)/python -m pytest $(EVERYWHERE)

lint: environment
	@$(BIN)/python tools/check_layers.py
	@$(BIN)/python tools/check_docs.py
	@$(BIN)/ruff check -q python tests tools bench examples
	@echo "lint is clean"

wheel: environment
	@echo "building a wheel into dist/"
	@rm -rf dist && mkdir -p dist/raw
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps --config-settings=build-dir=build/wheel -w dist/raw .
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --plat auto -w dist dist/raw/*.whl 2>/dev/null >/dev/null
	@rm -rf dist/raw && ls dist

bench: build
	@$(BIN)/python bench/run.py $(QUESTION)

# ---- the long form of the tests, in parts
check: check-long check-budget check-places check-fuzz check-asan check-ubsan check-tsan check-python-asan check-python-tsan check-soak

check-long: build
	@MUSTER_EXAMPLES=long $(BIN)/python -m pytest $(TWO_AT_ONCE) $(addprefix --ignore=,$(ALONE))
	@MUSTER_EXAMPLES=long $(BIN)/python -m pytest $(ALONE)
check-budget: build
	@MUSTER_MEMORY_LIMIT=256MB MUSTER_NUM_WORKERS=3 $(BIN)/python -m pytest tests
check-places: build
	@failed=0; for place in synchronous cluster processes; do echo "== $$place"; MUSTER_TEST_PLACE=$$place $(BIN)/python -m pytest $(EVERYWHERE) || failed=1; done; \
	echo "== small workers"; MUSTER_TEST_PLACE=cluster MUSTER_TEST_WORKER_MEMORY=256MB $(BIN)/python -m pytest $(EVERYWHERE) || failed=1; exit $$failed
check-soak: build
	@$(BIN)/python tests/soak.py
	@MUSTER_KILLS=60 $(BIN)/python -m pytest tests/distributed/test_kills.py -q

# build/address+undefined: a comma in a path would break the linker's options.
comma := ,
build/%/ready: environment
	@PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S . -B build/$* -G Ninja -DMUSTER_TESTS=ON -DMUSTER_PYTHON=ON '-DMUSTER_SANITIZE=$(subst +,$(comma),$*)' -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@ninja -C build/$* >/dev/null
check-asan: build/address/ready
	@ctest --test-dir build/address --output-on-failure | tail -n 5
check-ubsan: build/undefined/ready
	@ctest --test-dir build/undefined --output-on-failure | tail -n 5
check-tsan: build/thread/ready
	@ctest --test-dir build/thread --output-on-failure | tail -n 5
# What runs on threads, through Python, in a package of its own under build/: the tests that raise, cancel, interrupt and share between threads.
check-python-asan: build/address+undefined/ready
	@tools/check_sanitized_python.sh build/address+undefined libasan.so libubsan.so
check-python-tsan: build/thread/ready
	@tools/check_sanitized_python.sh build/thread libtsan.so
check-fuzz: build/address+undefined/ready
	@build/address+undefined/tests/cpp/fuzz $(SECONDS_OF_FUZZING)

clean:
	rm -rf build dist $(VENV)
