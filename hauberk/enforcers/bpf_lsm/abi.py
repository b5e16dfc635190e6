# SPDX-License-Identifier: Apache-2.0
"""The numbers and layouts of `hauberk/bpf/abi.h` that user space writes, checked against the object's BTF at
load."""

import struct
from enum import IntFlag
from hashlib import sha256
from typing import Final

from hauberk.events.record import HB_EVENT_LAYOUT
from hauberk.events.repeats import HB_REPEAT_LAYOUT, WINDOW_BYTES

HEADS: Final = ".data.heads"
"""The map of `hb_workload`s."""
SINCE: Final = ".data.since"
"""By workload, as 32-bit numbers, the generation since which classes of programs have had their numbers."""
REPEATS: Final = ".data.repeats"
"""The map of the one `hb_repeats`."""
MAX_WORKLOADS: Final = 8192
"""Workloads of one engine (HB_WORKLOADS)."""
WORKLOAD: Final = struct.Struct("=IIQ")
TABLE: Final = struct.Struct("=IIIIII")
MOUNT_KEY: Final = struct.Struct("=IIQ")
MOUNT: Final = struct.Struct("=IIIII")
LABELLING: Final = struct.Struct("=IIII")
LINK_KEY: Final = struct.Struct("=IIQII")
LINK: Final = struct.Struct("=II")
FILE_IDENTITY: Final = struct.Struct("=IIQII")
LINK_NAMES: Final = 16
"""Names of one file with several links that are weighed beside the one it is opened by (HB_LINK_NAMES)."""
HOME_DEV: Final = 0xFFFFFFFE
HOME_MAGIC: Final = 1 << 32
GUARDED_MAP: Final = 1 << 32
GUARDED_PROGRAM: Final = 2 << 32
STAMP: Final = struct.Struct("=QQ")
PLACE: Final = struct.Struct("=II")
HOSTING: Final = struct.Struct("=II")
UNIT_NAME: Final = 64
"""Bytes of a unit's name in the `units` map, the NUL that ends it included (HB_UNIT_NAME)."""
LABEL_HOST: Final = 2
"""In a label's flags: of the host (HB_L_HOST)."""
HOSTING_PLACES: Final = 1
HOSTING_HOST: Final = 2
HOST: Final = 0
"""The workload that is the host (HB_HOST)."""

FORMAT: Final = 1
"""Raised when bytes in the arena or in a map come to mean something else, and no layout below shows it."""

LAYOUTS: Final = {
    "hb_workload": [("table", 0, 4), ("generation", 4, 4), ("tasks", 8, 8)],
    "hb_repeat": HB_REPEAT_LAYOUT,
    "hb_table": [
        ("flags", 0, 4),
        ("root_dev", 4, 4),
        ("file_start", 8, 4),
        ("exec_start", 12, 4),
        ("network", 16, 4),
        ("capabilities", 20, 4),
    ],
    "hb_mount_key": [("table", 0, 4), ("dev", 4, 4), ("ino", 8, 8)],
    "hb_mount": [
        ("flags", 0, 4),
        ("file_state", 4, 4),
        ("exec_state", 8, 4),
        ("prefix", 12, 4),
        ("next", 16, 4),
    ],
    "hb_event": HB_EVENT_LAYOUT,
    "hb_label": [
        ("workload", 0, 4),
        ("generation", 4, 4),
        ("program", 8, 4),
        ("replaced", 12, 4),
        ("next_workload", 16, 4),
        ("next_generation", 20, 4),
        ("next_program", 24, 4),
        ("flags", 28, 4),
        ("exec", 32, 4),
        ("outcome", 36, 4),
    ],
    "hb_place": [("workload", 0, 4), ("flags", 4, 4)],
    "hb_hosting": [("flags", 0, 4), ("mount_namespace", 4, 4)],
    "hb_stamp": [("abi", 0, 8), ("image", 8, 8)],
    "hb_link_key": [
        ("table", 0, 4),
        ("dev", 4, 4),
        ("ino", 8, 8),
        ("generation", 16, 4),
        ("number", 20, 4),
    ],
    "hb_link": [("file_state", 0, 4), ("exec_state", 4, 4)],
    "hb_file_identity": [
        ("fd", 0, 4),
        ("dev", 4, 4),
        ("ino", 8, 8),
        ("generation", 16, 4),
        ("links", 20, 4),
    ],
    "hb_labelling": [("workload", 0, 4), ("given", 4, 4), ("kept", 8, 4), ("failed", 12, 4)],
}

REPEATS_WINDOW: Final = 0
REPEATS_INSIDE: Final = 8
REPEATS_SLOTS: Final = 24
"""Where the members of `hb_repeats` are. Its slots are too many to be looked at byte by byte."""
SIZES: Final = {"hb_repeats": REPEATS_SLOTS + 2 * WINDOW_BYTES}

SOCKET_KINDS: Final = 64
CAPABILITIES: Final = 64

MOUNT_ROOT: Final = 1
MOUNT_SUBTREES: Final = 2
CHAINED_DEV: Final = 0xFFFFFFFF
MAX_NAMES: Final = 3
"""Names of one object that the kernel weighs (HB_ROOTS)."""

VALUE_REPLACED: Final = 2
VALUE_CONDITIONAL: Final = 4
PROGRAM_LOADER: Final = 1 << 31
ACCEPT_BLOCKED: Final = 2
ACCEPT_BELOW: Final = 4


class TableFlag(IntFlag):
    """`hb_table.flags`."""

    FILE = 0x1
    PROCESS = 0x2
    NETWORK = 0x4
    CAPABILITIES = 0x8
    BLOCKS = 0x10
    SEE = 0x20
    SEE_PROCESS = 0x100
    SEE_FILE = 0x200
    SEE_NETWORK = 0x400
    SEE_CAPABILITIES = 0x800
    UNKNOWN_EXEC = 0x1000
    UNKNOWN_MAP = 0x2000
    UNKNOWN_READ = 0x4000
    UNKNOWN_WRITE = 0x8000
    OWN = 0x10000
    SEE_DNS = 0x20000


HINTS: Final = 0x3F
"""The flags that stand in `hb_workload.table` too."""
TABLE_ALIGNMENT: Final = 64


COUNTERS: Final = ("lost_violations", "lost_events", "no_scratch", "no_label", "raced", "no_lineage")
"""`enum hb_counter`, in order."""


PRIVATE: Final = frozenset({".rodata", ".bss", "stamp"})
"""Maps of one set of programs: what replaces it has its own, and takes over all the others."""


def digest(data: bytes) -> int:
    """64 bits that stand for some bytes in a stamp."""
    return int.from_bytes(sha256(data).digest()[:8], "little")


def version() -> int:
    """Stands for all that user space and programs agree on: only with the same can the one adopt the other's
    maps."""
    agreed = [
        (name, *((field[0], field[1], field[2]) for field in LAYOUTS[name])) for name in sorted(LAYOUTS)
    ]
    return digest(repr((FORMAT, agreed, list(TableFlag), COUNTERS)).encode())
