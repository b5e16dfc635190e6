# SPDX-License-Identifier: Apache-2.0
"""Reading the history, beside whoever writes it: a part at a time, so that no reader holds up the writer."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from hauberk.events.where import Where, matcher
from hauberk.sinks.history import COLUMNS, UNUSABLE, VERSION, HistoryError, primary

ROWS: Final = 500
"""Rows that are read at once."""
_NO_END: Final = 1 << 62
_WHO: Final = "only root may read it"

Kind = Literal["alert", "log"]


class Span(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which events. `after` is a number; `since` and `until` are microseconds since 1970, the latter not
    included, 0: no bound. With `limit` only the newest ones, so many."""

    kinds: tuple[Kind, ...] = ("alert",)
    after: int = 0
    since: int = 0
    until: int = 0
    where: Where = ()
    limit: int = 0


class Kept(NamedTuple):
    """An event as JSON, with its number."""

    number: int
    kind: Kind
    event: bytes


class Hole(NamedTuple):
    """So many accesses are missing before the event of this number; 0: it is not known how many."""

    number: int
    accesses: int
    why: str


class Recall:
    """The events of a span: call `part` until it gives nothing. Raises HistoryError."""

    def __init__(self, path: Path, span: Span) -> None:
        self._path = path
        self._span = span
        self._wanted = matcher(span.where)
        self.reached = span.after
        """Up to this number everything has been looked at."""
        self._gap_after = span.after
        self._told_dropped = False
        self._last: list[Kept | Hole] | None = None
        """With a limit: what is left of those that were found."""
        self.unreadable = 0
        """Rows whose event is none."""
        self._conditions, self._values = _condition(span)
        try:
            path.stat()
        except FileNotFoundError:
            remedy = "the setting historyMiB turns it on"
            raise HistoryError(f"there is no history at {path}", remedy) from None
        except OSError as error:
            raise HistoryError(f"reading the history at {path}: {error.strerror}", _WHO) from error
        try:
            # A copy without a log, in a place where nobody may write, cannot be opened but so.
            is_copy = not os.access(path.parent, os.W_OK) and not os.path.exists(f"{path}-wal")
            uri = f"file:{quote(os.fspath(path))}?mode=ro{'&immutable=1' if is_copy else ''}"
            self._connection = sqlite3.connect(uri, uri=True, timeout=5.0, check_same_thread=False)
            self._connection.text_factory = bytes
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        if version != VERSION:
            raise HistoryError(
                f"{path} is of another version of Hauberk ({version})", "read it with that one"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __iter__(self) -> Iterator[Kept | Hole]:
        while part := self.part():
            yield from part

    def begins(self) -> int:
        """The time of the oldest event of these kinds, in microseconds since 1970, if older ones were
        dropped; else 0. Raises HistoryError."""
        kinds = ", ".join("?" * len(self._span.kinds))
        dropped = self._rows(f"SELECT max(dropped) FROM state WHERE kind IN ({kinds})", self._span.kinds)[0][
            0
        ]
        if not dropped:
            return 0
        oldest = [self._rows(f"SELECT time FROM {kind} ORDER BY number LIMIT 1") for kind in self._span.kinds]
        return min((rows[0][0] for rows in oldest if rows), default=0)

    def part(self) -> list[Kept | Hole]:
        """The next ones, in their order. Raises HistoryError."""
        if self._span.limit:
            if self._last is None:
                self._last = self._newest()
            part, self._last = self._last[:ROWS], self._last[ROWS:]
            return part
        part = self._dropped()
        while not part:
            rows = [self._events(kind, "> ?", self.reached, "") for kind in self._span.kinds]
            full = [some[-1][0] for some in rows if len(some) == ROWS]
            # Beyond the last row of a table of which there is more, nothing is in order yet.
            end = min(full, default=max((some[-1][0] for some in rows if some), default=self.reached))
            gaps = self._gaps(end if full else _NO_END)
            kept = (self._kept(kind, some, end) for kind, some in zip(self._span.kinds, rows, strict=True))
            part = list(merge(gaps, *kept, key=attrgetter("number")))
            self.reached = end
            if not full:
                break
        return part

    def _newest(self) -> list[Kept | Hole]:
        """The newest ones that meet the conditions, as many as are asked for."""
        found: list[Kept] = []
        newest = [self._rows(f"SELECT max(number) FROM {kind}")[0][0] for kind in self._span.kinds]
        self.reached = max(self.reached, *(each or 0 for each in newest))
        before = self.reached + 1
        while len(found) < self._span.limit:
            rows = [self._events(kind, "< ?", before, "DESC") for kind in self._span.kinds]
            full = [some[-1][0] for some in rows if len(some) == ROWS]
            before = max(full, default=0)
            for kind, some in zip(self._span.kinds, rows, strict=True):
                found += self._kept(kind, [row for row in some if row[0] >= before], _NO_END)
            if not full:
                break
        found.sort(key=attrgetter("number"))
        if len(found) > self._span.limit:
            found = found[-self._span.limit :]
            self._gap_after = found[0].number
        return list(merge(self._gaps(_NO_END), found, key=attrgetter("number")))

    def _events(self, kind: str, beyond: str, number: int, order: str) -> list[tuple[Any, ...]]:
        after = "" if beyond == "> ?" else f" AND number > {self._span.after}"
        return self._rows(
            f"SELECT number, event FROM {kind} WHERE number {beyond}{after}{self._conditions}"
            f" ORDER BY number {order} LIMIT {ROWS}",
            (number, *self._values),
        )

    def _kept(self, kind: Kind, rows: Sequence[tuple[Any, ...]], end: int) -> Iterator[Kept]:
        for number, event in rows:
            if number > end:
                return
            try:
                meets = self._wanted(msgspec.json.decode(event, type=dict[str, Any]))
            except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
                meets = None
            if meets is None or b"\n" in event:
                self.unreadable += 1
                continue
            if not meets:
                continue
            yield Kept(number, kind, event)

    def _gaps(self, end: int) -> list[Hole]:
        span = self._span
        rows = self._rows(
            "SELECT number, accesses, why FROM gap WHERE number > ? AND number <= ? AND time >= ?"
            " AND time < ? ORDER BY number",
            (self._gap_after, end, span.since, span.until or _NO_END),
        )
        if rows:
            self._gap_after = rows[-1][0]
        return [Hole(number, accesses, why.decode(errors="replace")) for number, accesses, why in rows]

    def _dropped(self) -> list[Kept | Hole]:
        """Whoever goes on from a number is told if what came next is not there any more."""
        if self._told_dropped or not self._span.after:
            return []
        self._told_dropped = True
        dropped = self._last_dropped()
        why = "older events were dropped from the history to make room"
        return [Hole(dropped, 0, why)] if dropped > self._span.after else []

    def _last_dropped(self) -> int:
        kinds = ", ".join("?" * len(self._span.kinds))
        query = f"SELECT max(dropped) FROM state WHERE kind IN ({kinds})"
        return self._rows(query, self._span.kinds)[0][0] or 0

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> HistoryError:
        if primary(error) in UNUSABLE:
            return HistoryError(f"the history at {self._path} is damaged: {error}", damaged=True)
        remedy = _WHO if primary(error) == sqlite3.SQLITE_CANTOPEN else ""
        return HistoryError(f"reading the history at {self._path}: {error}", remedy)


def _condition(span: Span) -> tuple[str, list[str | int]]:
    """What SQLite can say of the conditions: times, and what columns equal. All are looked at again."""
    text = ""
    values: list[str | int] = []
    if span.since:
        text += " AND time >= ?"
        values.append(span.since)
    if span.until:
        text += " AND time < ?"
        values.append(span.until)
    for terms in span.where:
        if all(term.field in COLUMNS and term.operator == "=" and term.value for term in terms):
            text += f" AND ({' OR '.join(f'{term.field} = ?' for term in terms)})"
            values += [term.value for term in terms]
    return text, values
