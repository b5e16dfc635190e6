# SPDX-License-Identifier: Apache-2.0
"""Tests on a kernel that takes LSM programs: in the lab, or on a machine that `hauberk probe` finds fit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.kernel.features import probe
from tests.kernel.arena import Arena
from tests.kernel.helpers.act import compile_act


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


@pytest.fixture(scope="session")
def act(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that does what workloads of the tests do (helpers/act.c)."""
    return compile_act(tmp_path_factory.mktemp("act"))
