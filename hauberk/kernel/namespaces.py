# SPDX-License-Identifier: Apache-2.0
"""Mounts and mount namespaces: the few calls that Python 3.11 has no names for."""

import ctypes
import errno
import os
from pathlib import Path

from hauberk.kernel.errors import KernelError

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def enter_root(directory: str) -> None:
    """Move this process into a private mount namespace whose root is `directory`, and there to "/".

    Below it, /proc, /sys and /dev show this machine's where such a directory is there and empty; of what else
    was mounted only what lies below `directory` remains. Raises KernelError.
    """
    root = os.path.realpath(directory)
    _check(_libc.unshare(CLONE_NEWNS), "a mount namespace of its own")
    _mount(None, "/", MS_REC | MS_PRIVATE)
    if root != "/":
        _mount(root, root, MS_BIND | MS_REC)
        for name in ("proc", "sys", "dev"):
            place = f"{root}/{name}"
            if os.path.isdir(place) and not os.path.islink(place) and not os.listdir(place):
                _mount(f"/{name}", place, MS_BIND | MS_REC)
        os.chdir(root)
        number = _SYS_PIVOT_ROOT.get(os.uname().machine)
        if number is None:
            raise KernelError(f"pivot_root is not known on {os.uname().machine}", errno.ENOSYS)
        # Both arguments the same: the old root ends up mounted over the new one, and is then let go
        # (pivot_root(2)).
        _check(_libc.syscall(number, b".", b"."), f"making {root} the root")
        _check(_libc.umount2(b".", MNT_DETACH), "letting go of the old root")
    os.chdir("/")


def mount_bpffs(directory: Path) -> None:
    """Mount a bpffs, where it belongs and where every other tool looks for it. Raises KernelError."""
    flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC)
    result = _libc.mount(b"bpf", os.fsencode(directory), b"bpf", flags, b"mode=0700")
    _check(result, f"mounting a bpffs on {directory}", f"mount -t bpf bpf {directory}")


def _mount(source: str | None, target: str, flags: int) -> None:
    what = None if source is None else os.fsencode(source)
    result = _libc.mount(what, os.fsencode(target), None, ctypes.c_ulong(flags), None)
    _check(result, f"mounting {source or 'nothing'} on {target}")


def _check(result: int, doing: str, remedy: str = "") -> None:
    if result < 0:
        code = ctypes.get_errno()
        remedy = "this takes CAP_SYS_ADMIN: run as root" if code == errno.EPERM else remedy
        raise KernelError(f"{doing}: {os.strerror(code)}", code, remedy)
