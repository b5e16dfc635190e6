# SPDX-License-Identifier: Apache-2.0
"""Events as records of the machine's logs: systemd's journal, and syslog (RFC 5424).

The journal's native protocol gives a value that could be taken for more than one line its length, so that
nothing in it counts. A syslog record is one line: the event as JSON, in which everything that is not
printable is escaped.
"""

import json
from collections.abc import Iterator
from struct import Struct
from typing import Final

import msgspec

from hauberk.events.alert import Alert, Log

JOURNALD: Final = "journald"
PLACES: Final = (JOURNALD, "syslog")
"""What a machine may have of these, in words of settings."""
JOURNAL: Final = "/run/systemd/journal/socket"
SYSLOG: Final = "/dev/log"
IDENTIFIER: Final = "hauberk"
FACILITY: Final = 10
"""authpriv: security messages that not everybody is to read."""
WARNING, NOTICE, INFORMATION = 4, 5, 6
"""Severities of syslog: of what was refused or is missing, of what was audited, and of what was reported."""

_LENGTH: Final = Struct("<Q")


def severity_of(event: Alert | Log) -> int:
    """How urgent an event is, in syslog's numbers."""
    if isinstance(event, Log):
        return INFORMATION
    return NOTICE if event.Action == "Audit" else WARNING


def journal_record(event: Alert | Log) -> bytes:
    """A record in the journal's native protocol (systemd.io, JOURNAL_NATIVE_PROTOCOL)."""
    return b"".join(_field(name, value) for name, value in _fields(event) if value)


def syslog_record(event: Alert | Log, host: str) -> bytes:
    """A record by RFC 5424, without structured data: its text is the event as JSON."""
    kind = "log" if isinstance(event, Log) else "alert" if event.Action else "system"
    name = "".join(character for character in host if "!" <= character <= "~")[:255] or "-"
    head = f"<{FACILITY * 8 + severity_of(event)}>1 {event.UpdatedTime or '-'} {name} {IDENTIFIER} - {kind} -"
    return f"{head} {one_line(event)}".encode()


def one_line(event: Alert | Log) -> str:
    """An event as JSON in which every character is printable."""
    text = msgspec.json.encode(event).decode()
    if text.isprintable():
        return text
    # Outside of its strings JSON has none of these, and in them an escape means the same.
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def sentence(event: Alert | Log) -> str:
    """An event for people, in a line of printable characters."""
    if isinstance(event, Alert) and not event.Action:
        return _shown(event.Message)
    who = event.ContainerName or event.HostName
    words = f"{event.Operation}: {event.Source} {event.Hauberk.Call} {event.Resource}: {event.Result}"
    if event.Hauberk.Count > 1:
        words += f", {event.Hauberk.Count} times"
    if isinstance(event, Alert):
        return _shown(f"{who}: {words} ({event.Action} by {event.PolicyName})")
    return _shown(f"{who}: {words}")


def _fields(event: Alert | Log) -> Iterator[tuple[str, str]]:
    yield "MESSAGE", sentence(event)
    yield "PRIORITY", str(severity_of(event))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    yield "SYSLOG_FACILITY", str(FACILITY)
    yield "HAUBERK_TYPE", event.Type
    yield "HAUBERK_TIME", event.UpdatedTime
    yield "HAUBERK_OPERATION", event.Operation
    yield "HAUBERK_RESULT", event.Result
    yield "HAUBERK_NAMESPACE", event.NamespaceName
    yield "HAUBERK_POD", event.PodName
    yield "HAUBERK_CONTAINER", event.ContainerName
    yield "HAUBERK_CONTAINER_ID", event.ContainerID
    yield "HAUBERK_PROCESS", event.ProcessName
    yield "HAUBERK_RESOURCE", event.Resource
    yield "HAUBERK_COUNT", str(event.Hauberk.Count)
    if isinstance(event, Alert):
        yield "HAUBERK_POLICY", event.PolicyName
        yield "HAUBERK_RULE", event.Hauberk.Rule
        yield "HAUBERK_ACTION", event.Action
        yield "HAUBERK_SEVERITY", event.Severity
    yield "HAUBERK_EVENT", one_line(event)


def _field(name: str, value: str) -> bytes:
    data = value.encode()
    if value.isprintable():
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), _LENGTH.pack(len(data)), data)


def _shown(text: str) -> str:
    r"""A text whose characters that are not printable are `\xNN`, as in `text.escape`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else "".join(f"\\x{byte:02x}" for byte in each.encode()) for each in text
    )
