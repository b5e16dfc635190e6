# SPDX-License-Identifier: Apache-2.0
"""Records made by hand: what the kernel programs write, from a `Record`.

It states the layout of `struct hb_event` a second time, as plain code, so that a slip in the decoder's table
does not cancel out here.
"""

import struct

from hauberk.events.record import NO_OWNER, STRINGS, Call, Record

HEAD = struct.Struct("=QIIIBBHIIIIIIIIIII8H4x")


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
        *record.detail,
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
        "detail": (0, 0, 0, 0),
        "object": b"/etc/shadow",
        "exe": b"/usr/bin/dash",
        "parent": b"/usr/sbin/nginx",
        "cwd": b"/var/www",
        "tty": b"",
        "comm": b"sh",
    }
    return Record(**(values | changes))
