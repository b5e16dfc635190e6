# SPDX-License-Identifier: Apache-2.0
"""Files that hold what they held before or what was written, whenever the machine stops."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_NEW: Final = ".new"


def replace(files: Mapping[Path, bytes]) -> None:
    """Replace files of one directory, for root alone. Raises OSError; all of them are as before then.

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
            sync(directory)
    except OSError:
        for path in new.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise


def sync(directory: Path) -> None:
    """Have what a directory lists outlast a stop of the machine. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
