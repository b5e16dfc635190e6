# SPDX-License-Identifier: Apache-2.0
"""Worlds on a real file system, and tasks in them that do what they are told under a rule set.

Two ways for a world to be there: as the root that the workload sees (`hauberk run --root`: a directory of a
tmpfs, so that every name takes the slow walk), or below a directory of the machine's own root file system
(the fast walk).
"""

import ctypes
import fcntl
import os
import select
import shutil
import socket
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hauberk.events.record import Call, Record
from hauberk.kernel.namespaces import enter_root
from hauberk.rules.decide import FileObject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    DECIDED,
    SPECIAL_NAMES,
    UNKNOWN,
    Operation,
    Postures,
    RuleSet,
    Section,
    Verdict,
)
from hauberk.workloads.command import Command
from tests.agreement.access import Access, Actor, Answer, error_of
from tests.agreement.deeds import way_of
from tests.agreement.world import World
from tests.kernel.arena import Arena

_ONLY_TOLD: Final = (Call.ENDED, Call.EXECUTED, Call.EXIT, Call.DNS, Call.SETUID, Call.SETGID)

ZYGOTES = 4
SLOTS = 32
_TERMINALS, _NAMELESS, _FIRST = 600, 602, 610
_PATIENCE = 30.0
_MAKES = ("create", "mkdir", "mkfifo", "symlink")
_MOVES = ("rename", "exchange", "link")


class Nowhere:
    """A file system that is mounted nowhere: what is in it is reached by a descriptor and has no name."""

    def __init__(self, program: Path) -> None:
        context = _system_call(430, b"tmpfs", 1)
        _system_call(431, context, 6, None, None, 0)
        self.fd = _system_call(432, context, 1, 0)
        os.close(context)
        os.chmod(".", 0o777, dir_fd=self.fd)
        with open("p", "wb", opener=self._open) as copy:
            copy.write(program.read_bytes())
            os.fchmod(copy.fileno(), 0o755)
        self.restore()

    def restore(self) -> None:
        """Make everything as it was."""
        with suppress(FileNotFoundError):
            os.rmdir("n", dir_fd=self.fd)
        with open("f", "wb", opener=self._open) as file:
            file.write(b"\0" * 64)
            os.fchmod(file.fileno(), 0o666)

    def _open(self, path: str, flags: int) -> int:
        return os.open(path, flags, dir_fd=self.fd)


def _system_call(number: int, *arguments: bytes | int | None) -> int:
    """fsopen, fsconfig and fsmount, which have the same numbers everywhere."""
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Stage:
    """A world, the directory that stands for the root of its paths, and files beside it that have no name."""

    world: World
    directory: Path
    is_root: bool
    """The workload's root is `directory`."""
    nowhere: "Nowhere"

    def build(self, program: Path) -> None:
        self.world.build(self.directory, program)

    def prepare(self, access: Access) -> None:
        """Make everything as the access finds it."""
        if not access.path or access.nameless:
            return
        if access.verb in _MAKES:
            self._remove(access.path)
            self._own(os.path.dirname(access.path), access.owner)
            return
        self._own(access.path, access.owner)
        if access.path in self.world.scripts:
            self._own(self.world.scripts[access.path], access.other_owner)
        if access.verb in _MOVES:
            if access.replaces:
                self._own(access.other, access.other_owner)
            else:
                self._remove(access.other)
                self._own(os.path.dirname(access.other), access.other_owner)

    def restore(self, access: Access) -> None:
        """Make everything as it was."""
        if access.nameless:
            self.nowhere.restore()
        if not access.path or access.nameless:
            return
        if access.is_directory and not os.path.exists(self._place(access.path)):
            os.rename(self._place(access.other), self._place(access.path))
        for path in filter(None, (access.path, access.other)):
            self._restore(path, access.verb in (*_MAKES, *_MOVES, "unlink", "rmdir"))
            self._own(os.path.dirname(path), 0)
        if access.path in self.world.scripts:
            self._own(self.world.scripts[access.path], 0)

    def _restore(self, path: bytes, changed: bool) -> None:
        if changed and path in self.world.files:
            self._remove(path)
            self.world.make_file(self._place(path))
        elif path in self.world.new:
            self._remove(path)
        elif path in self.world.voids and not os.path.isdir(self._place(path)):
            os.mkdir(self._place(path))
            os.chmod(self._place(path), 0o777)
        else:
            self._own(path, 0)

    def _remove(self, path: bytes) -> None:
        try:
            mode = os.lstat(self._place(path)).st_mode
        except FileNotFoundError:
            return
        (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(self._place(path))

    def _own(self, path: bytes, uid: int) -> None:
        os.lchown(self._place(path), uid, 0)

    def _place(self, path: bytes) -> bytes:
        return os.fsencode(self.directory) + path if self.is_root else path


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An access that went otherwise than `decide` says."""

    what: Access | Actor
    expected: Sequence[Answer]
    error: int | None
    got: Sequence[Answer]
    got_error: int

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.what}",
                f"  decide: errno {self.error}",
                *(f"    {e.call.name} {e.verdict.name} {e.name!r} {e.by}" for e in self.expected),
                f"  kernel: errno {self.got_error}",
                *(f"    {e.call.name} {e.verdict.name} {e.name!r} {e.by}" for e in self.got),
            )
        )


class Cast:
    """The tasks of one workload, under one rule set. A context manager; ends with none of them left."""

    def __init__(self, arena: Arena, stage: Stage, meaning: Meaning, *, visible: bool = False) -> None:
        self._arena, self._stage, self._meaning, self._visible = arena, stage, meaning, visible
        self._fds: list[int] = []
        self._terminals = [os.openpty() for _ in range(2)]
        self._requests, self._answers, inherited = [], [], []
        for _ in range(SLOTS):
            request, answer = os.pipe(), os.pipe()
            inherited += [request[0], answer[1]]
            self._requests.append(request[1])
            self._answers.append(answer[0])
        self._slots: dict[Actor, int] = {}
        self._used = ZYGOTES
        self.execs = 0
        self.disagreements: list[Disagreement] = []
        program = stage.world.programs[0]
        self._command = Command([os.fsdecode(program), "hub"], self._prepare(inherited))
        for fd in (*inherited, *(slave for _, slave in self._terminals)):
            os.close(fd)
        self._command.start()
        pids = [self._answer(slot)[0] for slot in range(ZYGOTES)]
        workload = arena.new_workload()
        arena.engine.apply(workload, meaning, pids[0], DECIDED if visible else ())
        for pid in pids:
            pidfd = os.pidfd_open(pid)
            arena.engine.confine(workload, pidfd)
            os.close(pidfd)

    def perform(self, access: Access, answers: Sequence[Answer]) -> None:
        """Do the access; `disagreements` grows if what comes of it is not what `decide` says."""
        slot = self._slot(access.actor)
        if slot is None:
            return
        self._stage.prepare(access)
        words = ["do", access.verb, *map(os.fsdecode, filter(None, (access.path, access.other)))]
        self._send(slot, words, access.numbers)
        pid, error = self._answer(slot)
        self._stage.restore(access)
        wanted = error_of(access, answers)
        self._compare(
            access, answers, BASELINE.get(_kind(access), 0) if wanted is None else wanted, pid, error
        )

    def error(self, access: Access) -> int:
        """Do the access; its error number, with no comparison."""
        slot = self._slot(access.actor)
        assert slot is not None
        self._send(slot, ["do", access.verb], access.numbers)
        return self._answer(slot)[1]

    def _slot(self, actor: Actor) -> int | None:
        """The slot in which such a task serves; None if, against what `decide` says, none could be made."""
        start = int(actor.tty) + 2 * (actor.uid != 0)
        way = way_of(actor)
        if not way:
            return start
        if actor in self._slots:
            return self._slots[actor]
        slot, self._used = self._used, self._used + 1
        self._send(start, ["run", str(slot), *(os.fsdecode(path) for _, path in way)])
        pid, error = self._answer(slot)
        answers = []
        for by, path in way:
            decision = decide(self._meaning, by.subject, Operation.EXEC, FileObject((path,), by.uid == 0))
            answers.append(Answer(Call.EXEC, decision.verdict, decision.rule or decision.special, path))
            self.execs += 1
        self._compare(actor, answers, 0, pid, error)
        if error:
            return None
        self._slots[actor] = slot
        return slot

    def _compare(
        self, what: Access | Actor, answers: Sequence[Answer], error: int, pid: int, got_error: int
    ) -> None:
        mine = [r for r in self._arena.drain() if r.tgid == pid and _is_decided(r)]
        # Permitted and refused accesses come by different rings.
        got = [self._read(record) for record in sorted(mine, key=lambda record: record.time_ns)]
        reported = [
            each for each in answers if self._visible or each.verdict in (Verdict.REFUSE, Verdict.AUDIT)
        ]
        if reported != got or error != got_error:
            self.disagreements.append(Disagreement(what, reported, error, got, got_error))

    def _read(self, record: Record) -> Answer:
        rules = self._meaning.rules
        by = rules[record.rule] if record.rule < len(rules) else SPECIAL_NAMES.get(record.rule, "")
        name = record.object
        if record.call == Call.CAPABLE:
            name = str(record.detail[0]).encode()
        elif record.rule == UNKNOWN:
            # What the kernel can say of its place is no name.
            name = b""
        return Answer(Call(record.call), Verdict(record.verdict), by, name)

    def _send(self, slot: int, words: Sequence[str], numbers: Sequence[int] = ()) -> None:
        os.write(self._requests[slot], " ".join((*words, *map(str, numbers))).encode() + b"\n")

    def _answer(self, slot: int) -> tuple[int, int]:
        ready = select.poll()
        ready.register(self._answers[slot], select.POLLIN)
        if not ready.poll(_PATIENCE * 1000):
            raise AssertionError(f"the task of slot {slot} does not answer")
        pid, error = os.read(self._answers[slot], 64).split()
        return int(pid), int(error)

    def _prepare(self, inherited: Sequence[int]) -> Callable[[], None]:
        def prepare() -> None:
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 800) for fd in inherited]
            for position, fd in enumerate(high):
                os.dup2(fd, _FIRST + position)
            for position, (_, slave) in enumerate(self._terminals):
                os.dup2(slave, _TERMINALS + position)
            os.dup2(self._stage.nowhere.fd, _NAMELESS)
            if self._stage.is_root:
                enter_root(os.fspath(self._stage.directory))

        return prepare

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever reads from a pipe that nobody can write to any more ends.
        for fd in (*self._requests, *self._answers):
            os.close(fd)
        self._command.wait()
        self._command.close()
        for master, _ in self._terminals:
            os.close(master)


BASELINE: dict[tuple[object, ...], int] = {}
"""The error numbers with which calls fail that no rule refuses, where it is not 0."""


def _kind(access: Access) -> tuple[object, ...]:
    return access.verb, *access.numbers


def nothing() -> Meaning:
    """No rules at all."""
    return Meaning(RuleSet.of((), Postures()))


def learn(cast: Cast, accesses: Sequence[Access]) -> None:
    """Find out how calls end under no rules; none may look like a refusal."""
    for access in accesses:
        error = cast.error(access)
        assert error != 13, access
        BASELINE[_kind(access)] = error


def stages(where: Path, program: Path) -> list[Stage]:
    """One of each: merged or not, the workload's root or below the machine's."""
    found = []
    nowhere = Nowhere(program)
    for merged in (False, True):
        name = "merged" if merged else "split"
        inside = where / name
        inside.mkdir()
        found.append(Stage(World("", merged), inside, True, nowhere))
        below = Path(f"/hauberk-{name}")
        shutil.rmtree(below, ignore_errors=True)
        below.mkdir()
        found.append(Stage(World(os.fspath(below), merged), Path("/"), False, nowhere))
    for stage in found:
        stage.build(program)
    return found


def _is_decided(record: Record) -> bool:
    """Whether rules could speak of it; of other things the kernel only tells that they happened."""
    if record.call in _ONLY_TOLD:
        return False
    return record.section != Section.NETWORK or record.detail[0] != socket.AF_UNIX
