# SPDX-License-Identifier: Apache-2.0
"""Execs that were permitted, until what came of them is known.

An exec is reported when it is permitted, with its arguments and the program that asked; whether the file is
a program at all the kernel finds out later, and reports in a record that has the exec's number and nothing
else.
"""

from typing import Final

from hauberk.events.alert import Alert, Log
from hauberk.events.record import Call, Record
from hauberk.events.syscalls import result
from hauberk.rules.model import Verdict

MOST: Final = 1024
"""Execs that are waited for at one time; beyond it the oldest is told as it is."""
PATIENCE_NS: Final = 30_000_000_000
"""For how long an exec is waited for."""
UNKNOWN_REASON: Final = "it was permitted; what came of it is not known"

_EXEC: Final = int(Call.EXEC)


def has_outcome(record: Record) -> bool:
    """Whether this is an exec of which another record will say what came of it."""
    return (
        record.call == _EXEC
        and record.detail[1] != 0
        and record.verdict not in (Verdict.AUDIT, Verdict.REFUSE)
    )


class Outcomes:
    """Events of execs under way. A script and its interpreter are two events of one exec."""

    def __init__(self) -> None:
        self._held: dict[int, list[tuple[int, Alert | Log]]] = {}
        self._count = 0

    def hold(self, record: Record, event: Alert | Log) -> list[Alert | Log]:
        """Keep the event of an exec; those for which there is no room any more."""
        self._held.setdefault(record.detail[1], []).append((record.time_ns, event))
        self._count += 1
        return self._take(next(iter(self._held))) if self._count > MOST else []

    def settle(self, record: Record) -> list[Alert | Log]:
        """The events of an exec whose outcome this record is, with their result."""
        held = self._held.pop(record.detail[0], [])
        self._count -= len(held)
        told = result(record.detail)
        for _, event in held:
            event.Result = told
        return [event for _, event in held]

    def overdue(self, now_ns: int) -> list[Alert | Log]:
        """The events that have waited for too long, as their outcomes were lost."""
        found: list[Alert | Log] = []
        while self._held and next(iter(self._held.values()))[0][0] + PATIENCE_NS <= now_ns:
            found += self._take(next(iter(self._held)))
        return found

    def rest(self) -> list[Alert | Log]:
        """All that are still held: nobody will say what came of them."""
        found: list[Alert | Log] = []
        while self._held:
            found += self._take(next(iter(self._held)))
        return found

    def _take(self, number: int) -> list[Alert | Log]:
        held = self._held.pop(number)
        self._count -= len(held)
        for _, event in held:
            event.Hauberk.Reason = UNKNOWN_REASON
        return [event for _, event in held]
