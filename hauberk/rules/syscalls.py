# SPDX-License-Identifier: Apache-2.0
"""What `syscalls` rules mean. They only ever audit: an alert is made of a call, and nothing is refused.

A rule speaks of a call if it names it and, where it says so, if the path that the call was given and the
program that called are ones that it lists. Of a call that was given two paths (`rename`) either counts. A
path that could not be read from the caller's memory counts as any: what a rule may be about is told, not kept
back.

A path is the one that the program gave, made absolute and freed of `.`, `..` and repeated slashes by its text
alone. A symbolic link on the way is followed only if it stands in the rule: the kernel's own name of an
object is what `file` rules compare.

Of the rules that speak of one call an alert names the one with the most conditions, of these the first by
kind, namespace, name and index. `decide` and the alerts both ask `find`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hauberk.automaton.patterns import Directory, Exact, matches

UNREAD: Final = None
"""In place of a path: it could not be read."""


class Place(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A path; or a directory with its entries, or with all below it."""

    path: bytes
    is_directory: bool = False
    recursive: bool = False

    @property
    def pattern(self) -> Exact | Directory:
        """The same as other sections have it."""
        return Directory(self.path, self.recursive) if self.is_directory else Exact(self.path)


class Calls(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The target of a `syscalls` rule: the numbers (of x86-64) of the calls that it names, the paths that it
    is limited to with their aliases, and the programs. No paths or programs: any."""

    numbers: tuple[int, ...]
    objects: tuple[Place, ...] = ()
    programs: tuple[Place, ...] = ()

    def speak_of(self, number: int, program: bytes, paths: Sequence[bytes | None]) -> bool:
        """Whether the rule is about a call of that number by `program` that was given `paths`."""
        if number not in self.numbers:
            return False
        if self.programs and not any(matches(place.pattern, program) for place in self.programs):
            return False
        return not self.objects or any(
            path is UNREAD or any(matches(place.pattern, path) for place in self.objects) for path in paths
        )

    @property
    def conditions(self) -> int:
        """How many conditions there are beside the call's number."""
        return bool(self.objects) + bool(self.programs)


def named(targets: Iterable[object]) -> frozenset[int]:
    """The numbers of all calls that some of these targets name."""
    return frozenset(number for each in targets if isinstance(each, Calls) for number in each.numbers)


def find(targets: Sequence[object], number: int, program: bytes, paths: Sequence[bytes | None]) -> int | None:
    """The index of the target that an alert on a call names, if there is one. They stand in canonical order;
    those that are no Calls count for nothing."""
    best, most = None, -1
    for index, each in enumerate(targets):
        if isinstance(each, Calls) and each.conditions > most and each.speak_of(number, program, paths):
            best, most = index, each.conditions
    return best


def absolute(start: bytes, path: bytes) -> bytes:
    """The path that a call means: `path` as it was given, from the directory `start`, which is the root
    directory for one that begins with a slash. An empty `path` means what `start` is."""
    if not start.startswith(b"/"):
        return start
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
            elif not path.startswith(b"/"):
                start = start.rpartition(b"/")[0]
        elif part not in (b"", b"."):
            parts.append(part)
    return (start.rstrip(b"/") + b"".join(b"/" + part for part in parts)) or b"/"
