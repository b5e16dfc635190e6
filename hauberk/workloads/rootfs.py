# SPDX-License-Identifier: Apache-2.0
"""Symbolic links of a workload's root file system, followed as the workload would and without leaving it."""

import os
import stat
from collections.abc import Callable

_MAX_LINKS = 40  # as the kernel (MAXSYMLINKS)


def resolver(root: bytes) -> Callable[[bytes], bytes]:
    """A function from a path to its real path in the file system below the directory `root`.

    Paths have no slash at their end, so that the root is empty. What does not exist is resolved as far as it does; a loop
    of links is left as it is. Each link is looked at once: the answers are those of one moment.
    """

    links_of: dict[bytes, bytes | None] = {}

    def link(path: bytes) -> bytes | None:
        """What the link at `path` says; empty if there is no link, None if there is nothing."""
        if path not in links_of:
            try:
                is_link = stat.S_ISLNK(os.lstat(root + path).st_mode)
                links_of[path] = os.readlink(root + path) if is_link else b""
            except OSError:
                links_of[path] = None
        return links_of[path]

    def resolve(path: bytes) -> bytes:
        done = b""
        left = _parts(path)
        links = 0
        while left:
            part = left.pop()
            if part == b"..":
                done = done.rpartition(b"/")[0]
                continue
            here = done + b"/" + part
            target = link(here)
            if target is None:
                return b"/".join((here, *reversed(left)))
            if not target:
                done = here
                continue
            links += 1
            if links > _MAX_LINKS:
                return path
            if target.startswith(b"/"):
                done = b""
            left += _parts(target)
        return done

    return resolve


def _parts(path: bytes) -> list[bytes]:
    """The components of a path, the last one first."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
