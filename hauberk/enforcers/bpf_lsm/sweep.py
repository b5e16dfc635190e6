# SPDX-License-Identifier: Apache-2.0
"""Freeing what a `run` left pinned that was killed: once its last task has ended, its tables serve nobody."""

import os
import struct
from contextlib import suppress
from pathlib import Path

from hauberk.enforcers.bpf_lsm.abi import WORKLOAD
from hauberk.enforcers.bpf_lsm.engine import PIN_ROOT
from hauberk.kernel.errors import KernelError
from hauberk.kernel.maps import Map
from hauberk.kernel.pins import open_pin, unpin

RUN_PREFIX = "run-"


def sweep() -> int:
    """Unpin every engine of a `run` whose process is gone and which has no task left; how many they were.

    Only what `run` made is looked at: its name carries the number of its process.
    """
    freed = 0
    if not PIN_ROOT.is_dir():
        return freed
    for pins in PIN_ROOT.glob(f"{RUN_PREFIX}*"):
        _, pid, *_ = pins.name.split("-")
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            # Another sweep may be at the same engine.
            with suppress(KernelError, OSError):
                if not _tasks(pins / "maps" / "arena"):
                    unpin(pins)
                    freed += 1
    return freed


def _tasks(arena: Path) -> int:
    with Map(open_pin(arena), "arena") as map_, map_.mmap() as mapped:
        tasks: int
        _, _, tasks = struct.unpack_from(WORKLOAD.format, mapped.view, 0)
        return tasks
