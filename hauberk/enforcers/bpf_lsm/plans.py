# SPDX-License-Identifier: Apache-2.0
"""Which functions of the kernel serve a system call, and what the programs have to know of its arguments.

A call has a function for 64-bit programs and one or several for 32-bit ones, which also know it with narrower
ids, times or offsets (`chown16`, `utime32`). All are attached to, or a 32-bit program would be unseen. What
the running kernel's BTF does not describe it does not have.
"""

import platform
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from hauberk.kernel.features import functions_with
from hauberk.policy.signatures import PathArgument, signature_of
from hauberk.policy.syscalls import NAME_OF, NAMES, NUMBERS, exists_on

_FUNCTIONS: Final = {
    "stat": "newstat",
    "lstat": "newlstat",
    "fstat": "newfstat",
    "uname": "newuname",
    "umount2": "umount",
    "sendfile": "sendfile64",
    "_sysctl": "sysctl",
}
"""Where the kernel's own name (SYSCALL_DEFINE) is another."""
_OLDER: Final = {
    "umount2": ("oldumount",),
    "mmap": ("mmap_pgoff",),
    "lseek": ("llseek",),
    "newfstatat": ("fstatat64", "ia32_fstatat64"),
}
"""Others by which 32-bit programs know a call."""
_NARROW: Final = ("", "16", "32", "64", "_time32")
_PREFIXES: Final = {
    "x86_64": (
        ("__x64_sys_", False), ("__x64_compat_sys_", False),
        ("__ia32_sys_", True), ("__ia32_compat_sys_", True),
    ),
    "aarch64": (("__arm64_sys_", False), ("__arm64_compat_sys_", False)),
}  # fmt: skip
"""By machine: what the names of such functions begin with, and whether arguments lie as in 32-bit x86."""
_WITHOUT_ARGUMENTS: Final = frozenset(
    {
        "fork", "vfork", "getpid", "getppid", "gettid", "getpgrp", "getuid", "getgid", "geteuid", "getegid",
        "pause", "sched_yield", "setsid", "sync", "vhangup", "munlockall", "inotify_init", "restart_syscall",
        "rt_sigreturn",
    }
)  # fmt: skip
"""Of these `_ALIASES` are names of one function (SYSCALL_DEFINE0). BTF has one of them, or several, and only
one program can be attached there."""
_ALIASES: Final = ("__do_sys_", "__x64_sys_", "__ia32_sys_")
NEVER_RETURN: Final = frozenset({"execve", "execveat", "exit", "exit_group"})
"""Calls that are told when they begin: they do not come back to the program that made them."""

_NONE: Final = 15
_FROM_CWD: Final = 14
_ITSELF: Final = 14
_32BIT: Final = 1 << 16
_NEW_CWD: Final = 1 << 17
_NEW_ROOT: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Function:
    """One function that serves a call, and what the program there has to know (`PLAN_` in
    bpf/lib/syscall.h)."""

    name: str
    number: int
    plan: int
    at_return: bool


def functions_for(numbers: Collection[int]) -> list[Function]:
    """Every function of the running kernel that serves one of these calls."""
    return [each for number in sorted(numbers) for each in _functions_of(NAME_OF[number])]


def _functions_of(name: str) -> Iterator[Function]:
    aliases = {f"{prefix}{name}" for prefix in _ALIASES} if name in _WITHOUT_ARGUMENTS else set()
    has_alias = False
    for each in _candidates(name):
        is_alias = each.name in aliases
        if each.name in _there() and not (is_alias and has_alias):
            has_alias = has_alias or is_alias
            yield each


@cache
def _there() -> frozenset[str]:
    return functions_with("_sys_")


def lacking(names: Collection[str]) -> frozenset[str]:
    """Those of these calls that the running kernel has no function for."""
    served = {each.number for each in functions_for([NUMBERS[name] for name in names])}
    return frozenset(name for name in names if NUMBERS[name] not in served)


def _candidates(name: str) -> Iterator[Function]:
    machine = platform.machine()
    own = _FUNCTIONS.get(name, name)
    plan = plan_of(name)
    if machine == "x86_64" and name in _WITHOUT_ARGUMENTS:
        yield Function(f"__do_sys_{name}", NUMBERS[name], plan, True)
    for prefix, is_32bit in _PREFIXES.get(machine, ()):
        if not is_32bit and not exists_on(name, machine):
            continue  # there for 32-bit programs of arm64, which are not told apart
        forms = {own, *_OLDER.get(name, ())}
        if is_32bit:
            for form in {own, name}:
                forms |= {form + narrow for narrow in _NARROW} | {f"ia32_{form}{wide}" for wide in ("", "64")}
            # `getdents64` is no form of `getdents`
            others = NAMES - {name, own}
            forms = {form for form in forms if form.removeprefix("ia32_") not in others}
        for form in sorted(forms):
            flag = _32BIT if is_32bit else 0
            yield Function(prefix + form, NUMBERS[name], plan | flag, name not in NEVER_RETURN)


def plan_of(name: str) -> int:
    """The call's number, and the places of the arguments that are looked at."""
    signature = signature_of(name)
    plan = NUMBERS[name]
    for which in range(2):
        argument = signature.paths[which] if which < len(signature.paths) else None
        start, path = _places(argument)
        plan |= start << (20 + 8 * which) | path << (24 + 8 * which)
        place = signature.numbers[which][1] if which < len(signature.numbers) else _NONE
        plan |= place << (36 + 4 * which)
    return plan | {"chdir": _NEW_CWD, "fchdir": _NEW_CWD, "chroot": _NEW_ROOT}.get(name, 0)


def _places(argument: PathArgument | None) -> tuple[int, int]:
    if argument is None:
        return _FROM_CWD, _NONE
    start = _FROM_CWD if argument.start is None else argument.start
    return start, _ITSELF if argument.path is None else argument.path
