# SPDX-License-Identifier: Apache-2.0
"""The numbers and layouts of `hauberk/bpf/abi.h` that user space writes, checked against the object's BTF at
load."""

import struct
from enum import IntFlag
from typing import Final

HEADS: Final = ".data.heads"
"""The map of `hb_workload`s."""
MAX_WORKLOADS: Final = 8192
"""Workloads of one engine (HB_WORKLOADS)."""
WORKLOAD: Final = struct.Struct("=IIQ")
TABLE: Final = struct.Struct("=IIIIII")
MOUNT_KEY: Final = struct.Struct("=IIQ")
MOUNT: Final = struct.Struct("=IIIII")
LABELLING: Final = struct.Struct("=IIII")

LAYOUTS: Final = {
    "hb_workload": [("table", 0, 4), ("generation", 4, 4), ("tasks", 8, 8)],
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
    "hb_labelling": [("workload", 0, 4), ("given", 4, 4), ("kept", 8, 4), ("failed", 12, 4)],
}

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


HINTS: Final = 0x3F
"""The flags that stand in `hb_workload.table` too."""
TABLE_ALIGNMENT: Final = 64


COUNTERS: Final = ("lost_violations", "lost_events", "no_scratch", "no_label", "raced")
"""`enum hb_counter`, in order."""
