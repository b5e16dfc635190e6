# SPDX-License-Identifier: Apache-2.0
"""Symbolic links of a workload's root file system, followed as the workload would and without leaving it."""

import os
from collections.abc import Callable
from typing import NamedTuple

_MAX_LINKS = 40  # as the kernel (MAXSYMLINKS)


class _Place(NamedTuple):
    """How far a path has been followed: where that is, by how many links, and whether nothing is there."""

    real: bytes
    links: int
    missing: bool


_START = _Place(b"", 0, False)


def resolver(root: bytes) -> Callable[[bytes], bytes]:
    """A function from a path to its real path in the file system below the directory `root`.

    Paths have no slash at their end, so that the root is empty. What does not exist, or cannot be looked at,
    is taken as no link; a path with more links than the kernel follows comes back as it was. Directories are
    looked at once and remembered.
    """
    known: dict[bytes, _Place | None] = {}

    def follow(place: _Place, left: list[bytes]) -> _Place | None:
        """Where the components `left`, the last first, lead from `place`; None if by too many links."""
        done, links, missing = place
        while left:
            part = left.pop()
            if part == b"..":
                done, missing = done.rpartition(b"/")[0], False
                continue
            here = done + b"/" + part
            target = None
            if not missing:
                try:
                    target = os.readlink(root + here)
                except (FileNotFoundError, NotADirectoryError):
                    missing = True
                except (OSError, ValueError):
                    pass
            if target is None:
                done = here
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith(b"/"):
                done = b""
            left += _components(target)
        return _Place(done, links, missing)

    def resolve(path: bytes) -> bytes:
        if path in known:
            found = known[path]
        else:
            # Many rules are about files of one directory.
            parent, _, last = path.rpartition(b"/")
            if parent not in known:
                known[parent] = follow(_START, _components(parent))
            place = known[parent]
            if place is not None and place.missing and last not in (b"", b".", b".."):
                return place.real + b"/" + last
            found = None if place is None else follow(place, _components(last))
        return path if found is None else found.real

    return resolve


def _components(path: bytes) -> list[bytes]:
    """The last first."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
