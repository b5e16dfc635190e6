# SPDX-License-Identifier: Apache-2.0
"""The marker of the tests that boot a virtual machine."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: boots a virtual machine (needs QEMU; runs on any machine)")
