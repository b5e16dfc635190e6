# SPDX-License-Identifier: Apache-2.0
.PHONY: build
build:
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pip install -q --no-build-isolation --no-deps -e .
