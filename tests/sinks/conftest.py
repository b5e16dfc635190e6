# SPDX-License-Identifier: Apache-2.0
"""Events to write, and places that run full."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.events.alert import Alert, Extras


def make_alert(number: int, size: int = 0) -> Alert:
    """An alert that can be told from others by its number; `size` bytes longer than need be."""
    return Alert(PPID=1, UID=number, Message="x" * size, Action="Block", Hauberk=Extras())


@pytest.fixture
def warnings() -> list[str]:
    """What a sink told the user."""
    return []


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 64 KiB, mounted where nobody but the tests sees it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    script = "mount -t tmpfs -o size=64k small /mnt && echo mounted && read -r _"
    keeper = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert keeper.stdin
    assert keeper.stdout
    assert keeper.stderr
    try:
        if keeper.stdout.readline() != b"mounted\n":
            pytest.skip(f"this environment does not let root mount: {keeper.stderr.read().decode().strip()}")
        yield Path(f"/proc/{keeper.pid}/root/mnt")
    finally:
        keeper.communicate(b"\n")
