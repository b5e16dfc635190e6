# SPDX-License-Identifier: Apache-2.0
"""Tests on a kernel that takes LSM programs: in the lab, or on a machine that `hauberk probe` finds fit."""

from collections.abc import Iterator

import pytest

from hauberk.kernel.features import probe
from tests.kernel.arena import Arena


@pytest.fixture(scope="session", autouse=True)
def _kernel_enforces() -> None:
    found = probe()
    if not found.enforceable:
        pytest.skip("this kernel cannot enforce: " + "; ".join(each.message for each in found.findings))


@pytest.fixture(scope="session")
def arena() -> Iterator[Arena]:
    """One engine for all tests that need no special one."""
    with Arena() as engine:
        yield engine
