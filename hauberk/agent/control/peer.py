# SPDX-License-Identifier: Apache-2.0
"""Who is at the other end of the socket, as the kernel knows it, and whether that one may ask.

User, group and further groups are those that the process had when it connected: the kernel notes them then,
so what it does afterwards changes nothing.
"""

import grp
import socket
import struct
from dataclasses import dataclass, field
from typing import Final, Self

from hauberk.errors import HauberkError

_CREDENTIALS: Final = struct.Struct("=iII")
_SO_PEERGROUPS: Final = 59
_MOST_BYTES: Final = 1024
"""Most that Python asks of a socket; room for 256 groups."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Process, user and groups of who connected."""

    pid: int
    uid: int
    groups: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def of(cls, connection: socket.socket) -> Self:
        """Who is at the other end. Raises OSError.

        Of more than 256 further groups none counts.
        """
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(data)
        try:
            further = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
        except OSError:
            further = b""
        groups = struct.unpack(f"={len(further) // 4}I", further[: len(further) // 4 * 4])
        return cls(pid, uid, frozenset((gid, *groups)))

    def may_ask(self, group: int | None) -> bool:
        """Whether it is root, or a member of the group."""
        return self.uid == 0 or (group is not None and group in self.groups)


def group_number(name: str) -> int | None:
    """The number of a group by its name; None for an empty one. Raises HauberkError if there is none."""
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise HauberkError(
            f"there is no group {name!r}, whose members might ask the agent",
            f"make it: groupadd --system {name}; or leave socketGroup empty, so that only root may",
        ) from None
