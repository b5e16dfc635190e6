# SPDX-License-Identifier: Apache-2.0
"""The ancestors that a record carries (bpf/lib/lineage.h): programs, from the nearest up, of which the task
came."""

from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from hauberk.events.text import escape

_PID: Final = Struct("=I")


class Ancestor(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A program that a process executed: its host-side process id, its comm, and its path as exec was given
    it, of which the first 59 bytes are known.

    One whose `PID` is that of the entry before was replaced by that one.
    """

    PID: int
    Name: str = ""
    Path: str = ""


@lru_cache(maxsize=1024)
def ancestors(raw: bytes) -> tuple[Ancestor, ...]:
    """Decode `Record.ancestry`. What is cut off at its end is left out."""
    found = []
    at = 0
    while at + _PID.size <= len(raw):
        (pid,) = _PID.unpack_from(raw, at)
        name, nul, rest = raw[at + _PID.size :].partition(b"\0")
        path, end, _ = rest.partition(b"\0")
        if not nul or not end:
            break
        # a comm is the path's last part, and is written down only where that is cut off
        found.append(Ancestor(pid, escape(name or path.rpartition(b"/")[2][:15]), escape(path)))
        at += _PID.size + len(name) + len(path) + 2
    return tuple(found)
