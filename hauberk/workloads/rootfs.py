# SPDX-License-Identifier: Apache-2.0
"""Symbolic links of a workload's root file system, followed as the workload would and without leaving it."""

import os
from collections.abc import Callable

_MAX_LINKS = 40  # as the kernel (MAXSYMLINKS)


def resolver(root: bytes) -> Callable[[bytes], bytes]:
    """A function from a path to its real path in the file system below the directory `root`.

    Paths have no slash at their end, so that the root is empty. What does not exist, or cannot be looked at, is taken as
    no link; a path with more links than the kernel follows comes back as it was.
    """

    def resolve(path: bytes) -> bytes:
        done = b""
        left = _components(path)
        links = 0
        while left:
            part = left.pop()
            if part == b"..":
                done = done.rpartition(b"/")[0]
                continue
            here = done + b"/" + part
            try:
                target = os.readlink(root + here)
            except (OSError, ValueError):
                done = here
                continue
            links += 1
            if links > _MAX_LINKS:
                return path
            if target.startswith(b"/"):
                done = b""
            left += _components(target)
        return done

    return resolve


def _components(path: bytes) -> list[bytes]:
    """The last first."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
