# SPDX-License-Identifier: Apache-2.0
"""Putting workloads under the policies that select them, one at a time and each in one step."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from msgspec.structs import replace as with_fields

from hauberk.agent.compiler.client import Compiler, WorkerLostError
from hauberk.agent.compiler.jobs import Compiled, Facts, RejectedError
from hauberk.agent.held import held_caveats
from hauberk.agent.node.member import Member
from hauberk.enforcers.bpf_lsm.engine import Engine
from hauberk.enforcers.protocol import State
from hauberk.errors import HauberkError
from hauberk.events.identity import RuleIdentity
from hauberk.rules.model import Action, Rule

Learn = Callable[[int, int, Sequence[Rule | RuleIdentity]], None]
"""Is told of each workload, generation and rules that records may speak of."""
_SHARED: Final = 64
"""Lists of rules that are looked for among those known, so that many workloads take the memory of one."""


class Ruling:
    """What is in force for the members of a node. `facts` tells what the compiler has to know of one."""

    def __init__(
        self, engine: Engine, compiler: Compiler, facts: Callable[[Member], Facts], learn: Learn
    ) -> None:
        self._engine = engine
        self._compiler = compiler
        self._facts = facts
        self._learn = learn
        self._known: dict[tuple[RuleIdentity, ...], tuple[RuleIdentity, ...]] = {}
        self._lost: set[int] = set()
        """Members for which nothing was compiled, as the compiler's process was lost."""

    def choose(self, members: Sequence[Member]) -> list[str]:
        """What each would be under (`Compiler.choose`); empty for a service that only the host's policies
        bind, as it is part of the host then. Raises HauberkError."""
        facts = [self._facts(member) for member in members]
        chosen = self._compiler.choose(facts)
        # Would a service be bound without those of the host?
        alone = self._compiler.choose([with_fields(each, node=None) for each in facts if each.kind == "unit"])
        left = iter(alone)
        return [
            each if fact.kind != "unit" or next(left) else ""
            for fact, each in zip(facts, chosen, strict=True)
        ]

    def put(self, member: Member, fingerprint: str, *, waits: bool = False) -> None:
        """Put a member under what `fingerprint` stands for, unless it is already.

        If that fails, what held before still holds, and its statuses say so; a member that `waits` for its
        first instruction can then execute nothing. A container of which nobody knows who it is never can.
        Raises HauberkError if not even that can be had.
        """
        if member.container is not None and member.container.doubt:
            self._shut(member, member.container.doubt)
            return
        if fingerprint == member.fingerprint and not member.is_closed:
            return
        self._lost.discard(member.number)
        try:
            if fingerprint:
                self._install(member, self._facts(member), waits=waits)
            elif member.fingerprint or member.is_closed:
                self._engine.lift(member.number)
                member.statuses, member.aliases = (), ()
            member.fault = ""
            member.is_closed = False
        except HauberkError as error:
            member.fault = f"{error.message} ({error.remedy})" if error.remedy else error.message
            if isinstance(error, RejectedError):
                member.statuses = error.statuses
            else:
                member.statuses = tuple(
                    replace(each, state=State.REJECTED, reasons=(member.fault,)) for each in member.statuses
                )
            if isinstance(error, WorkerLostError):
                self._lost.add(member.number)
            if waits and not member.is_closed:
                self._close(member)
        # Also after a failure: the same again would fail again. What was lost is tried again by `retry_lost`.
        member.fingerprint = fingerprint
        self._engine.note(member.number, member.encode())

    def retry(self, member: Member) -> None:
        """Forget that something failed, so that `put` tries again."""
        if member.fault:
            member.fingerprint = "?"

    def retry_lost(self, members: Iterable[Member]) -> None:
        """The same for those whose rules were lost with a compiler's process."""
        for member in members:
            if member.number in self._lost:
                self.retry(member)

    def _shut(self, member: Member, doubt: str) -> None:
        """Close one that may be anybody. Raises HauberkError."""
        member.fault = f"who it is cannot be told: {doubt}"
        if not member.is_closed:
            self._close(member)
        self._engine.note(member.number, member.encode())

    def _close(self, member: Member) -> None:
        self._place(member.number, self._compiler.closed)
        member.is_closed = True

    def _install(self, member: Member, facts: Facts, *, waits: bool) -> None:
        known = self._engine.known_tables()
        compiled = self._place(
            member.number,
            lambda base: self._compiler.compile(facts, base, member.began, known),
            b"/proc/%d/root" % facts.pid,
        )
        member.began = member.began or compiled.began
        member.aliases = compiled.aliases
        member.statuses = compiled.statuses
        if not waits and any(rule.action is Action.BLOCK for rule in compiled.rules):
            caveats = held_caveats(self._engine.held(member.number), compiled.rules)
            member.statuses = tuple(
                each.with_caveats(caveats.get(each.policy, ())) for each in member.statuses
            )

    def _place(self, number: int, compile_at: Callable[[int], Compiled], root: bytes = b"/") -> Compiled:
        """Compile for a place where there is room, and put it in force."""
        compiled = compile_at(self._engine.room_for(number, 1))
        table = compiled.table
        if table is not None and not self._engine.fits(table):
            compiled = compile_at(self._engine.room_for(number, len(table.image)))
            table = compiled.table
        if table is None:
            generation = self._engine.install_known(number, compiled.key, compiled.rules)
        else:
            if compiled.linked:
                self._engine.note_links(table, root, compiled.linked)
            generation = self._engine.install(number, table, compiled.rules)
        self._learn(number, generation, self._identities(compiled.rules))
        return compiled

    def _identities(self, rules: Sequence[Rule]) -> tuple[RuleIdentity, ...]:
        """What alerts say of the rules: the same object for workloads that have the same."""
        if len(self._known) >= _SHARED:
            self._known.clear()
        found = tuple(map(RuleIdentity.of, rules))
        return self._known.setdefault(found, found)
