# make demo           install the pinned set and run the demo study; prints where the report is
# make test           everything below up to `slurm`, on two cores six to seven minutes
# make lint           format, lint, types, rules, security, and the site as `docs` builds it
# make unit           unit tests and bad input
# make workflow       dry runs and small studies end to end
# make others         these two together: what `make test` runs beside lint and slurm
# make slurm          a small study on a SLURM of its own
# make faults         every rule killed, disks full, files damaged; twelve minutes
# make test-gpu       exactness of attention on this machine's GPU
# make bench-gpu      milliseconds of attention and of steps there; writes results/benchmarks-gpu.json
# make bench          speed and memory at full size, error rates; an hour or two; writes results/benchmarks.json
# make recovery       two simulated worlds, with and without blocking terrain; writes docs/recovery.md
# make backbones      windows, wind graph and latent ODE beside the masks, simulated; writes docs/backbones/
# make fuzz           fuzz the readers of files from elsewhere, FUZZ_SECONDS each; needs atheris
# make audit          compare the pinned set with the advisories of PyPI; needs the network
# make audit-offline  the same with a clone of PyPA's advisory database in ADVISORIES
# make tutorial       run docs/tutorial.ipynb on the demo and write its figures and numbers anew
# make docs           build the site of docs/ into build/docs; broken links and warnings are errors
# make tables         write what README, docs/ and the schema take from the settings
# make format         format Python and rules
# make install        install the pinned set into .venv
# make clean          remove results and Snakemake's records of them

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable
FUZZ_SECONDS ?= 60
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
SMK := Snakefile workflow/Snakefile workflow/rules/*.smk
# file by file: tests of one share what is made for it. One process more than cores: tests wait for others a third of the time
PYTEST = pytest --numprocesses $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder

export PATH := $(CURDIR)/$(BIN):$(PATH)
# where it is set, as in some images, every process would compile all sources anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test bench test-gpu bench-gpu fuzz audit audit-offline recovery backbones tutorial docs tables format lint unit workflow others faults slurm clean

help:
	@sed -n 's/^# make/make/p' Makefile

install: $(INSTALLED)

$(INSTALLED): pyproject.toml envs/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Airshed needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[dev]'
	touch $@

# Triton is large, and without a GPU only the tests of its kernels need it; a study needs no site of docs/
$(TESTABLE): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[dev,docs,triton]'
	touch $@

demo: $(INSTALLED)
	snakemake --cores $(CORES) --logger airshed
	@airshed verdicts results/demo/comparisons.csv
	@echo 'Report: $(CURDIR)/results/demo/report.html'

# tests/slurm often wait for their scheduler and mypy has one thread, so they run beside the others
test: $(TESTABLE)
	$(MAKE) --no-print-directory --jobs=3 --output-sync=line slurm others lint

others: $(TESTABLE)
	$(PYTEST) tests/workflow tests/unit tests/bad_input

format: $(INSTALLED)
	ruff format .
	ruff check --fix .
	snakefmt $(SMK)

lint: $(TESTABLE)
	ruff format --check .
	ruff check .
	mypy
	snakefmt --check $(SMK)
	snakemake --lint
	bandit --quiet --recursive --configfile pyproject.toml src
	$(MAKE) --no-print-directory docs

unit: $(TESTABLE)
	$(PYTEST) tests/unit tests/bad_input

workflow: $(INSTALLED)
	$(PYTEST) tests/workflow

faults: $(INSTALLED)
	pytest tests/faults

slurm: $(INSTALLED)
	pytest tests/slurm

bench: $(INSTALLED)
	python benchmarks/run.py

# from the source tree alone: a machine with torch for its GPU needs nothing else
test-gpu:
	PYTHONPATH=src python3 tests/gpu/exactness.py

bench-gpu:
	PYTHONPATH=src python3 benchmarks/gpu.py

fuzz: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[fuzz]'
	for target in archive table config log unit; do \
	    python tests/bad_input/fuzz.py $$target $(FUZZ_SECONDS) || exit 1; done

audit: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[audit]'
	pip-audit --strict --requirement envs/constraints.txt --no-deps --disable-pip

audit-offline: $(INSTALLED)
	python envs/audit.py '$(ADVISORIES)'

RECOVERED = results/$(1)/comparisons.csv results/$(1)/interventions.csv

recovery: $(INSTALLED)
	snakemake --cores $(CORES) --configfile config/studies/recovery.yaml -- $(call RECOVERED,recovery)
	snakemake --cores $(CORES) --configfile config/studies/recovery.yaml config/studies/recovery_flat.yaml \
	    -- $(call RECOVERED,recovery_flat)
	python benchmarks/recovery.py

backbones: $(INSTALLED)
	snakemake --cores $(CORES) --configfile config/studies/backbones.yaml
	python benchmarks/backbones.py

docs: $(TESTABLE)
	sphinx-build --fresh-env --write-all --fail-on-warning --keep-going --quiet --conf-dir docs . build/docs

tutorial: demo $(TESTABLE)
	python benchmarks/tutorial.py

tables: $(INSTALLED)
	python benchmarks/doc_tables.py

clean:
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake
