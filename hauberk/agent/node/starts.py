# SPDX-License-Identifier: Apache-2.0
"""Containers that come and go, and what is done at either: a number, rules, a place."""

import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from hauberk.agent.node.member import Member, milliseconds_since
from hauberk.agent.node.members import Members, key_of
from hauberk.agent.node.ruling import Ruling
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.errors import HauberkError
from hauberk.workloads.containers.model import Container
from hauberk.workloads.containers.scan import Runtimes

UNKNOWN_SECONDS: Final = 30.0

Changed = Callable[[Member], None]


class Starts:
    """Keeps the members in step with the containers that runtimes have records of.

    `on_come` and `on_gone` are told of each member, the first before it is bound.
    """

    def __init__(
        self,
        engine: Engine,
        members: Members,
        ruling: Ruling,
        *,
        on_come: Changed,
        on_gone: Changed,
    ) -> None:
        self.runtimes: Final = Runtimes()
        self._unknown_since: dict[str, float] = {}
        self._unplaced = False
        """A container waits that nothing binds."""
        self.unbound: dict[str, str] = {}
        """Containers that are not under their policies, by id, and why: records that cannot be read, say."""
        self._engine = engine
        self._members = members
        self._ruling = ruling
        self._on_come = on_come
        self._on_gone = on_gone

    def catch_up(self) -> None:
        """Look for containers that have come or gone. Those that could not be bound are in `unbound` then,
        and are tried again the next time. One that waits and may be anybody is closed (`Ruling.put`).

        Raises HauberkError if nothing can be told.
        """
        found = self.runtimes.scan()
        if any(each.doubt and self._members.of_container(each) is None for each in found.containers):
            # Its manager may just have been writing.
            found = self.runtimes.scan()
        now = time.monotonic()
        self.unbound = dict(found.unknown)
        # What a user's runtime says holds up nobody else.
        doubted = [each for each in self.unbound if not each.startswith("user ")]
        self._unknown_since = {each: self._unknown_since.get(each, now) for each in doubted}
        # Who could not be bound before is no member, and is tried again if it still waits.
        late = self._unplaced = False
        for each in found.containers:
            member = self._members.of_container(each)
            if each.doubt and member is None and not each.waits:
                # It began when nobody held it, and whoever closed it now might break what is well.
                self.unbound[each.id] = each.doubt
                continue
            if each.doubt and member is not None and member.container and not member.container.doubt:
                # It was known: a container stays what it is.
                each = replace(member.container, waits=each.waits)
            if member is None:
                self._bind(each)
                late = late or not each.waits
            elif member.container != each:
                self._rename(member, each)
                # It began before it had its place.
                late = late or not (each.waits or self._engine.tasks(member.number))
        if late:
            # Their tasks run already, and no exec will label these.
            self._engine.hosting.label_running()
        there = {key_of(each) for each in found.containers}
        for member in self._members.containers():
            if member.container and key_of(member.container) not in there:
                self._part(member)

    def may_go_on(self) -> bool:
        """Whether starts that wait may go on: not while a container waits that nothing binds.

        Which container a runtime is called for cannot be told before it runs. So that one whose place cannot
        be told does not keep all others from starting for ever, it counts for `UNKNOWN_SECONDS`, in which its
        own start is refused, and its runtime takes it away.
        """
        now = time.monotonic()
        unknown = any(now - since < UNKNOWN_SECONDS for since in self._unknown_since.values())
        return not unknown and not self._unplaced

    def _bind(self, found: Container) -> None:
        member = self._members.add_container(found)
        try:
            self._on_come(member)
            (fingerprint,) = self._ruling.choose([member])
            if not found.waits:
                # Also if no policy selects it yet: what it has changed by now, no policy will see.
                member.caveats = (f"started {milliseconds_since(found.started)} ms before enforcement",)
            self._ruling.put(member, fingerprint, waits=found.waits)
            self._engine.hosting.place(found.cgroup_id, member.number)
        except HauberkError as error:
            self.unbound[found.id] = error.message
            self._unplaced = self._unplaced or found.waits
            self._members.remove(member)
            self._on_gone(member)

    def _rename(self, member: Member, found: Container) -> None:
        """Something about a container that is known has changed: its name, say, or that it waits."""
        member.container = found
        self._on_come(member)
        (fingerprint,) = self._ruling.choose([member])
        self._ruling.put(member, fingerprint, waits=found.waits)

    def _part(self, member: Member) -> None:
        """A container has ended. What of it still runs stays bound."""
        assert member.container
        places = self._engine.hosting.places()
        if places.get(member.container.cgroup_id) == member.number:
            self._engine.hosting.unplace(member.container.cgroup_id)
        if not self._engine.tasks(member.number):
            self._members.remove(member)
            self._on_gone(member)
