# SPDX-License-Identifier: Apache-2.0
"""Where file systems are at home, and where a workload sees what lies there.

A workload can come to see more than it began with: a process that is root mounts a /proc of its own, or
enters the mount namespace of the host. What it finds there has no place among its own paths, and could be
mounted anywhere. So such files are also known by the place that their file system has on the host, or that
every system gives it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hauberk.workloads.mounts import Listed, MountsError, listed_mounts

# By magic number (include/uapi/linux/magic.h) and name.
_USUAL: Final = (
    (0x9FA0, b"proc", b"/proc"),
    (0x62656572, b"sysfs", b"/sys"),
    (0x27E0EB, b"cgroup", b"/sys/fs/cgroup"),
    (0x63677270, b"cgroup2", b"/sys/fs/cgroup"),
    (0xCAFE4A11, b"bpf", b"/sys/fs/bpf"),
    (0x64626720, b"debugfs", b"/sys/kernel/debug"),
    (0x74726163, b"tracefs", b"/sys/kernel/tracing"),
    (0x73636673, b"securityfs", b"/sys/kernel/security"),
    (0x42494E4D, b"binfmt_misc", b"/proc/sys/fs/binfmt_misc"),
)
_INIT: Final = 1


@dataclass(frozen=True, slots=True)
class Home:
    """Where a superblock is at home, by its device as the kernel keeps it, or by its magic number."""

    path: bytes
    dev: int = 0
    magic: int = 0


def homes_of(pid: int) -> list[Home]:
    """The homes of what process `pid` does not see: the usual ones, and those on the host.

    Raises MountsError if the mounts of `pid` cannot be read; without a look at init's only the usual ones are
    known.
    """
    seen = {each.dev for each in listed_mounts(pid) if each.source == b"/"}
    homes = [Home(path, magic=magic) for magic, _, path in _USUAL]
    usual = {name for _, name, _ in _USUAL}
    try:
        host = listed_mounts(_INIT)
    except MountsError:
        host = []
    known: set[int] = set()
    for each in host:
        if each.source == b"/" and each.type not in usual and each.dev not in seen | known:
            known.add(each.dev)
            homes.append(Home(each.path, dev=each.dev))
    return homes


def names_in(path: bytes, host: Sequence[Listed], workload: Iterable[Listed]) -> Iterator[bytes]:
    """The names under which what lies at `path` for a process with the mounts `host` is seen by one with the
    mounts `workload`. Mounts below `path` are other file systems."""
    over = [each for each in host if _lies_in(path, each.path)]
    if not over:
        return
    # Of mounts at one place, the last hides those before.
    mount = max(enumerate(over), key=lambda found: (len(found[1].path), found[0]))[1]
    inner = mount.source.rstrip(b"/") + path[len(mount.path) :]
    for each in workload:
        if each.dev == mount.dev:
            source = each.source.rstrip(b"/")
            if _lies_in(inner, source):
                yield each.path + inner[len(source) :]
            elif _lies_in(source, inner):
                yield each.path


def names_on(type_: bytes, inner: bytes, workload: Iterable[Listed]) -> Iterator[bytes]:
    """The names under which `inner`, a path inside a file system of a type, is seen with these mounts."""
    for each in workload:
        source = each.source.rstrip(b"/")
        if each.type == type_ and _lies_in(inner, source):
            yield each.path + inner[len(source) :]


def _lies_in(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory + b"/")
