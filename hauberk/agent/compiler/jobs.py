# SPDX-License-Identifier: Apache-2.0
"""What the agent asks its compiler and what comes back: values, which need neither pydantic nor automata."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from hauberk.agent.columns import Columns, from_columns, to_columns
from hauberk.agent.control.messages import PolicyRef
from hauberk.enforcers.bpf_lsm.table import Table
from hauberk.enforcers.protocol import PolicyStatus
from hauberk.errors import HauberkError
from hauberk.rules.guard import Guarded
from hauberk.rules.model import Alias, Postures, Rule, Seen
from hauberk.workloads.homes import Home
from hauberk.workloads.mounts import Mount
from hauberk.workloads.roots import Place

UNIT_NAMESPACE: Final = "host"
"""In which a KubeArmorPolicy stands that binds systemd units."""
UNIT_LABEL: Final = "hauberk.io/systemd-unit"
"""The label by which one is picked."""


Kind: TypeAlias = Literal["container", "host", "unit", "console"]


class Source(msgspec.Struct, frozen=True):
    """Text with policies in it, and the name by which faults, alerts and statuses call it."""

    name: str
    text: str


class CheckedPolicy(msgspec.Struct, frozen=True):
    """A policy without faults. `text` is its document alone; `digest` is equal for equal texts. `warnings`
    say what is odd about it and what of it has no effect, with file and line."""

    ref: PolicyRef
    text: str
    digest: str
    warnings: tuple[str, ...] = ()


class Checked(msgspec.Struct, frozen=True):
    """What was found in texts. With faults (each with file and line), `policies` are not all of them."""

    policies: tuple[CheckedPolicy, ...]
    faults: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A workload, as far as its rules depend on it.

    `kind` says which policies can bind it:

    - `container`: container and cluster policies, by `namespace`, `labels` and `name`;
    - `host`: host policies, by `node` and `node_labels`;
    - `unit` (a systemd unit; `name` is the unit's): host policies, as its processes are the host's. Also
      container policies of the namespace `host`, whose selector sees `labels` and hauberk.io/systemd-unit;
      and cluster policies, but only those that name the namespace `host`: others speak of pods;
    - `console` (a unit that somebody could need to mend the machine): of host policies only those in
      `forced`, and nothing else.
    """

    number: int
    kind: Kind
    namespace: str | None = None
    name: str = ""
    labels: dict[str, str] = {}
    node: str | None = None
    node_labels: dict[str, str] = {}
    postures: Postures = Postures()
    visible: tuple[Seen, ...] = ()
    pid: int = 1
    """A process that sees the workload's root: its init, or 1."""
    guarded: bool = True
    """Whether it is kept from Hauberk's own files. Root on the host is not."""
    base_set: bool = True
    forced: tuple[PolicyRef, ...] = ()


class Began(msgspec.Struct, frozen=True, kw_only=True):
    """The ground that a workload began on: what it sees now it may have made itself."""

    place: Place
    mounts: tuple[Mount, ...]
    homes: tuple[Home, ...]
    guarded: tuple[Guarded, ...]
    links: tuple[Alias, ...]
    """The aliases of its first rules: links that it cannot have made."""


@dataclass(frozen=True)
class Compiled:
    """What is to be in force for a workload.

    `table` is None if nothing is to be enforced nor reported (`key` is empty then), or if the caller knows a
    table of this `key`. `linked` are blocked names of files with several links, `warnings` say what the rules
    leave out.
    """

    statuses: tuple[PolicyStatus, ...] = ()
    rules: tuple[Rule, ...] = ()
    table: Table | None = None
    key: bytes = b""
    linked: tuple[bytes, ...] = ()
    aliases: tuple[Alias, ...] = ()
    warnings: tuple[str, ...] = ()
    began: Began | None = field(default=None)
    """To be kept, and given back for a change. None if nothing was looked at."""

    def __reduce__(self) -> tuple[object, ...]:
        rest = (self.table, self.key, self.linked, self.aliases, self.warnings, self.began)
        return _compiled, (self.statuses, to_columns(self.rules), rest)


def _compiled(statuses: tuple[PolicyStatus, ...], columns: Columns, rest: tuple[Any, ...]) -> Compiled:
    return Compiled(statuses, from_columns(columns), *rest)


class CompilerError(HauberkError):
    """The compiler did not do a job: it was killed, took too long, or has a defect. It is there for the next
    one. `details` is a traceback, if it is a defect."""

    def __init__(self, message: str, remedy: str = "", details: str = "") -> None:
        super().__init__(message, remedy)
        self.details = details


class RejectedError(HauberkError):
    """The policies that bind a workload cannot be put in force for it; what was in force stays.

    `statuses` has all of them as rejected: those whose fault it is with the fault, others with the names of
    those. If it cannot be told whose fault it is, all have it.
    """

    def __init__(self, message: str, remedy: str, statuses: tuple[PolicyStatus, ...]) -> None:
        super().__init__(message, remedy)
        self.statuses = statuses

    def __reduce__(self) -> tuple[object, ...]:
        return RejectedError, (self.message, self.remedy, self.statuses)
