# SPDX-License-Identifier: Apache-2.0
"""Files that hold what they held before or what was written, whenever the machine stops."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hauberk.errors import HauberkError

_NEW = ".new"


class StoreError(HauberkError):
    """What is to survive a restart cannot be written or read."""


def write(path: Path, data: bytes) -> None:
    """Replace a file, for root alone. Raises StoreError; the file is as before then."""
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Replace files of one directory, for root alone. Raises StoreError; all of them are as before then.

    What needs room and can fail for want of it is done for all of them before the first one is replaced.
    """
    new = {path: path.with_name(path.name + _NEW) for path in files}
    try:
        for path, data in files.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(new[path], flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path in files:
            new[path].replace(path)
        for directory in {path.parent for path in files}:
            _sync(directory)
    except OSError as error:
        for path in new.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise StoreError(f"writing {path}: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove a file, for good, if it is there. Raises StoreError."""
    try:
        path.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"removing {path}: {error.strerror}") from error


def read(path: Path, limit: int) -> bytes:
    """All of a regular file of at most `limit` bytes. Raises StoreError."""
    try:
        # A pipe or a device in its place must not make the agent wait.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise StoreError(f"{path} is not a regular file")
            data = file.read(limit + 1)
    except OSError as error:
        raise StoreError(f"reading {path}: {error.strerror}") from error
    if len(data) > limit:
        raise StoreError(f"{path} is larger than {limit >> 20} MiB", "split it")
    return data


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
