# SPDX-License-Identifier: Apache-2.0
"""Record decoding: whatever lies in a ring, each record is counted as damaged or becomes one line of JSON.

A damaged one does not keep its neighbours from arriving. In the line nothing can be read as anything else: it
can be printed on a terminal, and gives back the bytes that it was made from.
"""

import atexit
import json
import os
from collections.abc import Iterator
from functools import cache
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final

from hauberk.events.alert import Alert, Log, parse_event
from hauberk.events.outcomes import has_outcome
from hauberk.events.pipeline import Pipeline
from hauberk.events.record import Call, Record, RecordError, decode
from hauberk.events.text import unescape
from hauberk.sinks.jsonlines import JsonLines
from tests.events.golden import CASES, translator
from tests.events.pack import access, pack
from tests.fuzz import told

MAX_LENGTH: Final = 1024
GOOD: Final = pack(access(object=b"/good"))


def seeds() -> Iterator[bytes]:
    """The records of the golden tests, the end of a workload, an exec that waits for its outcome, and one."""
    yield from map(pack, CASES.values())
    yield pack(access(call=Call.ENDED))
    yield pack(access(call=Call.EXECUTED))
    yield pack(access(call=Call.EXEC, section=0, verdict=0, detail=(1, 5, 0, 0)))


def check(data: bytes) -> None:
    pipeline = Pipeline(translator(), [_sink()])
    assert pipeline.feed([memoryview(data), GOOD]) == 2
    pipeline.flush()
    pipeline.tell_held()
    *lines, rest = _written().split(b"\n")
    assert rest == b""
    record = _decoded(data)
    assert pipeline.losses.corrupt == (record is None)
    is_told = (
        record is not None
        and record.call not in (Call.ENDED, Call.EXECUTED)
        and translator().resolve(record) is not None
    )
    assert len(lines) == 1 + is_told
    events = [_read(line) for line in lines]
    # an exec is told when it is known what came of it, or that nobody will know
    is_held = record is not None and has_outcome(record)
    assert events.pop(0 if is_held else -1).Resource == "/good"
    if record is not None and is_told:
        _compare(events[0], record)


def _decoded(data: bytes) -> Record | None:
    try:
        return decode(data)
    except RecordError as error:
        told(error)
        return None


def _read(line: bytes) -> Alert | Log:
    assert line.decode().isprintable()
    for text in _texts(json.loads(line)):
        assert text.isprintable(), text
    return parse_event(line)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _compare(event: Alert | Log, record: Record) -> None:
    extras = event.Hauberk
    is_exec = record.call == Call.EXEC
    assert unescape(event.Source) == record.exe
    assert unescape(extras.Parent if is_exec else event.ParentProcessName) == record.parent
    assert unescape(event.Cwd) == record.cwd
    assert unescape(event.TTY) == record.tty
    if record.call != Call.SYSCALL:
        assert unescape(extras.Other) == record.other
    if is_exec:
        assert unescape(event.ProcessName) == record.object
        assert b"\0".join(map(unescape, extras.Args)) == record.args.removesuffix(b"\0")
    assert event.HostPID == record.tgid
    assert record.uid == event.UID % 2**32


@cache
def _path() -> str:
    directory = mkdtemp(prefix="hauberk-fuzz-")
    atexit.register(rmtree, directory)
    return f"{directory}/alerts"


@cache
def _sink() -> JsonLines:
    return JsonLines(_path())


@cache
def _file() -> int:
    return os.open(_path(), os.O_RDWR)


def _written() -> bytes:
    """What the sink has written since the last time."""
    text = os.pread(_file(), 1 << 20, 0)
    os.ftruncate(_file(), 0)
    return text
