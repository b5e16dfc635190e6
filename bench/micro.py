# SPDX-License-Identifier: Apache-2.0
"""Single operations, and three real programs: what each takes under a setting, in instructions.

The clock of the machine counts them (-icount). `micro.c` repeats an operation until its figure is steady, and
is run several times: how what it uses lies in the kernel's memory differs from process to process, which only
adds to the least that an operation takes.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.policy import EARLY, FULL
from bench.settings import Setting

OPEN_FULL: Final = "open+close, whole path in the automaton"
OPEN_EARLY: Final = "open+close, automaton left at once"
MMAP_READ: Final = "mmap, to read"
MMAP_EXEC: Final = "mmap, to execute"
SOCKET: Final = "socket, udp"
CONNECT: Final = "socket+connect, udp"
STATIC: Final = "vfork+exec+exit+wait, static"
OPERATIONS: Final = {
    OPEN_FULL: ("open", FULL),
    OPEN_EARLY: ("open", EARLY),
    "pwrite 1 byte": ("pwrite", FULL),
    "pread 1 byte": ("pread", FULL),
    "stat": ("stat", FULL),
    MMAP_READ: ("mmap", FULL),
    MMAP_EXEC: ("mmapexec", FULL),
    SOCKET: ("socket",),
    CONNECT: ("connect",),
    "create+close+unlink": ("create", "/srv/www/data/site/new"),
    "rename": ("rename", "/srv/www/data/site/old"),
    STATIC: ("exec", "/bin/nothing"),
    "vfork+exec+exit+wait, dynamic": ("exec", "/bin/dynamic"),
}

TREE: Final = "tar: pack and unpack a tree of 120 files, remove it"
BUILD: Final = "make: 6 targets of small processes (sh, sed, grep, cmp, mv)"
SERVER: Final = "nginx: one request, with the client that asks"
SCRIPTS: Final = {
    TREE: "cd /srv && tar -cf /tmp/tree.tar tree && tar -xf /tmp/tree.tar -C /tmp && rm -r /tmp/tree",
    BUILD: "rm -rf /build/out && make -s -C /build",
}
READY_SECONDS: Final = 60
_PROCESSES: Final = 3


def measure(root: Path, setting: Setting, only: Sequence[str] = tuple(OPERATIONS)) -> dict[str, int]:
    """What each operation takes, at the least."""
    return {
        title: min(_measured(title, root, setting, OPERATIONS[title]) for _ in range(_PROCESSES))
        for title in only
    }


def measure_programs(root: Path, setting: Setting) -> dict[str, int]:
    """What each real program takes: the whole of it, the programs' own work included."""
    environment = dict(os.environ)
    os.environ["PATH"] = "/bin"
    try:
        found = {title: _measured(title, root, setting, ("script", text)) for title, text in SCRIPTS.items()}
        with _nginx(root, setting):
            # The client is no part of the workload.
            found[SERVER] = _measured(SERVER, root, Setting(), ("http", "/site/index.html"))
    finally:
        os.environ.update(environment)
    return found


def _measured(title: str, root: Path, setting: Setting, arguments: Sequence[str]) -> int:
    print(f"  {title}", file=sys.stderr, flush=True)
    out, into = os.pipe()
    command = setting.command(root, ["/bin/micro", *arguments], lambda: _onto(into, 1))
    os.close(into)
    command.start()
    with os.fdopen(out) as text:
        answer = text.read()
    if command.wait():
        raise SystemExit(f"{title}: failed")
    command.close()
    return int(answer)


def _onto(descriptor: int, number: int) -> None:
    os.dup2(descriptor, number)


@contextmanager
def _nginx(root: Path, setting: Setting) -> Iterator[None]:
    command = setting.command(root, ["/bin/nginx", "-e", "stderr", "-p", "/srv", "-c", "/etc/nginx.conf"])
    command.start()
    try:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", 8080)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        command.send(15)
        command.wait()
        command.close()
