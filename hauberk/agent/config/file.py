# SPDX-License-Identifier: Apache-2.0
"""Reading a file that decides what root's daemon does: only root may have written it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from hauberk.errors import HauberkError

MAX_BYTES: Final = 1 << 20
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
# A pipe in the file's place must not make the agent wait.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class FileError(HauberkError):
    """The file cannot be read, or others than its owner, root, could have written it."""


def read_file(path: Path, most: int = MAX_BYTES) -> bytes | None:
    """The content, at most `most` bytes; None if there is no such file. Raises FileError.

    Symbolic links are followed, which tools that write configuration make: what they lead to is what is
    judged, and whoever could put another link there could put a file there, and is told of.
    """
    try:
        directory = os.stat(path.parent)
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {_reason(error)}") from error
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise FileError("is not a regular file")
        _own(found, path, found.st_mode & _OTHERS)
        # In a directory like /tmp nobody can replace what is not his own.
        _own(directory, path.parent, 0 if directory.st_mode & stat.S_ISVTX else directory.st_mode & _OTHERS)
        parts = []
        left = most + 1
        while left and (part := os.read(fd, left)):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise FileError(f"cannot be read: {_reason(error)}") from error
    finally:
        os.close(fd)
    if not left:
        raise FileError(f"is larger than {most >> 10} KiB")
    return b"".join(parts)


def _own(found: os.stat_result, path: Path, others: int) -> None:
    me = os.geteuid()
    what = "its directory" if stat.S_ISDIR(found.st_mode) else "it"
    if found.st_uid not in (0, me):
        raise FileError(f"user {found.st_uid} owns {what}, and could change it", f"chown root {path}")
    if others:
        raise FileError(f"others than its owner can write to {what}", f"chmod go-w {path}")


def _reason(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
