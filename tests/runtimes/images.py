# SPDX-License-Identifier: Apache-2.0
"""A tiny container image, made here: a static busybox under a few names, and a file that is not to be read.

The archive is an OCI image layout that carries Docker's `manifest.json` as well, so that one file can be
loaded by ctr, docker and podman. Nothing in it depends on when or where it was made.

Each program is a file of its own: with links, a rule on one name would be a rule on all of them (a link's
target is covered too, and an object is refused if any of its names is).
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "docker.io/hauberk/tiny:1"
"""With the registry, as containerd wants it; for docker and podman `hauberk/tiny:1` is the same."""
LABELS: Final = {"org.example.tier": "tiny"}
PROGRAMS: Final = ("sh", "cat", "sleep", "true", "id")
SECRET: Final = "/secret.txt"
SECRET_TEXT: Final = "the secret\n"
FILES: Final = {
    SECRET: SECRET_TEXT,
    "/plain.txt": "plain\n",
    "/etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
}
DIRECTORIES: Final = ("bin", "dev", "etc", "proc", "run", "sys", "tmp")


def layer(busybox: bytes) -> bytes:
    """The root file system, as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in DIRECTORIES:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(member)
        for name in PROGRAMS:
            _add(archive, f"bin/{name}", busybox, 0o755)
        for path, text in FILES.items():
            _add(archive, path.removeprefix("/"), text.encode(), 0o644)
    return buffer.getvalue()


def image(busybox: bytes) -> bytes:
    """The archive, a tar file."""
    root = layer(busybox)
    blobs: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    content = blob("application/vnd.oci.image.layer.v1.tar", root)
    config = blob(
        "application/vnd.oci.image.config.v1+json",
        _json(
            {
                "created": "1970-01-01T00:00:00Z",
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "WorkingDir": "/", "Labels": LABELS},
                "rootfs": {"type": "layers", "diff_ids": [content["digest"]]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests.runtimes.images"}],
            }
        ),
    )
    manifest = blob(
        "application/vnd.oci.image.manifest.v1+json",
        _json({"schemaVersion": 2, "config": config, "layers": [content]}),
    )
    names = {"io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": NAME.rpartition(":")[2]}
    docker = {"Config": _path(config), "RepoTags": [NAME], "Layers": [_path(content)]}
    return _tar(
        {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json({"schemaVersion": 2, "manifests": [manifest | {"annotations": names}]}),
            "manifest.json": _json([docker]),
            **blobs,
        }
    )


def write(busybox: Path, target: Path) -> Path:
    """Write the archive to `target`, with the static busybox that is at `busybox`."""
    target.write_bytes(image(busybox.read_bytes()))
    return target


def _path(descriptor: Mapping[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            _add(archive, name, data, 0o644)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))
