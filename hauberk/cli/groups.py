# SPDX-License-Identifier: Apache-2.0
"""Events of the same workload, policy, operation and object, counted."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import click
import msgspec

from hauberk.cli import lines
from hauberk.events import telling
from hauberk.events.telling import EventMap

MOST: Final = 100_000
"""Most groups; what is in no group then is counted all the same."""
HEADINGS: Final = ("COUNT", "DONE", "WORKLOAD", "OPERATION", "OBJECT", "POLICY", "FIRST", "LAST")
OTHERS: Final = "(others)"


class Group(msgspec.Struct):
    """Times are as events have them, in UTC."""

    done: str
    workload: str
    operation: str
    object: str
    policy: str
    count: int = 0
    first: str = ""
    last: str = ""

    def row(self) -> Sequence[str | int]:
        """As a row of a table, below `HEADINGS`."""
        what = (self.count, self.done, self.workload, self.operation, self.object, self.policy or "-")
        return (*what, self.first, self.last)

    def line(self) -> str:
        """In one line."""
        done = click.style(f"{self.done:7}", fg=lines.COLOURS.get(self.done))
        policy = f"  ({self.policy})" if self.policy else ""
        what = f"{self.count:7}x  {done}  {self.workload}  {self.operation} {self.object}{policy}"
        return f"{what}  {self.first} .. {self.last}"


class Groups:
    """Takes events; iterate for the groups, the largest first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._groups: dict[tuple[str, ...], Group] = {}

    def add(self, event: EventMap) -> None:
        """Count an event."""
        key = (
            telling.verdict(event),
            telling.workload(event),
            telling.done(event),
            telling.resource(event),
            telling.clean(event.get("PolicyName", "")),
        )
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= self._most:
                key = (key[0], OTHERS, OTHERS, OTHERS, OTHERS)
            group = self._groups.setdefault(key, Group(*key))
        group.count += telling.count(event)
        first, last = _times(event)
        group.first = min(group.first, first) if group.first else first
        group.last = max(group.last, last)

    def __iter__(self) -> Iterator[Group]:
        return iter(sorted(self._groups.values(), key=lambda each: (-each.count, each.workload, each.object)))


def _times(event: EventMap) -> tuple[str, str]:
    repeats = telling.nested(event, "Hauberk")
    own: Any = event.get("UpdatedTime", "")
    return telling.clean(repeats.get("FirstTime") or own), telling.clean(repeats.get("LastTime") or own)
