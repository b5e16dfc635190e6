# SPDX-License-Identifier: Apache-2.0
"""One agent only: the lock holds while its process lives, whatever its children do."""

import os
import signal
from pathlib import Path

import pytest

from hauberk.agent.control.place import LOCK, AgentLock, PlaceError


def agent(directory: Path) -> tuple[int, int]:
    """A process that holds the lock, with a child that outlives it; both their ids."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        lock = AgentLock(directory)
        child = os.fork()
        if child:
            os.write(writer, str(child).encode())
        os.close(writer)
        signal.pause()
        lock.close()
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        return pid, int(pipe.read(16) or 0)


def test_a_second_agent_is_kept_out_and_told_of_the_first(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    first, child = agent(tmp_path)
    try:
        with pytest.raises(PlaceError, match=f"as process {first}"):
            AgentLock(tmp_path)
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        os.kill(child, 0)
        AgentLock(tmp_path).close()
    finally:
        os.kill(child, signal.SIGKILL)


def test_only_root_can_read_who_holds_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with AgentLock(tmp_path):
        assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError, match="opening"):
        AgentLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
