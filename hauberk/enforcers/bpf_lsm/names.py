# SPDX-License-Identifier: Apache-2.0
"""Names beside those that a table knows from its workload's mounts: the homes of other file systems, and the
names of files with several links."""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.sharing import key_with_homes
from hauberk.enforcers.bpf_lsm.tables import Table, TableCompiler, walk
from hauberk.kernel.libbpf import Program, run_task_iter
from hauberk.kernel.maps import Map
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Section
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount

_KEY_PARTS: Final = struct.Struct("=IQI")
_BATCH: Final = 256
"""Files that are open at one time."""


def compile_table(
    meaning: Meaning,
    base: int,
    mounts: Sequence[Mount],
    homes: Sequence[Home],
    visible: Iterable[Section] = (),
) -> Table:
    """The table for a workload that sees `mounts`, with those homes below which a Block names something.

    Raises StateLimitError or ImageTooLargeError if the rules are too many.
    """
    table = TableCompiler(meaning, base).compile(mounts, visible)
    entries = []
    for home in homes:
        reached = meaning.exec.run(home.path)
        if meaning.blocks[meaning.exec.accept_id(reached)] or meaning.blocks_below[reached]:
            ino = abi.HOME_MAGIC | home.magic if home.magic else home.dev
            key = abi.MOUNT_KEY.pack(table.offset, abi.HOME_DEV, ino)
            entries.append((key, abi.MOUNT.pack(0, *states(table, home.path), 0, 0)))
    return replace(table, mounts=(*table.mounts, *entries), key=key_with_homes(table.key, homes))


def states(table: Table, path: bytes) -> tuple[int, int]:
    """The states of both automata after a path."""
    _, _, file, exec_, _, _ = abi.TABLE.unpack_from(table.image, table.offset - table.base)
    return walk(table.image, table.base, file, path), walk(table.image, table.base, exec_, path)


def note_links(
    links: Map, identify: Program, table: Table, root: bytes, names: Sequence[bytes]
) -> list[bytes]:
    """Let the kernel know the blocked `names`, below the directory `root`, of files with several links.

    Returns one name of each file that has more of them than are weighed. Raises KernelError.
    """
    too_many: list[bytes] = []
    known: dict[bytes, list[tuple[int, int]]] = {}
    for at in range(0, len(names), _BATCH):
        for name, identity in _identities(identify, root, names[at : at + _BATCH]):
            places = known.setdefault(identity, [])
            if (reached := states(table, name)) in places:
                continue
            if len(places) == abi.LINK_NAMES:
                too_many.append(name)
                continue
            dev, ino, generation = _KEY_PARTS.unpack(identity)
            key = abi.LINK_KEY.pack(table.offset, dev, ino, generation, len(places))
            links.update(key, abi.LINK.pack(*reached))
            places.append(reached)
    return too_many


def _identities(identify: Program, root: bytes, names: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Each name with its file's identity as the kernel's hooks know it, which stat(2) need not tell.

    A name whose file has gone, or has one link only by now, is left out.
    """
    with ExitStack() as stack:
        opened = {}
        for name in names:
            with suppress(OSError):
                fd = os.open(root + name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
                stack.callback(os.close, fd)
                opened[fd] = name
        pidfd = os.pidfd_open(os.getpid())
        stack.callback(os.close, pidfd)
        for fd, dev, ino, generation, links in abi.FILE_IDENTITY.iter_unpack(run_task_iter(identify, pidfd)):
            if fd in opened and links > 1:
                yield opened.pop(fd), _KEY_PARTS.pack(dev, ino, generation)
