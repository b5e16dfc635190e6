# SPDX-License-Identifier: Apache-2.0
"""containerd's record of a container: the bolt database `meta.db` below its data directory.

It has a bucket v1/NAMESPACE/containers/ID with the labels, in which those of the image are, and the image's
name. Of CRI's containers the OCI annotations say more: pod, name in it, whether it is the pod's sandbox.
"""

import tomllib
from functools import partial
from typing import Final

from hauberk.workloads.containers.about import POD_NAME, About
from hauberk.workloads.containers.bolt import Bucket, look, transaction
from hauberk.workloads.containers.records import GoneError, RecordError, Stamp, read, stamp
from hauberk.workloads.containers.state import State

CONFIG: Final = "/etc/containerd/config.toml"
META: Final = "io.containerd.metadata.v1.bolt/meta.db"
DATA: Final = (
    "/var/lib/containerd",
    "/var/lib/rancher/k3s/agent/containerd",
    "/var/lib/rancher/rke2/agent/containerd",
    "/var/lib/k0s/containerd",
    "/var/snap/microk8s/common/var/lib/containerd",
    "/var/lib/docker/containerd/daemon",
)

_CRI: Final = "io.kubernetes.cri."
# Containers in one look: a look visits only so much.
_AT_ONCE: Final = 500


class Entry:
    """What the database has of a container."""

    def __init__(self, labels: dict[str, str], image: str, digest: str) -> None:
        self.labels = labels
        self.image = image
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and vars(self) == vars(other)


Entries = dict[tuple[str, str], Entry | None]
"""By namespace and id; None of what is not there."""


class Containerd:
    """Reads the databases below `root`. `begin` has to be called before each round of questions."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._files: tuple[str, ...] | None = None
        self._configuration: tuple[Stamp | None, tuple[str, ...]] = (None, ())
        self._transactions: dict[str, int] = {}
        self._entries: dict[str, Entries] = {}

    def begin(self) -> None:
        """From now on, tell of the databases as they are now."""
        self._files = None

    def version(self, state: State) -> Entry:
        """The description is the same while this is equal. Raises RecordError."""
        key = (state.space, state.id)
        for path in self._databases():
            known = self._entries[path]
            if key not in known:
                known[key] = look(path, lambda root: _entry(root, *key))
            entry = known[key]
            if entry is not None:
                return entry
        raise RecordError(
            f"containerd's database says nothing of it (looked for in {', '.join(self._files or DATA)})",
            f"name containerd's data directory as `root` in {CONFIG}",
        )

    def describe(self, state: State) -> About:
        """Raises RecordError."""
        entry = self.version(state)
        cri = {
            name.removeprefix(_CRI): value
            for name, value in state.annotations.items()
            if name.startswith(_CRI)
        }
        labels = entry.labels
        return About(
            runtime="containerd",
            name=cri.get("container-name") or labels.get("nerdctl/name") or state.id,
            labels={**state.annotations, **labels},
            image=cri.get("image-name") or entry.image,
            image_digest=entry.digest,
            namespace=cri.get("sandbox-namespace", ""),
            pod=cri.get("sandbox-name") or labels.get(POD_NAME, ""),
            is_sandbox=cri.get("container-type") == "sandbox"
            or labels.get("io.cri-containerd.kind") == "sandbox",
        )

    def _databases(self) -> tuple[str, ...]:
        """Those that exist, and nothing that was read of those that have changed."""
        if self._files is None:
            found = []
            for data in dict.fromkeys((*self._configured(), *DATA)):
                path = f"{self._root}{data}/{META}"
                try:
                    now = transaction(path)
                except GoneError:
                    continue
                if self._transactions.get(path) != now:
                    self._entries[path] = _again(path, self._entries.get(path, {}))
                    self._transactions[path] = now
                found.append(path)
            self._files = tuple(found)
        return self._files

    def _configured(self) -> tuple[str, ...]:
        """The data directory that containerd's configuration names, if it does."""
        path = f"{self._root}{CONFIG}"
        now = stamp(path)
        if now is not None and self._configuration[0] != now:
            self._configuration = (now, _data_of(path))
        return self._configuration[1] if now is not None else ()


def _data_of(path: str) -> tuple[str, ...]:
    try:
        root = tomllib.loads(read(path).decode()).get("root")
    except (RecordError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        # containerd itself would not start with it: what runs had another.
        return ()
    return (root,) if isinstance(root, str) and root.startswith("/") else ()


def _again(path: str, known: Entries) -> Entries:
    """What a changed database says now of the containers that it had."""
    found: Entries = {}
    keys = [key for key, entry in known.items() if entry is not None]
    for first in range(0, len(keys), _AT_ONCE):
        found |= look(path, partial(_entries_of, keys[first : first + _AT_ONCE]))
    return found


def _entries_of(keys: list[tuple[str, str]], root: Bucket) -> Entries:
    return {key: _entry(root, *key) for key in keys}


def _entry(root: Bucket, space: str, number: str) -> Entry | None:
    found = root.bucket(b"v1", space.encode(), b"containers", number.encode())
    if found is None:
        return None
    labels = found.bucket(b"labels")
    image = found.get(b"image") or b""
    target = root.bucket(b"v1", space.encode(), b"images", image, b"target") if image else None
    return Entry(
        {} if labels is None else {_text(name): _text(value) for name, value in labels.values()},
        _text(image),
        _text(target.get(b"digest") or b"") if target else "",
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
