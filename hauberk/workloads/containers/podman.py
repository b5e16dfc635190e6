# SPDX-License-Identifier: Apache-2.0
"""Podman's record of a container: in the database of its storage, as JSON.

Up to Podman 4 that is `libpod/bolt_state.db`, since Podman 5 `db.sql`, of SQLite. Both lie in the storage's
directory ("graph root"), which the bundle's path begins with: a user's own storage is found by it as well.
Only the name of a container can change, and its pod's; so these are what is looked at after each change.

A user may write anything into the own storage: SQLite gets a bounded copy of it, and bounded time.
"""

import re
import sqlite3
from typing import Final

import msgspec

from hauberk.workloads.containers.about import About
from hauberk.workloads.containers.bolt import Bucket, look, transaction
from hauberk.workloads.containers.records import GoneError, RecordError, Stamp, decode, read, stamp
from hauberk.workloads.containers.state import State

MANAGER: Final = ("io.container.manager", "libpod")

MAX_DATABASE: Final = 64 << 20
"""Bytes of a SQLite database: a container takes some 10 kB."""
MAX_WORK: Final = 200
"""Steps of 10,000 of SQLite's instructions for one question."""

_BUNDLE: Final = re.compile(r"(/.*)/[a-z0-9]+-containers/([^/]+)/userdata")

Names = dict[str, str]


class _Config(msgspec.Struct):
    name: str
    labels: dict[str, str] | None = None
    image: str = msgspec.field(name="rootfsImageName", default="")
    image_id: str = msgspec.field(name="rootfsImageID", default="")
    pod: str = ""
    is_infra: bool = msgspec.field(name="pause", default=False)


class Podman:
    """Reads the databases of storages below `root`. `begin` has to come before each round of questions."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[tuple[str, int | None], _Bolt | _Sqlite] = {}
        self._kept: dict[tuple[str, int | None], _Bolt | _Sqlite] = {}

    def begin(self) -> None:
        """From now on, tell of the databases as they are now."""
        self._kept, self._open = {**self._kept, **self._open}, {}

    def version(self, state: State) -> tuple[str, str]:
        """The names of the container and of its pod: the description is the same while they are.

        Raises RecordError.
        """
        store = self._store(state)
        return store.names[state.id], store.pod_name(state.id)

    def describe(self, state: State) -> About:
        """Raises RecordError."""
        store = self._store(state)
        config = store.config(state.id)
        return About(
            runtime="podman",
            name=store.names[state.id],
            labels=config.labels or {},
            image=config.image,
            image_digest=f"sha256:{config.image_id}" if config.image_id else "",
            pod=store.names.get(config.pod, config.pod),
            is_sandbox=config.is_infra,
        )

    def _store(self, state: State) -> "_Bolt | _Sqlite":
        found = _BUNDLE.fullmatch(state.bundle)
        if found is None:
            raise RecordError(f"its bundle {state.bundle} is in no storage of Podman's")
        storage = self._root + found[1]
        for path, kind in ((f"{storage}/db.sql", _Sqlite), (f"{storage}/libpod/bolt_state.db", _Bolt)):
            key = (path, state.owner)
            store = self._open.get(key)
            if store is None:
                try:
                    store = kind(path, state.owner, self._kept.pop(key, None))
                except GoneError:
                    continue
                self._open[key] = store
            if state.id in store.names:
                return store
        raise RecordError(f"the database of Podman's storage {found[1]} says nothing of it")


class _Bolt:
    """A database up to Podman 4."""

    def __init__(self, path: str, owner: int | None, before: "_Bolt | _Sqlite | None") -> None:
        self._path = path
        self._owner = owner
        self._transaction = transaction(path, owner)
        self.names: Names
        known = before if isinstance(before, _Bolt) else None
        self._pods: Names = known._pods if known is not None else {}
        if known is not None and known._transaction == self._transaction:
            self.names = known.names
            return
        self.names = look(path, _registry, owner)
        # A container stays in the pod in which it was made.
        self._pods = {number: pod for number, pod in self._pods.items() if number in self.names}

    def config(self, number: str) -> _Config:
        def use(root: Bucket) -> bytes | None:
            found = root.bucket(b"ctr", number.encode())
            return found.get(b"config") if found is not None else None

        text = look(self._path, use, self._owner)
        if text is None:
            raise RecordError(f"{self._path} has no configuration of it")
        return decode(text, _Config, self._path)

    def pod_name(self, number: str) -> str:
        pod = self._pods.get(number)
        if pod is None:
            pod = self._pods[number] = self.config(number).pod
        return self.names.get(pod, pod)


class _Sqlite:
    """A database since Podman 5."""

    def __init__(self, path: str, owner: int | None, before: "_Bolt | _Sqlite | None") -> None:
        self._path = path
        self.names: Names
        self._stamp: Stamp | None
        self._configs: dict[str, _Config | str]
        known = before if isinstance(before, _Sqlite) else None
        if known is not None and known._stamp == stamp(path):
            self._stamp = known._stamp
            self.names = known.names
            self._configs = known._configs
            return
        data, self._stamp = _whole(path, owner)
        rows, pods = _ask(data, path)
        self.names = {number: name for number, name, _ in rows} | dict(pods)
        configs = known._configs if known is not None else {}
        self._configs = {number: configs.get(number) or _parsed(text, path) for number, _, text in rows}

    def config(self, number: str) -> _Config:
        config = self._configs.get(number)
        if not isinstance(config, _Config):
            raise RecordError(config or f"{self._path} has no configuration of it")
        return config

    def pod_name(self, number: str) -> str:
        pod = self.config(number).pod
        return self.names.get(pod, pod)


def _parsed(text: str, path: str) -> _Config | str:
    """A configuration, or what is wrong with it: that of one container is no reason to know none."""
    try:
        return decode(text, _Config, path)
    except RecordError as error:
        return error.message


def _registry(root: Bucket) -> Names:
    """Containers and pods, by their ids."""
    found = root.bucket(b"id-registry")
    if found is None:
        raise RecordError("it has no registry of ids")
    return {number.decode(errors="replace"): name.decode(errors="replace") for number, name in found.values()}


def _whole(path: str, owner: int | None) -> tuple[bytes, Stamp | None]:
    """A SQLite database between two transactions, and its stamp then.

    A writer makes a journal before it changes the database, and removes it (or empties it) when it is done.
    """
    before = stamp(path)
    data = read(path, owner, MAX_DATABASE)
    after = stamp(path)
    journal = stamp(f"{path}-journal")
    if before != after or (journal is not None and journal[2]):
        raise RecordError(f"{path} was written to while it was read")
    return data, after


def _ask(data: bytes, path: str) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """Containers (id, name, JSON) and pods (id, name)."""
    left = MAX_WORK

    def work() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        connection.set_progress_handler(work, 10_000)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        kinds = connection.execute(
            "SELECT count(*) FROM sqlite_master"
            " WHERE type = 'table' AND name IN ('ContainerConfig', 'PodConfig')"
        )
        if kinds.fetchone() != (2,):
            raise RecordError(f"{path} is no database of Podman's")
        rows = connection.execute("SELECT ID, Name, JSON FROM ContainerConfig").fetchall()
        pods = connection.execute("SELECT ID, Name FROM PodConfig").fetchall()
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    finally:
        connection.close()
    if not all(isinstance(each, str) for row in (*rows, *pods) for each in row):
        raise RecordError(f"{path} has fields that are no text")
    return rows, pods
