# SPDX-License-Identifier: Apache-2.0
"""What an engine's next keeper has to know and the kernel cannot tell: which table lies where, and which
rules the numbers of a generation stand for.

A file in a directory of root's own, replaced as a whole. It is written before the kernel is switched to
what it speaks of, so that no generation is ever in force that it does not know; what it promises and the
kernel does not have was never switched to (`reconcile`). It lives where the pins live: until the machine
stops.

Rules are many and change seldom, so each list of them has a file of its own, named by its content; and so
has what the keeper knows of each workload.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from hauberk import __version__
from hauberk.enforcers.protocol import EnforcerError
from hauberk.events.identity import RuleIdentity
from hauberk.kernel import durable
from hauberk.rules.model import Rule

STATE_ROOT: Final = Path("/run/hauberk")
STATE: Final = "state"
_RULES: Final = "rules-"
_ABOUT: Final = "about-"
_MAGIC: Final = b"hauberk 1\n"
"""Whatever this version cannot read begins with something else."""
_DIGEST: Final = 32

T = TypeVar("T")


class StateError(EnforcerError):
    """The state cannot be read: it is not there, damaged, or another version's."""


class PlacedTable(msgspec.Struct, frozen=True):
    """A table in the arena."""

    begin: int
    size: int
    head: int
    """The low half of the word in `heads` that stands for it: its offset, and the hints."""
    mounts: tuple[bytes, ...]
    """Its keys in the `mounts` map."""
    classes: str = ""
    """Stands for how it numbers classes of programs."""
    key: bytes = b""
    """Stands for its content (`sharing.content_key`)."""


class InForce(msgspec.Struct, frozen=True):
    """What holds, or held, for one workload."""

    generation: int
    table: int
    """`begin` of a PlacedTable."""
    rules: str
    """The name of a list of rules."""


class EngineState(msgspec.Struct):
    """All of it. Workloads and tables are by number and by `begin`."""

    version: str = __version__
    maps: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    generation: int = 0
    """The last one given. Never given again, also if it never came into force."""
    tables: dict[int, PlacedTable] = {}
    workloads: dict[int, InForce] = {}
    pending: dict[int, InForce] = {}
    """What the kernel is about to be switched to."""
    retired: list[tuple[int, InForce]] = []
    """By workload: what held before, and may have records in the rings still."""
    lifting: tuple[int, ...] = ()
    """Workloads that are about to have no table any more."""
    about: dict[int, str] = {}
    """The names of what the keeper wants to know of each workload; the engine does not look into it."""

    def used(self) -> set[int]:
        """The tables that are in force, or about to be."""
        return {each.table for each in (*self.workloads.values(), *self.pending.values())}


def states() -> list[str]:
    """The names of all engines of which a state is kept."""
    found = STATE_ROOT.iterdir() if STATE_ROOT.is_dir() else ()
    return sorted(path.name for path in found if path.is_dir())


class StateDirectory:
    """Where one engine's state is kept."""

    def __init__(self, name: str) -> None:
        self.path = STATE_ROOT / name

    @classmethod
    def make(cls, name: str) -> Self:
        """The directory for a new engine. Raises StateError."""
        made = cls(name)
        try:
            STATE_ROOT.mkdir(mode=0o700, exist_ok=True)
            found = STATE_ROOT.lstat()
            if STATE_ROOT.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise StateError(
                    f"{STATE_ROOT} can be reached by others, and what is kept there decides about policies",
                    f"remove {STATE_ROOT}; Hauberk makes it anew",
                )
            made.remove()
            made.path.mkdir(mode=0o700)
        except OSError as error:
            raise StateError(f"making {made.path}: {error.strerror}") from error
        return made

    def write(self, state: EngineState) -> None:
        """Replace the state. When this returns, whoever reads it finds this one. Raises StateError."""
        self._write(STATE, msgspec.msgpack.encode(state))

    def read(self) -> EngineState:
        """The last state that was written. Raises StateError."""
        return self._read(STATE, EngineState)

    def write_rules(self, rules: Sequence[Rule]) -> str:
        """Keep a list of rules; its name. Raises StateError."""
        return self._keep(_RULES, [RuleIdentity.of(rule) for rule in rules])

    def read_rules(self, name: str) -> tuple[RuleIdentity, ...]:
        """A list of rules by its name. Raises StateError."""
        return self._read(f"{_RULES}{name}", tuple[RuleIdentity, ...])

    def write_about(self, about: bytes) -> str:
        """Keep what is known of a workload; its name. Raises StateError."""
        return self._keep(_ABOUT, about)

    def read_about(self, name: str) -> bytes:
        """What is known of a workload, by its name. Raises StateError."""
        return self._read(f"{_ABOUT}{name}", bytes)

    def forget(self, rules: Collection[str], about: Collection[str]) -> None:
        """Remove all lists of rules but these, and all that is known of workloads but this."""
        for prefix, kept in ((_RULES, rules), (_ABOUT, about)):
            for path in self._entries():
                name = path.name.removeprefix(prefix)
                if name != path.name and name not in kept:
                    path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _entries(self) -> Iterable[Path]:
        return sorted(self.path.iterdir()) if self.path.is_dir() else ()

    def _keep(self, prefix: str, value: object) -> str:
        data = msgspec.msgpack.encode(value)
        name = sha256(data).hexdigest()[:_DIGEST]
        if not (self.path / f"{prefix}{name}").exists():
            self._write(f"{prefix}{name}", data)
        return name

    def _write(self, name: str, data: bytes) -> None:
        path = self.path / name
        try:
            durable.replace({path: _MAGIC + sha256(data).digest() + data})
        except OSError as error:
            raise StateError(
                f"writing {path}: {error.strerror}", "what was in force before still is"
            ) from error

    def _read(self, name: str, kind: type[T]) -> T:
        path = self.path / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StateError(f"reading {path}: {error.strerror}") from error
        if not data.startswith(_MAGIC):
            raise StateError(f"{path} is not of this version of Hauberk")
        digest, body = data[len(_MAGIC) :][:_DIGEST], data[len(_MAGIC) + _DIGEST :]
        if sha256(body).digest() != digest:
            raise StateError(f"{path} is damaged")
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise StateError(f"{path} is not of this version of Hauberk: {error}") from error
