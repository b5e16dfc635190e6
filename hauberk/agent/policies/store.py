# SPDX-License-Identifier: Apache-2.0
"""What is kept of policies, postures and visibility over restarts: one file a policy, replaced as a whole.

A policy that is in the watched directory too counts as that says, since files are what people look at; what
was applied counts again when the file is gone. The directory is read anew each time. Of a file with a fault,
what it said before stays in force, also if the agent was started again meanwhile: what files said is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from hauberk.agent.compiler.jobs import Checked, CheckedPolicy, Source
from hauberk.agent.config.file import FileError, read_file
from hauberk.agent.control.messages import PolicyRef
from hauberk.agent.control.place import own_directory
from hauberk.agent.policies import durable
from hauberk.agent.policies.durable import StoreError
from hauberk.errors import HauberkError

MAX_FILE: Final = 10 << 20
"""Bytes of a file that are read, as of any file with policies."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
GLOBAL: Final = "global"
"""The scope of what is set for everybody."""
_POLICIES: Final = "policies"
_POSTURES: Final = "postures.json"
_VISIBILITY: Final = "visibility.json"
_WATCHED: Final = "watched.json"
MAX_FILES: Final = 4096
"""Most files of the watched directory."""
MAX_WATCHED: Final = 256 << 20
"""Bytes of what is kept of them."""


T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True):
    """A policy. `source` is what its text was read from, `origin` its file in the watched directory or empty.

    `forced`: it binds sessions on the console too.
    """

    ref: PolicyRef
    text: str
    digest: str
    source: str
    forced: bool = False
    origin: str = ""


class PolicyStore:
    """The policies of a node, kept in `directory`. `faults` says by file what could not be read."""

    def __init__(self, directory: Path) -> None:
        """Raises HauberkError."""
        self._directory = directory / _POLICIES
        self._postures_file = directory / _POSTURES
        self._visibility_file = directory / _VISIBILITY
        self._watched_file = directory / _WATCHED
        self.faults: dict[str, tuple[str, ...]] = {}
        self._applied: dict[PolicyRef, Entry] = {}
        self._watched: dict[str, tuple[Entry, ...]] = {}
        # Whoever could write there would decide about policies.
        own_directory(directory, 0o700)
        own_directory(self._directory, 0o700)
        for path in sorted(self._directory.glob("*.json")):
            try:
                entry = msgspec.json.decode(durable.read(path, MAX_FILE), type=Entry)
                self._applied[entry.ref] = entry
            except (StoreError, msgspec.DecodeError) as error:
                self.faults[str(path)] = (f"{path}: a policy that was applied cannot be read: {error}",)
        self._postures = self._read_postures()
        self._visibility = self._read_visibility()
        self._watched = self._read_watched()
        self._kept = self._watched

    def entries(self) -> list[Entry]:
        """The policies that count, by their names."""
        return sorted(self._merged().values(), key=lambda entry: entry.ref)

    def get(self, ref: PolicyRef) -> Entry | None:
        """The policy that counts of this name."""
        return self._merged().get(ref)

    def sources(self) -> tuple[Source, ...]:
        """Their texts."""
        return tuple(Source(entry.source, entry.text) for entry in self.entries())

    def forced(self) -> tuple[PolicyRef, ...]:
        """Those that bind sessions on the console too."""
        return tuple(entry.ref for entry in self.entries() if entry.forced)

    def apply(self, policies: Iterable[tuple[CheckedPolicy, str]], *, forced: bool) -> None:
        """Keep these, each with what it was read from, in place of those of the same names.

        Raises StoreError: one is in the watched directory, or cannot be written.
        """
        entries = [
            Entry(policy.ref, policy.text, policy.digest, source, forced) for policy, source in policies
        ]
        self._refuse_watched(entry.ref for entry in entries)
        durable.write_all({self._path(entry.ref): msgspec.json.encode(entry) for entry in entries})
        self._applied.update((entry.ref, entry) for entry in entries)

    def delete(self, refs: Sequence[PolicyRef]) -> None:
        """Forget these. Raises StoreError: one is not there, or is in the watched directory."""
        self._refuse_watched(refs)
        for ref in refs:
            if ref not in self._applied:
                raise StoreError(f"there is no {ref}", "`hauberk policy list` shows those there are")
        for ref in refs:
            durable.remove(self._path(ref))
            del self._applied[ref]

    def remove(self) -> None:
        """Remove all that is kept, for good. Raises StoreError."""
        for path in (*self._directory.glob("*.json"), self._postures_file, self._watched_file):
            durable.remove(path)
        self._directory.rmdir()

    def load_directory(self, directory: Path, check: Callable[[Sequence[Source]], Checked]) -> None:
        """Read the watched directory anew, if it is there; `faults` says what is wrong with its files."""
        self.faults = {
            name: why
            for name, why in self.faults.items()
            if Path(name).parent != directory and name not in (str(directory), str(self._watched_file))
        }
        try:
            paths = sorted(directory.iterdir()) if directory.exists() else []
        except OSError as error:
            self.faults[str(directory)] = (f"reading {directory}: {error.strerror}",)
            return
        paths = [path for path in paths if path.suffix in SUFFIXES and not path.name.startswith(".")]
        if len(paths) > MAX_FILES:
            self.faults[str(directory)] = (f"{directory} has more than {MAX_FILES} files with policies",)
            return
        self._watched = {str(path): self._read(path, check) for path in paths}
        self._keep_watched()
        self._tell_duplicates()

    def postures(self, scope: str) -> dict[str, str]:
        """The postures that were set for a scope: GLOBAL, `namespace NAME` or `workload NAME`."""
        return self._postures.get(scope, {})

    @property
    def scopes(self) -> dict[str, dict[str, str]]:
        """All postures that were set."""
        return self._postures

    def set_postures(self, scope: str, sections: dict[str, str]) -> None:
        """Set postures of a scope, by section; `default` takes one back. Raises StoreError."""
        own = {**self._postures.get(scope, {}), **sections}
        own = {section: posture for section, posture in own.items() if posture != "default"}
        postures = {**self._postures, scope: own}
        postures = {name: each for name, each in postures.items() if each}
        durable.write(self._postures_file, msgspec.json.encode(postures))
        self._postures = postures

    @property
    def visibility(self) -> dict[str, tuple[str, ...]]:
        """What was set to be reported, by scope as for postures: names of sections."""
        return self._visibility

    def set_visibility(self, scope: str, sections: Sequence[str] | None) -> None:
        """Set what is reported in a scope; None takes it back. Raises StoreError."""
        visibility = {name: each for name, each in self._visibility.items() if name != scope}
        if sections is not None:
            visibility[scope] = tuple(sections)
        durable.write(self._visibility_file, msgspec.json.encode(visibility))
        self._visibility = visibility

    def _merged(self) -> dict[PolicyRef, Entry]:
        watched = {entry.ref: entry for entries in self._watched.values() for entry in entries}
        return {**self._applied, **watched}

    def _read(self, path: Path, check: Callable[[Sequence[Source]], Checked]) -> tuple[Entry, ...]:
        """What a file says; with a fault, what it said before."""
        before = self._watched.get(str(path), ())
        try:
            data = read_file(path, MAX_FILE)
            if data is None:
                return ()
            checked = check([Source(str(path), data.decode())])
        except FileError as error:
            self.faults[str(path)] = (f"{path} {error.message}",)
            return before
        except UnicodeDecodeError as error:
            self.faults[str(path)] = (f"{path} is not text: {error.reason}",)
            return before
        except HauberkError as error:
            self.faults[str(path)] = (error.message,)
            return before
        if checked.faults:
            self.faults[str(path)] = checked.faults
            return before
        return tuple(
            Entry(each.ref, each.text, each.digest, str(path), origin=str(path)) for each in checked.policies
        )

    def _keep_watched(self) -> None:
        """Keep what files say for the next start. It counts now, whether that succeeds or not."""
        if self._watched == self._kept:
            return
        try:
            durable.write(self._watched_file, msgspec.json.encode(self._watched))
            self._kept = self._watched
        except StoreError as error:
            self.faults[str(self._watched_file)] = (error.message,)

    def _tell_duplicates(self) -> None:
        seen: dict[PolicyRef, str] = {}
        for name, entries in self._watched.items():
            for entry in entries:
                if other := seen.get(entry.ref):
                    why = f"{name}: {entry.ref} is in {other} too; this file counts"
                    self.faults[name] = (*self.faults.get(name, ()), why)
                elif entry.ref in self._applied:
                    why = f"{name}: {entry.ref} was applied too; this file counts"
                    self.faults[name] = (*self.faults.get(name, ()), why)
                seen[entry.ref] = name

    def _refuse_watched(self, refs: Iterable[PolicyRef]) -> None:
        watched = {entry.ref: name for name, entries in self._watched.items() for entry in entries}
        for ref in refs:
            if ref in watched:
                raise StoreError(f"{ref} comes from {watched[ref]}", "change it there")

    def _path(self, ref: PolicyRef) -> Path:
        name = "\0".join((ref.kind, ref.namespace, ref.name)).encode()
        return self._directory / f"{sha256(name).hexdigest()[:32]}.json"

    def _read_postures(self) -> dict[str, dict[str, str]]:
        return self._recall(self._postures_file, MAX_FILE, dict[str, dict[str, str]])

    def _read_visibility(self) -> dict[str, tuple[str, ...]]:
        return self._recall(self._visibility_file, MAX_FILE, dict[str, tuple[str, ...]])

    def _read_watched(self) -> dict[str, tuple[Entry, ...]]:
        return self._recall(self._watched_file, MAX_WATCHED, dict[str, tuple[Entry, ...]])

    def _recall(self, path: Path, limit: int, kind: type[dict[str, T]]) -> dict[str, T]:
        """What a file of the store holds; nothing, and a fault, if it cannot be read."""
        if not path.exists():
            return {}
        try:
            return msgspec.json.decode(durable.read(path, limit), type=kind)
        except (StoreError, msgspec.DecodeError) as error:
            self.faults[str(path)] = (f"{path}: what was kept cannot be read: {error}",)
            return {}
