# SPDX-License-Identifier: Apache-2.0
"""What is asked on the socket for events, and what is answered: JSON, a line each. A connection brings one
question and gets answers until `Done`; who follows gets them until it ends."""

from typing import Final

import msgspec

from hauberk.sinks.recall import Kind, Span

MAX_QUESTION: Final = 64 << 10
"""Bytes."""


class Ask(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which events; with `follow`, those too that will be."""

    span: Span = Span()
    follow: bool = False


class Begins(msgspec.Struct, frozen=True, tag=True):
    """Older events were dropped: the oldest is of this time, in microseconds since 1970."""

    time: int


class Event(msgspec.Struct, frozen=True, tag=True):
    """An event. Who asks with `after` set to its number goes on behind it."""

    number: int
    kind: Kind
    event: msgspec.Raw


class Lack(msgspec.Struct, frozen=True, tag=True):
    """So many accesses are missing here; 0: it is not known how many."""

    accesses: int
    why: str


class Live(msgspec.Struct, frozen=True, tag=True):
    """All that there is has been told: what follows has just happened."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """That was all. `unreadable` events could not be read."""

    unreadable: int = 0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It cannot be answered, or not any further."""

    message: str
    remedy: str = ""


Answer = Begins | Event | Lack | Live | Done | Failed
