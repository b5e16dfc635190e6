# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a container's init: it is the only witness against stale or false records."""

import os
from dataclasses import dataclass

from hauberk.workloads.containers.records import RecordError

_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Proc:
    """A /proc."""

    path: str

    def started(self, pid: int) -> int | None:
        """Clock ticks from boot to a process's start; None if it is gone or a zombie. Raises RecordError."""
        text = self._text(pid, "stat")
        # The name in parentheses may contain anything, parentheses too.
        fields = text.rpartition(b")")[2].split()
        if not fields or fields[0] in (b"Z", b"X", b"x"):
            return None
        try:
            return int(fields[19])
        except (IndexError, ValueError) as error:
            raise RecordError(f"/proc/{pid}/stat cannot be understood") from error

    def cgroup(self, pid: int) -> str | None:
        """The cgroup v2 path of a process, below the root of the hierarchy; None if it is gone.

        Raises RecordError if there is none, as where controllers are used by cgroup v1.
        """
        text = self._text(pid, "cgroup")
        for line in text.split(b"\n"):
            if line.startswith(b"0::"):
                return line[3:].removesuffix(b" (deleted)").decode(errors="surrogateescape")
        if not text:
            return None
        raise RecordError("its init is in no cgroup of version 2")

    def namespace(self, pid: int, kind: str) -> int | None:
        """The inode number of a namespace (`mnt`, `pid`) of a process; None if it is gone."""
        try:
            name = os.readlink(f"{self.path}/{pid}/ns/{kind}")
        except OSError:
            return None
        number = name.removeprefix(f"{kind}:[").removesuffix("]")
        return int(number) if number.isdecimal() else None

    def _text(self, pid: int, name: str) -> bytes:
        """A file of a process; empty if it is gone."""
        try:
            with open(f"{self.path}/{pid}/{name}", "rb", buffering=0) as file:
                return file.read(_LARGEST) or b""
        except (FileNotFoundError, ProcessLookupError):
            return b""
        except OSError as error:
            raise RecordError(f"cannot read /proc/{pid}/{name}: {error.strerror}") from error
