# SPDX-License-Identifier: Apache-2.0
"""What is to be explained: the access behind an alert, or those that somebody asks about."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from hauberk.agent.control.messages import Explain
from hauberk.enforcers.bpf_lsm import abi
from hauberk.errors import HauberkError
from hauberk.events import names, syscalls
from hauberk.events.alert import Alert, Log, parse_event
from hauberk.events.record import Call
from hauberk.events.text import unescape
from hauberk.rules.decide import (
    CapabilityObject,
    FileObject,
    Object,
    SocketObject,
    Subject,
    SyscallObject,
)
from hauberk.rules.model import GUARD, MOVE, SPECIAL_NAMES, UNKNOWN, Operation

_UID: Final = 1 << 32
_MAPS: Final = frozenset({Call.MMAP, Call.MPROTECT})
_OPENS: Final = frozenset({Call.OPEN, Call.RECEIVE, Call.INHERIT, Call.HOLD})
_SOCKETS: Final = range(Call.SOCKET, Call.SENDMSG + 1)
_BOTH_ENDS: Final = frozenset({Call.LINK, Call.RENAME})
_ON_NO_PATH: Final = frozenset({SPECIAL_NAMES[MOVE], SPECIAL_NAMES[GUARD]})


@dataclass(frozen=True, slots=True)
class Access:
    """Something that is done to an object. `told` is the event that speaks of it; without one, whether the
    subject owns the object and has a terminal is not known."""

    words: str
    operation: Operation
    object: Object
    subject: Subject
    told: Alert | Log | None = None
    is_decided: bool = True
    """False if no rule is about it: it would have harmed the enforcement, or moved what a Block names."""


def accesses_of(query: Explain, resolve: Callable[[bytes], bytes]) -> Iterator[Access]:
    """The accesses that a query speaks of. `resolve` follows links in the workload's root.

    Raises HauberkError for an alert that cannot be read, or that speaks of nothing that rules decide.
    """
    if query.alert:
        yield from _of_event(query.alert)
    program = resolve(os.fsencode(query.source).rstrip(b"/")) if query.source else None
    for operation, paths in (
        (Operation.EXEC, query.execs),
        (Operation.READ, query.reads),
        (Operation.WRITE, query.writes),
    ):
        for path in paths:
            written = os.fsencode(path).rstrip(b"/")
            real = resolve(written) if written.startswith(b"/") else written
            what = f"{operation.name.lower()} {path}"
            if real != written:
                what += f" ({os.fsdecode(real)})"
            words = f"{what} by {query.source or 'any program'}"
            yield Access(words, operation, FileObject((real,)), Subject(program))


def _of_event(text: str) -> Iterator[Access]:
    try:
        event = parse_event(text)
        objects = list(_objects(event, Call[event.Hauberk.Call.upper()]))
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        remedy = "give it as it was reported, all of it"
        raise HauberkError(f"this is no alert of Hauberk: {error}", remedy) from None
    words = f"{event.Hauberk.Call} {event.Resource} by {event.Source}"
    subject = Subject(unescape(event.Source) or None, tty=bool(event.TTY))
    if not objects:
        yield Access(words, Operation.WRITE, FileObject(()), subject, event, is_decided=False)
    for operation, obj in objects:
        yield Access(words, operation, obj, subject, event)


def _objects(event: Alert | Log, call: Call) -> Iterator[tuple[Operation, Object]]:
    """What was done to what; nothing if no rule is about it. Raises ValueError."""
    if call == Call.SYSCALL:
        yield Operation.SYSCALL, _called(event)
        return
    if getattr(event, "PolicyName", "") in _ON_NO_PATH or call == Call.MOUNT or call > Call.UNIX:
        return
    if call in _SOCKETS:
        yield Operation.NETWORK, SocketObject(*names.socket_numbers(event.Data))
        return
    if call == Call.CAPABLE:
        number = names.capability_number(event.Resource)
        if number not in range(abi.CAPABILITIES):
            raise ValueError(f"{event.Resource} is no capability")
        yield Operation.CAPABILITY, CapabilityObject(number)
        return
    owner = event.Hauberk.ObjectOwner
    owned = owner is not None and owner == event.UID % _UID
    unnamed = getattr(event, "PolicyName", "") == SPECIAL_NAMES[UNKNOWN]
    path = event.ProcessName if call == Call.EXEC else event.Resource
    obj = FileObject(() if unnamed else (unescape(path),), owned)
    if call == Call.EXEC:
        yield Operation.EXEC, obj
    elif call in _MAPS:
        yield Operation.MAP, obj
    elif call in _OPENS:
        flags = event.Data.partition("flags=")[2].partition(" ")[0].split("|")
        if not {"O_RDONLY", "O_RDWR"}.isdisjoint(flags):
            yield Operation.READ, obj
        if not {"O_WRONLY", "O_RDWR", "O_TRUNC"}.isdisjoint(flags):
            yield Operation.WRITE, obj
    else:
        yield Operation.WRITE, obj
        if call in _BOTH_ENDS and event.Hauberk.Other:
            yield Operation.WRITE, FileObject((unescape(event.Hauberk.Other),), owned)


def _called(event: Alert | Log) -> SyscallObject:
    """The system call that an alert tells of. Raises ValueError."""
    number = syscalls.number_of(event.EventData.get("Syscall", ""))
    if event.Hauberk.Reason == syscalls.UNREAD_REASON:
        return SyscallObject(number, (None,))
    paths = (event.Resource, event.Hauberk.Other)
    return SyscallObject(number, tuple(unescape(path) for path in paths if path))
