# SPDX-License-Identifier: Apache-2.0
"""The engine's protection of itself: what the programs of `bpf/hooks/guard.h` have to know.

Who looks after engines, and which maps and programs belong to one, is written into two maps that all engines
share, so that a workload of one can harm no other.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.lease import SHARED
from hauberk.kernel.errors import KernelError
from hauberk.kernel.libbpf import BpfObject, run_task_iter
from hauberk.kernel.maps import Map
from hauberk.kernel.pins import Pinned, open_pin

MAPS: Final = ("keepers", "guarded")


@contextmanager
def shared_maps() -> Iterator[dict[str, Map]]:
    """The maps that engines share, as far as there are any yet."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Map(open_pin(SHARED / name), name))
            for name in MAPS
            if (SHARED / name).exists()
        }


def share(object_: BpfObject) -> None:
    """Pin a loaded engine's shared maps for those that come, unless they are already. Raises KernelError."""
    SHARED.mkdir(mode=0o700, exist_ok=True)
    for name in MAPS:
        if not (SHARED / name).exists():
            object_.map(name).pin(SHARED / name)


def protect(object_: BpfObject) -> None:
    """Put a loaded engine's maps and programs out of the reach of confined tasks. Raises KernelError."""
    guarded = object_.map("guarded")
    for key in _keys(object_):
        guarded.update(key, b"\1")


def release(pinned: Pinned) -> None:
    """Forget an engine that ends."""
    with suppress(KernelError):
        for key in _keys(pinned):
            pinned.map("guarded").delete(key)


def keep(pinned: Pinned) -> None:
    """Put this process out of the reach of confined tasks, and see that the bpffs of which it has a directory
    open stays mounted. A process that is forked off has to do it for itself. Raises KernelError."""
    keep_other(pinned, os.getpid(), ("keep_tasks", "note_pins"))


def keep_other(pinned: Pinned, pid: int, programs: Sequence[str] = ("keep_tasks",)) -> None:
    """Put another process out of their reach, until it ends. Raises KernelError: ESRCH if it has gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        raise KernelError(f"process {pid}: {error.strerror}", error.errno or 0) from error
    try:
        for program in programs:
            run_task_iter(pinned.programs[program], pidfd)
    finally:
        os.close(pidfd)


def _keys(engine: BpfObject | Pinned) -> Iterator[bytes]:
    for kind, things in ((abi.GUARDED_MAP, engine.maps), (abi.GUARDED_PROGRAM, engine.programs)):
        for thing in things.values():
            yield (kind | thing.id).to_bytes(8, "little")
