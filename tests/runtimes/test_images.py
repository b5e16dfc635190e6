# SPDX-License-Identifier: Apache-2.0
"""The tests' image is what OCI and Docker say an image is, each blob under its digest."""

import hashlib
import io
import json
import tarfile
from typing import Any

from tests.runtimes import images

BUSYBOX = b"\x7fELF, in a manner of speaking"


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in files.items() if file is not None}


def loaded(blobs: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    data = blobs["blobs/" + descriptor["digest"].replace(":", "/")]
    assert (descriptor["digest"], descriptor["size"]) == (
        f"sha256:{hashlib.sha256(data).hexdigest()}",
        len(data),
    )
    return data


def test_from_the_index_all_parts_are_found_under_their_digests() -> None:
    archive = members(images.image(BUSYBOX))
    (manifest,) = json.loads(archive["index.json"])["manifests"]
    parts = json.loads(loaded(archive, manifest))
    config = json.loads(loaded(archive, parts["config"]))
    (layer,) = (loaded(archive, each) for each in parts["layers"])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Labels"] == images.LABELS
    files = members(layer)
    assert files["secret.txt"].decode() == images.SECRET_TEXT
    assert {f"bin/{name}" for name in images.PROGRAMS} <= files.keys()


def test_docker_finds_the_same_parts_as_oci() -> None:
    archive = members(images.image(BUSYBOX))
    (docker,) = json.loads(archive["manifest.json"])
    (manifest,) = json.loads(archive["index.json"])["manifests"]
    parts = json.loads(loaded(archive, manifest))
    assert archive[docker["Config"]] == loaded(archive, parts["config"])
    assert [archive[each] for each in docker["Layers"]] == [loaded(archive, e) for e in parts["layers"]]
    assert docker["RepoTags"] == [manifest["annotations"]["io.containerd.image.name"]] == [images.NAME]


def test_the_same_image_comes_out_each_time() -> None:
    assert images.image(BUSYBOX) == images.image(BUSYBOX)
