# SPDX-License-Identifier: Apache-2.0
"""What is asked of a session and what is known before it starts: values that pass between processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hauberk.agent.columns import Columns, from_columns, to_columns
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.protocol import PolicyStatus
from hauberk.errors import HauberkError
from hauberk.events.pipeline import Pipeline
from hauberk.rules.guard import Guarded
from hauberk.rules.model import Alias, Postures, Rule, Seen
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run, as what, under what. `policies` are files, directories or `-`."""

    argv: Sequence[str]
    policies: Sequence[str]
    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    postures: Postures
    visible: Sequence[Seen] = ()
    root: str = ""
    own_files: Sequence[str] = ()
    """Files that Hauberk writes during the run: the workload must leave them alone."""
    base_set: bool = True
    allow_unenforced: bool = False
    allow_unselected: bool = False
    strict: bool = False
    """Not even start where a policy holds but for something that was there before."""


@dataclass(frozen=True)
class Outlook:
    """What will hold, known before the command starts."""

    statuses: tuple[PolicyStatus, ...]
    aliases: tuple[Alias, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is odd about the policies."""
    obstacle: str = ""
    """Why nothing is enforced or reported at all; empty if that is possible or not asked for."""


@dataclass(frozen=True)
class Prepared:
    """The outlook, and what has to be in force for it. No table: there is nothing to enforce or to report."""

    outlook: Outlook
    rules: tuple[Rule, ...] = ()
    table: Table | None = None
    mounts: tuple[Mount, ...] = ()
    """Those that the names of files hang on."""
    homes: tuple[Home, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    linked: tuple[bytes, ...] = ()
    """Blocked names of files that have several links."""

    def __reduce__(self) -> tuple[object, ...]:
        rest = (self.table, self.mounts, self.homes, self.guarded, self.linked)
        return _prepared, (self.outlook, to_columns(self.rules), rest)


def _prepared(outlook: Outlook, columns: Columns, rest: tuple[Any, ...]) -> Prepared:
    return Prepared(outlook, from_columns(columns), *rest)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    status: int
    """As a shell gives it: 128 and the signal's number if a signal ended it."""
    signal: int
    """The signal that ended it, or 0."""
    left: int
    """Confined tasks that are still alive."""


class Kept(Protocol):
    """What is told of a workload that is, or was, looked after."""

    outlook: Outlook

    @property
    def pipeline(self) -> Pipeline | None: ...

    @property
    def counters(self) -> dict[str, int]: ...


class SessionError(HauberkError):
    """The command was not started."""


class UnenforcedError(SessionError):
    """Not all of the policies can be enforced, and nobody allowed that. `outlook` says which and why."""

    def __init__(self, message: str, outlook: Outlook, remedy: str) -> None:
        super().__init__(message, remedy)
        self.outlook = outlook
