# SPDX-License-Identifier: Apache-2.0
"""KubeArmor's words for calls, flags, sockets and capabilities.

Calls that KubeArmor does not hook get a name in its manner (`FILE_CHOWN`, `SOCKET_BIND`). Nothing that a
workload can choose freely goes into `Data`, `EventData` or a socket's resource, so their `key=value` words
cannot be forged.
"""

import os
import platform
from functools import lru_cache
from typing import Final

from hauberk.events.record import Call

OPERATIONS: Final = ("Process", "File", "Network", "Capabilities", "Syscall")
"""KubeArmor's Operation by the section that decided."""

LSM_NAMES: Final = {
    Call.EXEC: "SECURITY_BPRM_CHECK",
    Call.MMAP: "MMAP_FILE",
    Call.MPROTECT: "FILE_MPROTECT",
    Call.OPEN: "FILE_OPEN",
    Call.RECEIVE: "FILE_RECEIVE",
    Call.UNLINK: "FILE_UNLINK",
    Call.RMDIR: "FILE_RMDIR",
    Call.MKDIR: "FILE_MKDIR",
    Call.MKNOD: "FILE_MKNOD",
    Call.SYMLINK: "FILE_SYMLINK",
    Call.LINK: "FILE_LINK",
    Call.RENAME: "FILE_RENAME",
    Call.CHMOD: "FILE_CHMOD",
    Call.CHOWN: "FILE_CHOWN",
    Call.TRUNCATE: "FILE_TRUNCATE",
    Call.SETATTR: "FILE_SETATTR",
    Call.SETXATTR: "FILE_SETXATTR",
    Call.REMOVEXATTR: "FILE_REMOVEXATTR",
    Call.SETACL: "FILE_SETACL",
    Call.SOCKET: "SOCKET_CREATE",
    Call.BIND: "SOCKET_BIND",
    Call.CONNECT: "SOCKET_CONNECT",
    Call.LISTEN: "SOCKET_LISTEN",
    Call.ACCEPT: "SOCKET_ACCEPT",
    Call.SENDMSG: "SOCKET_SENDMSG",
    Call.CAPABLE: "CAPABLE",
    Call.MOUNT: "SB_MOUNT",
    Call.INHERIT: "BPRM_INHERIT",
    Call.HOLD: "FILE_HOLD",
    Call.KILL: "TASK_KILL",
    Call.PTRACE: "PTRACE_ACCESS_CHECK",
    Call.BPF: "BPF",
    Call.UMOUNT: "SB_UMOUNT",
    Call.TYPE: "FILE_IOCTL",
    Call.IOCTL: "FILE_IOCTL",
    Call.UNIX: "UNIX_CONNECT",
    Call.KERNEL: "LOCKED_DOWN",
    Call.WATCH: "PATH_NOTIFY",
    Call.SETUID: "TASK_FIX_SETUID",
    Call.SETGID: "TASK_FIX_SETGID",
    Call.SYSCALL: "SYSCALL",
}
"""What `Data` calls the hook that decided."""

_RENAME_FLAGS: Final = ((1, "RENAME_NOREPLACE"), (2, "RENAME_EXCHANGE"), (4, "RENAME_WHITEOUT"))

_ACCESS_MODES: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
# os.O_LARGEFILE is 0; the kernel sets it on every open of a 64-bit program, where it says nothing.
_LARGEFILE: Final = 0o400000 if platform.machine().startswith(("aarch64", "arm")) else 0o100000
_TMPFILE: Final = 0o20000000  # __O_TMPFILE: O_TMPFILE without O_DIRECTORY
_SYNC: Final = 0o4000000  # __O_SYNC: O_SYNC without O_DSYNC
_OPEN_FLAGS: Final = (
    (os.O_CREAT, "O_CREAT"),
    (os.O_EXCL, "O_EXCL"),
    (os.O_NOCTTY, "O_NOCTTY"),
    (os.O_TRUNC, "O_TRUNC"),
    (os.O_APPEND, "O_APPEND"),
    (os.O_NONBLOCK, "O_NONBLOCK"),
    (_SYNC | os.O_DSYNC, "O_SYNC"),
    (os.O_DSYNC, "O_DSYNC"),
    (0o20000, "O_ASYNC"),
    (os.O_DIRECT, "O_DIRECT"),
    (_TMPFILE | os.O_DIRECTORY, "O_TMPFILE"),
    (os.O_DIRECTORY, "O_DIRECTORY"),
    (os.O_NOFOLLOW, "O_NOFOLLOW"),
    (os.O_NOATIME, "O_NOATIME"),
    (os.O_CLOEXEC, "O_CLOEXEC"),
    (os.O_PATH, "O_PATH"),
)

_FAMILIES: Final = (
    "AF_UNSPEC", "AF_UNIX", "AF_INET", "AF_AX25", "AF_IPX", "AF_APPLETALK", "AF_NETROM", "AF_BRIDGE",
    "AF_ATMPVC", "AF_X25", "AF_INET6", "AF_ROSE", "AF_DECnet", "AF_NETBEUI", "AF_SECURITY", "AF_KEY",
    "AF_NETLINK", "AF_PACKET", "AF_ASH", "AF_ECONET", "AF_ATMSVC", "AF_RDS", "AF_SNA", "AF_IRDA",
    "AF_PPPOX", "AF_WANPIPE", "AF_LLC", "AF_IB", "AF_MPLS", "AF_CAN", "AF_TIPC", "AF_BLUETOOTH", "AF_IUCV",
    "AF_RXRPC", "AF_ISDN", "AF_PHONET", "AF_IEEE802154", "AF_CAIF", "AF_ALG", "AF_NFC", "AF_VSOCK",
    "AF_KCM", "AF_QIPCRTR", "AF_SMC", "AF_XDP", "AF_MCTP",
)  # fmt: skip
_INET: Final = (2, 10)
_TYPES: Final = {
    1: "SOCK_STREAM",
    2: "SOCK_DGRAM",
    3: "SOCK_RAW",
    4: "SOCK_RDM",
    5: "SOCK_SEQPACKET",
    6: "SOCK_DCCP",
    10: "SOCK_PACKET",
}
_PROTOCOLS: Final = {
    1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 33: "DCCP", 41: "IPV6", 47: "GRE", 50: "ESP",
    51: "AH", 58: "ICMPv6", 103: "PIM", 115: "L2TP", 132: "SCTP", 136: "UDPLITE", 255: "RAW", 262: "MPTCP",
}  # fmt: skip
# What protocol 0 of an internet socket means, by its type.
_DEFAULT_PROTOCOLS: Final = {1: "TCP", 2: "UDP", 5: "SCTP", 6: "DCCP"}

_CAPABILITIES: Final = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL",
    "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

_PROTECTIONS: Final = ((1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC"))


def open_flags(flags: int) -> str:
    """`f_flags` in open(2)'s words; bits without a word as one hexadecimal number."""
    words = [_ACCESS_MODES[flags & 3]]
    left = flags & ~3 & ~_LARGEFILE
    for bits, word in _OPEN_FLAGS:
        if left & bits == bits:
            words.append(word)
            left &= ~bits
    if left:
        words.append(hex(left))
    return "|".join(words)


def harm(call: int, detail: tuple[int, int, int, int]) -> str:
    """What a call that is refused for the engine's own sake was aimed at; empty for any other call."""
    if call in (Call.KILL, Call.PTRACE):
        return f"process {detail[1]}"
    if call == Call.BPF:
        return f"BPF {'program' if detail[0] else 'map'} {detail[1]}"
    if call == Call.UMOUNT:
        return "/sys/fs/bpf"
    if call == Call.TYPE:
        return "input of a terminal"
    if call == Call.KERNEL:
        return f"kernel memory (lockdown reason {detail[0]})" if detail[0] else "kernel image or module"
    if call == Call.WATCH:
        return f"accesses of others (fanotify events {detail[0]:#x})"
    return ""


def exit_status(status: int) -> str:
    """How a process ended, as wait(2) tells it."""
    if status & 0x7F:
        core = " core=true" if status & 0x80 else ""
        return f"signal={status & 0x7F}{core}"
    return f"status={status >> 8 & 0xFF}"


def signed(number: int) -> int:
    """A user or group id as upstream's clients have it: -1 for "leave it"."""
    return number - (1 << 32) if number >> 31 else number


def protection(bits: int) -> str:
    """The protection of a mapping in mmap(2)'s words."""
    words = [word for bit, word in _PROTECTIONS if bits & bit]
    left = bits & ~7
    if left:
        words.append(hex(left))
    return "|".join(words) or "PROT_NONE"


def capability(number: int) -> str:
    """`CAP_NET_RAW` for 13; `CAP_63` for one that has no name yet."""
    return f"CAP_{_CAPABILITIES[number] if number < len(_CAPABILITIES) else number}"


@lru_cache(maxsize=1024)
def socket(family: int, type_: int, protocol: int) -> str:
    """`domain=AF_INET type=SOCK_STREAM protocol=TCP`; protocol 0 is named for what it stands for."""
    domain = _FAMILIES[family] if family < len(_FAMILIES) else str(family)
    kind = _TYPES.get(type_, str(type_))
    name = str(protocol)
    if family in _INET:
        name = _PROTOCOLS.get(protocol, name) if protocol else _DEFAULT_PROTOCOLS.get(type_, name)
    return f"domain={domain} type={kind} protocol={name}"


def capability_number(name: str) -> int:
    """The way back from `capability`. Raises ValueError."""
    word = name.removeprefix("CAP_")
    return _CAPABILITIES.index(word) if word in _CAPABILITIES else int(word)


def socket_numbers(words: str) -> tuple[int, int, int]:
    """The way back from `socket`, whatever other words there are: family, type and protocol. Raises
    ValueError."""
    found = dict(word.partition("=")[::2] for word in words.split())
    domain, kind, name = (found.get(key, "") for key in ("domain", "type", "protocol"))
    family = _FAMILIES.index(domain) if domain in _FAMILIES else int(domain)
    type_ = next((number for number, word in _TYPES.items() if word == kind), None)
    protocol = next((number for number, word in _PROTOCOLS.items() if word == name), None)
    numbers = family, int(kind) if type_ is None else type_, int(name) if protocol is None else protocol
    if min(numbers) < 0:
        raise ValueError(f"{words} is no socket")
    return numbers


def data(call: int, detail: tuple[int, int, int, int]) -> str:
    """KubeArmor's `Data`: the hook, then what `detail` says about the call."""
    if call == Call.EXIT:
        return f"kfunc=DO_EXIT {exit_status(detail[0])}"
    name = f"lsm={LSM_NAMES[Call(call)]}"
    if call in (Call.OPEN, Call.RECEIVE):
        return f"{name} flags={open_flags(detail[0])}"
    if call in (Call.INHERIT, Call.HOLD):
        return f"{name} flags={open_flags(detail[0])} fd={detail[1]}"
    if call == Call.KILL:
        return f"{name} signal={detail[0]} pid={detail[1]}"
    if call == Call.PTRACE:
        return f"{name} mode={detail[0]} pid={detail[1]}"
    if call in (Call.MKDIR, Call.MKNOD, Call.CHMOD):
        return f"{name} mode=0{detail[0]:o}"
    if call == Call.CHOWN:
        return f"{name} userid={signed(detail[0])} group={signed(detail[1])}"
    if call == Call.RENAME:
        flags = "|".join(flag for bit, flag in _RENAME_FLAGS if detail[0] & bit)
        return f"{name} flags={flags}" if flags else name
    if call in (Call.MMAP, Call.MPROTECT):
        return f"{name} prot={protection(detail[0])}"
    if call == Call.CAPABLE:
        return f"{name} {capability(detail[0])}"
    if Call.SOCKET <= call <= Call.SENDMSG:
        return f"{name} {socket(*detail[:3])}"
    return name


def event_data(words: str) -> dict[str, str]:
    """The `key=value` words as a map, each key capitalised."""
    pairs = (word.partition("=") for word in words.split())
    return {key[:1].upper() + key[1:]: value for key, equals, value in pairs if equals}


@lru_cache(maxsize=1024)
def call_data(call: int, detail: tuple[int, int, int, int]) -> tuple[str, dict[str, str]]:
    """`data`, and its words as a map, which is shared: do not change it."""
    words = data(call, detail)
    return words, event_data(words)
