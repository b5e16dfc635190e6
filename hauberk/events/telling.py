# SPDX-License-Identifier: Apache-2.0
"""What events say, in words, from what their JSON says.

Most text in events was chosen by others. It is escaped when events are made, and once more here, since they
may come from a file that somebody has written to.
"""

from collections.abc import Mapping
from typing import Any, Final

from hauberk.policy.words import shorten

_LONGEST: Final = 1 << 16
_VERDICTS: Final = {"Block": "refused", "Audit": "audited"}

EventMap = Mapping[str, Any]
"""What the JSON of an event says."""


def clean(value: object) -> str:
    """A value as text that stays on its line and does nothing to a terminal."""
    return shorten(str(value), _LONGEST)


def nested(event: EventMap, name: str) -> Mapping[str, Any]:
    """An object inside of an event; empty if there is none."""
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def verdict(event: EventMap) -> str:
    """What became of the access, in a word: `refused`, `audited`, `passed`."""
    if "Action" not in event:
        return "passed" if event.get("Result") == "Passed" else clean(event.get("Result", "?"))
    return _VERDICTS.get(str(event["Action"])) or clean(event["Action"])


def workload(event: EventMap) -> str:
    """The workload as people call it."""
    name = event.get("ContainerName") or event.get("PodName") or ""
    namespace = event.get("NamespaceName") or ""
    return clean(f"{namespace}/{name}" if namespace and name else name or namespace or "host")


def count(event: EventMap) -> int:
    """How many accesses it stands for."""
    number = nested(event, "Hauberk").get("Count", 1)
    return number if isinstance(number, int) else 1


def done(event: EventMap) -> str:
    """What was done: `File open`."""
    call = nested(event, "Hauberk").get("Call", "")
    return clean(f"{event.get('Operation', '?')} {call}".strip())


def resource(event: EventMap) -> str:
    """The object."""
    return clean(event.get("Resource", ""))


def program(event: EventMap) -> str:
    """The program that did it."""
    return clean(event.get("Source") or event.get("ProcessName") or "?")


def policy(event: EventMap) -> str:
    """The policy, and its rule."""
    rule = nested(event, "Hauberk").get("Rule", "")
    return clean(" ".join(part for part in (event.get("PolicyName", ""), rule) if part))
