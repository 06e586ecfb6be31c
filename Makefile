# `make help` lists the targets. Everything happens inside .venv, made on first use.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
# The build of torch: cpu, cu128 or cu130; empty: the one that stands, or pip's own index has.
TORCH ?=
BUILD := requirements/torch$(addprefix -,$(TORCH)).txt
READY := $(VENV)/.ready$(addprefix -,$(TORCH))
ENGINES := .venv-engines
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export PYTHONDONTWRITEBYTECODE :=

# torch and what only its CUDA builds need: no two machines need have one build.
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas \
	nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft \
	nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 \
	nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: help env repro test test-all fuzz check format encoders lock bench bench-store bench-training bench-predict bench-video clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(READY) ## make .venv from the locked versions; TORCH=cpu|cu128|cu130: that build of torch

$(READY): requirements/lock.txt $(BUILD) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV) \
		|| { echo "could not make $(VENV): on Debian, apt-get install python3-venv"; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		--requirement requirements/lock.txt
	$(if $(TORCH),$(VENV)/bin/pip uninstall --quiet --disable-pip-version-check --yes torch)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $(BUILD)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable .
	@rm -f $(VENV)/.ready*
	@touch $@

repro: $(READY) ## fetch the data, run every stage that has work, name the report
	@pipeline check
	@dvc repro
	@echo "Open $$(pipeline report)"

$(ENGINES)/.ready: $(READY) requirements/engines.txt
	@python -m venv --clear $(ENGINES)
	@python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$(echo $(ENGINES)/lib/python*/site-packages)/project.pth
	$(ENGINES)/bin/pip install --quiet --disable-pip-version-check --no-deps \
		--requirement requirements/engines.txt
	@touch $@

test: $(READY) $(ENGINES)/.ready ## run the tests
	pytest -n auto --dist loadfile --no-loadscope-reorder --durations=20
	$(ENGINES)/bin/python -m pytest -q tests/store/test_engines.py tests/store/files/test_export.py \
		tests/models/explanation/test_gradients.py

fuzz: $(READY) ## read damaged files with every parser of foreign bytes, a minute each
	FUZZ_FILES=1000000000 FUZZ_SECONDS=$${FUZZ_SECONDS:-60} pytest -q -rA tests/fuzz

check: $(READY) ## lint, format, types, and the repository's own rules
	ruff check .
	ruff format --check .
	mypy
	pytest -q tests/test_repository.py

format: $(READY) ## format the code and mend what the linter can
	ruff format .
	ruff check --fix .

encoders: $(READY) ## write docs/encoders.md from the plug-ins
	@pipeline encoders > docs/encoders.md

lock: $(READY) ## resolve the dependencies anew into requirements/lock.txt and torch-cu130.txt
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --quiet --upgrade \
		$(addprefix --no-emit-package ,$(UNLOCKED)) --output-file requirements/lock.txt
	uv pip compile requirements/torch.txt --constraint requirements/lock.txt --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade \
		--default-index https://pypi.org/simple --output-file requirements/torch-cu130.txt

bench: $(READY) ## measure the project against its limit and its peers (20 minutes)
	@python -m benchmarks.run
	@python -m benchmarks.training.run

bench-store: $(READY) ## measure the feature store against its peers (15 minutes)
	@python -m benchmarks.store.run

bench-training: $(READY) ## measure training's batches alone (5 minutes)
	@python -m benchmarks.training.run

bench-predict: $(READY) ## measure predict beside its bare kernels, after dvc repro (2 minutes)
	@python -m benchmarks.predict

bench-video: $(READY) ## measure what films cost beside their peers (15 minutes)
	@python -m benchmarks.video.run

clean: ## remove the environment and caches; data stays
	rm -rf $(VENV) $(ENGINES) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
