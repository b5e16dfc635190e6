# SPDX-License-Identifier: Apache-2.0
"""A workload of the node: who it is, how it began, and how its policies stand.

The engine keeps it as bytes beside what is in force, so that the next agent knows it all again.
"""

import os
from typing import Final

import msgspec

from hauberk.agent.compiler.jobs import UNIT_LABEL, UNIT_NAMESPACE, Began, Kind
from hauberk.enforcers.protocol import PolicyStatus, State
from hauberk.events.identity import WorkloadIdentity
from hauberk.rules.model import Alias
from hauberk.workloads.containers.model import Container

HOST: Final = 0
EXEMPT: Final = 1
"""Sessions on the console and the agent itself: no host rule holds for them, unless it was forced."""
FIRST: Final = 3


class Member(msgspec.Struct, kw_only=True):
    """One workload. Containers have `container`, system services `unit`, the host and its exempt tasks
    neither."""

    number: int
    container: Container | None = None
    unit: str = ""
    began: Began | None = None
    """What is remembered of the time before its first instruction; None until rules were made for it."""
    fingerprint: str = ""
    """Stands for what it is under (`Compiler.choose`); empty: nothing."""
    statuses: tuple[PolicyStatus, ...] = ()
    aliases: tuple[Alias, ...] = ()
    caveats: tuple[str, ...] = ()
    """What is degraded whatever the policies."""
    fault: str = ""
    """Why its policies could not be put in force the last time; empty if they could."""
    is_closed: bool = False
    """Its policies could not be put in force before it began: nothing can be executed in it."""

    @property
    def kind(self) -> Kind:
        """As in Facts."""
        if self.container:
            return "container"
        return "unit" if self.unit else "console" if self.number == EXEMPT else "host"

    @property
    def name(self) -> str:
        """By which it is shown and found."""
        if self.container:
            return self.container.name
        return self.unit or self.kind

    @property
    def namespace(self) -> str:
        return self.container.namespace if self.container else UNIT_NAMESPACE

    @property
    def labels(self) -> dict[str, str]:
        """Those that selectors see."""
        if self.container:
            return self.container.labels
        return {UNIT_LABEL: self.unit} if self.unit else {}

    @property
    def state(self) -> str:
        """The worst state of its policies; see WorkloadStatus."""
        if self.is_closed:
            return "closed"
        for state in (State.REJECTED, State.DEGRADED, State.ENFORCED):
            if any(status.state is state for status in self.statuses):
                is_late = state is State.ENFORCED and self.caveats
                return str(State.DEGRADED if is_late else state)
        return "none"

    def identity(self, node: str, cluster: str) -> WorkloadIdentity:
        """What alerts say of it."""
        if self.container is None:
            return WorkloadIdentity(
                host_name=node,
                cluster_name=cluster,
                namespace=UNIT_NAMESPACE if self.unit else "",
                container_name=self.unit,
                labels=self.labels,
                is_host=not self.unit,
            )
        found = self.container
        return WorkloadIdentity(
            host_name=node,
            cluster_name=cluster,
            namespace=found.namespace,
            pod_name=found.pod,
            labels=found.labels,
            container_id=found.id,
            container_name=found.name,
            container_image=f"{found.image}@{found.image_digest}" if found.image_digest else found.image,
        )

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> "Member | None":
        """What `encode` made; None if it is another version's."""
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError:
            return None


def milliseconds_since(started: int) -> int:
    """How long ago something began, told as clock ticks since the machine's start (/proc/PID/stat)."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime = float(file.read().split()[0])
    return max(0, round((uptime - started / os.sysconf("SC_CLK_TCK")) * 1000))
