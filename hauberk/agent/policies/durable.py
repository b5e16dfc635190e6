# SPDX-License-Identifier: Apache-2.0
"""What is to survive a restart: written whole or not at all, read within bounds."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hauberk.errors import HauberkError
from hauberk.kernel import durable


class StoreError(HauberkError):
    """What is to survive a restart cannot be written or read."""


def write(path: Path, data: bytes) -> None:
    """Replace a file, for root alone. Raises StoreError; the file is as before then."""
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Replace files of one directory, for root alone. Raises StoreError; all of them are as before then."""
    try:
        durable.replace(files)
    except OSError as error:
        names = ", ".join(map(str, files))
        raise StoreError(f"writing {names}: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove a file, for good, if it is there. Raises StoreError."""
    try:
        path.unlink(missing_ok=True)
        durable.sync(path.parent)
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
