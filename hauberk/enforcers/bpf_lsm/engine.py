# SPDX-License-Identifier: Apache-2.0
"""The programs in the kernel and the tables that they walk.

An engine is one set of attached programs with its own maps, pinned in a directory of a bpffs, so that what it
enforces does not depend on this process. Engines know nothing of each other: an access that several of them
speak of is refused if any refuses.
"""

import errno
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final, Self

from hauberk.automaton.errors import AutomatonError
from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.bpf_lsm.lease import Lease
from hauberk.enforcers.bpf_lsm.programs import OPTIONAL
from hauberk.enforcers.bpf_lsm.tables import Table, TableCompiler
from hauberk.enforcers.protocol import Enforcer, EnforcerError
from hauberk.events.record import HB_EVENT_LAYOUT
from hauberk.kernel import layout
from hauberk.kernel.errors import AttachError, KernelError, PinError
from hauberk.kernel.features import available_hooks
from hauberk.kernel.libbpf import BpfObject, Link, run_task_iter
from hauberk.kernel.loader import object_image
from hauberk.kernel.maps import Map, Mapped
from hauberk.kernel.ring import RingReader
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Section
from hauberk.workloads.mounts import MountsError, mounts_of

SMALLEST_ARENA: Final = 1 << 16
LARGEST_ARENA: Final = 1 << 30
FIRST_TABLE: Final = 64
"""Where an engine's first table is placed: 0 stands for no table."""
VIOLATION_RING: Final = 1 << 20
EVENT_RING: Final = 1 << 20
MAX_TASKS: Final = 32768
"""Tasks that can be confined at one time; beyond it forks of confined tasks fail with EAGAIN and are
counted."""
MAX_ENGINES: Final = 38
"""Programs that the kernel takes on one hook (BPF_MAX_TRAMP_LINKS)."""


class Engine(Enforcer):
    """One instance of the programs, with room for `table_bytes` of tables and for abi.MAX_WORKLOADS
    workloads.

    Use as a context manager, or call `close`: either lets go of the descriptors and leaves the pins. `remove`
    ends the enforcement.
    """

    name = "BPFLSM"

    def __init__(self, object_: BpfObject, links: Sequence[Link], lease: Lease) -> None:
        self._object = object_
        self._links = links
        self._lease = lease
        self._arena: Mapped = object_.map("arena").mmap()
        self._heads: Mapped = object_.map(abi.HEADS).mmap()
        self._next = FIRST_TABLE
        self._generation = 0
        self.violations = RingReader(object_.map("violations"))
        self.events = RingReader(object_.map("events"))

    @classmethod
    def load(
        cls,
        name: str,
        *,
        table_bytes: int = 0,
        ring_bytes: int = VIOLATION_RING,
        max_tasks: int = MAX_TASKS,
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
        links: list[Link] = []
        object_ = lease = None
        try:
            object_ = BpfObject.open(
                object_image(),
                map_sizes={"labels": max_tasks, "violations": ring_bytes, "events": EVENT_RING},
                value_sizes={"arena": size},
                rodata={"arena_mask": size - 8},
                disabled={*disabled, *(OPTIONAL - available_hooks(OPTIONAL))},
            )
            layout.check(object_.btf, {"hb_event": HB_EVENT_LAYOUT, **abi.LAYOUTS})
            lease = Lease.take(name)
            object_.load()
            _attach(object_, lease, links)
            return cls(object_, links, lease)
        except BaseException as error:
            for link in links:
                link.close()
            if object_ is not None:
                object_.close()
            if lease is not None:
                with suppress(PinError):
                    lease.remove()
            if isinstance(error, KernelError):
                raise EnforcerError(
                    f"the enforcer could not be loaded: {error.message}", error.remedy
                ) from error
            raise

    def apply(self, workload: int, meaning: Meaning, pid: int, visible: Sequence[Section] = ()) -> list[str]:
        """See `Enforcer.apply`."""
        try:
            table = TableCompiler(meaning, self._next).compile(mounts_of(pid), visible)
        except (AutomatonError, MountsError) as error:
            raise EnforcerError(error.message, error.remedy) from error
        self.install(workload, table)
        return []

    def install(self, workload: int, table: Table) -> int:
        """Put a table in force that was compiled for the next free place in the arena (FIRST_TABLE in a new
        engine).

        Returns its generation, which records carry. Raises EnforcerError.
        """
        begin = table.base
        end = begin + len(table.image)
        if begin != self._next or end > len(self._arena.view):
            raise EnforcerError(f"no room for a table of {len(table.image)} bytes at {begin}")
        self._arena.view[begin:end] = table.image
        mounts = self._object.map("mounts")
        try:
            for key, value in table.mounts:
                mounts.update(key, value)
        except KernelError as error:
            raise EnforcerError(
                f"the workload's mounts found no room: {error.message}", error.remedy
            ) from error
        self._generation += 1
        # One store: a program sees the old table or the new one, whole.
        hints = table.flags & abi.HINTS
        self._heads.store_u64(workload * abi.WORKLOAD.size, self._generation << 32 | table.offset | hints)
        self._next = _aligned(end)
        return self._generation

    def confine(self, workload: int, pidfd: int) -> None:
        """See `Enforcer.confine`."""
        order, key = self._object.map("labelling"), bytes(4)
        order.update(key, abi.LABELLING.pack(workload, 0, 0, 0))
        try:
            run_task_iter(self._object.program("label_tasks"), pidfd)
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

    def tasks(self, workload: int) -> int:
        """See `Enforcer.tasks`."""
        return self._heads.load_u64(workload * abi.WORKLOAD.size + 8)

    def counters(self) -> dict[str, int]:
        """What was lost or refused for want of room, by the names in `abi.COUNTERS`."""
        found = {}
        counters = self._object.map("counters")
        for number, name in enumerate(abi.COUNTERS):
            values = counters.lookup_percpu(number.to_bytes(4, "little"))
            found[name] = sum(int.from_bytes(value, "little") for value in values or ())
        return found

    def verified_instructions(self) -> dict[str, int]:
        """How many instructions the verifier walked, by program."""
        return {name: program.verified_instructions for name, program in self._object.programs.items()}

    def map(self, name: str) -> Map:
        """One of the engine's maps."""
        return self._object.map(name)

    def remove(self) -> None:
        """End the enforcement: detach, unpin and free everything. Raises PinError."""
        # The pins go last: the kernel then detaches on its own time, and nobody waits for it.
        self._close()
        self._lease.remove()

    def close(self) -> None:
        """See `Enforcer.close`."""
        self._close()
        self._lease.close()

    def _close(self) -> None:
        self.violations.close()
        self.events.close()
        self._arena.close()
        self._heads.close()
        for link in self._links:
            link.close()
        self._object.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attach(object_: BpfObject, lease: Lease, links: list[Link]) -> None:
    """Pin everything and attach the LSM programs, into `links`. Raises KernelError."""
    object_.pin(lease.path)
    (lease.path / "links").mkdir(mode=0o700)
    for program in object_.programs.values():
        if program.section.startswith("lsm"):
            try:
                link = program.attach()
            except AttachError as error:
                if error.errno == errno.E2BIG:
                    message = f"{program.name}: the kernel takes at most {MAX_ENGINES} programs on one hook"
                    raise AttachError(message, errno.E2BIG, "wait until other runs have ended") from error
                raise
            links.append(link)
            link.pin(lease.path / "links" / program.name)


def _aligned(size: int) -> int:
    return (size + 63) & ~63
