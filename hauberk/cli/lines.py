# SPDX-License-Identifier: Apache-2.0
"""Events for people, a line each, and as JSON that does nothing to a terminal."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec

from hauberk.events.telling import (
    EventMap,
    clean,
    count,
    done,
    nested,
    policy,
    program,
    resource,
    verdict,
    workload,
)

COLOURS: Final = {"refused": "red", "audited": "yellow", "passed": "green"}
HEADINGS: Final = ("TIME", "DONE", "WORKLOAD", "OPERATION", "OBJECT", "PROGRAM", "PID", "POLICY", "COUNT")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def json_line(event: EventMap) -> str:
    r"""An event as JSON on one line. What a terminal might heed is written `\uNNNN`."""
    text = msgspec.json.encode(event).decode()
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def _escape(match: "re.Match[str]") -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


def moment(event: EventMap) -> str:
    """When it was, to the millisecond."""
    text = str(event.get("UpdatedTime", ""))
    return clean(f"{text[:10]} {text[11:23]}Z" if len(text) == 27 else text or event.get("Timestamp", "?"))


def line(event: EventMap) -> str:
    """An event in one line."""
    state = verdict(event)
    parts = [
        moment(event),
        click.style(f"{state:7}", fg=COLOURS.get(state)),
        click.style(workload(event), bold=True),
        f"{done(event)} {resource(event)}".rstrip(),
        f"by {program(event)}[{clean(event.get('HostPID', '?'))}]",
    ]
    if decided := policy(event):
        parts.append(f"({decided})")
    if (number := count(event)) > 1:
        parts.append(f"x{number}")
    return "  ".join(parts)


def row(event: EventMap) -> Sequence[str | int]:
    """An event as a row of a table, below `HEADINGS`."""
    return (
        *(moment(event), verdict(event), workload(event), done(event)),
        resource(event),
        program(event),
        event["HostPID"] if isinstance(event.get("HostPID"), int) else "",
        *(policy(event), count(event)),
    )


def tree(event: EventMap) -> Iterator[str]:
    """Where the process that did it comes from: its ancestors as far as they are known, the eldest first."""
    chain = [
        (each.get("Path") or each.get("Name") or "?", each.get("PID", "?"))
        for each in reversed(nested(event, "Hauberk").get("Ancestry") or [])
        if isinstance(each, dict)
    ]
    is_exec = nested(event, "Hauberk").get("Call") == "exec"
    if not chain:
        parent = nested(event, "Hauberk").get("Parent") if is_exec else event.get("ParentProcessName")
        if parent:
            chain.append((parent, event.get("HostPPID", "?")))
    chain.append((program(event), event.get("HostPID", "?")))
    state = verdict(event)
    access = f"{done(event)} {resource(event)}: {click.style(state, fg=COLOURS.get(state))}"
    for depth, text in enumerate([*(f"{clean(path)} ({clean(pid)})" for path, pid in chain), access]):
        yield f"    {'   ' * (depth - 1)}{'└─ ' if depth else ''}{text}"
