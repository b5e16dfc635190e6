# SPDX-License-Identifier: Apache-2.0
"""Logs of what no rule speaks of: mounts, changes of user and group, tracing, modules, bpf(2), signals to
other workloads. KubeArmor's Operation for most of them is `Syscall`."""

from functools import lru_cache
from typing import Final

from hauberk.events import names
from hauberk.events.address import word
from hauberk.events.record import Call

OPERATIONS: Final = {
    Call.PTRACE: "Process",
    **dict.fromkeys(
        (Call.KILL, Call.MOUNT, Call.UMOUNT, Call.BPF, Call.KERNEL, Call.SETUID, Call.SETGID), "Syscall"
    ),
}
"""By call, in logs."""

_USERS: Final = "userid={} euid={} olduserid={} oldeuid={}"
_GROUPS: Final = "groupid={} egid={} oldgroupid={} oldegid={}"
# enum bpf_cmd of include/uapi/linux/bpf.h, without BPF_.
_BPF: Final = (
    "MAP_CREATE", "MAP_LOOKUP_ELEM", "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM", "MAP_GET_NEXT_KEY", "PROG_LOAD",
    "OBJ_PIN", "OBJ_GET", "PROG_ATTACH", "PROG_DETACH", "PROG_TEST_RUN", "PROG_GET_NEXT_ID",
    "MAP_GET_NEXT_ID", "PROG_GET_FD_BY_ID", "MAP_GET_FD_BY_ID", "OBJ_GET_INFO_BY_FD", "PROG_QUERY",
    "RAW_TRACEPOINT_OPEN", "BTF_LOAD", "BTF_GET_FD_BY_ID", "TASK_FD_QUERY", "MAP_LOOKUP_AND_DELETE_ELEM",
    "MAP_FREEZE", "BTF_GET_NEXT_ID", "MAP_LOOKUP_BATCH", "MAP_LOOKUP_AND_DELETE_BATCH", "MAP_UPDATE_BATCH",
    "MAP_DELETE_BATCH", "LINK_CREATE", "LINK_UPDATE", "LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID",
    "ENABLE_STATS", "ITER_CREATE", "LINK_DETACH", "PROG_BIND_MAP", "TOKEN_CREATE",
)  # fmt: skip


def words_of(call: int, detail: tuple[int, int, int, int], text: bytes) -> str:
    """What is reported of a call that no rule speaks of, as `key=value` words."""
    if call in (Call.SETUID, Call.SETGID):
        ids = _USERS if call == Call.SETUID else _GROUPS
        return ids.format(*map(names.signed, detail))
    if call == Call.MOUNT:
        source, _, rest = text.partition(b"\0")
        words = f"source={word(source)} filesystem={word(rest.rstrip(bytes(1)))} " if text else ""
        return f"{words}mountflag={detail[0]:#x}"
    if call == Call.UMOUNT:
        return f"flag={detail[0]:#x}"
    if call == Call.BPF:
        return f"cmd=BPF_{_BPF[detail[0]]}" if detail[0] < len(_BPF) else f"cmd={detail[0]}"
    return ""


@lru_cache(maxsize=512)
def call_data(call: int, detail: tuple[int, int, int, int], text: bytes) -> tuple[str, dict[str, str]]:
    """KubeArmor's `Data` and `EventData`; the map is shared: do not change it."""
    data = f"lsm={names.LSM_NAMES[Call(call)]}"
    if call in (Call.KILL, Call.PTRACE):
        data = names.data(call, detail)
    elif found := words_of(call, detail, text):
        data = f"{data} {found}"
    return data, names.event_data(data)
