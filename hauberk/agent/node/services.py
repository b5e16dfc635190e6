# SPDX-License-Identifier: Apache-2.0
"""The host and its system services as workloads.

A service is one of its own only while a policy selects it by its label; its host policies then hold for it
too. All other processes outside of containers are the host's. Nobody is labelled on a node without such
policies.
"""

from collections.abc import Callable, Collection

from hauberk.agent.node.member import EXEMPT, HOST, Member
from hauberk.agent.node.members import Members
from hauberk.agent.node.ruling import Ruling
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.errors import HauberkError
from hauberk.workloads.units import EXEMPT_UNITS, running_units

Changed = Callable[[Member], None]


class Services:
    """Keeps the members in step with the system services, and the host under its policies."""

    def __init__(
        self, engine: Engine, members: Members, ruling: Ruling, *, on_come: Changed, on_gone: Changed
    ) -> None:
        self._engine = engine
        self._members = members
        self._ruling = ruling
        self._on_come = on_come
        self._on_gone = on_gone

    def catch_up(self, named: Collection[str] = ()) -> None:
        """Look for services that have come or gone, and put all under their policies. `named` are those that
        policies speak of, which are bound from their first instruction on when they come.

        Raises HauberkError.
        """
        running = {unit.name for unit in running_units()} - EXEMPT_UNITS
        for unit in sorted({*running, *named}):
            if self._members.of_unit(unit) is None:
                self._on_come(self._members.add_unit(unit))
        host = [self._members.get(HOST), self._members.get(EXEMPT)]
        units = self._members.units()
        chosen = self._ruling.choose([*host, *units])
        self._hold_host(any(chosen[:2]))
        for member, fingerprint in zip(host, chosen, strict=False):
            self._ruling.put(member, fingerprint)
        named_now = self._engine.hosting.units()
        for member, fingerprint in zip(units, chosen[2:], strict=True):
            self._ruling.put(member, fingerprint)
            is_named = named_now.get(member.unit) == member.number
            self._name(member, wanted=bool(fingerprint), is_named=is_named)
            if not fingerprint and member.unit not in running | set(named):
                self._part(member)
        if any(chosen):
            self._engine.hosting.label_running()

    def _hold_host(self, on: bool) -> None:
        hosting = self._engine.hosting
        units = hosting.units()
        for unit in EXEMPT_UNITS:
            if on and unit not in units:
                hosting.name_unit(unit, EXEMPT)
            elif not on and unit in units:
                hosting.unname_unit(unit)
        hosting.hold_host(on)

    def _name(self, member: Member, *, wanted: bool, is_named: bool) -> None:
        """Have what the service executes come under its rules, or not."""
        hosting = self._engine.hosting
        try:
            if wanted and not is_named:
                hosting.name_unit(member.unit, member.number)
            elif not wanted and is_named:
                hosting.unname_unit(member.unit)
        except HauberkError as error:
            member.caveats = (f"not bound: {error.message}",)

    def _part(self, member: Member) -> None:
        if not self._engine.tasks(member.number):
            self._members.remove(member)
            self._on_gone(member)
