# SPDX-License-Identifier: Apache-2.0
"""What can go wrong at the door to the kernel, with the errno and what it means there."""

import errno
import os
from typing import NoReturn

from hauberk.errors import HauberkError


class KernelError(HauberkError):
    """The kernel or libbpf refused. `errno` is positive, or 0 where no system call failed."""

    def __init__(self, message: str, code: int = 0, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.errno = code


class LoadError(KernelError):
    """An object or a program was not accepted.

    `program` is the program's name, empty if the fault is not one program's; `log` the end of what libbpf and
    the verifier said.
    """

    def __init__(self, message: str, code: int, program: str = "", log: str = "") -> None:
        super().__init__(message, code)
        self.program = program
        self.log = log

    def __str__(self) -> str:
        return f"{self.message}\n{self.log}" if self.log else self.message


class AttachError(KernelError):
    """A loaded program could not be attached to its hook."""


class MapError(KernelError):
    """An operation on a map failed for another reason than an absent key."""


class PinError(KernelError):
    """Something could not be pinned below a bpffs directory, or what is pinned there could not be opened."""


class LayoutError(KernelError):
    """Python's idea of a struct differs from the object's. `differences` has one line for each."""

    def __init__(self, differences: list[str]) -> None:
        lines = "\n".join(f"  {line}" for line in differences)
        super().__init__(f"the BPF object's structs are not those that this version reads:\n{lines}")
        self.differences = differences


# What an errno of bpf(2) means where strerror() would mislead.
_MEANINGS = {
    errno.EPERM: "not permitted: CAP_BPF and CAP_PERFMON are needed, or the kernel is locked down",
    errno.EINVAL: "refused as invalid: this kernel does not know it, or the verifier objects",
    errno.E2BIG: "the map is full, or the program too large for the verifier",
    errno.ENOENT: "not found",
    errno.ESRCH: "the kernel has no such type or hook in its BTF",
    errno.ENOSPC: "the verifier's log did not fit",
    errno.EACCES: "the verifier rejected an access",
    524: "this kernel's BPF JIT does not support it",  # ENOTSUPP never left the kernel's headers
}


def explain(code: int) -> str:
    """An errno of bpf(2) in words."""
    name = errno.errorcode.get(code, f"errno {code}")
    return f"{_MEANINGS.get(code, os.strerror(code))} ({name})"


def fail(kind: type[KernelError], doing: str, code: int) -> NoReturn:
    """Raises `kind` for a failed call; `code` may have either sign."""
    code = abs(code)
    raise kind(f"{doing}: {explain(code)}", code)
