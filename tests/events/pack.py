# SPDX-License-Identifier: Apache-2.0
"""Records made by hand: what the kernel programs write, from a `Record`.

It states the layout of `struct hb_event` a second time, as plain code, so that a slip in the decoder's table
does not cancel out here.
"""

import struct

from hauberk.events.record import NO_LOGIN, NO_OWNER, STRINGS, Call, Record
from hauberk.events.repeats import SLOTS, WINDOW_BYTES, Repeat

HEAD = struct.Struct("=QIIIBBHIIIIIIIIIIIIIIH11H")

SLOT = struct.Struct("=QQQQQIIIBBH")


def pack(record: Record) -> bytes:
    """The payload of a ring's record."""
    strings = [getattr(record, name) for name in STRINGS]
    head = HEAD.pack(
        record.time_ns,
        record.workload,
        record.generation,
        record.rule,
        record.verdict,
        record.section,
        record.call,
        record.tgid,
        record.tid,
        record.parent_tgid,
        record.ns_tgid,
        record.ns_parent_tgid,
        record.uid,
        record.owner,
        record.slot,
        record.login,
        record.session,
        *record.detail,
        record.flags,
        *map(len, strings),
    )
    return head + b"".join(strings)


def access(**changes: object) -> Record:
    """An open of /etc/shadow by a shell under nginx, refused by rule 0 of table 3 of workload 7, or what you
    change."""
    values: dict[str, object] = {
        "time_ns": 1_500_000_123_456_789,
        "workload": 7,
        "generation": 3,
        "rule": 0,
        "verdict": 2,
        "section": 1,
        "call": Call.OPEN,
        "tgid": 4188,
        "tid": 4188,
        "parent_tgid": 4100,
        "ns_tgid": 23,
        "ns_parent_tgid": 9,
        "uid": 33,
        "owner": NO_OWNER,
        "slot": 0,
        "login": NO_LOGIN,
        "session": NO_LOGIN,
        "detail": (0, 0, 0, 0),
        "object": b"/etc/shadow",
        "exe": b"/usr/bin/dash",
        "parent": b"/usr/sbin/nginx",
        "cwd": b"/var/www",
        "tty": b"",
        "comm": b"sh",
    }
    return Record(**(values | changes))


def repeat(**changes: int) -> Repeat:
    """17 further ones of `access`, counted in slot 5, or what you change."""
    values = {
        "slot": 5,
        "count": 17,
        "first_ns": 1_500_000_200_000_000,
        "last_ns": 1_500_004_900_000_000,
        "workload": 7,
        "generation": 3,
        "rule": 0,
        "verdict": 2,
        "section": 1,
        "call": Call.OPEN,
    }
    return Repeat(**(values | changes))


def pack_window(*repeats: Repeat) -> bytes:
    """The slots of the window that these were counted in, as the kernel programs leave them."""
    slots = bytearray(WINDOW_BYTES)
    for each in repeats:
        at = (each.slot - 1) % SLOTS * SLOT.size
        _, *fields = (getattr(each, name) for name in each.__struct_fields__)
        SLOT.pack_into(slots, at, 0xFEED + each.slot, 1, *fields)
    return bytes(slots)
