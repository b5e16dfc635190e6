# SPDX-License-Identifier: Apache-2.0
"""Which rules hold for which workload: from a table that was compiled to the word in `heads` that stands for
it.

Nothing is switched to that is not written down before (state.py), and no table is freed that a program could
be walking.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.calls import NamedCalls
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.enforcers.bpf_lsm.placing import Tables
from hauberk.enforcers.bpf_lsm.reconcile import reconcile
from hauberk.enforcers.bpf_lsm.state import EngineState, InForce, PlacedTable, StateDirectory, StateError
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.protocol import EnforcerError
from hauberk.events.identity import RuleIdentity
from hauberk.kernel.errors import KernelError
from hauberk.kernel.libbpf import wait_for_programs
from hauberk.kernel.maps import Mapped
from hauberk.kernel.pins import Pinned
from hauberk.rules.model import Rule
from hauberk.rules.syscalls import named

MAX_RETIRED: Final = 4096
"""Generations whose rules are kept for the sake of records that nobody has read yet."""
MAX_DEAD: Final = 32
"""Tables of workloads that have gone, which wait to be freed together."""


class RulesInForce:
    """The tables and workloads of one engine. `findings` is what is not as it should be, in words."""

    def __init__(self, name: str, pinned: Pinned, state: EngineState, findings: Sequence[str]) -> None:
        self.findings = list(findings)
        self._state = state
        self._files = StateDirectory(name)
        self._heads: Mapped = pinned.map(abi.HEADS).mmap()
        self._since: Mapped = pinned.map(abi.SINCE).mmap()
        self._tables = Tables(pinned.map("arena"), pinned.map("mounts"), pinned.map("links"))
        self._most_tasks = pinned.map("labels").max_entries
        self.calls = NamedCalls(PIN_ROOT / name, pinned)
        self._unknown = False
        """Something is in force that the state does not explain."""

    def _resume(self) -> None:
        """Know of what an earlier keeper has left in force. Raises EnforcerError."""
        # Nobody else stores there.
        words = memoryview(bytes(self._heads.view)).cast("Q")[:: abi.WORKLOAD.size // 8]
        unknown = reconcile(self._state, {at: word for at, word in enumerate(words) if word})
        self.findings += unknown
        self._unknown = bool(unknown)
        for table in self._state.tables.values():
            self._tables.restore(table)
        if not self._unknown:
            # Programs that began before may walk what has just gone out of use.
            self.reclaim()
            self._tables.sweep_mounts()
        self.findings += self.calls.mend()

    def compile(self, workload: int, compiler: Callable[[int], Table]) -> Table:
        """What `compiler` makes for the place that it is given, which is one where the table has room.

        Tables of one workload tend to be of a size; so it is seldom asked twice. Raises EnforcerError.
        """
        table = compiler(self.room_for(workload, 1))
        if not self.fits(table):
            table = compiler(self.room_for(workload, len(table.image)))
        return table

    def room_for(self, workload: int, size: int) -> int:
        """A place in the arena for a table of `size` bytes, or of what the workload has now if that is more.
        Raises EnforcerError if there is none."""
        held = self._state.workloads.get(workload)
        before = self._tables.placed.get(held.table) if held else None
        size = max(size, before.size if before else 1)
        try:
            return self._tables.base_for(size)
        except EnforcerError:
            if not self._dead():
                raise
        self.reclaim()
        return self._tables.base_for(size)

    def fits(self, table: Table) -> bool:
        """Whether there is room at the place that a table was compiled for."""
        return self._tables.fits(table)

    def install(
        self, workload: int, table: Table, rules: Sequence[Rule] = (), about: bytes | None = None
    ) -> int:
        """Put a table in force that was compiled for a free place in the arena (FIRST_TABLE in a new engine).
        If one of the same content is there for another workload, both use that one.

        `rules` are what its rule numbers stand for, `about` what the keeper wants to know of the workload.
        Returns its generation, which records carry. Raises EnforcerError; all is as before then.
        """
        placed = self._tables.of_key(table.key)
        if placed is not None:
            return self._put_in_force(workload, placed, rules, about)
        self._refuse_unknown()
        placed = self._tables.place(table)
        try:
            return self._put_in_force(workload, placed, rules, about)
        except BaseException:
            # From the moment of its switch on, programs may walk it.
            if placed.begin not in self._state.used():
                self._tables.release((placed.begin,))
                self._state.tables = dict(self._tables.placed)
            raise

    def install_known(self, workload: int, key: bytes, rules: Sequence[Rule] = ()) -> int:
        """The same with a table that is there for another workload (`known_tables`)."""
        placed = self._tables.of_key(key)
        if placed is None:
            raise EnforcerError("the table that was to be shared is not there any more")
        return self._put_in_force(workload, placed, rules)

    def known_tables(self) -> frozenset[bytes]:
        """What stands for the contents of the tables that are there."""
        return self._tables.keys()

    def _put_in_force(
        self, workload: int, placed: PlacedTable, rules: Sequence[Rule], about: bytes | None = None
    ) -> int:
        self._refuse_unknown()
        state = self._state
        named_calls = named(rule.target for rule in rules)
        self.calls.add(workload, named_calls)
        state.generation += 1
        try:
            force = InForce(state.generation, placed.begin, self._files.write_rules(rules))
            known = (
                state.about if about is None else {**state.about, workload: self._files.write_about(about)}
            )
            state.tables = dict(self._tables.placed)
            state.pending[workload] = force
            state.about = known
            self._files.write(state)
        except BaseException:
            state.pending.pop(workload, None)
            raise
        held = state.workloads.get(workload)
        before = self._tables.placed.get(held.table) if held else None
        if before is None or before.classes != placed.classes:
            # In advance: who still goes by the old table does not look there.
            self._since.view.cast("I")[workload] = force.generation
        # One store: a program sees the old table or the new one, whole.
        self._heads.store_u64(workload * abi.WORKLOAD.size, force.generation << 32 | placed.head)
        state.workloads[workload] = state.pending.pop(workload)
        if held is not None:
            self._retire(workload, held)
            self.reclaim()
        self.calls.keep_only(workload, named_calls)
        return force.generation

    def _refuse_unknown(self) -> None:
        if self._unknown:
            raise EnforcerError(
                f"policies of {self._files.path.name} cannot be changed: {self.findings[-1]}",
                "what is in force stays so; let the command end and start it anew",
            )

    def reclaim(self) -> None:
        """Free the tables that are not in force any more, once no program walks them."""
        dead = self._dead()
        if not dead:
            return
        try:
            wait_for_programs()
        except KernelError as error:
            # They stay for the next time; there is only less room until then.
            self.findings.append(f"a table could not be freed: {error.message}")
            return
        self._tables.release(dead)
        self._state.tables = dict(self._tables.placed)

    def _dead(self) -> list[int]:
        """The tables that nobody uses any more."""
        used = self._state.used()
        return [begin for begin in self._tables.placed if begin not in used]

    def lift(self, workload: int) -> None:
        """Have no rules for a workload any more, in one step. Its tasks keep their label, and come under the
        next rules that are installed for it. Raises EnforcerError; all is as before then."""
        state = self._state
        if workload not in state.workloads:
            return
        self._refuse_unknown()
        state.lifting = (workload,)
        try:
            self._files.write(state)
            self._heads.store_u64(workload * abi.WORKLOAD.size, 0)
            self._retire(workload, state.workloads.pop(workload))
        finally:
            state.lifting = ()
        self.calls.keep_only(workload, ())
        if len(self._dead()) >= MAX_DEAD:
            self.reclaim()

    def drop(self, workload: int) -> None:
        """Forget a workload that has no task: its rules, and what is known of it.

        Its places have to be forgotten before. An exec that found one of them may still be under way: the
        number can be given again after the next `reclaim`, if there is no task then either. Raises
        EnforcerError if tasks are left; all is as before then.
        """
        if tasks := self.tasks(workload):
            raise EnforcerError(f"workload {workload} cannot be forgotten while tasks of it run: {tasks}")
        about = self._state.about
        self._state.about = {number: name for number, name in about.items() if number != workload}
        try:
            if workload in self._state.workloads:
                self.lift(workload)
            elif workload in about:
                self._files.write(self._state)
        except BaseException:
            self._state.about = about
            raise

    def _retire(self, workload: int, force: InForce) -> None:
        """Keep in mind what was in force: records of it may be in the rings."""
        self._state.retired = [*self._state.retired, (workload, force)][-MAX_RETIRED:]

    @property
    def workloads(self) -> list[int]:
        """Those that have rules, or of which something is known."""
        return sorted({*self._state.workloads, *self._state.about})

    def rules_of(self, workload: int) -> tuple[RuleIdentity, ...]:
        """What is in force for a workload, as its records number it; nothing if it has no rules. Raises
        EnforcerError."""
        force = self._state.workloads.get(workload)
        return self._files.read_rules(force.rules) if force is not None else ()

    def generations(self) -> list[tuple[int, int, tuple[RuleIdentity, ...]]]:
        """Workload, generation and rules of all that records in the rings may speak of. Raises
        EnforcerError."""
        forces = (*self._state.retired, *self._state.workloads.items())
        # Many workloads have the same rules, and then they share what is read.
        rules = {name: self._files.read_rules(name) for name in {force.rules for _, force in forces}}
        return [(workload, force.generation, rules[force.rules]) for workload, force in forces]

    @property
    def retired(self) -> list[tuple[int, int]]:
        """Workloads and generations that are not in force any more, of which records may still speak."""
        return [(workload, force.generation) for workload, force in self._state.retired]

    def forget_retired(self, which: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        """To be called when no record can speak of these retired workloads and generations any more: those
        that were known until now."""
        wanted = set(which)
        gone = [each for each in self.retired if each in wanted]
        if gone:
            state = self._state
            state.retired = [(n, force) for n, force in state.retired if (n, force.generation) not in wanted]
            rules = {force.rules for _, force in (*state.retired, *state.workloads.items())}
            self._files.forget(rules, set(state.about.values()))
        return gone

    def about(self, workload: int) -> bytes:
        """What `install` was told last; empty if that is not known."""
        with suppress(StateError, KeyError):
            return self._files.read_about(self._state.about[workload])
        return b""

    def note(self, workload: int, about: bytes) -> None:
        """Keep what the keeper wants to know of a workload. Raises EnforcerError."""
        name = self._files.write_about(about)
        if self._state.about.get(workload) != name:
            self._state.about = {**self._state.about, workload: name}
            self._files.write(self._state)

    def tasks(self, workload: int) -> int:
        """How many tasks of a workload are alive."""
        return self._heads.load_u64(workload * abi.WORKLOAD.size + 8)

    def room(self) -> dict[str, tuple[int, int]]:
        """How much is taken, and how much there is room for: of tables, mounts and confined tasks."""
        words = memoryview(bytes(self._heads.view)).cast("Q")[1 :: abi.WORKLOAD.size // 8]
        return {**self._tables.room(), "tasks": (sum(words), self._most_tasks)}

    def _close_maps(self) -> None:
        self.calls.close()
        self._heads.close()
        self._since.close()
