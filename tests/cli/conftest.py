# SPDX-License-Identifier: Apache-2.0
"""A fake agent for the commands that ask one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.asking import FakeAgent, fake_agent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    """A fake agent. What it answers is the test's to say."""
    with fake_agent(tmp_path) as running:
        yield running
