# SPDX-License-Identifier: Apache-2.0
"""What every workload is kept from for the enforcement's sake, under the names by which it sees it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import hauberk
from hauberk.enforcers.bpf_lsm.lease import PIN_ROOT
from hauberk.rules.guard import Guarded, Reach
from hauberk.rules.normalise import escape_glob
from hauberk.workloads.homes import names_in, names_on
from hauberk.workloads.mounts import Listed, MountsError, listed_mounts

STATE_DIRECTORIES: Final = ("/var/lib/hauberk", "/run/hauberk", "/run/hauberk-agent")
CONFIG_DIRECTORY: Final = "/etc/hauberk"

_KERNEL: Final = (
    (b"proc", b"/proc", b"/sys/kernel/core_pattern"),
    (b"proc", b"/proc", b"/sys/kernel/modprobe"),
    (b"proc", b"/proc", b"/sys/kernel/hotplug"),
    (b"proc", b"/proc", b"/sys/kernel/poweroff_cmd"),
    (b"proc", b"/proc", b"/sysrq-trigger"),
    (b"sysfs", b"/sys", b"/kernel/uevent_helper"),
    (b"binfmt_misc", b"/proc/sys/fs/binfmt_misc", b"/register"),
)
"""Files by which root makes the kernel run a program outside of any workload, or end processes: file system,
its usual place, path inside."""

_CGROUPS: Final = b"/sys/fs/cgroup"


def guarded_for(pid: int, keeper: int, files: Iterable[str]) -> list[Guarded]:
    """What a workload that sees what process `pid` does must leave alone.

    `keeper` is the process that looks after the engine, `files` those that it writes; what these were renamed
    to by rotation (`alerts.jsonl.1`) is kept from workloads as well. Raises MountsError.
    """
    host, workload = listed_mounts(os.getpid()), listed_mounts(pid)

    def seen(path: str) -> list[bytes]:
        name = os.fsencode(os.path.realpath(path))
        # By its place here as well: from another mount namespace it is found under that (workloads/homes.py).
        return sorted({name, *names_in(name, host, workload)})

    def directories() -> Iterator[tuple[str, str, bool]]:
        yield "Hauberk's pins", str(PIN_ROOT), False
        for directory in STATE_DIRECTORIES:
            yield "Hauberk's state", directory, False
        yield "Hauberk's configuration", CONFIG_DIRECTORY, True
        yield "Hauberk's program", str(Path(hauberk.__file__).parent), True

    guarded = [
        Guarded(purpose, name, Reach.TREE, readable)
        for purpose, directory, readable in directories()
        for name in seen(directory)
    ]
    for file in files:
        # It may not be there yet, or not at this moment: rotation renames it before it makes a new one.
        if os.path.isfile(file) or not os.path.exists(file):
            for name in seen(file):
                guarded.append(Guarded("a file that Hauberk writes", name))
                rotated = escape_glob(name) + b".[0-9]*"
                guarded.append(Guarded("a file that Hauberk wrote", rotated, Reach.PATTERN))
    for type_, place, inner in (*_KERNEL, (b"proc", b"/proc", b"/%d/oom_score_adj" % keeper)):
        names = {place + inner, *names_on(type_, inner, workload)}
        guarded += [Guarded("the kernel's helpers", name) for name in sorted(names)]
    guarded += _in_cgroups("the kernel's helpers", b"release_agent", workload)
    if _sees_other_processes(pid):
        guarded += _in_cgroups("the processes of cgroups", b"{cgroup.procs,cgroup.threads,tasks}", workload)
    return guarded


def _in_cgroups(purpose: str, files: bytes, workload: Iterable[Listed]) -> list[Guarded]:
    """These files of every cgroup, wherever the workload sees cgroups."""
    seen = {each.path for each in workload if each.type in (b"cgroup", b"cgroup2")}
    return [
        Guarded(purpose, escape_glob(place) + b"/{**/,}" + files, Reach.PATTERN)
        for place in sorted({_CGROUPS, *seen})
        if place == _CGROUPS or not place.startswith(_CGROUPS + b"/")
    ]


def _sees_other_processes(pid: int) -> bool:
    """Is it in this process's PID namespace, so that it can name Hauberk's processes?

    Then it could move them into a cgroup of its own, and have them frozen or killed there. No process leaves
    a PID namespace for one above it.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError as error:
        raise MountsError(f"cannot read the status of process {pid}: {error.strerror}") from error
    # In each namespace from ours down to its own.
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return len(numbers) < 2
