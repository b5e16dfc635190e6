# SPDX-License-Identifier: Apache-2.0
"""The lab's cache: directories that are either complete or absent.

Every entry is made in a temporary directory beside its final place and renamed into it, under a lock, so that
an interrupted download leaves nothing that looks finished and two runs do not fetch the same kernel twice.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Where everything cached lives: `$HAUBERK_CACHE`, else `hauberk` in the XDG cache directory."""
    if chosen := os.environ.get("HAUBERK_CACHE"):
        return Path(chosen).absolute()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "hauberk"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the cache's lock. It is released by the kernel if this process dies."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_entry(entry: Path, fill: Callable[[Path], None]) -> Path:
    """Return `entry`, an existing directory, letting `fill` make its contents first if it is not there yet.

    The caller holds the lock. What `fill` raises is passed on, and leaves no entry.
    """
    if entry.is_dir():
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    for leftover in entry.parent.glob(f".{glob.escape(entry.name)}.*"):
        shutil.rmtree(leftover)  # of somebody who was killed: the lock is ours
    scratch = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        scratch.chmod(0o755)
        fill(scratch)
        scratch.rename(entry)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return entry
