# SPDX-License-Identifier: Apache-2.0
"""What runc and crun keep of a container while it exists: `state.json`, or `status` and `config.json`.

Both make a pipe `exec.fifo` beside it, on which the container's init waits in its new namespaces; `start`
opens the pipe, and removes it when init goes on to execute the container's program. So a container whose pipe
is there has not begun. (Init's /proc/PID/exe does not tell: runtimes run from copies of themselves.)
"""

from pathlib import PurePosixPath
from typing import Final

import msgspec

from hauberk.workloads.containers.records import RecordError, decode, read

RUNC: Final = "state.json"
CRUN: Final = "status"
FIFO: Final = "exec.fifo"

V2_REMEDY: Final = "boot with `systemd.unified_cgroup_hierarchy=1`"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A container as the low-level runtime made it."""

    id: str
    low: str
    """`runc` or `crun`: whose record it is."""
    space: str
    """containerd's namespace (Docker's is `moby`), by the directory of the record; empty if it has none."""
    owner: int | None
    """The user whose rootless runtime wrote this; None for one that root runs."""
    pid: int
    started: int
    cgroup: str
    """The outermost directory that is its alone, below the root of the hierarchy; empty if there is none."""
    rootfs: str
    bundle: str
    annotations: dict[str, str]
    mounts: tuple[str, ...] = ()
    """What is mounted into it from absolute paths. Only runc's record has it."""


class _Mount(msgspec.Struct):
    source: str = ""


class _RuncConfig(msgspec.Struct):
    rootfs: str = ""
    labels: list[str] | None = None
    mounts: list[_Mount] | None = None


class _Runc(msgspec.Struct):
    id: str
    init_process_pid: int
    init_process_start: int
    config: _RuncConfig
    cgroup_paths: dict[str, str] | None = None


class _Crun(msgspec.Struct, rename="kebab"):
    pid: int
    bundle: str
    rootfs: str
    process_start_time: int = 0
    cgroup_path: str = ""
    scope: str = ""


class _Spec(msgspec.Struct):
    annotations: dict[str, str] | None = None


def read_state(directory: str, record: str, space: str = "", owner: int | None = None) -> State:
    """The container whose record (`RUNC` or `CRUN`) is in a directory. Raises RecordError."""
    path = f"{directory}/{record}"
    data = read(path, owner)
    number = PurePosixPath(directory).name
    return (
        _of_runc(data, path, space, owner)
        if record == RUNC
        else _of_crun(data, directory, number, space, owner)
    )


def _of_runc(data: bytes, path: str, space: str, owner: int | None) -> State:
    state = decode(data, _Runc, path)
    labels: dict[str, str] = {}
    bundle = ""
    for label in state.config.labels or ():
        name, _, value = label.partition("=")
        labels[name] = value
    # runc puts the bundle after the annotations, so that none of them can stand for it.
    if state.config.labels and state.config.labels[-1].startswith("bundle="):
        bundle = labels.pop("bundle")
    paths = state.cgroup_paths or {}
    if paths and "" not in paths:
        raise RecordError(
            "its cgroups are of version 1: Hauberk needs cgroup v2",
            V2_REMEDY,
        )
    return State(
        id=state.id,
        low="runc",
        space=space,
        owner=owner,
        pid=state.init_process_pid,
        started=state.init_process_start,
        cgroup=_below_hierarchy(paths.get("", "")),
        rootfs=state.config.rootfs,
        bundle=bundle,
        annotations=labels,
        mounts=tuple(each.source for each in state.config.mounts or () if each.source.startswith("/")),
    )


def _of_crun(data: bytes, directory: str, number: str, space: str, owner: int | None) -> State:
    status = decode(data, _Crun, f"{directory}/{CRUN}")
    if not status.process_start_time:
        raise RecordError(f"{directory}/{CRUN} does not say when the container's init started")
    config = f"{directory}/config.json"
    spec = decode(read(config, owner), _Spec, config)
    return State(
        id=number,
        low="crun",
        space=space,
        owner=owner,
        pid=status.pid,
        started=status.process_start_time,
        cgroup=_up_to_scope(status.cgroup_path, status.scope),
        rootfs=str(PurePosixPath(status.bundle) / status.rootfs),
        bundle=status.bundle,
        annotations=spec.annotations or {},
    )


def _below_hierarchy(path: str) -> str:
    """/sys/fs/cgroup/a/b -> /a/b"""
    return path.removeprefix("/sys/fs/cgroup/unified").removeprefix("/sys/fs/cgroup")


def _up_to_scope(path: str, scope: str) -> str:
    """crun puts the container into a group `container` of its scope, and `exec` may come to another one."""
    parts = path.split("/")
    if scope and scope in parts:
        return "/".join(parts[: parts.index(scope) + 1])
    return path
