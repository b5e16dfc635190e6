# SPDX-License-Identifier: Apache-2.0
"""A small file system in which random rules meet all the time.

Few names, all of them in several directories; a world may have a merged /usr. It can lie at the root that a
workload sees, or anywhere below it (`prefix`).
"""

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

OWNERS = (0, 1000)
FILES = ("f", "g", "fg", "x.conf")
NEW = ("n", "new.conf")
"""Names that do not exist."""
LONG = tuple(f"{size:x<{size}}" for size in (31, 32, 39, 40, 255))
"""Names at the limits of what a dentry and a walk hold in one piece."""
DEEP = "/data/ab/" + "/".join("123456789abc")
"""More components than the fast walk takes."""
VOID = "void"
"""An empty directory."""
_DATA = ("/data", "/data/a", "/data/a/b", "/data/ab", "/opt/app", "/usr/lib")
_PROGRAMS = (
    "/usr/bin/p1", "/usr/bin/p2", "/usr/bin/p3", "/bin/p4", "/opt/app/p1", "/opt/app/lib/p5",
    "/lib64/ld-linux-x86-64.so.2",
)  # fmt: skip
_SCRIPTS = {"/usr/bin/s1": "/usr/bin/p1", "/opt/app/s2": "/usr/bin/p2"}
_MERGED = {"/bin": "usr/bin", "/lib": "usr/lib", "/lib64": "usr/lib64"}
_LINKS = {"/data/current": "a", "/opt/app/start": "../../usr/bin/p3", "/etc/conf": "../data/ab/x.conf"}


@dataclass(frozen=True)
class World:
    """Everything is named as rules name it: with `prefix`, and by real paths."""

    prefix: str = ""
    merged: bool = False

    @cached_property
    def links(self) -> dict[bytes, bytes]:
        """Symbolic links and where they lead, relative to their directory."""
        links = _LINKS | (_MERGED if self.merged else {})
        return {self._place(path): target.encode() for path, target in links.items()}

    @cached_property
    def programs(self) -> tuple[bytes, ...]:
        return tuple(self.resolve(self._place(path)) for path in _PROGRAMS)

    @cached_property
    def scripts(self) -> dict[bytes, bytes]:
        """Scripts and their interpreters."""
        return {self._place(path): self._place(program) for path, program in _SCRIPTS.items()}

    @cached_property
    def directories(self) -> tuple[bytes, ...]:
        """The directories with files in them."""
        return tuple(self._place(path) for path in (*_DATA, DEEP, *(() if self.merged else ("/lib",))))

    @cached_property
    def files(self) -> tuple[bytes, ...]:
        usual = tuple(d + b"/" + name.encode() for d in self.directories for name in FILES)
        return (*usual, *(self._place(f"/data/{name}") for name in LONG))

    @cached_property
    def new(self) -> tuple[bytes, ...]:
        """Names at which something can be made."""
        return tuple(d + b"/" + name.encode() for d in self.directories for name in NEW)

    @cached_property
    def voids(self) -> tuple[bytes, ...]:
        return tuple(d + b"/" + VOID.encode() for d in self.directories)

    @cached_property
    def movable(self) -> tuple[bytes, ...]:
        """Directories with something in them that may be moved away for a moment."""
        return tuple(map(self._place, ("/data/a", "/data/a/b", "/data/ab")))

    def resolve(self, path: bytes) -> bytes:
        """The real path: every link on the way followed, without looking at a file system."""
        done, left = b"", path.split(b"/")[1:]
        while left:
            part = left.pop(0)
            if part == b"..":
                done = done.rpartition(b"/")[0]
                continue
            target = self.links.get(done + b"/" + part)
            if target is None:
                done += b"/" + part
            else:
                left = target.split(b"/") + left
        return done

    def build(self, root: Path, program: Path) -> None:
        """Make it all below the directory `root` of this process, every program a copy of `program`."""
        here = os.fsencode(root)
        for directory in (*self.directories, *self.voids, self._place("/etc")):
            os.makedirs(here + directory, exist_ok=True)
        for path in self.programs:
            os.makedirs(os.path.dirname(here + path), exist_ok=True)
            shutil.copy(program, here + path)
        for path, interpreter in self.scripts.items():
            Path(os.fsdecode(here + path)).write_bytes(b"#!" + interpreter + b" exit\n")
        for path in (*self.programs, *self.scripts):
            os.chmod(here + path, 0o755)
        for path in self.files:
            self.make_file(here + path)
        for path, target in self.links.items():
            os.symlink(target, here + path)
        for directory, _, _ in os.walk(here + self.prefix.encode()):
            os.chmod(directory, 0o777)

    @staticmethod
    def make_file(place: bytes) -> None:
        """A file that anyone may read, write and map."""
        Path(os.fsdecode(place)).write_bytes(b"\0" * 64)
        os.chmod(place, 0o666)

    def _place(self, path: str) -> bytes:
        return (self.prefix + path).encode()
