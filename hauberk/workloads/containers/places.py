# SPDX-License-Identifier: Apache-2.0
"""Where runtimes keep what they know, and where their programs are.

A place is a directory with one entry a container. Those of containerd and Docker have a level more, for
containerd's namespaces. Those below /run/user are of rootless runtimes: what they say is their user's word.
"""

import os
import stat
import tomllib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from hauberk.workloads.containers.records import RecordError, read

RUN: Final = "/run"

# Each with whether it has a level for namespaces.
_OF_ROOT: Final = (
    ("containerd", "/run/containerd/runc", True),
    ("runc", "/run/runc", False),
    ("crun", "/run/crun", False),
)
_DOCKER: Final = ("/run/docker", "/run/snap.docker")
_OF_USERS: Final = (("runc", "runc"), ("crun", "crun"))

_PROGRAMS: Final = ("runc", "crun")
_DIRECTORIES: Final = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/libexec/crio",
    "/usr/lib/cri-o-runc/sbin",
    "/var/lib/k0s/bin",
    "/var/lib/rancher/k3s/data/current/bin",
    "/var/lib/rancher/rke2/bin",
    "/snap/docker/current/bin",
    "/snap/microk8s/current/bin",
)
_DOCKER_CONFIG: Final = "/etc/docker/daemon.json"
_TOML: Final = (
    "/etc/containerd/config.toml",
    "/etc/crio/crio.conf",
    "/etc/containers/containers.conf",
    "/usr/share/containers/containers.conf",
)
# Keys of these files whose values are programs, or lists of places of one.
_KEYS: Final = ("BinaryName", "runtime_path", *_PROGRAMS)
_LINKS: Final = 16
# Namespaces of containerd's, or users.
_MOST: Final = 1000


class Place(NamedTuple):
    """A directory with one entry a container. `owner` is the user whose rootless runtime it is."""

    runtime: str
    path: str
    space: str = ""
    owner: int | None = None


def places(root: str) -> Iterator[Place]:
    """Those that exist."""
    for runtime, path, spaced in _OF_ROOT:
        if spaced:
            for space in _directories(root + path):
                yield Place(runtime, f"{root}{path}/{space}", space)
        elif os.path.isdir(root + path):
            yield Place(runtime, root + path)
    for path in _DOCKER:
        yield from _of_docker(root + path, None)
    for user in _directories(f"{root}{RUN}/user"):
        if not user.isdecimal():
            continue
        own = f"{root}{RUN}/user/{user}"
        for runtime, name in _OF_USERS:
            if _belongs(f"{own}/{name}", int(user)):
                yield Place(runtime, f"{own}/{name}", owner=int(user))
        if _belongs(f"{own}/docker", int(user)):
            yield from _of_docker(f"{own}/docker", int(user))


def watched(root: str) -> Iterator[str]:
    """Directories that exist and in which places, or containers of a place, come and go."""
    found = [place.path for place in places(root)]
    wanted = [path for _, path, _ in _OF_ROOT] + [*_DOCKER, f"{RUN}/user"]
    for path in (*wanted, *(place.path.removeprefix(root) for place in places(root))):
        while path not in ("", "/") and not os.path.isdir(root + path):
            path = os.path.dirname(path)
        found.append(root + path)
    for user in _directories(f"{root}{RUN}/user"):
        found.append(f"{root}{RUN}/user/{user}")
    for place in list(found):
        above = os.path.dirname(place)
        if os.path.basename(above).startswith("runtime-"):
            found.append(above)
    yield from dict.fromkeys(found)


def programs(root: str) -> Iterator[str]:
    """The real files of runc and crun on this machine, and of others that are configured in their place."""
    seen: set[tuple[int, int]] = set()
    usual = [f"{directory}/{name}" for directory in _DIRECTORIES for name in _PROGRAMS]
    for path in (*usual, *_configured(root)):
        real = _real(root, path)
        try:
            found = os.stat(real, follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and found.st_mode & 0o111 and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield real


def _of_docker(path: str, owner: int | None) -> Iterator[Place]:
    for name in _directories(path):
        if name.startswith("runtime-"):
            for space in _directories(f"{path}/{name}"):
                yield Place("docker", f"{path}/{name}/{space}", space, owner)


def _belongs(path: str, user: int) -> bool:
    """Whether it is a directory of a user's, and not a way to one of another."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user


def _directories(path: str) -> list[str]:
    """The directories in one, maybe none, and not very many."""
    try:
        with os.scandir(path) as entries:
            some = islice(entries, _MOST)
            return sorted(entry.name for entry in some if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _configured(root: str) -> Iterator[str]:
    """Programs that the configuration of Docker, containerd, CRI-O or Podman names."""
    try:
        docker = msgspec.json.decode(read(root + _DOCKER_CONFIG))
        runtimes = docker.get("runtimes", {}) if isinstance(docker, dict) else {}
        yield from (
            each["path"]
            for each in (runtimes.values() if isinstance(runtimes, dict) else ())
            if isinstance(each, dict) and isinstance(each.get("path"), str)
        )
    except (RecordError, msgspec.MsgspecError):
        # What is no configuration configures nothing.
        pass
    for path in _TOML:
        try:
            yield from _named(tomllib.loads(read(root + path).decode()))
        except (RecordError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue


def _named(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _named(value)
        elif key in _KEYS:
            yield from (
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
            )


def _real(root: str, path: str) -> str:
    """Where links end, with `root` as the root."""
    if not path.startswith("/"):
        path = f"/usr/bin/{path}"
    for _ in range(_LINKS):
        try:
            target = os.readlink(root + path)
        except OSError:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return root + path
