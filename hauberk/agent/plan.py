# SPDX-License-Identifier: Apache-2.0
"""What is asked of a session and what is known before it starts: values that pass between processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hauberk.enforcers.bpf_lsm.tables import Table
from hauberk.enforcers.protocol import PolicyStatus
from hauberk.errors import HauberkError
from hauberk.rules.model import Alias, Postures, Rule, Section


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run, as what, under what. `policies` are files, directories or `-`."""

    argv: Sequence[str]
    policies: Sequence[str]
    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    postures: Postures
    visible: Sequence[Section] = ()
    root: str = ""
    base_set: bool = True
    allow_unenforced: bool = False
    allow_unselected: bool = False


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


class SessionError(HauberkError):
    """The command was not started."""


class UnenforcedError(SessionError):
    """Not all of the policies can be enforced, and nobody allowed that. `outlook` says which and why."""

    def __init__(self, message: str, outlook: Outlook) -> None:
        super().__init__(message, "--allow-unenforced runs the command all the same")
        self.outlook = outlook
