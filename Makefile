# Everything runs in .venv, made here from requirements.lock. `make help` lists the
# targets; PYTHON=python3.12 picks another interpreter for new environments.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

BIN := .venv/bin
HUBS := 0.25 0.36 1.0
HUB_READY := $(HUBS:%=.venv-hub-%/.ready)
REGISTRIES := docker-registry skopeo umoci
ROOTS := debootstrap
BROWSER := chromium
CEPH := radosgw ceph-mon ceph-osd ceph-common ceph-base awscli

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.ready ## a real model crosses a pretend gap; leaves demo-out/ to look at
	@demo/run

# Tests flush thousands of files: in memory where there is room, or a disk is all
# that they wait for.
ROOM := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print $$6 }')
ifneq ($(ROOM),)
test interop soak: export TMPDIR = $(ROOM)
endif

.PHONY: test
test: .venv/.ready ## all tests but interop and soak, and the examples in the docs
	@tools/debian $(REGISTRIES) || true
	$(BIN)/pytest -n auto

.PHONY: check
check: .venv/.ready ## lint, format, types, layers, spelling, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/deptry bundle syncd

.PHONY: interop
interop: .venv/.ready $(HUB_READY) ## older huggingface_hub, a real Ceph gateway, registries, a browser
	@tools/debian $(CEPH) $(REGISTRIES) $(ROOTS) $(BROWSER) || true
	$(BIN)/pytest -n auto -m interop

.PHONY: soak
soak: .venv/.ready ## full counts and new examples, of which `make test` runs a fixed slice
	$(BIN)/pytest -n auto -m "not interop" --hypothesis-profile soak --timeout 1800

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: .venv-fuzz/.ready ## anything at all into every reader of bytes, FUZZ_SECONDS each
	.venv-fuzz/bin/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

.PHONY: bench
bench: .venv/.ready ## time and size against cp, tar, casync, restic, borg and rsync
	@tools/debian restic borgbackup casync zstd rsync $(REGISTRIES) || true
	@tools/debian $(CEPH) rclone || true
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.deltas
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.objects
	$(BIN)/python -m benchmarks.registry

.PHONY: format
format: .venv/.ready ## lay the sources out and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove environments, caches and what `make demo` left
	rm -rf .venv .venv-hub-* .venv-fuzz demo-out dist
	rm -rf .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.locked: requirements.lock requirements-model.lock tools/venv
	@tools/venv .venv requirements.lock requirements-model.lock
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps \
	    --no-build-isolation --editable .
	@touch $@

# Where atheris has no wheel, inputs are mutated without it.
.venv-fuzz/.ready: requirements.lock tests/fuzz/requirements.lock tools/venv
	@tools/venv .venv-fuzz requirements.lock tests/fuzz/requirements.lock || \
	    tools/venv .venv-fuzz requirements.lock
	@touch $@

.venv-hub-%/.ready: tests/interop/requirements-hub-%.lock tools/venv
	@tools/venv $(@D) $<
	@touch $@
