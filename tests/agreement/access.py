# SPDX-License-Identifier: Apache-2.0
"""Accesses as tasks do them, and what `decide` says of each step that the kernel is asked about.

One call can be several accesses: creating a file is a write of its name and then of the file, a rename writes
at both ends and may move a protected path, a raw socket wants a capability once it is permitted. The first
refusal ends it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hauberk.events.record import Call
from hauberk.rules.decide import (
    CapabilityObject,
    FileObject,
    Object,
    SocketObject,
    Subject,
    decide,
    move_refused,
)
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import SPECIAL_NAMES, Operation, Rule, Verdict
from hauberk.rules.sockets import UNDECIDED, socket_kind

from .world import World

R, W = Operation.READ, Operation.WRITE
EACCES, EPERM = 13, 1

OPERATIONS: Final = (
    "exec", "map", "read", "write", "create", "unlink", "rename", "link", "socket", "capability",
)  # fmt: skip
VERBS: Final = {
    "exec": ("exec",),
    "map": ("map",),
    "read": ("read",),
    "write": ("write", "rdwr", "append", "trunc", "truncate", "chmod", "utimes"),
    "create": ("create", "mkdir", "mkfifo", "symlink"),
    "unlink": ("unlink", "rmdir"),
    "rename": ("rename", "exchange"),
    "link": ("link",),
    "socket": ("socket", "bind", "connect", "sendto", "listen"),
    "capability": ("capability",),
}
OPERATION_OF: Final = {verb: operation for operation, verbs in VERBS.items() for verb in verbs}

_OPENS = {"read": (R,), "write": (W,), "append": (W,), "rdwr": (R, W), "trunc": (W,), "map": (R,)}
_CALLS = {
    "truncate": Call.TRUNCATE,
    "chmod": Call.CHMOD,
    "utimes": Call.SETATTR,
    "create": Call.MKNOD,
    "mkfifo": Call.MKNOD,
    "mkdir": Call.MKDIR,
    "symlink": Call.SYMLINK,
    "unlink": Call.UNLINK,
    "rmdir": Call.RMDIR,
    "rename": Call.RENAME,
    "exchange": Call.RENAME,
    "link": Call.LINK,
    "bind": Call.BIND,
    "connect": Call.CONNECT,
    "sendto": Call.SENDMSG,
    "listen": Call.LISTEN,
}

CAPABILITIES: Final = {
    6: "setgid", 7: "setuid", 8: "setpcap", 12: "net_admin", 16: "sys_module", 18: "sys_chroot",
    20: "sys_pacct", 21: "sys_admin", 22: "sys_boot", 23: "sys_nice", 24: "sys_resource", 25: "sys_time",
}  # fmt: skip
"""What the `capability` verb can ask for, each by a call that asks for nothing else."""
NET_RAW: Final = 13
SYS_NICE: Final = 23

SOCKETS: Final = (
    (2, 1, 0), (2, 1, 6), (2, 1, 262), (2, 2, 0), (2, 2, 17), (2, 2, 136), (10, 1, 0), (10, 2, 0),
    (2, 3, 1), (2, 3, 255), (10, 3, 58), (10, 3, 17), (17, 3, 768), (17, 2, 0),
    (1, 1, 0), (1, 2, 0), (16, 3, 0), (16, 2, 15), (40, 1, 0), (38, 5, 0),
)  # fmt: skip
"""Families, types and protocols; all of them exist in a usual kernel."""
USES: Final = {"bind": (2, 1, 0), "listen": (2, 1, 6), "connect": (2, 2, 0), "sendto": (2, 2, 17)}
"""What else than being made is done to which socket."""


NAMELESS: Final = b"@"
"""Before a path: it is one in a file system that is mounted nowhere, so that it has no name."""
WITHOUT_NAMES: Final = {
    "exec": b"@p", "map": b"@f", "read": b"@f", "write": b"@f", "rdwr": b"@f", "mkdir": b"@n",
    "unlink": b"@f",
}  # fmt: skip
"""What is done there, and to what."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A task: its program, the one that its last exec replaced, whether it has a terminal, its user."""

    program: bytes | None = None
    replaced: bytes | None = None
    tty: bool = False
    uid: int = 0

    @property
    def subject(self) -> Subject:
        return Subject(self.program, self.replaced, self.tty)


@dataclass(frozen=True, slots=True)
class Access:
    """What an actor does.

    `owner` is the owner of the object at `path`, or of its directory if the verb makes it; `other_owner` that
    of what is at `other`, or of its directory if nothing is (`replaces` tells), or of a script's interpreter.
    `numbers` are a socket's or a capability's.
    """

    actor: Actor
    verb: str
    path: bytes = b""
    other: bytes = b""
    owner: int = 0
    other_owner: int = 0
    replaces: bool = False
    is_directory: bool = False
    numbers: tuple[int, ...] = ()

    @property
    def nameless(self) -> bool:
        return self.path.startswith(NAMELESS)

    @property
    def operation(self) -> str:
        return OPERATION_OF[self.verb]


@dataclass(frozen=True, slots=True)
class Step:
    """One question that the kernel asks: operations on an object, and maybe a move of it to another path."""

    call: Call
    operations: tuple[Operation, ...]
    object: Object
    moves: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, and what is reported with it: a rule, or what an alert names instead of one."""

    call: Call
    verdict: Verdict
    by: Rule | str
    name: bytes

    @property
    def refused(self) -> bool:
        return self.verdict is Verdict.REFUSE


def steps(access: Access, world: World) -> Iterator[Step]:
    """What the kernel is asked about, if it permits all of it."""
    owned = access.owner == access.actor.uid
    here = FileObject(() if access.nameless else (access.path,), owned)
    match access.operation:
        case "exec":
            yield Step(Call.EXEC, (Operation.EXEC,), here)
            interpreter = world.scripts.get(access.path)
            if interpreter is not None:
                yield Step(
                    Call.EXEC,
                    (Operation.EXEC,),
                    FileObject((interpreter,), access.other_owner == access.actor.uid),
                )
        case "rename" | "link":
            there = FileObject((access.other,), access.other_owner == access.actor.uid)
            moves = [(access.path, access.other)]
            if access.verb == "exchange":
                moves.append((access.other, access.path))
            yield Step(_CALLS[access.verb], (W,), here, tuple(moves))
            yield Step(_CALLS[access.verb], (W,), there)
        case "socket":
            family, type_, _ = access.numbers
            yield Step(Call.SOCKET, (Operation.NETWORK,), SocketObject(*access.numbers))
            if access.verb in _CALLS:
                yield Step(_CALLS[access.verb], (Operation.NETWORK,), SocketObject(*access.numbers))
            elif family == 17 or (family in (2, 10) and type_ == 3):
                yield Step(Call.CAPABLE, (Operation.CAPABILITY,), CapabilityObject(NET_RAW))
        case "capability":
            yield Step(Call.CAPABLE, (Operation.CAPABILITY,), CapabilityObject(access.numbers[0]))
        case _:
            yield from _file_steps(access, here)


def _file_steps(access: Access, here: FileObject) -> Iterator[Step]:
    if access.verb in _CALLS:
        yield Step(_CALLS[access.verb], (W,), here)
    if access.verb in _OPENS:
        yield Step(Call.OPEN, _OPENS[access.verb], here)
    if access.verb == "trunc":
        yield Step(Call.TRUNCATE, (W,), here)
    if access.verb == "map":
        yield Step(Call.MMAP, (Operation.MAP,), here)
    if access.verb == "create":
        # Now there is a file, and it is its maker's.
        yield Step(Call.OPEN, (W,), FileObject(here.names, True))


def expected(meaning: Meaning, access: Access, world: World) -> list[Answer]:
    """What `decide` says of each step, up to the first that it refuses."""
    found = []
    for step in steps(access, world):
        answer = _judge(meaning, access, step)
        if answer is None:
            continue
        found.append(answer)
        if answer.refused:
            break
    return found


def error_of(access: Access, answers: Sequence[Answer]) -> int | None:
    """The error number with which a refused access fails; None if none of it is refused."""
    if not answers or not answers[-1].refused:
        return None
    if answers[-1].call is not Call.CAPABLE or access.numbers[0] == SYS_NICE:
        return EACCES
    return EPERM


def matching(meaning: Meaning, access: Access, world: World) -> set[int]:
    """The rules that name an object of the access."""
    found: set[int] = set()
    for step in steps(access, world):
        for operation in step.operations:
            match step.object:
                case SocketObject(family, type_, protocol):
                    kind = socket_kind(family, type_, protocol)
                    found |= meaning.socket_rules(kind) if kind != UNDECIDED else set()
                case CapabilityObject(number):
                    found |= meaning.capability_rules(number) if access.verb == "capability" else set()
                case FileObject(names):
                    found |= meaning.matching(operation, names[0]) if names else set()
    return {index for index in found if index < len(meaning.rules) and not meaning.rules[index].base}


def _judge(meaning: Meaning, access: Access, step: Step) -> Answer | None:
    """None for a socket of a family that is never decided: the kernel does not report it either."""
    worst: Answer | None = None
    name = _name_of(step.object)
    if isinstance(step.object, SocketObject) and step.object.family in (1, 16):
        assert decide(meaning, access.actor.subject, Operation.NETWORK, step.object).verdict is Verdict.PERMIT
        return None
    for operation in step.operations:
        decision = decide(meaning, access.actor.subject, operation, step.object)
        answer = Answer(step.call, decision.verdict, decision.rule or decision.special, name)
        # A write is refused by every Block that refuses a read, so that the narrowest of all is found there.
        if worst is None or _rank(answer) >= _rank(worst):
            worst = answer
    assert worst is not None
    if worst.refused or not any(
        move_refused(meaning, source, target, access.is_directory) for source, target in step.moves
    ):
        return worst
    return Answer(step.call, Verdict.REFUSE, SPECIAL_NAMES[0x3FFFFFF2], name)


def _name_of(obj: Object) -> bytes:
    match obj:
        case FileObject(names):
            return names[0] if names else b""
        case CapabilityObject(number):
            return str(number).encode()
    return b""


def _rank(answer: Answer) -> tuple[int, bool]:
    order = (Verdict.PERMIT, Verdict.ALLOWED, Verdict.AUDIT, Verdict.REFUSE)
    return order.index(answer.verdict), isinstance(answer.by, Rule)
