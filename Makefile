# make setup | demo | test | run | bench | lint | lock. Needs Python 3.11 or later with venv, and pip.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test run bench lint lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "markwatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv; with a cold cache this downloads PyTorch and about 400 MB of other wheels."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	$(BIN)/markwatch demo

# One thread a process, and as many processes as cores: threads that wait for each other are slow.
test: $(READY)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal $(PYTEST)

run: $(READY)
	$(BIN)/markwatch watch

bench: $(READY)
	$(BIN)/markwatch bench

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Resolve anew within the bounds of pyproject.toml, and write down what came out. TORCH is named
# because a build for CPUs is only taken when its version is asked for.
TORCH ?= 2.13.0
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --upgrade setuptools torch==$(TORCH)
	.venv-lock/bin/pip install --upgrade-strategy eager '.[test]'
	.venv-lock/bin/pip freeze --all --exclude pip --exclude markwatch | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock build

clean:
	rm -rf .venv demo build dist *.egg-info
