# SPDX-License-Identifier: Apache-2.0
"""Who may do over loopback what the agent's own socket lets only root and its group do.

A connection over TCP says nothing of who is at its other end, but on one machine the kernel knows who made
the other socket. Root inside of a container that shares the host's network is not meant: whose socket was
made in a container's control group is turned away, as is everybody while that cannot be told.
"""

import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from hauberk.agent.feeder.hub import Hub
from hauberk.errors import HauberkError
from hauberk.kernel.sockdiag import holder_of

MAX_CGROUPS: Final = 10_000
"""Control groups that are looked through, of all containers together."""


class Admission:
    """Decides about calls that come to a server at `address` and `port`.

    `group` names whose members are let in, besides root. `instead` is the unix socket, which needs none of
    this.
    """

    def __init__(self, address: str, port: int, group: str, instead: str, hub: Hub) -> None:
        self._local = address, port
        self._group = group
        self._instead = f"; the unix socket {instead} can be used instead" if instead else ""
        self._hub = hub

    def refusal(self, peer: str) -> str:
        """Why a peer, as gRPC names it (`ipv4:127.0.0.1:4321`), is turned away; empty if it is not."""
        try:
            kind, _, place = unquote(peer).partition(":")
            address, _, port = place.rpartition(":")
            if kind not in ("ipv4", "ipv6") or not port.isdecimal():
                return f"who you are cannot be told{self._instead}"
            holder = holder_of((address.strip("[]"), int(port)), self._local)
        except (HauberkError, ValueError) as error:
            return f"who you are cannot be told: {error}{self._instead}"
        if holder is None:
            return f"who you are cannot be told: the kernel does not know the connection{self._instead}"
        if holder.uid != 0 and not _is_member(holder.uid, self._group):
            return "only root and members of the agent's group may do this"
        if (inside := self._container_of(holder.cgroup)) is not None:
            return inside
        return ""

    def _container_of(self, cgroup: int) -> str | None:
        """Why somebody with a socket of this control group is turned away."""
        unknown = f"whether you are in a container cannot be told{self._instead}"
        # A list at once: this is another thread than the one that changes them.
        pids = [change.pid for change in list(self._hub.workloads.values()) if change.pid]
        if not pids:
            return None
        root = cgroup_root()
        if not cgroup or root is None:
            return unknown
        try:
            for number, inode in enumerate(_cgroups_of(root, pids)):
                if inode == cgroup:
                    return "you are in a container, from which this may not be done"
                if number >= MAX_CGROUPS:
                    return unknown
        except (OSError, ValueError):
            return unknown
        return None


def _is_member(uid: int, group: str) -> bool:
    try:
        found, user = grp.getgrnam(group), pwd.getpwuid(uid)
    except (KeyError, ValueError):
        return False
    return user.pw_gid == found.gr_gid or user.pw_name in found.gr_mem


def cgroup_root() -> Path | None:
    """Where the hierarchy of control groups is mounted."""
    for line in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
        _, place, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(place)
    return None


def _cgroups_of(root: Path, pids: Iterable[int]) -> Iterator[int]:
    """The ids of the control groups of processes, and of those below. Raises ValueError for the root's."""
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the container has ended
        path = next((line[3:] for line in lines if line.startswith("0::")), "/")
        if path == "/" or "/../" in f"{path}/":
            raise ValueError("a container without a control group of its own")
        for directory, _, _ in os.walk(root / path[1:]):
            yield os.stat(directory).st_ino
