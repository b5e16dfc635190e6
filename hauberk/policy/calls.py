# SPDX-License-Identifier: Apache-2.0
"""The syscalls section: which system calls are reported, by name, path and program."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator
from pydantic.dataclasses import dataclass

from hauberk.policy import syscalls
from hauberk.policy.fields import DirectoryField, Flag, PathField, Severity, SyscallPath, Text, refuse
from hauberk.policy.sections import CONFIG, Element
from hauberk.policy.words import shorten


def _syscall(name: str) -> str:
    if name not in syscalls.NAMES:
        raise refuse(f"`{shorten(name, 40)}` is not a system call", lambda: syscalls.hint(name))
    return name


MAX_SYSCALLS: Final = 1024
"""Most system calls in one rule."""


def _not_too_many(names: Any) -> Any:
    # Before the names are looked at: pydantic's own limit counts only those that are valid.
    if isinstance(names, list) and len(names) > MAX_SYSCALLS:
        raise refuse(f"lists {len(names)} system calls, more than Linux has")
    return names


SyscallName = Annotated[Text, AfterValidator(_syscall)]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SyscallSource(Element):
    """One program, or a directory of programs, of a system call rule."""

    path: PathField | None = None
    dir: DirectoryField | None = None
    recursive: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SyscallRule(Element):
    """System calls, by whichever program."""

    syscall: Annotated[tuple[SyscallName, ...], BeforeValidator(_not_too_many)] = ()
    from_source: tuple[SyscallSource, ...] = ()
    line: int = field(default=0, init=False, compare=False)
    where: str = field(default="", init=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class SyscallPathRule(SyscallRule):
    """System calls on a path."""

    path: SyscallPath | None = None
    recursive: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Syscalls(Element):
    """The syscalls section. It has no action: system calls are only ever audited."""

    match_syscalls: tuple[SyscallRule, ...] = ()
    match_paths: tuple[SyscallPathRule, ...] = ()
    severity: Severity | None = None
    tags: tuple[Text, ...] = ()
    message: Text = ""

    @property
    def rules(self) -> tuple[SyscallRule, ...]:
        """All rules of the section, in the order of the fields."""
        return (*self.match_syscalls, *self.match_paths)
