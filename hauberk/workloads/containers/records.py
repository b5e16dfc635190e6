# SPDX-License-Identifier: Apache-2.0
"""Reading what runtimes write down: bounded, never waiting, and telling whose it is.

Rootless runtimes keep their records where their user can put anything: a pipe, a link, a huge file. Only
regular files are read, only so far, and such a user's files only if they are the user's own.
"""

import os
import stat
from typing import TypeVar

import msgspec

from hauberk.errors import HauberkError

MAX_RECORD = 8 << 20
"""Bytes of one record. The largest seen, runc's of a container with Docker's defaults, has 40 kB."""

Stamp = tuple[int, int, int]
"""Inode, time of the last change in ns and size of a file: what it says is the same while these are."""

T = TypeVar("T")


class RecordError(HauberkError):
    """A runtime's record cannot be read, or does not say what it should."""


class GoneError(RecordError):
    """There is no such record."""


def stamp(path: str) -> Stamp | None:
    """What tells one content of a file from another; None if there is no such file. Raises RecordError."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RecordError(f"cannot look at {path}: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def open_record(path: str, owner: int | None = None) -> int:
    """A descriptor of a regular file, of this user if `owner` says so. Raises RecordError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise GoneError(f"there is no {path}") from error
    except OSError as error:
        raise RecordError(f"cannot open {path}: {error.strerror}") from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise RecordError(f"{path} is no regular file")
    if owner is not None and found.st_uid != owner:
        os.close(fd)
        raise RecordError(f"{path} does not belong to user {owner}, whose container it is to describe")
    return fd


def read(path: str, owner: int | None = None, limit: int = MAX_RECORD) -> bytes:
    """A record's bytes. Raises RecordError, for one of more than `limit` bytes too."""
    fd = open_record(path, owner)
    with open(fd, "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise RecordError(f"{path} has more than {limit} bytes")
    return data


def decode(data: bytes | str, kind: type[T], path: str) -> T:
    """JSON as `kind`, unknown fields ignored. Raises RecordError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be understood: {error}") from error
    except RecursionError as error:
        raise RecordError(f"{path} is nested too deeply") from error
