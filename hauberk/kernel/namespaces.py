# SPDX-License-Identifier: Apache-2.0
"""Mount namespaces: the few calls that Python 3.11 has no names for."""

import ctypes
import os

from hauberk.kernel.errors import KernelError, explain

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def enter_root(directory: str) -> None:
    """Move this process into a private mount namespace whose root is `directory`.

    Below it, /proc, /sys and /dev show this machine's where such a directory is there and empty; nothing else is mounted.
    Raises KernelError.
    """
    _call("unshare", CLONE_NEWNS)
    _mount(None, "/", MS_REC | MS_PRIVATE)
    root = os.path.realpath(directory)
    _mount(root, root, MS_BIND | MS_REC)
    for name in ("proc", "sys", "dev"):
        place = f"{root}/{name}"
        if os.path.isdir(place) and not os.path.islink(place) and not os.listdir(place):
            _mount(f"/{name}", place, MS_BIND | MS_REC)
    os.chdir(root)
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise KernelError(f"pivot_root is not known on {os.uname().machine}", 0)
    # Both arguments the same: the old root ends up mounted over the new one, and is then let go (pivot_root(2)).
    _check(_libc.syscall(number, b".", b"."), "pivot_root")
    _call("umount2", b".", MNT_DETACH)
    os.chdir("/")


def _mount(source: str | None, target: str, flags: int) -> None:
    fs = None if source is None else os.fsencode(source)
    _check(_libc.mount(fs, os.fsencode(target), None, ctypes.c_ulong(flags), None), f"mounting on {target}")


def _call(name: str, *arguments: bytes | int) -> None:
    _check(getattr(_libc, name)(*arguments), name)


def _check(result: int, doing: str) -> None:
    if result < 0:
        errno = ctypes.get_errno()
        raise KernelError(f"{doing}: {explain(errno)}", errno)
