# SPDX-License-Identifier: Apache-2.0
"""What is written to an overlay does not reach what lies below it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hauberk.kernel.errors import KernelError
from hauberk.kernel.overlay import mount_overlay, mount_tmpfs, unmount

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that changes can lie in: the tests' own may be on an overlay."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def test_changes_are_seen_above_and_not_below(place: Path) -> None:
    lower, target = place / "lower", place / "target"
    lower.mkdir()
    (lower / "kept").write_text("kept")
    (lower / "changed").write_text("old")
    mount_overlay(lower, place / "changes", target)
    try:
        (target / "changed").write_text("new")
        (target / "made").touch()
        assert sorted(path.name for path in target.iterdir()) == ["changed", "kept", "made"]
    finally:
        unmount(target)
    assert sorted(path.name for path in lower.iterdir()) == ["changed", "kept"]
    assert (lower / "changed").read_text() == "old"
    assert list(target.iterdir()) == []


def test_memory_is_empty_takes_programs_and_goes_with_what_is_in_it(place: Path) -> None:
    (place / "below").touch()
    mount_tmpfs(place)
    try:
        assert list(place.iterdir()) == []
        shutil.copy("/bin/true", place / "true")
        assert subprocess.run([place / "true"], check=False).returncode == 0
    finally:
        unmount(place)
    assert [path.name for path in place.iterdir()] == ["below"]


def test_what_cannot_be_mounted_is_told(place: Path) -> None:
    with pytest.raises(KernelError, match=r"mounting an overlay on .*: No such file"):
        mount_overlay(place / "nothing", place / "changes", place / "target")
    with pytest.raises(KernelError, match="cannot hold"):
        mount_overlay(place, place / "a,b", place / "target")
    with pytest.raises(KernelError, match="unmounting"):
        unmount(place)
