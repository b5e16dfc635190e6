# SPDX-License-Identifier: Apache-2.0
"""Control servers with fake handlers, in the test's own process."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hauberk.agent.control.server import ControlServer, Handle


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that other users can enter, which pytest's own is not."""
    made = Path(tempfile.mkdtemp(prefix="hauberk-test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def serve(directory: Path) -> Iterator[Callable[..., ControlServer]]:
    """Makes servers at `directory`/agent.sock, and closes them."""
    servers: list[ControlServer] = []

    def make(handle: Handle, group: str = "") -> ControlServer:
        servers.append(ControlServer(directory / "agent.sock", group, handle))
        return servers[-1]

    yield make
    for server in servers:
        server.close()
