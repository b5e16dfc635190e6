# SPDX-License-Identifier: Apache-2.0
"""Overlays: a directory tree that can be written to, over one that stays as it is; and memory for what is
written."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from hauberk.kernel.errors import KernelError

_MNT_DETACH: Final = 2
_libc = ctypes.CDLL(None, use_errno=True)


def mount_overlay(lower: Path, changes: Path, target: Path) -> None:
    """Show `lower` at `target`; what is written there goes to directories made in `changes`.

    `changes` must not lie on an overlay itself: a tmpfs is as good as any. Raises KernelError.
    """
    upper, work = changes / "upper", changes / "work"
    for directory in (upper, work, target):
        directory.mkdir(parents=True, exist_ok=True)
    if any(char in str(path) for path in (lower, changes) for char in ",:\\"):
        raise KernelError(f"an overlay's paths cannot hold `,`, `:` or `\\`: {lower}", errno.EINVAL)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    result = _libc.mount(b"overlay", os.fsencode(target), b"overlay", ctypes.c_ulong(0), options.encode())
    _check(result, f"mounting an overlay on {target}")


def mount_tmpfs(target: Path) -> None:
    """Make a directory an empty one in memory, in which programs can be executed. Raises KernelError."""
    result = _libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", ctypes.c_ulong(0), b"mode=0700")
    _check(result, f"mounting a tmpfs on {target}")


def unmount(target: Path) -> None:
    """Take away what is mounted at `target`, at once for everyone who looks there. Raises KernelError."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"unmounting {target}")


def _check(result: int, doing: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        remedy = "this takes CAP_SYS_ADMIN: run as root" if code == errno.EPERM else ""
        raise KernelError(f"{doing}: {os.strerror(code)}", code, remedy)
