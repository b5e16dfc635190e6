# SPDX-License-Identifier: Apache-2.0
"""Where an engine is pinned, and who looks after it.

Pins outlive processes, which is what they are for: a killed Hauberk must not end the enforcement. So that
they do not outlive their use as well, whoever looks after an engine holds a lock on its directory, which the
kernel drops with the process. An engine of a `run` without a holder and without tasks serves nobody, and the
next one sweeps it away.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Final, Self

from hauberk.enforcers.bpf_lsm.abi import HEADS, MAX_WORKLOADS, WORKLOAD
from hauberk.enforcers.bpf_lsm.state import StateDirectory, states
from hauberk.kernel.errors import KernelError, PinError
from hauberk.kernel.features import BPFFS
from hauberk.kernel.maps import Map, pin_name
from hauberk.kernel.namespaces import mount_bpffs
from hauberk.kernel.pins import exchange, is_bpffs, open_pin
from hauberk.kernel.unpinning import unpin

PIN_ROOT: Final = BPFFS / "hauberk"
SHARED: Final = PIN_ROOT / "shared"
"""Maps that all engines share (guard.py)."""
RUN_PREFIX: Final = "run-"
"""Names of engines that end with their workload."""
NEXT: Final = "-next"
"""Behind an engine's name: what is to replace it, or has been replaced by it. Never in force alone."""


class Lease:
    """A directory for an engine's pins, held until `close` or this process's end, its forks' included."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def take(cls, name: str) -> Self:
        """Make the directory PIN_ROOT/`name`, and a bpffs for it if none is mounted. Raises KernelError."""
        if not is_bpffs(BPFFS):
            mount_bpffs(BPFFS)
        path = PIN_ROOT / name
        try:
            PIN_ROOT.mkdir(mode=0o700, exist_ok=True)
            with _locked(PIN_ROOT):
                path.mkdir(mode=0o700)
                fd = _open(path)
                flock(fd, LOCK_EX | LOCK_NB)
        except OSError as error:
            raise PinError(f"making {path}: {error.strerror}", error.errno or 0) from error
        return cls(path, fd)

    @classmethod
    def take_over(cls, name: str) -> Self:
        """Hold the directory of an engine that nobody looks after any more. Raises KernelError."""
        path = PIN_ROOT / name
        fd = -1
        try:
            with _locked(PIN_ROOT):
                fd = _open(path)
                flock(fd, LOCK_EX | LOCK_NB)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            if isinstance(error, BlockingIOError):
                raise PinError(f"{name} is looked after by another process", error.errno or 0) from error
            raise PinError(f"opening {path}: {error.strerror}", error.errno or 0) from error
        return cls(path, fd)

    def exchange(self, other: "Lease") -> None:
        """Swap the names of two directories, in one step. Raises PinError."""
        exchange(self.path, other.path)
        self.path, other.path = other.path, self.path

    def remove(self) -> None:
        """Unpin all there is, and close. Raises PinError."""
        try:
            unpin(self.path)
        finally:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def drop_shared() -> None:
    """Let go of what engines share, if none is left."""
    with suppress(OSError):
        if list(PIN_ROOT.iterdir()) == [SHARED]:
            for pin in SHARED.iterdir():
                pin.unlink()
            SHARED.rmdir()


def sweep() -> int:
    """Unpin every engine of a `run` that nobody holds and that has no task left; how many they were."""
    if not PIN_ROOT.is_dir():
        return 0
    # One at a time, and not while somebody has made a directory that is not locked yet.
    with _locked(PIN_ROOT):
        swept = sum(map(_sweep_if_idle, sorted(PIN_ROOT.glob(f"{RUN_PREFIX}*"))))
        for name in states():
            if not (PIN_ROOT / name).exists():
                StateDirectory(name).remove()
        drop_shared()
        return swept


def _sweep_if_idle(path: Path) -> bool:
    with suppress(OSError, KernelError):
        fd = _open(path)
        try:
            flock(fd, LOCK_EX | LOCK_NB)
            if tasks_of(path):
                return False
            unpin(path)
            StateDirectory(path.name).remove()
            return True
        finally:
            os.close(fd)
    return False


def engines() -> list[str]:
    """The names of all engines that are pinned."""
    if not PIN_ROOT.is_dir():
        return []
    return sorted(path.name for path in PIN_ROOT.iterdir() if path != SHARED and not path.name.endswith(NEXT))


def is_held(name: str) -> bool:
    """Whether somebody looks after an engine. Raises OSError if there is none."""
    with _locked(PIN_ROOT):
        fd = _open(PIN_ROOT / name)
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def tasks_of(path: Path) -> int:
    """How many tasks are confined by the engine that is pinned there. Raises KernelError."""
    heads = path / "maps" / pin_name(HEADS)
    if not heads.exists():
        return 0
    size = MAX_WORKLOADS * WORKLOAD.size
    # A part of the view that is still there keeps the map from being unmapped.
    with Map(open_pin(heads), HEADS) as map_, map_.mmap() as mapped, mapped.view[:size] as words:
        return sum(tasks for _, _, tasks in struct.iter_unpack(WORKLOAD.format, words))


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    fd = _open(directory)
    try:
        flock(fd, LOCK_EX)
        yield
    finally:
        os.close(fd)


def _open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
