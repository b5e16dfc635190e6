# SPDX-License-Identifier: Apache-2.0
# Each target does all the set-up it needs, and the set-up looks first whether it is needed.
.DEFAULT_GOAL := help
.PHONY: help setup build test quick containers karmor fuzz demo bench bench-check wheel clean

help:
	@echo 'make setup    system packages, virtual environment in .venv, build'
	@echo 'make test     tests here, and in the lab on kernels 6.1 and 6.12'
	@echo 'make quick    checks and tests that boot no machine'
	@echo 'make containers  tests with containerd, Docker and Podman, in the lab on both kernels'
	@echo 'make karmor   KubeArmor'"'"'s client, built with Go, which tests then run against the agent'
	@echo 'make fuzz     random bytes for all that reads bytes of others, ten minutes for each'
	@echo 'make demo     an attack on a real service, without policies and with them'
	@echo 'make bench    the figures of docs/performance.md, in the lab'
	@echo 'make bench-check  fails if enforcement has become dearer than bench/baseline.toml says'
	@echo 'make wheel    a wheel in build/wheel'
	@echo 'make clean    remove what was built; .venv stays'

setup:
	@scripts/bootstrap.sh

build: setup

test: setup
	@.venv/bin/python scripts/run_tests.py

quick: setup
	@.venv/bin/python scripts/run_tests.py --quick

containers: setup
	@.venv/bin/python scripts/run_tests.py --containers

karmor: setup
	@.venv/bin/python scripts/build_karmor.py

fuzz: setup
	@.venv/bin/python -m tests.fuzz.run

demo: setup
	@.venv/bin/python demo/run.py

bench: setup
	@.venv/bin/python -m bench.run

bench-check: setup
	@.venv/bin/python -m bench.check

wheel: setup
	@PATH="$(CURDIR)/.venv/bin:$$PATH" CC=clang-19 .venv/bin/pip wheel --no-build-isolation --no-deps -w build/wheel .

clean:
	rm -rf build .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	rm -f hauberk/automaton/_core.abi3.so hauberk/kernel/_shim.abi3.so hauberk/bpf/hauberk.bpf.o
	rm -f hauberk/api/*_pb2.py hauberk/api/*_pb2.pyi
	find hauberk tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
