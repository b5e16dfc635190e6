# SPDX-License-Identifier: Apache-2.0
"""Whose tasks are, by the places where they run: cgroups of containers, units of systemd, else the host.

The programs look a task's place up when it executes something (bpf/lib/place.h says by which rules). All of
it is in maps that outlive this process, so that an engine that is adopted knows its places.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hauberk.enforcers.bpf_lsm import abi
from hauberk.enforcers.protocol import EnforcerError
from hauberk.kernel.errors import KernelError
from hauberk.kernel.libbpf import run_task_iter
from hauberk.kernel.pins import Pinned

_ONLY: Final = bytes(4)
"""The key of an array's one element."""
_HOST_MOUNTS: Final = "/proc/1/ns/mnt"
_ROUNDS: Final = 16
"""How often all tasks are looked at, for those that are made meanwhile."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of labelling the tasks that run: how many have got a label, or another one, and for how many
    that failed for want of room."""

    given: int
    failed: int


class Hosting:
    """The places of one engine. An engine that was never told of any asks nothing of a task's place."""

    def __init__(self, pinned: Pinned) -> None:
        self._pinned = pinned

    def place(self, cgroup_id: int, workload: int) -> None:
        """Make all that is executed in a cgroup, or below it, a container's, if its mount namespace is not
        the host's.

        `cgroup_id` is the inode number of the cgroup's directory. Raises EnforcerError.
        """
        with _explained(f"cgroup {cgroup_id} finds no place among those of all containers"):
            value = abi.PLACE.pack(_number(workload), 0)
            self._pinned.map("places").update(cgroup_id.to_bytes(8, "little"), value)
            self._turn_on(0)

    def unplace(self, cgroup_id: int) -> None:
        """Forget a cgroup; tasks keep the labels that they have. Raises EnforcerError."""
        with _explained(f"cgroup {cgroup_id} cannot be forgotten"):
            self._pinned.map("places").delete(cgroup_id.to_bytes(8, "little"))

    def name_unit(self, unit: str, workload: int) -> None:
        """Make all that is executed in cgroups of this name, or below them, one workload of the host.

        `unit` is the name of a directory, at any level, that nobody but root could have made. Raises
        EnforcerError.
        """
        with _explained(f"unit {unit} finds no place among those of all units"):
            value = abi.PLACE.pack(_number(workload), abi.LABEL_HOST)
            self._pinned.map("units").update(_unit_key(unit), value)
            self._turn_on(0)

    def unname_unit(self, unit: str) -> None:
        """Forget a unit; tasks keep the labels that they have. Raises EnforcerError."""
        with _explained(f"unit {unit} cannot be forgotten"):
            self._pinned.map("units").delete(_unit_key(unit))

    def places(self) -> dict[int, int]:
        """The workload of each cgroup, by its id. Raises EnforcerError."""
        with _explained("the containers' cgroups cannot be read"):
            found = self._pinned.map("places").items()
            return {int.from_bytes(key, "little"): abi.PLACE.unpack(value)[0] for key, value in found}

    def units(self) -> dict[str, int]:
        """The workload of each unit. Raises EnforcerError."""
        with _explained("the units cannot be read"):
            found = self._pinned.map("units").items()
            return {os.fsdecode(key.rstrip(b"\0")): abi.PLACE.unpack(value)[0] for key, value in found}

    @property
    def host_held(self) -> bool:
        """Whether what no place speaks of becomes the host's."""
        return bool(self._flags() & abi.HOSTING_HOST)

    def hold_host(self, on: bool) -> None:
        """From now on, make what is executed outside of all places the host's (workload `abi.HOST`), or leave
        it without a label. Raises EnforcerError."""
        with _explained("the host cannot be held"):
            self._turn_on(abi.HOSTING_HOST if on else 0, but=abi.HOSTING_HOST)

    def label_running(self) -> Labelled:
        """Give running tasks the labels that their places say: those without one, and those of the host that
        are a container's or a unit's. Not kernel threads, pid 1, and who looks after engines.

        Looks again until there is nothing more to give, for the sake of tasks that are made meanwhile. Raises
        EnforcerError.
        """
        given = 0
        with _explained("running tasks could not be labelled"):
            for _ in range(_ROUNDS):
                order = self._pinned.map("labelling")
                order.update(_ONLY, bytes(abi.LABELLING.size))
                run_task_iter(self._pinned.programs["place_tasks"])
                _, now, _, failed = abi.LABELLING.unpack(order.lookup(_ONLY) or bytes(abi.LABELLING.size))
                given += now
                if not now:
                    break
        return Labelled(given, failed)

    def _flags(self) -> int:
        held: int
        held, _ = abi.HOSTING.unpack(self._pinned.map("hosting").lookup(_ONLY) or bytes(abi.HOSTING.size))
        return held

    def _turn_on(self, flags: int, but: int = 0) -> None:
        """Have the programs look, and set these flags, having cleared others."""
        held = self._flags()
        wanted = held & ~but | abi.HOSTING_PLACES | flags
        if wanted != held:
            try:
                mounts = os.stat(_HOST_MOUNTS).st_ino
            except OSError as error:
                raise EnforcerError(
                    f"the host's mount namespace cannot be told: {_HOST_MOUNTS}: {error.strerror}",
                    "Hauberk needs the host's /proc, and the right to look at its first process",
                ) from error
            self._pinned.map("hosting").update(_ONLY, abi.HOSTING.pack(wanted, mounts))


def _number(workload: int) -> int:
    if not 0 <= workload < abi.MAX_WORKLOADS:
        raise EnforcerError(
            f"{workload} is not the number of a workload, which are below {abi.MAX_WORKLOADS}"
        )
    return workload


def _unit_key(unit: str) -> bytes:
    key = os.fsencode(unit)
    if not 0 < len(key) < abi.UNIT_NAME or b"/" in key or b"\0" in key:
        raise EnforcerError(
            f"{unit!r} is not the name of a unit that can be looked up, of 1 to {abi.UNIT_NAME - 1} bytes"
        )
    return key.ljust(abi.UNIT_NAME, b"\0")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except KernelError as error:
        raise EnforcerError(f"{what}: {error.message}", error.remedy) from error
