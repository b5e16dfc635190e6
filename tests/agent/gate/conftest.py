# SPDX-License-Identifier: Apache-2.0
"""Gates of their own for these tests: real processes, on the kernel that is there."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hauberk.kernel.errors import KernelError
from hauberk.kernel.fanotify import ExecPermissions
from tests.agent.gate.yard import Yard


@pytest.fixture(scope="session", autouse=True)
def _permissions_can_be_asked_for() -> None:
    try:
        ExecPermissions().close()
    except KernelError as error:
        pytest.skip(f"{error.message}: {error.remedy}")


@pytest.fixture
def yard() -> Iterator[Yard]:
    with tempfile.TemporaryDirectory(prefix="gate-") as directory, ExitStack() as stack:
        yard = Yard(Path(directory), stack)
        yard.command_does("exit 0")
        yield yard
