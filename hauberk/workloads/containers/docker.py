# SPDX-License-Identifier: Apache-2.0
"""Docker's record of a container: `containers/ID/config.v2.json` below its data directory, written anew by
each change (rename included). Its labels have those of the image in them.

The data directory is where the container's own /etc/hosts comes from; `data-root` of daemon.json and flags of
dockerd need not be known. Plugins have no such record: they are known by their ids.
"""

import re
from typing import Final

import msgspec

from hauberk.workloads.containers.about import CONTAINER_NAME, POD_NAME, About
from hauberk.workloads.containers.records import Stamp, decode, read, stamp
from hauberk.workloads.containers.state import State

SPACE: Final = "moby"
PLUGINS: Final = "plugins.moby"
DATA: Final = "/var/lib/docker"

_OWN_FILE: Final = re.compile(r"(/.*)/containers/[0-9a-f]{64}/(?:hosts|hostname|resolv\.conf)")


class _Config(msgspec.Struct):
    image: str = msgspec.field(name="Image", default="")
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)


class _Record(msgspec.Struct):
    name: str = msgspec.field(name="Name")
    config: _Config = msgspec.field(name="Config")
    image: str = msgspec.field(name="Image", default="")


class Docker:
    """Reads the records of Docker's containers below `root`."""

    def __init__(self, root: str) -> None:
        self._root = root

    def version(self, state: State) -> Stamp | None:
        """The description is the same while this is. Raises RecordError."""
        return None if state.space == PLUGINS else stamp(self._path(state))

    def describe(self, state: State) -> About:
        """Raises RecordError."""
        if state.space == PLUGINS:
            return About(runtime="docker", name=state.id, labels={})
        path = self._path(state)
        record = decode(read(path, state.owner), _Record, path)
        labels = record.config.labels or {}
        return About(
            runtime="docker",
            name=record.name.removeprefix("/"),
            labels=labels,
            image=record.config.image,
            image_digest=record.image,
            pod=labels.get(POD_NAME, ""),
            is_sandbox=labels.get("io.kubernetes.docker.type") == "podsandbox"
            or labels.get(CONTAINER_NAME) == "POD",
        )

    def _path(self, state: State) -> str:
        found = (_OWN_FILE.fullmatch(source) for source in state.mounts)
        data = next((each[1] for each in found if each), DATA)
        return f"{self._root}{data}/containers/{state.id}/config.v2.json"
