# make setup | demo | test | faults | run | bench | lint | lock | fuzz | audit-dependencies.
# Needs Python 3.11 or later with venv, and pip.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test faults run bench lint lock clean fuzz audit-dependencies

setup: $(READY)

# With HASHES=1 every file must be one that PyPI has; then PyTorch comes from there too. Not always,
# because PyTorch's own index has other builds of the same version, and mirrors may repack.
HASHES ?=
LOCKED := $(if $(HASHES),--require-hashes -r requirements.hashes,-r requirements.lock)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "markwatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv; with a cold cache this downloads PyTorch and about 400 MB of other wheels."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --progress-bar on $(LOCKED)
	$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# STAY=1 goes on until Ctrl-C.
STAY ?=
demo: $(READY)
	$(BIN)/markwatch demo $(if $(STAY),--stay)

# One thread a process, because threads that wait for each other are slow, and a process more than
# cores, because tests wait for folders, brokers and sockets.
WORKERS := $(BIN)/python -c 'import os; print(min(8, 1 + os.cpu_count()))'
test: $(READY)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n $$($(WORKERS)) --dist worksteal $(PYTEST)

# All gates at full size; SCALE=0.05 for a twentieth, GATES="1 12" for some, SEED for other faults.
SCALE ?= 1
faults: $(READY)
	PYTHONPATH=.:tests:tests/plugins OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} \
		$(BIN)/python -m faults --scale $(SCALE) --gates "$(GATES)" $(if $(SEED),--seed $(SEED))

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
	.venv-lock/bin/pip install uv
	.venv-lock/bin/uv pip compile --no-config --quiet --universal --no-deps --no-header --no-annotate \
		--generate-hashes --python-version 3.11 --default-index https://pypi.org/simple \
		requirements.lock --output-file requirements.hashes
	rm -rf .venv-lock build

# Strict: where an advisory database cannot be reached, nothing was audited, and that is no success.
audit-dependencies:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --disable-pip-version-check --quiet pip-audit
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.hashes
	rm -rf .venv-audit

# Hostile input for all that takes bytes from outside; FUZZ="INPUTS SEED" for other figures.
FUZZ ?= 120000 1
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzzing.py $(FUZZ)

clean:
	rm -rf .venv .venv-audit demo build dist *.egg-info
