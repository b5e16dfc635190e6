# SPDX-License-Identifier: Apache-2.0
"""Events for people, a line each, and as JSON that does nothing to a terminal.

Most text in events was chosen by others. It is escaped when events are made, and once more here, since they
may come from a file that somebody has written to.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click
import msgspec

from hauberk.policy.words import shorten

COLOURS: Final = {"refused": "red", "audited": "yellow", "passed": "green"}
HEADINGS: Final = ("TIME", "DONE", "WORKLOAD", "OPERATION", "OBJECT", "PROGRAM", "PID", "POLICY", "COUNT")
_LONGEST: Final = 1 << 16
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_VERDICTS: Final = {"Block": "refused", "Audit": "audited"}

EventMap = Mapping[str, Any]


def clean(value: object) -> str:
    """A value as text that stays on its line and does nothing to a terminal."""
    return shorten(str(value), _LONGEST)


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


def nested(event: EventMap, name: str) -> Mapping[str, Any]:
    """An object inside of an event; empty if there is none."""
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def verdict(event: EventMap) -> str:
    """What became of the access, in a word."""
    if "Action" not in event:
        return "passed" if event.get("Result") == "Passed" else clean(event.get("Result", "?"))
    return _VERDICTS.get(event["Action"]) or clean(event["Action"])


def workload(event: EventMap) -> str:
    """The workload as people call it."""
    name = event.get("ContainerName") or event.get("PodName") or ""
    namespace = event.get("NamespaceName") or ""
    return clean(f"{namespace}/{name}" if namespace and name else name or namespace or "host")


def count(event: EventMap) -> int:
    """How many accesses it stands for."""
    number = nested(event, "Hauberk").get("Count", 1)
    return number if isinstance(number, int) else 1


def moment(event: EventMap) -> str:
    """When it was, to the millisecond."""
    text = str(event.get("UpdatedTime", ""))
    return clean(f"{text[:10]} {text[11:23]}Z" if len(text) == 27 else text or event.get("Timestamp", "?"))


def done(event: EventMap) -> str:
    """What was done: `File open`."""
    call = nested(event, "Hauberk").get("Call", "")
    return clean(f"{event.get('Operation', '?')} {call}".strip())


def policy(event: EventMap) -> str:
    """The policy, and its rule."""
    rule = nested(event, "Hauberk").get("Rule", "")
    return clean(" ".join(part for part in (event.get("PolicyName", ""), rule) if part))


def line(event: EventMap) -> str:
    """An event in one line."""
    state = verdict(event)
    program = clean(event.get("Source") or event.get("ProcessName") or "?")
    parts = [
        moment(event),
        click.style(f"{state:7}", fg=COLOURS.get(state)),
        click.style(workload(event), bold=True),
        f"{done(event)} {clean(event.get('Resource', ''))}".rstrip(),
        f"by {program}[{clean(event.get('HostPID', '?'))}]",
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
        clean(event.get("Resource", "")),
        clean(event.get("Source") or event.get("ProcessName") or ""),
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
    chain.append((event.get("Source") or event.get("ProcessName") or "?", event.get("HostPID", "?")))
    chain = [(f"{clean(path)} ({clean(pid)})", "") for path, pid in chain]
    state = verdict(event)
    access = f"{done(event)} {clean(event.get('Resource', ''))}: {click.style(state, fg=COLOURS.get(state))}"
    for depth, (text, _) in enumerate([*chain, (access, "")]):
        yield f"    {'   ' * (depth - 1)}{'└─ ' if depth else ''}{text}"
