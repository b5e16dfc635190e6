# SPDX-License-Identifier: Apache-2.0
"""Symbolic links of a workload's root file system, followed as the workload would and without leaving it."""

import os
import stat
from collections.abc import Callable

_MAX_LINKS = 40  # as the kernel (MAXSYMLINKS)


def resolver(root: bytes) -> Callable[[bytes], bytes]:
    """A function from a path to its real path in the file system below the directory `root`.

    Paths have no slash at their end, so that the root is empty. What does not exist is resolved as far as it does; a loop
    of links is left as it is.
    """

    def resolve(path: bytes) -> bytes:
        done = b""
        left = [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
        links = 0
        while left:
            part = left.pop()
            if part == b"..":
                done = done.rpartition(b"/")[0]
                continue
            here = done + b"/" + part
            try:
                is_link = stat.S_ISLNK(os.lstat(root + here).st_mode)
            except OSError:
                return b"/".join((here, *reversed(left)))
            if not is_link:
                done = here
                continue
            links += 1
            if links > _MAX_LINKS:
                return path
            target = os.readlink(root + here)
            if target.startswith(b"/"):
                done = b""
            left += [part for part in reversed(target.split(b"/")) if part not in (b"", b".")]
        return done

    return resolve
