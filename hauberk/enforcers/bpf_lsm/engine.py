# SPDX-License-Identifier: Apache-2.0
"""The programs in the kernel and the tables that they walk.

An engine is one set of attached programs with its own maps, pinned in a directory of a bpffs, so that what it
enforces does not depend on this process. Engines know nothing of each other: an access that several of them
speak of is refused if any refuses.
"""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from hauberk.automaton.errors import AutomatonError
from hauberk.enforcers.bpf_lsm import abi, guard
from hauberk.enforcers.bpf_lsm.hosting import Hosting
from hauberk.enforcers.bpf_lsm.in_force import RulesInForce
from hauberk.enforcers.bpf_lsm.lease import Lease, drop_shared
from hauberk.enforcers.bpf_lsm.loading import adopt, load_beside, load_programs
from hauberk.enforcers.bpf_lsm.names import note_links
from hauberk.enforcers.bpf_lsm.placing import FIRST_TABLE
from hauberk.enforcers.bpf_lsm.programs import OPTIONAL, TRACED, needed
from hauberk.enforcers.bpf_lsm.repeats import Repeats
from hauberk.enforcers.bpf_lsm.sharing import content_key, key_with_homes
from hauberk.enforcers.bpf_lsm.state import EngineState, StateDirectory
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.protocol import Enforcer, EnforcerError
from hauberk.events.record import Record, decode_each
from hauberk.kernel.errors import KernelError
from hauberk.kernel.features import available_functions, available_hooks
from hauberk.kernel.libbpf import run_task_iter
from hauberk.kernel.loader import object_image
from hauberk.kernel.maps import Map, pin_name
from hauberk.kernel.pins import Pinned
from hauberk.kernel.ring import RingReader, records
from hauberk.rules.model import Seen
from hauberk.workloads.homes import homes_of
from hauberk.workloads.mounts import MountsError, mounts_of

if TYPE_CHECKING:
    from hauberk.rules.meaning import Meaning

SMALLEST_ARENA: Final = 1 << 16
LARGEST_ARENA: Final = 1 << 30
VIOLATION_RING: Final = 1 << 20
EVENT_RING: Final = 1 << 20
MAX_TASKS: Final = 32768
"""Tasks that can be confined at one time; beyond it forks of confined tasks fail with EAGAIN and are
counted."""
MAX_MOUNTS: Final = 65536
"""Mounts of all tables together."""


class Engine(RulesInForce, Enforcer):
    """One instance of the programs, with room for `table_bytes` of tables and for abi.MAX_WORKLOADS
    workloads.

    Use as a context manager, or call `close`: either lets go of the descriptors and leaves the pins. `remove`
    ends the enforcement. `findings` is what was wrong with an engine that was adopted, in words.
    """

    name = "BPFLSM"

    def __init__(
        self, lease: Lease, pinned: Pinned, state: EngineState, findings: Sequence[str] = ()
    ) -> None:
        super().__init__(lease.path.name, pinned, state, findings)
        self._lease = lease
        self._pinned = pinned
        self.violations = RingReader(pinned.map("violations"))
        self.events = RingReader(pinned.map("events"))
        self.repeats = Repeats(pinned.map(abi.REPEATS).mmap())
        self.hosting = Hosting(pinned)

    @classmethod
    def load(
        cls,
        name: str,
        *,
        table_bytes: int = 0,
        ring_bytes: int = VIOLATION_RING,
        max_tasks: int = MAX_TASKS,
        max_mounts: int = MAX_MOUNTS,
        disabled: Collection[str] = (),
    ) -> Self:
        """Load and attach the programs, pinned below `lease.PIN_ROOT`/`name`.

        `disabled` leaves programs out, such as those that the rules do not need (`programs.needless`). Raises
        EnforcerError with the kernel's reason; nothing stays attached then.
        """
        size = SMALLEST_ARENA
        while size < FIRST_TABLE + table_bytes:
            size *= 2
        if size > LARGEST_ARENA:
            raise EnforcerError(
                f"the tables would take {size >> 20} MiB, of which at most {LARGEST_ARENA >> 20} can be had"
            )
        sizes = {
            "labels": max_tasks,
            "mounts": max_mounts,
            "violations": ring_bytes,
            "events": EVENT_RING,
        }
        try:
            lease = Lease.take(name)
        except KernelError as error:
            raise EnforcerError(f"the enforcer could not be loaded: {error.message}", error.remedy) from error
        load_programs(lease, size, map_sizes=sizes, disabled=disabled)
        with ExitStack() as undo:
            undo.callback(drop_shared)
            undo.callback(lease.remove)
            files = StateDirectory.make(name)
            undo.callback(files.remove)
            pinned = undo.enter_context(Pinned.adopt(lease.path))
            state = EngineState(maps=tuple(pinned.maps), programs=tuple(pinned.programs))
            files.write(state)
            engine = cls(lease, pinned, state)
            guard.keep(pinned)
            undo.pop_all()
        return engine

    @classmethod
    def adopt(cls, name: str) -> Self:
        """Look after an engine whose keeper has ended, as it is.

        Raises EnforcerError; what is in force is not touched then.
        """
        engine = cls(*adopt(name))
        try:
            engine.keep()
            engine._resume()
        except BaseException:
            engine.close()
            raise
        return engine

    def apply(self, workload: int, meaning: "Meaning", pid: int, visible: Sequence[Seen] = ()) -> list[str]:
        """See `Enforcer.apply`."""
        # Whoever only installs what another process compiled does not carry the compiler.
        from hauberk.enforcers.bpf_lsm.tables import compile_table

        try:
            mounts, homes = mounts_of(pid), homes_of(pid)
            key = key_with_homes(content_key(meaning.ruleset, mounts, visible), homes)
            placed = self._tables.of_key(key)
            if placed is not None:
                self._put_in_force(workload, placed, meaning.rules)
                return []
            table = self.compile(workload, lambda at: compile_table(meaning, at, mounts, homes, visible))
        except (AutomatonError, MountsError) as error:
            raise EnforcerError(error.message, error.remedy) from error
        self.require(needed(table.flags))
        self.install(workload, table, meaning.rules)
        return []

    @property
    def is_current(self) -> bool:
        """Whether the programs are those of this version."""
        value = self._pinned.map("stamp").lookup(bytes(4)) or bytes(abi.STAMP.size)
        return bool(abi.STAMP.unpack(value)[1] == abi.digest(object_image()))

    def require(self, programs: Collection[str]) -> None:
        """See that these programs are there, before a table comes into force that needs them. Raises
        EnforcerError."""
        lacking = set(programs) - self._pinned.programs.keys()
        functions = available_functions(set(TRACED.values())) if lacking & TRACED.keys() else frozenset()
        lacking -= {each for each, function in TRACED.items() if function not in functions}
        if lacking - (OPTIONAL - available_hooks(OPTIONAL)):
            self.renew(programs)

    def renew(self, programs: Collection[str] = ()) -> None:
        """Replace the programs by this version's, and have `programs` besides those that there are.

        There is no moment in which none is attached: for a while the old and the new ones both are, and what
        they refuse is reported twice. Labels, tables and records stay.

        Raises EnforcerError; the old programs are attached then.
        """
        name = self._lease.path.name
        lease = load_beside(self._pinned, name, {*self._pinned.programs, *programs})
        try:
            # From here on whoever adopts finds the new ones.
            self._lease.exchange(lease)
        except KernelError as error:
            lease.remove()
            raise EnforcerError(f"the new programs are not used: {error.message}", error.remedy) from error
        old, self._lease = self._lease, lease
        try:
            self._pinned.take_over(Pinned.adopt(lease.path), set(map(pin_name, abi.PRIVATE)))
            self.calls.renew(old.path)
            old.remove()
        except KernelError as error:
            raise EnforcerError(f"old programs decide beside the new ones: {error.message}") from error
        self._state.programs = tuple(self._pinned.programs)
        self._files.write(self._state)

    def confine(self, workload: int, pidfd: int) -> None:
        """See `Enforcer.confine`."""
        order, key = self._pinned.map("labelling"), bytes(4)
        order.update(key, abi.LABELLING.pack(workload, 0, 0, 0))
        try:
            run_task_iter(self._pinned.programs["label_tasks"], pidfd)
        except KernelError as error:
            raise EnforcerError(
                f"the process could not be confined: {error.message}", error.remedy
            ) from error
        _, given, kept, failed = abi.LABELLING.unpack(order.lookup(key) or bytes(16))
        if failed or kept or not given:
            raise EnforcerError(
                f"the process could not be confined: {given} threads were, {kept} belong to a workload "
                f"already, {failed} found no room"
            )

    def note_links(self, table: Table, root: bytes, names: Sequence[bytes]) -> list[bytes]:
        """Before a table is installed: let the kernel know of blocked files below `root` that have several
        names, of which these are blocked.

        Returns a name of each file that has more names than can be known. Raises EnforcerError.
        """
        if not names:
            return []
        links, identify = self._pinned.map("links"), self._pinned.programs["identify_files"]
        try:
            return note_links(links, identify, table, root, names)
        except KernelError as error:
            raise EnforcerError(f"files with several names: {error.message}", error.remedy) from error

    def held(self, workload: int) -> list[Record]:
        """The files that a workload's tasks have open and that its rules would refuse them, as records of
        `Call.HOLD`: of a file that is open twice, two. Raises EnforcerError."""
        self._pinned.map("holding").update(bytes(4), workload.to_bytes(4, "little"))
        try:
            listed = run_task_iter(self._pinned.programs["list_held"])
        except KernelError as error:
            raise EnforcerError(f"open files could not be listed: {error.message}", error.remedy) from error
        return [record for record in decode_each(records(memoryview(listed))) if isinstance(record, Record)]

    def keep(self, pid: int | None = None) -> None:
        """Protect this process from confined tasks: one that was forked off and looks after the engine. Or
        another one, on which enforcement depends. Raises KernelError: ESRCH if it has gone."""
        if pid is None:
            guard.keep(self._pinned)
        else:
            guard.keep_other(self._pinned, pid)

    def counters(self) -> dict[str, int]:
        """What was lost or refused for want of room, by the names in `abi.COUNTERS`."""
        found = {}
        counters = self._pinned.map("counters")
        for number, name in enumerate(abi.COUNTERS):
            values = counters.lookup_percpu(number.to_bytes(4, "little"))
            found[name] = sum(int.from_bytes(value, "little") for value in values or ())
        found["lost_violations"] += self.calls.missed()
        return found

    def verified_instructions(self) -> dict[str, int]:
        """How many instructions the verifier walked, by program."""
        return {name: program.verified_instructions for name, program in self._pinned.programs.items()}

    def map(self, name: str) -> Map:
        """One of the engine's maps."""
        return self._pinned.map(name)

    def remove(self) -> None:
        """End the enforcement: detach, unpin and free everything. Raises PinError."""
        # The pins go last: the kernel then detaches on its own time, and nobody waits for it.
        guard.release(self._pinned)
        self.calls.release()
        self._close()
        self._lease.remove()
        self._files.remove()
        drop_shared()

    def close(self) -> None:
        """See `Enforcer.close`."""
        self._close()
        self._lease.close()

    def _close(self) -> None:
        self.violations.close()
        self.events.close()
        self.repeats.close()
        self._close_maps()
        self._pinned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
