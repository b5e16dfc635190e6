# SPDX-License-Identifier: Apache-2.0
"""The last alerts and logs of the node, in an SQLite file that never grows beyond its bounds.

What a batch brings is committed before `write` returns, so that a process that is killed at any instruction
loses nothing that it has confirmed (write-ahead log; SQLite replays it). The disk is only waited for when the
log is moved into the file, which a thread does beside.

When the bounds are reached the oldest go, a chunk at a time, and their pages are used again. Logs cannot
push alerts out: logs go first while they take more than half.

A file that is damaged is moved aside, once, and a new one begun. What cannot be written (a full disk) is
counted, and a row in its place says so when writing works again.
"""

import fcntl
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Log

DAMAGED: Final = ".damaged"
"""What the name of a file that was moved aside ends in."""
VERSION: Final = 1
"""Of the schema."""
COLUMNS: Final = ("NamespaceName", "ContainerName", "PolicyName", "Operation", "Action")
"""Fields that have a column of their own. The whole event is there too, as JSON."""
KINDS: Final = ("alert", "log")
"""Tables of events."""
_PAGE: Final = 4096
_ROW_OVERHEAD: Final = 64
_INDEX_BYTES: Final = 128 << 10
"""What the index of the log (`-shm`) takes at most: 32 KiB for each 4096 pages of it."""
_BUSY_SECONDS: Final = 0.2
"""How long a write waits for somebody else's."""
UNUSABLE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Result codes for a file that is damaged, or none of SQLite's."""
_SUFFIXES: Final = ("", "-wal", "-shm")
_SCHEMA: Final = "".join(
    f"CREATE TABLE {kind} (number INTEGER PRIMARY KEY, time INTEGER, "
    + "".join(f"{column} TEXT, " for column in COLUMNS)
    + "event TEXT);"
    for kind in KINDS
) + (
    "CREATE TABLE gap (number INTEGER PRIMARY KEY, time INTEGER, accesses INTEGER, why TEXT);"
    # By kind: bytes of the rows that there are, and the number of the last that was dropped.
    "CREATE TABLE state (kind TEXT PRIMARY KEY, bytes INTEGER, dropped INTEGER);"
    "INSERT INTO state VALUES ('alert', 0, 0), ('log', 0, 0);"
    f"PRAGMA user_version = {VERSION};"
)
_INSERT: Final = {
    kind: f"INSERT OR REPLACE INTO {kind} VALUES (?, ?{', ?' * len(COLUMNS)}, ?)" for kind in KINDS
}


class HistoryError(HauberkError):
    """The history cannot be had. `damaged`: its file is there, and of no use. `busy`: somebody else
    writes it, who may end soon."""

    def __init__(self, message: str, remedy: str = "", *, damaged: bool = False, busy: bool = False) -> None:
        super().__init__(message, remedy)
        self.damaged = damaged
        self.busy = busy


class History:
    """The file at `path`, for one writer. It and its log take at most `mib` MiB. Raises HistoryError."""

    def __init__(self, path: Path, mib: int) -> None:
        self.path = path
        self.lost = 0
        """Accesses of events that could not be written."""
        self.findings: tuple[str, ...] = ()
        """What is wrong, in words."""
        self.aside = ""
        """What became of a file that was of no use, in words."""
        self._log_bytes = min(mib << 18, 16 << 20)
        self._slice_bytes = self._log_bytes // 8
        room = (mib << 20) - self._log_bytes - self._slice_bytes * 2 - _INDEX_BYTES
        self._most_pages = room // _PAGE
        self._chunk_bytes = self._most_pages * _PAGE // 16
        self._encode = msgspec.json.Encoder().encode
        self._gap = 0
        self._gap_at = 0
        self._gap_why = ""
        self._mover: threading.Thread | None = None
        self._moved_at = 0
        """How large the log was when moving it was begun last."""
        self._connection: sqlite3.Connection
        self.next = 0
        """The number of the next event."""
        self._lock = _lock(path)
        try:
            self._begin()
        except BaseException:
            os.close(self._lock)
            raise
        self.next = self.next or fresh_number()

    def write(self, events: Sequence[tuple[int, Alert | Log]]) -> None:
        """Keep these, each with its number. What cannot be kept is counted."""
        begin = 0
        for end, rows, size in self._slices(events):
            try:
                self._keep(rows, size)
            except (sqlite3.Error, OSError, HistoryError) as error:
                self._lose(events[begin:end], error)
            else:
                self.findings = ()
            begin = end
        if events:
            self.next = events[-1][0] + 1

    def miss(self, accesses: int, why: str) -> None:
        """Remember that so many accesses are missing here."""
        self._note_gap(accesses, self.next, why)
        with suppress(sqlite3.Error, OSError, HistoryError):
            self._keep({}, {})

    def set_aside(self, why: str) -> None:
        """Part with a file that is of no use, and begin a new one. Raises HistoryError."""
        self._connection.close()
        self._identity = (0, 0)
        self._move_aside(why)
        self._begin()

    def close(self) -> None:
        """End. The log is moved into the file."""
        if self._mover is not None:
            self._mover.join()
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()
        os.close(self._lock)

    # Writing

    def _slices(
        self, events: Sequence[tuple[int, Alert | Log]]
    ) -> Iterator[tuple[int, dict[str, list[tuple[Any, ...]]], dict[str, int]]]:
        """As many as fit in one transaction: where they end, their rows, and their bytes."""
        rows: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in KINDS}
        sizes = dict.fromkeys(KINDS, 0)
        for place, (number, event) in enumerate(events, 1):
            text = self._encode(event).decode()
            kind, policy, action = "log", None, None
            if isinstance(event, Alert):
                kind, policy, action = "alert", event.PolicyName, event.Action
            micros = int(event.UpdatedTime[20:26] or 0) if len(event.UpdatedTime) == 27 else 0
            moment = event.Timestamp * 1_000_000 + micros
            where = (event.NamespaceName, event.ContainerName, policy, event.Operation, action)
            rows[kind].append((number, moment, *where, text))
            sizes[kind] += len(text) + _ROW_OVERHEAD
            if sum(sizes.values()) >= self._slice_bytes or place == len(events):
                yield place, rows, sizes
                rows = {kind: [] for kind in KINDS}
                sizes = dict.fromkeys(KINDS, 0)

    def _keep(self, rows: dict[str, list[tuple[Any, ...]]], sizes: dict[str, int]) -> None:
        try:
            self._look_at_file()
            self._transact(rows, sizes)
        except sqlite3.DatabaseError as error:
            if primary(error) not in UNUSABLE:
                raise
            self.set_aside(f"it was damaged ({error})")
            self._transact(rows, sizes)
        self._gap = 0

    def _transact(self, rows: dict[str, list[tuple[Any, ...]]], sizes: dict[str, int]) -> None:
        self._move_log()
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            if self._gap:
                execute(
                    "INSERT INTO gap VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE"
                    " SET accesses = accesses + excluded.accesses",
                    (self._gap_at, time.time_ns() // 1000, self._gap, self._gap_why),
                )
            for kind, some in rows.items():
                if some:
                    self._connection.executemany(_INSERT[kind], some)
                    execute("UPDATE state SET bytes = bytes + ? WHERE kind = ?", (sizes[kind], kind))
            self._trim()
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise

    def _trim(self) -> None:
        """Drop the oldest while more pages are in use than may be."""
        execute = self._connection.execute
        while self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count") > self._most_pages:
            sizes = dict(execute("SELECT kind, bytes FROM state").fetchall())
            kind = "log" if sizes["log"] > sizes["alert"] else "alert"
            found = execute(
                "SELECT number, total FROM"
                f" (SELECT number, sum(length(event) + ?) OVER (ORDER BY number) AS total FROM {kind})"
                " WHERE total >= ? LIMIT 1",
                (_ROW_OVERHEAD, self._chunk_bytes),
            ).fetchone()
            if found is None:
                return
            last, freed = found
            execute(f"DELETE FROM {kind} WHERE number <= ?", (last,))
            execute(
                "UPDATE state SET bytes = max(0, bytes - ?), dropped = ? WHERE kind = ?", (freed, last, kind)
            )
            execute("DELETE FROM gap WHERE number < (SELECT min(dropped) FROM state)")

    def _lose(self, events: Sequence[tuple[int, Alert | Log]], error: Exception) -> None:
        accesses = sum(event.Hauberk.Count for _, event in events)
        self.lost += accesses
        self.findings = (f"the history at {self.path} cannot be written, and lacks events: {error}",)
        self._note_gap(accesses, events[0][0], f"the history could not be written: {error}")

    def _note_gap(self, accesses: int, number: int, why: str) -> None:
        if not self._gap:
            self._gap_at, self._gap_why = number, why
        self._gap += accesses

    # The write-ahead log

    def _move_log(self) -> None:
        """Have the log moved into the file before it takes too much. Raises HistoryError if it cannot be."""
        size = self._size_of_log()
        grown = size - (self._moved_at if size >= self._moved_at else 0)
        if grown >= self._log_bytes // 4 and (self._mover is None or not self._mover.is_alive()):
            self._moved_at = size
            self._mover = threading.Thread(target=_move, args=(self.path,), daemon=True)
            self._mover.start()
        full = self._log_bytes - 2 * self._slice_bytes
        if size <= full:
            return
        # While somebody writes the log does not come to its end by itself. What is left to move is little,
        # unless the disk does not keep up or somebody reads, and then waiting is cheaper than losing.
        if self._mover is not None:
            self._mover.join()
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000:.0f}")
        if self._size_of_log() > full:
            raise HistoryError("another program reads it and does not let go")

    def _size_of_log(self) -> int:
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0

    # The file. Its descriptors are SQLite's alone: closing another one would take back SQLite's locks.

    def _begin(self) -> None:
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if primary(error) not in UNUSABLE:
                raise HistoryError(f"opening {self.path}: {error}") from error
            self._connection.close()
            self._move_aside(f"it was damaged ({error})")
            self._open_new()
        except OSError as error:
            raise HistoryError(f"opening {self.path}: {error.strerror}") from error

    def _open_new(self) -> None:
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise HistoryError(f"opening {self.path}: {error}") from error

    def _open(self) -> None:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        found = os.fstat(fd)
        os.close(fd)
        if not stat.S_ISREG(found.st_mode):
            raise HistoryError(f"{self.path} is no regular file", "move it away")
        self._identity = (found.st_dev, found.st_ino)
        self._connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        for pragma in (
            f"page_size = {_PAGE}",
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "wal_autocheckpoint = 0",
            "journal_size_limit = 0",
            "trusted_schema = OFF",
            # Debian's SQLite would write zeroes over all that is dropped.
            "secure_delete = OFF",
        ):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        version = self._number("PRAGMA user_version")
        if version not in (0, VERSION):
            self._connection.close()
            self._move_aside(f"its version is {version}, and this Hauberk's {VERSION}")
            self._open()
            return
        if version == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        self._shrink()
        self.next = max(self.next, self._next())

    def _shrink(self) -> None:
        """Give room back, if there may be less now than there was."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._trim()
        self._connection.execute("COMMIT")
        excess = self._number("PRAGMA page_count") - self._most_pages
        if excess > 0:
            # It gives back a page each time that it is asked to go on, which only a script does.
            self._connection.executescript(f"PRAGMA incremental_vacuum({excess})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _look_at_file(self) -> None:
        """Begin anew if the file was removed."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if (found.st_dev, found.st_ino) == self._identity:
                return
        self._connection.close()
        self._identity = (0, 0)
        for suffix in _SUFFIXES[1:]:
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self._begin()

    def _move_aside(self, why: str) -> None:
        kept = f"{self.path}{DAMAGED}"
        try:
            os.replace(self.path, kept)
            for suffix in _SUFFIXES[1:]:
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise HistoryError(
                f"{self.path} is of no use: {why}; moving it away: {error.strerror}"
            ) from error
        self.aside = f"the history begins anew: the file of before is {kept} now, as {why}"

    def _next(self) -> int:
        """One more than any number that is in the file; 0 if there is none."""
        found = self._number(
            "SELECT max((SELECT ifnull(max(number), 0) FROM alert), (SELECT ifnull(max(number), 0) FROM log),"
            " (SELECT ifnull(max(number), 0) FROM gap), (SELECT max(dropped) FROM state))"
        )
        return found + 1 if found else 0

    def _number(self, query: str) -> int:
        (value,) = self._connection.execute(query).fetchone()
        return int(value)


def _lock(path: Path) -> int:
    """A descriptor whose lock says that this process gives the numbers now. Raises HistoryError."""
    try:
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HistoryError(f"opening {path}.lock: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise HistoryError(f"another process writes {path}", "end it", busy=True) from error
    return fd


def fresh_number() -> int:
    """A number to begin with where it is not known which were given: the time, in milliseconds, which is
    more than an earlier history is likely to have come to."""
    return time.time_ns() // 1_000_000


def primary(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; -1 if the error is none of SQLite's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _move(path: Path) -> None:
    """Move the log into the file as far as nobody reads it, by a connection of its own."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=0.0)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
