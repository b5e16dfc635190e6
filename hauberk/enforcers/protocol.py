# SPDX-License-Identifier: Apache-2.0
"""What an enforcer is, and what it says of each policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from hauberk.errors import HauberkError
from hauberk.rules.model import PolicyId, Seen

if TYPE_CHECKING:
    from hauberk.rules.meaning import Meaning


class EnforcerError(HauberkError):
    """Rules could not be put in force; what was in force before still is."""


class State(StrEnum):
    """How far a policy holds for a workload."""

    ENFORCED = "enforced"
    DEGRADED = "degraded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The state of one policy for one workload. `reasons` and `caveats` are empty exactly if it is enforced.

    `reasons` say what of it is not enforced at all; `caveats` what escapes it because it was there before.
    """

    policy: PolicyId
    state: State
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    def with_caveats(self, caveats: Sequence[str]) -> "PolicyStatus":
        """The same with more caveats."""
        if not caveats:
            return self
        state = State.DEGRADED if self.state is State.ENFORCED else self.state
        return replace(self, state=state, caveats=(*self.caveats, *caveats))


class Enforcer(Protocol):
    """Puts the rules of workloads in force in the kernel. A workload is a number that the caller chose."""

    name: str
    """As KubeArmor's alerts call it (`BPFLSM`)."""

    def apply(self, workload: int, meaning: "Meaning", pid: int, visible: Sequence[Seen] = ()) -> list[str]:
        """Put a rule set in force for a workload, in one step: before it the old set holds, after it the new
        one.

        `pid` is a process that sees the file system as the workload did in its beginning. Accesses in the
        `visible` sections are reported when they are permitted too. Returns what is degraded, in words.
        Raises EnforcerError.
        """

    def confine(self, workload: int, pidfd: int) -> None:
        """Make a process, and all that it will start, part of a workload for good. Raises EnforcerError."""

    def tasks(self, workload: int) -> int:
        """How many tasks of a workload are alive."""

    def close(self) -> None:
        """Let go. What is in force stays in force where `remove` was not called."""
