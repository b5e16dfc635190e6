# SPDX-License-Identifier: Apache-2.0
"""Everybody on the node, by number: remembered by the engine, so that the next agent finds them."""

from collections.abc import Iterator

from hauberk.agent.node.member import EXEMPT, FIRST, HOST, Member
from hauberk.enforcers.bpf_lsm.abi import MAX_WORKLOADS
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.errors import HauberkError
from hauberk.workloads.containers.model import Container


def key_of(container: Container) -> tuple[int, int]:
    """What makes a container unique: ids repeat across the namespaces of containerd."""
    return container.pid, container.started


class Members:
    """The members of one engine. The host and its exempt tasks always are."""

    def __init__(self, engine: Engine) -> None:
        """Those that the engine remembers, or the two."""
        self._engine = engine
        self._all: dict[int, Member] = {}
        self._containers: dict[tuple[int, int], Member] = {}
        self._units: dict[str, Member] = {}
        self._next = FIRST
        for number in engine.workloads:
            member = Member.decode(engine.about(number))
            if member is not None:
                self._note(member)
        for number in (HOST, EXEMPT):
            if number not in self._all:
                self._note(Member(number=number))

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._all.values()))

    def get(self, number: int) -> Member:
        """Raises KeyError."""
        return self._all[number]

    def of_container(self, found: Container) -> Member | None:
        """The member that this container is, if it is known."""
        return self._containers.get(key_of(found))

    def of_unit(self, unit: str) -> Member | None:
        return self._units.get(unit)

    def containers(self) -> list[Member]:
        return list(self._containers.values())

    def units(self) -> list[Member]:
        return list(self._units.values())

    def add_container(self, found: Container) -> Member:
        """A new member. Raises HauberkError if there are as many as there can be."""
        return self._note(Member(number=self._free(), container=found))

    def add_unit(self, unit: str) -> Member:
        """The same for a system service."""
        return self._note(Member(number=self._free(), unit=unit))

    def remove(self, member: Member) -> None:
        """Forget one, whose tasks have ended. Raises EnforcerError."""
        self._engine.drop(member.number)
        del self._all[member.number]
        self._containers = {key: each for key, each in self._containers.items() if each is not member}
        self._units.pop(member.unit, None)

    def find(self, name: str) -> list[Member]:
        """Those of a name, or whose container's id begins so."""
        return [
            member
            for member in self._all.values()
            if member.name == name or (member.container and name and member.container.id.startswith(name))
        ]

    def _note(self, member: Member) -> Member:
        self._all[member.number] = member
        if member.container:
            self._containers[key_of(member.container)] = member
        elif member.unit:
            self._units[member.unit] = member
        return member

    def _free(self) -> int:
        """A number that nobody has, the longest unused first: records of an ended workload may come late."""
        for at in range(MAX_WORKLOADS):
            number = self._next + at
            number = number if number < MAX_WORKLOADS else number - MAX_WORKLOADS + FIRST
            if number not in self._all:
                self._next = number + 1 if number + 1 < MAX_WORKLOADS else FIRST
                return number
        raise HauberkError(
            f"there are {MAX_WORKLOADS - FIRST} containers and services here, and more cannot be told apart",
            "spread them over more nodes",
        )
