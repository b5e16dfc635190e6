# SPDX-License-Identifier: Apache-2.0
"""Repeats of a violation: counted in the kernel, in slots (bpf/lib/repeats.h), and told as one alert.

The first one of a window comes as a record, which names its slot, and becomes an alert at once. When the
window is closed, its slots say how many more there were. What is kept of the first ones until then is
bounded by the number of slots, and by KEPT_BYTES.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final

import msgspec

from hauberk.events.record import LAST_SECTION, LAST_VERDICT, NO_LOGIN, NO_OWNER, Call, Record, layout_of

SLOTS: Final = 4096
"""Slots of a window (HB_REPEATS)."""
KEPT_BYTES: Final = 8 << 20
"""Text of first records that is kept. Of those beyond it, the repeats are told without task and object."""

_MEMBERS: Final = (
    ("key", "Q", 1),
    ("told", "Q", 1),
    ("count", "Q", 1),
    ("first_ns", "Q", 1),
    ("last_ns", "Q", 1),
    ("workload", "I", 1),
    ("generation", "I", 1),
    ("rule", "I", 1),
    ("verdict", "B", 1),
    ("section", "B", 1),
    ("call", "H", 1),
)
_SLOT: Final = Struct("=" + "".join(code for _, code, _ in _MEMBERS))

HB_REPEAT_LAYOUT: Final = layout_of(_MEMBERS)
"""What the decoder takes `struct hb_repeat` to be, for the comparison with BTF."""
WINDOW_BYTES: Final = SLOTS * _SLOT.size
_COUNTED: Final = frozenset(Call) - {Call.ENDED, Call.HOLD, Call.DNS, Call.EXIT, Call.EXECUTED}
_FREE: Final = bytes(64 * _SLOT.size)


class Repeat(msgspec.Struct, frozen=True, gc=False):
    """What a slot counted: accesses like the one whose record named it, of which no other record tells."""

    slot: int
    count: int
    first_ns: int
    last_ns: int
    workload: int
    generation: int
    rule: int
    verdict: int
    section: int
    call: int

    @property
    def sound(self) -> bool:
        """Whether its numbers are ones that the kernel programs write."""
        return self.verdict <= LAST_VERDICT and self.section <= LAST_SECTION and self.call in _COUNTED

    def nameless(self) -> Record:
        """The record of such an access, as far as the slot knows it: without task and object."""
        return Record(
            self.last_ns, self.workload, self.generation, self.rule, self.verdict, self.section, self.call,
            0, 0, 0, 0, 0, 0, NO_OWNER, self.slot, NO_LOGIN, NO_LOGIN, (0, 0, 0, 0),
        )  # fmt: skip


def decode_repeats(window: int, slots: bytes) -> Iterator[Repeat]:
    """What was counted in a window, given its number and the bytes of its slots."""
    for at in range(0, len(slots), len(_FREE)):
        part = slots[at : at + len(_FREE)]
        if part == _FREE:  # as most of them are, mostly
            continue
        first = 1 + (window & 1) * SLOTS + at // _SLOT.size
        for slot, (_, _, count, *rest) in enumerate(_SLOT.iter_unpack(part), first):
            if count:
                yield Repeat(slot, count, *rest)


class Firsts:
    """The records whose repeats are being counted, by slot."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._windows: tuple[dict[int, Record], dict[int, Record]] = ({}, {})
        self._left = [kept_bytes // 2] * 2
        self._kept_bytes = kept_bytes

    def add(self, record: Record) -> None:
        """Keep a record that names a slot. Several that name the same one are alike."""
        parity = record.slot > SLOTS
        window = self._windows[parity]
        if record.slot not in window and record.slot <= 2 * SLOTS:
            size = len(record.object) + len(record.other) + len(record.args)
            size += len(record.exe) + len(record.parent) + len(record.cwd)
            if size <= self._left[parity]:
                self._left[parity] -= size
                window[record.slot] = record

    def get(self, slot: int) -> Record | None:
        """The record that named a slot, if it is known here."""
        return self._windows[slot > SLOTS].get(slot)

    def of(self, window: int) -> int:
        """How many there are of a window."""
        return len(self._windows[window & 1])

    def forget(self, window: int) -> None:
        """Drop those of a window whose repeats have been told."""
        self._windows[window & 1].clear()
        self._left[window & 1] = self._kept_bytes // 2
