# SPDX-License-Identifier: Apache-2.0
"""A machine of files: /proc, cgroups, and records of runtimes, below a directory.

The records are `recorded/`: what runc 1.1.5, crun 1.8.1, Docker 20.10.24 and Podman 4.3.1 of Debian 12 wrote
for real containers, without the fields that nobody here reads (devices, seccomp). containerd 1.6.20's
database is written by `boltfile` as it was found. Records of CRI-O, of Kubernetes' containers and of
Podman 5, and cgroups by systemd, are made after the sources of these.
"""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from tests.workloads.containers import boltfile

RECORDED: Final = Path(__file__).parent / "recorded"
DOCKER_ID: Final = json.loads((RECORDED / "docker-config.v2.json").read_text())["ID"]
PODMAN_ID: Final = json.loads((RECORDED / "podman-config.json").read_text())["id"]
STORAGE: Final = "/var/lib/containers/storage"
META: Final = "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"
HOST_MOUNTS: Final = 4026531841


def recorded(name: str) -> Any:
    """A record, parsed."""
    return json.loads((RECORDED / name).read_text())


class Node:
    """Files below `root`. Every container that is added has an init of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pids = 100
        self.containerd: boltfile.Tree = {}
        self.transaction = 1
        self.write("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
        self.process(1, 0, "/init.scope", HOST_MOUNTS)

    def write(self, path: str, text: str | bytes) -> Path:
        """A file, by renaming, as runtimes do."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        new.rename(file)
        return file

    def process(self, pid: int, started: int, cgroup: str, mounts: int | None = None) -> None:
        """An init process, whose name is made to mislead."""
        self.write(f"proc/{pid}/stat", f"{pid} (a) b 1 ( R) S 1 1 1 {'0 ' * 15}{started} 0 0\n")
        self.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")
        spaces = self.root / f"proc/{pid}/ns"
        spaces.mkdir(exist_ok=True)
        for kind, number in (("mnt", mounts or HOST_MOUNTS + pid), ("pid", HOST_MOUNTS + 10_000 + pid)):
            (spaces / kind).unlink(missing_ok=True)
            (spaces / kind).symlink_to(f"{kind}:[{number}]")
        (self.root / f"sys/fs/cgroup{cgroup}").mkdir(parents=True, exist_ok=True)

    def end(self, pid: int) -> None:
        """The process is gone."""
        (self.root / f"proc/{pid}/stat").unlink()
        (self.root / f"proc/{pid}/cgroup").unlink()

    def runc(self, directory: str, state: dict[str, Any], inside: str = "", **changes: Any) -> int:
        """A running container of runc's; its pid. `inside`: where its init went, below its cgroup."""
        self.pids += 1
        started = 1000 + self.pids
        state = {**state, "init_process_pid": self.pids, "init_process_start": started, **changes}
        self.process(self.pids, started, state["cgroup_paths"][""].removeprefix("/sys/fs/cgroup") + inside)
        self.write(f"{directory}/{state['id']}/state.json", json.dumps(state))
        return self.pids

    def crun(
        self, directory: str, number: str, config: dict[str, Any], inside: str = "", **changes: Any
    ) -> int:
        """A running container of crun's; its pid."""
        self.pids += 1
        started = 1000 + self.pids
        names = {name.replace("_", "-"): value for name, value in changes.items()}
        status = (
            recorded("podman-crun-status.json") | names | {"pid": self.pids, "process-start-time": started}
        )
        self.process(self.pids, started, status["cgroup-path"] + inside)
        self.write(f"{directory}/{number}/config.json", json.dumps(config))
        self.write(f"{directory}/{number}/status", json.dumps(status, indent=4))
        return self.pids

    def docker(self, **changes: Any) -> int:
        """Docker's container `web`."""
        self.write(
            f"var/lib/docker/containers/{DOCKER_ID}/config.v2.json",
            json.dumps(recorded("docker-config.v2.json")),
        )
        return self.runc("run/docker/runtime-runc/moby", recorded("docker-runc-state.json"), **changes)

    def ctr(
        self, number: str = "c1", space: str = "default", labels: boltfile.Tree | None = None, **notes: str
    ) -> int:
        """A container of containerd's, with OCI annotations `notes` (`__` stands for `.`)."""
        state = recorded("ctr-runc-state.json")
        state["id"] = number
        state["cgroup_paths"] = {"": f"/sys/fs/cgroup/{space}/{number}"}
        bundle = f"bundle=/run/containerd/io.containerd.runtime.v2.task/{space}/{number}"
        state["config"]["labels"] = [
            *(f"{key.replace('__', '.')}={value}" for key, value in notes.items()),
            bundle,
        ]
        own = self.containerd.setdefault(b"v1", {})
        assert isinstance(own, dict)
        spaced = own.setdefault(
            space.encode(),
            {b"containers": {}, b"images": {b"example.org/bb:1": {b"target": {b"digest": b"sha256:a938"}}}},
        )
        assert isinstance(spaced, dict)
        containers = spaced[b"containers"]
        assert isinstance(containers, dict)
        containers[number.encode()] = {
            b"image": b"example.org/bb:1",
            b"labels": labels if labels is not None else {b"app": b"web", b"org.example.team": b"blue"},
            b"spec": b"{" + b" " * 3000 + b"}",
        }
        self.save()
        return self.runc(f"run/containerd/runc/{space}", state)

    def save(self) -> None:
        """Write containerd's database anew."""
        self.transaction += 1
        boltfile.write(self.root / META, self.containerd, self.transaction)

    def podman(self, number: str = PODMAN_ID, **changes: Any) -> int:
        """Podman's container `pod-web`, whose database `bolt` or `sqlite` has to write."""
        config = recorded("podman-crun-config.json")
        return self.crun("run/crun", number, config, **changes)

    def bolt(
        self, storage: str = STORAGE, name: str = "pod-web", number: str = PODMAN_ID, **changes: Any
    ) -> None:
        """The database of Podman 4."""
        config = json.dumps(recorded("podman-config.json") | {"id": number} | changes)
        self.transaction += 1
        boltfile.write(
            self.root / f"{storage.removeprefix('/')}/libpod/bolt_state.db",
            {
                b"ctr": {number.encode(): {b"config": config.encode(), b"state": b"{}", b"dependencies": {}}},
                b"id-registry": {number.encode(): name.encode(), b"feed": b"mypod"},
            },
            self.transaction,
        )

    def sqlite(self, name: str = "pod-web", **changes: Any) -> Path:
        """The database of Podman 5."""
        path = self.root / f"{STORAGE.removeprefix('/')}/db.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name("new.sql")
        new.unlink(missing_ok=True)
        connection = sqlite3.connect(new)
        connection.execute(
            "CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL,"
            " PodID TEXT, JSON TEXT NOT NULL)"
        )
        connection.execute(
            "CREATE TABLE PodConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL,"
            " JSON TEXT NOT NULL)"
        )
        config = json.dumps(recorded("podman-config.json") | changes)
        connection.execute("INSERT INTO ContainerConfig VALUES (?, ?, NULL, ?)", (PODMAN_ID, name, config))
        connection.execute("INSERT INTO PodConfig VALUES ('feed', 'mypod', '{}')")
        connection.commit()
        connection.close()
        os.replace(new, path)
        return path
