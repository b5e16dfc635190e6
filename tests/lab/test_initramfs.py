# SPDX-License-Identifier: Apache-2.0
"""The guest's first file system: the archive's format, and which modules go into it in which order."""

import lzma
from pathlib import Path

import pytest

from hauberk.lab.errors import LabError, ModuleNotFoundInKernelError
from hauberk.lab.initramfs import Archive, module_name, read_module, resolve_modules, run_archive

DEPENDENCIES = """\
kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet.ko.xz:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
kernel/fs/netfs/netfs.ko.xz: kernel/fs/fscache/fs-cache.ko.xz
kernel/fs/fscache/fs-cache.ko.xz:
kernel/fs/overlayfs/overlay.ko.xz:
"""
BUILTIN = "kernel/drivers/virtio/virtio-pci.ko\n"


def entries(data: bytes) -> list[tuple[str, int, bytes]]:
    """Read a newc archive: name, mode and contents of each entry up to its trailer."""
    found, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110 : at + 110 + fields[11]]
        assert name[-1] == 0
        at = (at + 110 + fields[11] + 3) & ~3
        body = data[at : at + fields[6]]
        at = (at + fields[6] + 3) & ~3
        if name == b"TRAILER!!!\0":
            assert not data[at:].strip(b"\0")
            return found
        found.append((name[:-1].decode(), fields[1], body))


def test_an_archive_holds_what_was_added_with_its_kind_and_mode() -> None:
    archive = Archive()
    archive.directory("d")
    for size in range(5):
        archive.file("d/" + "x" * size, b"y" * size, 0o600)
    archive.file("init", b"#!/bin/sh\n", 0o755)
    archive.link("sh", "busybox")
    data = archive.finish()
    assert entries(data) == [
        ("d", 0o040755, b""),
        *((f"d/{'x' * size}", 0o100600, b"y" * size) for size in range(5)),
        ("init", 0o100755, b"#!/bin/sh\n"),
        ("sh", 0o120777, b"busybox"),
    ]
    assert len(data) % 512 == 0


def test_the_files_of_one_run_go_below_lab() -> None:
    assert entries(run_archive({"config.json": b"{}"})) == [("lab/config.json", 0o100644, b"{}")]


def test_a_module_comes_after_everything_it_needs_however_deep() -> None:
    order = [module_name(path) for path in resolve_modules(["9p", "9pnet_virtio"], DEPENDENCIES, BUILTIN)]
    assert sorted(order) == ["9p", "9pnet", "9pnet_virtio", "fs_cache", "netfs"]
    for before, after in (("fs_cache", "netfs"), ("netfs", "9p"), ("9pnet", "9p"), ("9pnet", "9pnet_virtio")):
        assert order.index(before) < order.index(after)


def test_a_module_that_the_kernel_contains_is_not_loaded() -> None:
    assert resolve_modules(["virtio_pci", "overlay"], DEPENDENCIES, BUILTIN) == [
        "kernel/fs/overlayfs/overlay.ko.xz"
    ]


def test_a_module_is_found_by_either_spelling() -> None:
    for spelling in ("fs-cache", "fs_cache"):
        assert resolve_modules([spelling], DEPENDENCIES, "") == ["kernel/fs/fscache/fs-cache.ko.xz"]


def test_a_module_that_is_nowhere_is_an_error_that_names_it() -> None:
    with pytest.raises(ModuleNotFoundInKernelError, match="no module virtio_console") as caught:
        resolve_modules(["overlay", "virtio_console"], DEPENDENCIES, BUILTIN)
    assert "cloud" in caught.value.remedy


def test_a_compressed_module_is_unpacked_and_an_unknown_compression_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ko").write_bytes(b"\x7fELF plain")
    (tmp_path / "b.ko.xz").write_bytes(lzma.compress(b"\x7fELF packed"))
    (tmp_path / "c.ko.zst").write_bytes(b"?")
    assert read_module(tmp_path / "a.ko") == b"\x7fELF plain"
    assert read_module(tmp_path / "b.ko.xz") == b"\x7fELF packed"
    with pytest.raises(LabError, match="zst"):
        read_module(tmp_path / "c.ko.zst")
