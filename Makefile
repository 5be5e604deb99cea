# Two commands: `make lab` makes, provisions and shows the lab; `make test` proves that it does.
# Both install what they need first: programs by apt, Python packages into .venv.

PYTHON ?= python3
BIN := .venv/bin
# Where the controller's own Python has no packages of this project, nothing of it may be found.
export PYTHONNOUSERSITE := 1

# Which versions are installed: these, with their checksums; or by `make LOCK= ...` the newest ones that
# pyproject.toml allows.
LOCK ?= requirements.lock

PIP := $(BIN)/pip --quiet --disable-pip-version-check
# Stories of whole runs wait for their machines as often as they work: one for each processor at a time.
STORIES := -n auto
.DEFAULT_GOAL := help
.PHONY: help programs test-programs compiled lab test check unit whole-runs long-runs lock docs bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

programs:
	@./prerequisites.sh

test-programs:
	@./prerequisites.sh --test

.venv/.installed: pyproject.toml $(LOCK) | programs
	$(PYTHON) -m venv .venv
	$(if $(LOCK),$(PIP) install --require-hashes --requirement $(LOCK))
	$(PIP) install $(if $(LOCK),--no-build-isolation) --editable '.[test]'
	touch $@

# pyinfra never writes bytecode: what only it imports would be compiled anew by each run.
compiled: .venv/.installed
	@$(BIN)/python -m compileall -q ciliumlab

lab: compiled ## make the machines, provision them, say what stands where
	$(BIN)/ciliumlab up
	$(BIN)/pyinfra -y --data cluster=auto inventory/lab.py deploy.py
	$(BIN)/ciliumlab status

test: check unit whole-runs ## style, types, unit tests, whole runs on real machines (not the long ones)

check: .venv/.installed ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit: test-programs compiled ## what needs no machine
	$(BIN)/pytest -rs -n auto --dist loadfile tests/unit

whole-runs: test-programs compiled ## boot, deploy, verify, reboot, kill, on machines of the tests' own
	$(BIN)/pytest -rs $(STORIES) tests/lab

long-runs: test-programs compiled ## the whole runs that are left out there: faults, three control planes
	CILIUMLAB_TEST_LONG=1 $(BIN)/pytest -rs $(STORIES) -m long tests/lab

lock: ## make requirements.lock anew; UPGRADE=--upgrade takes newer versions
	$(PYTHON) -m venv .venv
	$(PIP) install --editable '.[dev]'
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes --no-header \
		$(UPGRADE) --output-file requirements.lock pyproject.toml

docs: .venv/.installed ## write docs/stages.md out of the tasks
	$(BIN)/python docs/stages.py

.venv/.bench: .venv/.installed
	$(PIP) install $(if $(LOCK),--no-build-isolation) --editable '.[bench]'
	touch $@

bench: programs compiled .venv/.bench ## how fast all that is, against Ansible and others; BENCH='--kind guest' for its options
	$(BIN)/python -m tests.bench $(BENCH)

clean: ## delete the environment (not the lab: ciliumlab destroy does that)
	rm -rf .venv
