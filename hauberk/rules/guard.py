# SPDX-License-Identifier: Apache-2.0
"""The rules that every workload is under for the engine's own sake, whatever its policies say.

They stand in the same tables as all others, so that no way around a Block leads around them: Hauberk's own
files, and the files through which a process that is root makes the kernel run a program outside of its
workload. No Allow excepts them, and no object is refused on their account because it has no name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hauberk.automaton.patterns import Directory, Exact, Glob, Pattern
from hauberk.rules.model import SELF_PROTECTION, Action, PolicyId, Rule, Scope, Section

GUARD_POLICY: Final = PolicyId(SELF_PROTECTION, "", SELF_PROTECTION)


class Reach(StrEnum):
    """What a guarded path stands for."""

    FILE = "file"
    TREE = "tree"
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True)
class Guarded:
    """Objects that confined tasks may not change, and unless `readable` not read either."""

    purpose: str
    path: bytes
    reach: Reach = Reach.FILE
    readable: bool = True

    @property
    def target(self) -> Pattern:
        """The pattern that names them."""
        match self.reach:
            case Reach.FILE:
                return Exact(self.path)
            case Reach.TREE:
                return Directory(self.path, True)
            case Reach.PATTERN:
                return Glob(self.path)


def guard_rules(guarded: Iterable[Guarded]) -> Iterator[Rule]:
    """The rules that guard these objects."""
    for index, each in enumerate(guarded):
        yield Rule(
            policy=GUARD_POLICY,
            scope=Scope.ENGINE,
            index=index,
            where=each.purpose,
            line=0,
            section=Section.FILE,
            action=Action.BLOCK,
            target=each.target,
            read_only=each.readable,
        )
