# SPDX-License-Identifier: Apache-2.0
"""What is kept of a workload for whoever looks after it next: who it is, where it began, how its policies
stand.

The names of files hang on the mounts that there were before the workload's first instruction. What it sees
now it may have made itself, so they are remembered and not read again.
"""

import os
from collections.abc import Sequence
from typing import Self

import msgspec

from hauberk.agent.plan import Outlook, Prepared, Request
from hauberk.enforcers.protocol import EnforcerError, PolicyStatus
from hauberk.events.identity import WorkloadIdentity
from hauberk.rules.guard import Guarded
from hauberk.rules.model import Alias, Postures, Seen
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount
from hauberk.workloads.roots import Place, open_root, place_of


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A workload, as its engine's state keeps it."""

    name: str
    namespace: str
    labels: dict[str, str]
    postures: Postures
    visible: tuple[Seen, ...]
    base_set: bool
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]
    homes: tuple[Home, ...]
    guarded: tuple[Guarded, ...]
    place: Place
    """Its mount namespace's number, and the device and inode of its root."""
    statuses: tuple[PolicyStatus, ...]
    aliases: tuple[Alias, ...]
    links: tuple[Alias, ...]
    """The aliases that its first policies had: links that it cannot have made."""
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, request: Request, pid: int, prepared: Prepared) -> Self:
        """Of a workload whose process `pid` has not begun yet."""
        outlook = prepared.outlook
        return cls(
            name=request.name,
            namespace=request.namespace,
            labels=dict(request.labels),
            postures=request.postures,
            visible=tuple(request.visible),
            base_set=request.base_set,
            command=tuple(request.argv),
            mounts=prepared.mounts,
            homes=prepared.homes,
            guarded=prepared.guarded,
            place=place_of(pid),
            statuses=outlook.statuses,
            aliases=outlook.aliases,
            links=outlook.aliases,
            warnings=outlook.warnings,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """What `encode` made; None if nothing is known."""
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError:
            return None

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    def under(self, outlook: Outlook) -> "About":
        """The same workload under other policies."""
        return msgspec.structs.replace(
            self, statuses=outlook.statuses, aliases=outlook.aliases, warnings=outlook.warnings
        )

    @property
    def outlook(self) -> Outlook:
        return Outlook(self.statuses, self.aliases, self.warnings)

    @property
    def identity(self) -> WorkloadIdentity:
        return WorkloadIdentity(
            host_name=os.uname().nodename,
            cluster_name="default",
            namespace=self.namespace,
            labels=self.labels,
            container_name=self.name,
        )

    def request(self, policies: Sequence[str], *, allow_unenforced: bool, allow_unselected: bool) -> Request:
        """To have it under other policies."""
        return Request(
            argv=self.command,
            policies=policies,
            name=self.name,
            namespace=self.namespace,
            labels=self.labels,
            postures=self.postures,
            visible=self.visible,
            base_set=self.base_set,
            allow_unenforced=allow_unenforced,
            allow_unselected=allow_unselected,
        )

    def root(self) -> bytes:
        """A path to the root directory that it began in, which holds as long as this process does.

        Raises EnforcerError if no process has it.
        """
        fd = open_root(self.place, (os.getpid(),))
        if fd is not None:
            return b"/proc/self/fd/%d" % fd
        raise EnforcerError(
            "no process is left in the root directory that the command began in, so that links in the paths "
            "of rules cannot be followed",
            "what is in force stays so; let the command end and start it anew",
        )
