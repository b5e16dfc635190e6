# SPDX-License-Identifier: Apache-2.0
"""The guest's first file system: a static busybox, the few modules that reach the real root, and a small init
script.

It is written here, byte by byte, because a newc archive is simpler than any tool that makes one, and because
it then needs none. The part that depends on the kernel only is cached; what one run adds (its agent and
configuration) is a second archive behind it, which the kernel unpacks over the first.
"""

import hashlib
import lzma
import stat
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from hauberk.lab.errors import LabError, ModuleNotFoundInKernelError
from hauberk.lab.kernels import Kernel

MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
"""What the init script needs; everything else is loaded from the real root."""


class Archive:
    """A cpio archive in the `newc` format, which is what the kernel unpacks."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0

    def directory(self, name: str) -> None:
        """Add a directory, 0755."""
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file."""
        self._add(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self) -> bytes:
        """The whole archive, with its trailer, padded so that another one may follow."""
        tail = _entry("TRAILER!!!", 0, 0, b"")
        body = b"".join([*self._parts, tail])
        return body + b"\0" * (-len(body) % 512)

    def _add(self, name: str, mode: int, data: bytes) -> None:
        self._inode += 1
        self._parts.append(_entry(name, self._inode, mode, data))


def _entry(name: str, inode: int, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # magic; inode, mode, uid, gid, nlink, mtime, size, device (2), special device (2), name's size, checksum
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def module_name(path: str) -> str:
    """A module's name: that of `kernel/fs/9p/9p.ko.xz` is `9p`; dashes and underscores are the same."""
    return path.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")


def parse_dependencies(text: str) -> dict[str, tuple[str, list[str]]]:
    """Read a modules.dep: the module's name to its path and the paths that it depends on."""
    table: dict[str, tuple[str, list[str]]] = {}
    for line in text.splitlines():
        path, colon, needs = line.partition(":")
        if colon:
            table[module_name(path)] = (path, needs.split())
    return table


def resolve_modules(wanted: Iterable[str], dependencies: str, builtin: str) -> list[str]:
    """The paths of the modules to load for `wanted`, each after what it needs. Built-in ones need no loading.

    `dependencies` and `builtin` are the texts of modules.dep and modules.builtin. Dependencies are followed
    link by link, since depmod programs differ in whether they list only the direct ones.
    """
    table = parse_dependencies(dependencies)
    inside = {module_name(line) for line in builtin.splitlines()}
    order: list[str] = []
    visited: set[str] = set()

    def visit(name: str) -> None:
        if name in visited or name in inside:
            return
        visited.add(name)
        if name not in table:
            raise ModuleNotFoundInKernelError(
                f"the kernel has no module {name}", "use the full kernel image; the cloud flavour lacks 9p"
            )
        path, needs = table[name]
        for need in needs:
            visit(module_name(need))
        order.append(path)

    for name in wanted:
        visit(name.replace("-", "_"))
    return order


def read_module(path: Path) -> bytes:
    """A module's contents as the kernel wants them, uncompressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".ko":
        return data
    raise LabError(f"{path}: modules compressed with {path.suffix[1:]} cannot be read here")


def base_archive(kernel: Kernel, busybox: Path) -> bytes:
    """The archive that depends on the kernel only: busybox, the modules in loading order, the init script."""
    dependencies = (kernel.modules / "modules.dep").read_text()
    listing = kernel.modules / "modules.builtin"
    builtin = listing.read_text() if listing.is_file() else ""
    archive = Archive()
    for name in ("bin", "dev", "proc", "sys", "modules", "lower", "layer", "root", "lab"):
        archive.directory(name)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    archive.link("bin/sh", "busybox")
    for number, path in enumerate(resolve_modules(MODULES, dependencies, builtin)):
        archive.file(f"modules/{number:02}-{module_name(path)}.ko", read_module(kernel.modules / path))
    archive.file("init", guest_file("guest-init.sh"), 0o755)
    return archive.finish()


def cached_base(kernel: Kernel, busybox: Path, root: Path) -> bytes:
    """`base_archive`, from the cache if the same one was made before. The caller holds the cache's lock."""
    script = guest_file("guest-init.sh")
    key = hashlib.sha256(f"{kernel.modules}\0{busybox}\0{MODULES}\0".encode() + script).hexdigest()[:16]
    path = root / "initramfs" / f"{kernel.release}-{key}.cpio"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_bytes(base_archive(kernel, busybox))
        scratch.rename(path)
    return path.read_bytes()


def run_archive(files: Mapping[str, bytes]) -> bytes:
    """What one run adds: files for the guest's /lab directory."""
    archive = Archive()
    for name, data in files.items():
        archive.file(f"lab/{name}", data)
    return archive.finish()


def guest_file(name: str) -> bytes:
    """A file of this package that is meant for the guest."""
    return resources.files("hauberk.lab").joinpath(name).read_bytes()
