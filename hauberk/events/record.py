# SPDX-License-Identifier: Apache-2.0
"""The records that the kernel programs write: `struct hb_event` of bpf/abi.h, then its strings.

Whoever loads the programs compares `HB_EVENT_LAYOUT` with the object's BTF first, so a record that does not
decode here is a damaged one: it is counted by the caller, never guessed at, and never stops the stream.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from hauberk.errors import HauberkError

NO_OWNER: Final = 0xFFFFFFFF
"""In `Record.owner`: the access has no object with an owner."""
NO_LOGIN: Final = 0xFFFFFFFF
"""In `Record.login` and `Record.session`: the task is of no login, or the kernel has no audit."""


OWN_ADDRESS: Final = 256
"""In `detail[3]` of a socket call: `Record.address` is the socket's own, not one that the caller gave."""
PEER_ADDRESS: Final = 257
"""The same: it is the other end's."""
CUT: Final = 1
"""In `Record.flags`: there are ancestors that `Record.ancestry` does not have."""


class RecordError(HauberkError):
    """Bytes from a ring that are not a record."""


class Call(IntEnum):
    """What the task did, finer than the operation that the rules know. Numbers of `enum hb_call`."""

    EXEC = 1
    MMAP = 2
    MPROTECT = 3
    OPEN = 4
    RECEIVE = 5
    UNLINK = 6
    RMDIR = 7
    MKDIR = 8
    MKNOD = 9
    SYMLINK = 10
    LINK = 11
    RENAME = 12
    CHMOD = 13
    CHOWN = 14
    TRUNCATE = 15
    SETATTR = 16
    SETXATTR = 17
    REMOVEXATTR = 18
    SETACL = 19
    SOCKET = 20
    BIND = 21
    CONNECT = 22
    LISTEN = 23
    ACCEPT = 24
    SENDMSG = 25
    CAPABLE = 26
    MOUNT = 27
    ENDED = 28
    """Not an access: the workload's last task has ended."""
    INHERIT = 29
    """An exec that would hand an open file on."""
    HOLD = 30
    """Not an access: a file that a task has open already."""
    IOCTL = 31
    """Changes a file's flags."""
    UNIX = 32
    """Connects to, or sends to, a unix socket with a path."""
    KILL = 33
    PTRACE = 34
    BPF = 35
    UMOUNT = 36
    TYPE = 37
    """Puts input into a terminal."""
    KERNEL = 38
    """The kernel's own integrity: modules, kexec, its memory."""
    WATCH = 39
    """Has the kernel ask it before others may use a file."""
    DNS = 40
    """Not an access: a query to a name server."""
    EXIT = 41
    """Not an access: the process has ended."""
    SETUID = 42
    SETGID = 43
    EXECUTED = 44
    """Not an access: what came of an exec that was reported."""
    SYSCALL = 60
    """A system call that a rule names, whatever it does."""


class LayoutField(NamedTuple):
    """One member of a C struct: its name, and its place and size in bytes."""

    name: str
    offset: int
    size: int


STRINGS: Final = (
    "object",
    "other",
    "exe",
    "parent",
    "cwd",
    "tty",
    "comm",
    "address",
    "text",
    "ancestry",
    "args",
)
"""The strings behind the head, in order of `enum hb_string`."""

_MEMBERS: Final = (
    ("time_ns", "Q", 1),
    ("workload", "I", 1),
    ("generation", "I", 1),
    ("rule", "I", 1),
    ("verdict", "B", 1),
    ("section", "B", 1),
    ("call", "H", 1),
    ("tgid", "I", 1),
    ("tid", "I", 1),
    ("parent_tgid", "I", 1),
    ("ns_tgid", "I", 1),
    ("ns_parent_tgid", "I", 1),
    ("uid", "I", 1),
    ("owner", "I", 1),
    ("slot", "I", 1),
    ("login", "I", 1),
    ("session", "I", 1),
    ("detail", "I", 4),
    ("flags", "H", 1),
    ("length", "H", len(STRINGS)),
)


def layout_of(members: Sequence[tuple[str, str, int]]) -> tuple[LayoutField, ...]:
    """The layout of a C struct without padding: each member's name, its `struct` code and how many."""
    fields = []
    offset = 0
    for name, code, count in members:
        size = Struct(f"={count}{code}").size
        fields.append(LayoutField(name, offset, size))
        offset += size
    return tuple(fields)


HB_EVENT_LAYOUT: Final = layout_of(_MEMBERS)
"""What the decoder takes `struct hb_event` to be, for the comparison with BTF."""
_HEAD: Final = Struct("=" + "".join(f"{count}{code}" for _, code, count in _MEMBERS))
HB_EVENT_SIZE: Final = _HEAD.size
"""sizeof(struct hb_event): the strings begin here."""
LAST_VERDICT: Final = 3
LAST_SECTION: Final = 4
_CALLS: Final = frozenset(Call)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One decided access, as the kernel saw it. Strings are the raw bytes; `escape` makes them presentable.

    `time_ns` is CLOCK_BOOTTIME. Ids without `ns_` are those of the host. `detail` depends on `call`: open
    flags; family, type and protocol of a socket, and how its `address` is known (`OWN_ADDRESS`,
    `PEER_ADDRESS`); a capability's number; the protection asked of a mapping; of a system call its number,
    its result and two of its arguments; of an exec how many arguments it has, and if what comes of it is
    reported the number under which it is (`outcomes`). `args` are those of an exec, or the paths that a
    system call was given (`syscalls`). `address` is a `struct sockaddr`, `text` the beginning of a DNS
    message, `ancestry` what `ancestry.ancestors` reads.
    `slot`, if not 0, is where repeats of it are counted (`repeats`).
    """

    time_ns: int
    workload: int
    generation: int
    rule: int
    verdict: int
    section: int
    call: int
    tgid: int
    tid: int
    parent_tgid: int
    ns_tgid: int
    ns_parent_tgid: int
    uid: int
    owner: int
    slot: int
    login: int
    session: int
    detail: tuple[int, int, int, int]
    flags: int = 0
    object: bytes = b""
    other: bytes = b""
    exe: bytes = b""
    parent: bytes = b""
    cwd: bytes = b""
    tty: bytes = b""
    comm: bytes = b""
    address: bytes = b""
    text: bytes = b""
    ancestry: bytes = b""
    args: bytes = b""


def decode(payload: bytes | memoryview) -> Record:
    """Decode one record. Bytes behind the last string are padding.

    Raises `RecordError` if the head is cut off, a string reaches past the end, or a number is not one of its
    enum.
    """
    if len(payload) < HB_EVENT_SIZE:
        raise RecordError(f"a record of {len(payload)} bytes is shorter than its head")
    (
        time_ns, workload, generation, rule, verdict, section, call,
        tgid, tid, parent_tgid, ns_tgid, ns_parent_tgid, uid, owner, slot, login, session,
        detail0, detail1, detail2, detail3, flags,
        object_, other, exe, parent, cwd, tty, comm, address, wire, ancestry, args,
    ) = _HEAD.unpack_from(payload)  # fmt: skip
    if verdict > LAST_VERDICT or section > LAST_SECTION or call not in _CALLS:
        raise RecordError(f"a record with verdict {verdict}, section {section}, call {call}")
    # from here on each name stands for where its string ends
    other += object_
    exe += other
    parent += exe
    cwd += parent
    tty += cwd
    comm += tty
    address += comm
    wire += address
    ancestry += wire
    args += ancestry
    text = bytes(payload[HB_EVENT_SIZE : HB_EVENT_SIZE + args])
    if len(text) < args:
        raise RecordError(f"a record whose strings take {args} bytes, of which {len(text)} are there")
    return Record(
        time_ns, workload, generation, rule, verdict, section, call,
        tgid, tid, parent_tgid, ns_tgid, ns_parent_tgid, uid, owner, slot, login, session,
        (detail0, detail1, detail2, detail3), flags,
        text[:object_], text[object_:other], text[other:exe], text[exe:parent],
        text[parent:cwd], text[cwd:tty], text[tty:comm], text[comm:address],
        text[address:wire], text[wire:ancestry], text[ancestry:args],
    )  # fmt: skip


def decode_each(payloads: Iterable[bytes | memoryview]) -> Iterator[Record | RecordError]:
    """Decode a batch of a ring reader. A damaged record comes out as the `RecordError`, in its place."""
    for payload in payloads:
        try:
            yield decode(payload)
        except RecordError as error:
            yield error
