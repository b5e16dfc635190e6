# SPDX-License-Identifier: Apache-2.0
"""Computes hashes of files, in a process of its own: `python -m hauberk.agent.feeder.hasher AGENT SOCKET`.

It alone may read what it is asked for, and does nothing else: opening a file of a workload may take for ever,
and who serves clients must not wait for that, nor have the right to read all files.
"""

import socket
import sys
from typing import Final

import msgspec

from hauberk.errors import HauberkError
from hauberk.events.hashes import Hashes, container_root
from hauberk.kernel.privileges import drop_capabilities

_READ_ALL: Final = 2  # CAP_DAC_READ_SEARCH
_PTRACE: Final = 19  # CAP_SYS_PTRACE: to pass through /proc/PID/root


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """A file: the first process of its container, or 0 for the host, its path, and when it was as it is."""

    pid: int
    path: bytes
    before_ns: int


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A question, which its number tells from others."""

    number: int
    files: list[Wanted]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A hash for each file, or nothing."""

    number: int
    hashes: list[str]


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[2]))
    try:
        drop_capabilities(_READ_ALL, _PTRACE)
    except HauberkError as error:
        print(f"hauberk: {error}", file=sys.stderr)
        sys.exit(1)
    hashes = Hashes()
    decode = msgspec.msgpack.Decoder(Asked).decode
    encode = msgspec.msgpack.Encoder().encode
    # A packet holds a question, or an answer.
    while packet := line.recv(1 << 20):
        asked = decode(packet)
        roots = {each.pid: container_root(each.pid) if each.pid else "/" for each in asked.files}
        found = [
            hashes.of(root, each.path, each.before_ns) if (root := roots[each.pid]) else ""
            for each in asked.files
        ]
        line.send(encode(Answer(asked.number, found)))


if __name__ == "__main__":
    main()
