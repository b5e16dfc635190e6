# SPDX-License-Identifier: Apache-2.0
"""Removing pins, of links no faster than the kernel can keep up.

When the last pin of a link goes, the kernel detaches its program in a work of the queue that the whole
kernel shares (`bpf_link_put()`, kernel/bpf/syscall.c). To give up the function's trampoline, that work
waits for another one, on each processor, in the same queue (`synchronize_rcu_tasks_rude()` by
`unregister_ftrace_direct()`). The queue runs 256 works of a processor at once (`WQ_DFL_ACTIVE`): as soon as
so many wait, what they wait for never runs, and nothing that uses the queue goes on until the machine is
started anew. That was seen on 6.12, with the links of 350 system calls; 6.1 does not wait where there is
one processor.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Final

from hauberk.kernel.errors import PinError
from hauberk.kernel.libbpf import Link, links, programs
from hauberk.kernel.pins import KINDS, entries, open_pin

_MOST: Final = 128
"""Links that may be on their way out at once, whoever let go of them: half of what stops everything."""
_PORTION: Final = 32
_PATIENCE_SECONDS: Final = 30.0
"""How long it may take until there is one less: what is still there then is kept by somebody else."""
_PAUSE_SECONDS: Final = 0.25


def unpin(directory: Path) -> None:
    """Removes the pins below `directory` and the directory, links first, and before these the same of the
    directories below it. Raises PinError."""
    try:
        for path in entries(directory):
            if path.is_dir() and path.name not in KINDS:
                unpin(path)
        let_go(entries(directory / "links"))
        for kind in KINDS:
            for path in entries(directory / kind):
                path.unlink()
            if (directory / kind).is_dir():
                (directory / kind).rmdir()
        directory.rmdir()
    except OSError as error:
        raise PinError(f"unpinning {directory}: {error.strerror}", error.errno or 0) from error


def let_go(pinned: Sequence[Path]) -> None:
    """Remove the pins of links, and those of the programs of the same names beside them. Returns when all are
    removed and at most some hundred are yet to be detached. Raises PinError, OSError."""
    gone: set[int] = set()
    for at in range(0, len(pinned), _PORTION):
        portion = pinned[at : at + _PORTION]
        with _one_at_a_time(portion[0].parent):
            _await_room(gone, len(portion))
            for path in portion:
                gone.add(_program_of(path))
                path.unlink()
                path.parent.parent.joinpath("programs", path.name).unlink(missing_ok=True)


def _await_room(gone: set[int], wanted: int) -> None:
    """Wait until so many more may be on their way out."""
    fewest, since = len(_leaving(gone)), time.monotonic()
    while fewest + wanted > _MOST and time.monotonic() < since + _PATIENCE_SECONDS:
        time.sleep(_PAUSE_SECONDS)
        there = len(_leaving(gone))
        if there < fewest:
            fewest, since = there, time.monotonic()


def _leaving(gone: set[int]) -> set[int]:
    """The programs that are not detached yet: of those that were let go here, and all for hooks of the LSM
    layer, whoever had them, that no link holds."""
    held = {link.program_id for link in links()}
    return {number for each in programs() if (number := each.id) in gone or each.is_lsm} - held


def _program_of(path: Path) -> int:
    with Link(open_pin(path), path.name) as link:
        return link.program_id


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Of all processes that let go of links of one bpffs."""
    while directory.parent.stat().st_dev == directory.stat().st_dev:
        directory = directory.parent
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(fd, LOCK_EX)
        yield
    finally:
        os.close(fd)
