# SPDX-License-Identifier: Apache-2.0
"""All containers of this machine, now.

A scan is made while a runtime's exec is held, so it asks no daemon, waits for nothing, and does little where
little has changed: a record that is as it was is not read again, and the kernel says whether its init lives.

Each container is told by two records: that of the low-level runtime (its process and cgroup) and that of
its manager (name, labels, image). The kernel has the last word: an init that did not start when the record
says is another process, and one outside of the recorded cgroup contradicts it. What a user's rootless runtime
says is believed only of processes in cgroups that the user has made, where the user rules anyway.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from hauberk.workloads.containers import containerd, crio, docker, places, podman
from hauberk.workloads.containers.about import About
from hauberk.workloads.containers.model import Container, Found
from hauberk.workloads.containers.process import Proc
from hauberk.workloads.containers.records import RecordError, Stamp, stamp
from hauberk.workloads.containers.state import CRUN, FIFO, RUNC, V2_REMEDY, State, read_state

MAX_OF_USER: Final = 256
"""Containers that are looked at in one directory of a user: anyone could make millions of records."""
MAX_IN_PLACE: Final = 1 << 16
"""Containers that are looked at in one directory of root's."""

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*")
_LONGEST: Final = 500


class _Kept(NamedTuple):
    """What a record said, and the container that came of it."""

    record: str
    stamp: Stamp
    state: State
    version: object
    container: Container


class _Facts(NamedTuple):
    """What the kernel says of a container, by the names of Container's fields."""

    waits: bool
    cgroup_id: int
    mount_namespace: int
    pid_namespace: int


class _Bare:
    """Of a container that no manager made, the annotations are all there is."""

    def version(self, state: State) -> None:
        """Annotations never change."""

    def describe(self, state: State) -> About:
        return About(runtime=state.low, name=state.id, labels=dict(state.annotations))


class Runtimes:
    """The runtimes of this machine, by their files below `root`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = str(root).rstrip("/")
        self._proc = Proc(f"{self._root}/proc")
        self._kept: dict[str, _Kept] = {}
        self._docker = docker.Docker(self._root)
        self._containerd = containerd.Containerd(self._root)
        self._podman = podman.Podman(self._root)
        self._crio = crio.Crio()
        self._bare = _Bare()

    def scan(self) -> Found:
        """All containers that have been created and whose init lives.

        A container whose place cannot be told, or whose records contradict the kernel, is among the unknown,
        with the reason, unless it was known before. One of which only the manager's record is missing or
        cannot be read is told of with a doubt. One that is still being made, or that has ended, is not told
        of.
        """
        self._containerd.begin()
        self._podman.begin()
        kept: dict[str, _Kept] = {}
        unknown: list[tuple[str, str]] = []
        for place, number in self._entries(unknown):
            directory = f"{place.path}/{number}"
            try:
                found = self._look(place, directory)
            except RecordError as error:
                unknown.append((_shown(number, place.owner), _printable(error.message)))
            else:
                if found is not None:
                    kept[directory] = found
        self._kept = kept
        containers, shared = _apart(list(kept.values()))
        return Found(containers, (*unknown, *shared))

    def programs(self) -> list[Path]:
        """The files of runc and crun, and those that configurations name: what a gate has to hold."""
        return [Path(each) for each in places.programs(self._root)]

    def watched(self) -> list[Path]:
        """Directories in which something comes or goes when a container does, or a runtime."""
        return [Path(each) for each in places.watched(self._root)]

    def present(self) -> dict[str, list[Path]]:
        """Directories with containers' records, by the runtime that keeps them."""
        found: dict[str, list[Path]] = {}
        for place in places.places(self._root):
            found.setdefault(place.runtime, []).append(Path(place.path))
        return found

    def _entries(self, unknown: list[tuple[str, str]]) -> Iterator[tuple[places.Place, str]]:
        """The directories of containers, by their places."""
        for place in places.places(self._root):
            most = MAX_OF_USER if place.owner is not None else MAX_IN_PLACE
            try:
                with os.scandir(place.path) as entries:
                    names = sorted(entry.name for entry in islice(entries, most + 1))
            except FileNotFoundError:
                continue
            except OSError as error:
                unknown.append((place.path, f"cannot be listed: {error.strerror}"))
                continue
            if len(names) > most:
                unknown.append((place.path, f"has more than {most} containers"))
                continue
            for name in names:
                # What begins with a dot is crun's own.
                if _ID.fullmatch(name):
                    yield place, name
                elif not name.startswith("."):
                    unknown.append(
                        (_printable(f"{place.path}/{name}"), "its id is none that a runtime gives")
                    )

    def _look(self, place: places.Place, directory: str) -> _Kept | None:
        """The container of a directory; None if it has none, or one that has ended. Raises RecordError."""
        kept = self._kept.get(directory)
        record, now = _record(directory, kept.record if kept else RUNC)
        if now is None:
            return None
        if kept is not None and kept.stamp == now:
            state = kept.state
        else:
            try:
                state = read_state(directory, record, place.space, place.owner)
            except RecordError:
                if kept is None:
                    raise
                # Until it can be read again, what it said last is good while the init lives.
                now, state = kept.stamp, kept.state
        if state.pid <= 0 or self._proc.started(state.pid) != state.started:
            return None
        is_same = kept is not None and (kept.state.pid, kept.state.started) == (state.pid, state.started)
        if kept is not None and is_same and not kept.container.doubt:
            found = self._again(directory, state, kept)
        else:
            found = self._first(directory, state)
        return _Kept(record, now, state, *found) if found is not None else None

    def _first(self, directory: str, state: State) -> tuple[object, Container] | None:
        """A container that was not known, and its version. None if its init is gone. Raises RecordError."""
        facts = self._facts(directory, state)
        if facts is None:
            return None
        manager = self._manager(state)
        version: object = None
        doubt = ""
        try:
            version = manager.version(state)
            about = manager.describe(state)
        except RecordError as error:
            doubt = _printable(error.message)
            about = About(runtime=state.low, name=state.id, labels={})
        container = Container(
            runtime=about.runtime,
            id=state.id,
            name=about.name,
            namespace=about.where(),
            labels=about.identity(),
            image=about.image,
            image_digest=about.image_digest,
            pod=about.pod,
            is_sandbox=about.is_sandbox,
            pid=state.pid,
            started=state.started,
            cgroup=state.cgroup,
            rootfs=state.rootfs,
            bundle=state.bundle,
            doubt=doubt,
            **facts._asdict(),
        )
        return version, container

    def _again(self, directory: str, state: State, kept: _Kept) -> tuple[object, Container] | None:
        """A container that was known, with what has changed. None if its init is gone. Raises RecordError."""
        version, container = kept.version, kept.container
        if container.waits:
            facts = self._facts(directory, state)
            if facts is None:
                return None
            container = replace(container, **facts._asdict())
        manager = self._manager(state)
        try:
            now = manager.version(state)
            if now != version:
                container = _named(container, manager.describe(state))
                version = now
        except RecordError:
            # A running container does not become unknown because a manager's database is being written: it is
            # the same, and only a new name or label is seen later.
            pass
        return version, container

    def _manager(
        self, state: State
    ) -> docker.Docker | containerd.Containerd | podman.Podman | crio.Crio | _Bare:
        if state.space in (docker.SPACE, docker.PLUGINS):
            return self._docker
        if state.space:
            return self._containerd
        if podman.MANAGER in state.annotations.items():
            return self._podman
        if crio.MANAGER in state.annotations.items():
            return self._crio
        return self._bare

    def _facts(self, directory: str, state: State) -> _Facts | None:
        """What the kernel says of a container; None if its init is gone by now. Raises RecordError."""
        if not os.path.exists(f"{self._root}/sys/fs/cgroup/cgroup.controllers"):
            raise RecordError("Hauberk needs cgroup v2 to tell its tasks", V2_REMEDY)
        inside = self._proc.cgroup(state.pid)
        mounts = self._proc.namespace(state.pid, "mnt")
        pids = self._proc.namespace(state.pid, "pid")
        if inside is None or mounts is None or pids is None:
            return None
        if mounts == self._proc.namespace(1, "mnt"):
            raise RecordError("it has no mount namespace of its own")
        waits = stamp(f"{directory}/{FIFO}") is not None
        return _Facts(waits, self._cgroup_id(state, inside), mounts, pids)

    def _cgroup_id(self, state: State, inside: str) -> int:
        """The inode of its cgroup, in which `inside`, that of its init, has to be. Raises RecordError."""
        own = state.cgroup
        if own.strip("/") == "" or os.path.normpath(own) != own:
            raise RecordError("it has no cgroup of its own")
        if not (inside + "/").startswith(own + "/"):
            raise RecordError(f"its init is in the cgroup {inside}, not in {own}")
        try:
            found = os.stat(f"{self._root}/sys/fs/cgroup{own}", follow_symlinks=False)
        except OSError as error:
            raise RecordError(f"cannot look at its cgroup {own}: {error.strerror}") from error
        user = state.owner
        if user is not None and not (own.startswith(_delegated(user)) and found.st_uid == user):
            raise RecordError(f"its cgroup {own} is none that systemd gave to user {user}, whose it is")
        return found.st_ino


def _delegated(user: int) -> str:
    """Where a user's own systemd makes cgroups as it likes."""
    return f"/user.slice/user-{user}.slice/user@{user}.service/"


def _record(directory: str, likely: str) -> tuple[str, Stamp | None]:
    """The record in a directory, and its stamp: None if there is none."""
    found = stamp(f"{directory}/{likely}")
    if found is not None:
        return likely, found
    other = CRUN if likely == RUNC else RUNC
    return other, stamp(f"{directory}/{other}")


def _named(container: Container, about: About) -> Container:
    """The same container, as its manager tells of it now."""
    return replace(
        container,
        name=about.name,
        namespace=about.where(),
        labels=about.identity(),
        image=about.image,
        image_digest=about.image_digest,
        pod=about.pod,
    )


def _apart(known: list[_Kept]) -> tuple[tuple[Container, ...], list[tuple[str, str]]]:
    """Containers that can be told apart by their ids and cgroups, and those that cannot.

    A user has no say in what root's containers are: by the same id, only the user's is unknown.
    """
    of_root = {each.container.id for each in known if each.state.owner is None}
    by_cgroup = Counter(each.container.cgroup_id for each in known)
    apart = []
    unknown = []
    for each in known:
        container, owner = each.container, each.state.owner
        others = by_cgroup[container.cgroup_id] - 1
        if owner is not None and container.id in of_root:
            unknown.append((_shown(container.id, owner), "has the id of a container of root's"))
        elif others:
            reason = f"shares the cgroup {container.cgroup} with {others} other container(s)"
            unknown.append((_shown(container.id, owner), _printable(reason)))
        else:
            apart.append(container)
    return tuple(apart), unknown


def _shown(number: str, owner: int | None) -> str:
    """An id of which it can be seen that a user has chosen it."""
    return number if owner is None else f"user {owner}: {number}"


def _printable(text: str) -> str:
    """Text with names that others chose, for a terminal."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:_LONGEST])
