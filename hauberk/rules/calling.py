# SPDX-License-Identifier: Apache-2.0
"""`syscalls` rules as written become targets: names become numbers, paths and programs get their aliases.

A path is a directory if it ends with a slash, or if the rule is recursive. An item of `fromSource` without a
path and a directory stands for every program, as everywhere.
"""

from collections.abc import Callable, Iterator, Sequence

from hauberk.automaton.patterns import Directory, Exact, Pattern
from hauberk.policy.calls import SyscallPathRule, SyscallRule, Syscalls, SyscallSource
from hauberk.policy.syscalls import NUMBERS
from hauberk.rules.syscalls import Calls, Place

Real = Callable[[Pattern], tuple[Pattern, ...]]
"""A pattern, followed by the same along the paths that it really names."""


def call_targets(section: Syscalls, real: Real) -> Iterator[tuple[Calls, str, int]]:
    """The target of each rule of the section, its place in the document and its line."""
    for rule in section.rules:
        if rule.syscall:
            yield _target(rule, real), rule.where, rule.line


def _target(rule: SyscallRule, real: Real) -> Calls:
    numbers = tuple(sorted({NUMBERS[name] for name in rule.syscall}))
    objects: tuple[Place, ...] = ()
    if isinstance(rule, SyscallPathRule) and rule.path is not None:
        objects = _places(rule.path, rule.recursive or rule.path.endswith("/"), rule.recursive, real)
    return Calls(numbers, objects, _programs(rule.from_source, real))


def _programs(sources: Sequence[SyscallSource], real: Real) -> tuple[Place, ...]:
    found: dict[Place, None] = {}
    for source in sources:
        if source.path is not None:
            found.update(dict.fromkeys(_places(source.path, False, False, real)))
        if source.dir is not None:
            found.update(dict.fromkeys(_places(source.dir, True, source.recursive, real)))
        if source.path is None and source.dir is None:
            return ()
    return tuple(found)


def _places(path: str, is_directory: bool, recursive: bool, real: Real) -> tuple[Place, ...]:
    written = path.encode("utf-8", "surrogateescape")
    patterns = real(Directory(written, recursive) if is_directory else Exact(written))
    return tuple(
        Place(pattern.path, is_directory, recursive)
        for pattern in patterns
        if isinstance(pattern, Exact | Directory)
    )
