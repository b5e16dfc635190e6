# SPDX-License-Identifier: Apache-2.0
"""Rotation of a file by renaming: `alerts.jsonl` becomes `alerts.jsonl.1`, that one `.2`, and so on. Nothing
is copied, so that nothing is lost or torn, whenever it is interrupted."""

import os
from contextlib import suppress


def rotate(path: str, files: int) -> None:
    """Rename the file, and those that were renamed before; of them `files` are kept. Raises OSError."""
    for number in range(files - 1, 0, -1):
        with suppress(FileNotFoundError):
            os.replace(f"{path}.{number}", f"{path}.{number + 1}")
    with suppress(FileNotFoundError):
        os.replace(path, f"{path}.1")
