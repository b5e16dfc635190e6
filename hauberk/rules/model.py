# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of the meaning: rules, subjects, objects, verdicts.

A policy document becomes a handful of `Rule`s: flat values in which inheritance, lists and aliases are
already resolved. A `RuleSet` is all rules that bind one workload, with its postures, in an order that
depends on their content only and never on the order in which policies arrived.

Numbers of `Section`, `Operation` and `Verdict` and the special rule numbers are shared with the BPF
programs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import msgspec

from hauberk.automaton.patterns import Pattern
from hauberk.errors import HauberkError
from hauberk.rules.syscalls import Calls

POSTURE: Final = 0x3FFFFFF0
"""In place of a rule number: the default posture decided."""
UNKNOWN: Final = 0x3FFFFFF1
"""In place of a rule number: the object's name could not be built."""
MOVE: Final = 0x3FFFFFF2
"""In place of a rule number: a move that would carry a blocked path out from under its rule."""
LIBRARY: Final = 0x3FFFFFF3
"""In a set of matching rules: the object lies in a library directory. Never the rule that decides."""
GUARD: Final = 0x3FFFFFF4
"""In place of a rule number: it would harm the enforcement itself."""
SYSCALL: Final = 0x3FFFFFF5
"""In a record in place of a rule number: one of the rules about a system call, which is still to be found."""
NONE: Final = 0x3FFFFFFF
"""In place of a rule number: nothing spoke."""

SELF_PROTECTION: Final = "HauberkSelfProtection"
SPECIAL_NAMES: Final = {
    POSTURE: "DefaultPosture",
    UNKNOWN: "UnknownObject",
    MOVE: "ProtectedPath",
    GUARD: SELF_PROTECTION,
}
"""What an alert names in place of a policy."""


class RulesError(HauberkError):
    """A policy that passed validation cannot be given a meaning."""


class Section(IntEnum):
    """The part of a policy that a rule stands in."""

    PROCESS = 0
    FILE = 1
    NETWORK = 2
    CAPABILITIES = 3
    SYSCALLS = 4
    """Its rules only audit (`syscalls`)."""


DECIDED: Final = (Section.PROCESS, Section.FILE, Section.NETWORK, Section.CAPABILITIES)
"""The sections that decide about accesses, and whose accesses can be made visible."""


class Seen(IntEnum):
    """What can be reported though it is permitted: the accesses of a section, by its number, and more."""

    PROCESS = 0
    FILE = 1
    NETWORK = 2
    CAPABILITIES = 3
    DNS = 16
    """Queries to name servers, with the names that they ask for."""


class Action(StrEnum):
    """What a rule asks for, as it is written in a policy."""

    ALLOW = "Allow"
    AUDIT = "Audit"
    BLOCK = "Block"


class Posture(StrEnum):
    """What happens to an access that no rule speaks of, once its section has an Allow rule."""

    ALLOW = "allow"
    AUDIT = "audit"
    BLOCK = "block"


class Scope(IntEnum):
    """How much a policy's kind covers; a wider scope's Allow may except a narrower scope's Block."""

    NAMESPACE = 0
    CLUSTER = 1
    HOST = 2
    ENGINE = 3
    """Of the rules by which the engine protects itself."""


class Operation(IntEnum):
    """What is done. Every change of a file's content, name or attributes is WRITE."""

    EXEC = 0
    MAP = 1
    """Map executable, other than by exec's own loading."""
    READ = 2
    WRITE = 3
    NETWORK = 4
    CAPABILITY = 5
    SYSCALL = 6


class Verdict(IntEnum):
    """What becomes of an access."""

    PERMIT = 0
    """Nothing speaks of it."""
    AUDIT = 1
    """It happens, with an alert."""
    REFUSE = 2
    ALLOWED = 3
    """It happens because an Allow rule or the base set says so."""


@dataclass(frozen=True, slots=True, order=True)
class PolicyId:
    """Kind, namespace (empty for kinds without one) and name of a policy.

    Ordered as alerts rank policies.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Protocol:
    """A `matchProtocols` name in lower case, one of `sockets.PROTOCOLS`."""

    name: str


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability by its kernel number."""

    number: int


Target: TypeAlias = Pattern | Protocol | Capability | Calls


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One rule about one target.

    A rule whose path runs through symbolic links becomes several `Rule`s that differ in nothing but
    `target`: the path as written and the real ones; they share `policy`, `index` and `where`. `sources`
    holds every listed program, written and real; empty means any program. `owner_only`, `read_only` and
    `tty_only` (`pts: false`) narrow what an Allow permits and what a Block or Audit speaks of, each in
    its own way (`meaning`). `severity` is 0 when unset.
    """

    policy: PolicyId
    scope: Scope
    index: int
    where: str
    line: int
    section: Section
    action: Action
    target: Target
    sources: tuple[bytes, ...] = ()
    owner_only: bool = False
    read_only: bool = False
    tty_only: bool = False
    severity: int = 0
    tags: tuple[str, ...] = ()
    message: str = ""
    base: bool = False
    """A rule of the built-in base set: permits reads against the posture, yields to every Block."""


@dataclass(frozen=True, slots=True)
class Postures:
    """The default postures of one workload; the process section uses `file`."""

    file: Posture = Posture.AUDIT
    network: Posture = Posture.AUDIT
    capabilities: Posture = Posture.AUDIT

    def of(self, section: Section) -> Posture:
        """The posture that governs `section`."""
        if section is Section.NETWORK:
            return self.network
        if section is Section.CAPABILITIES:
            return self.capabilities
        return self.file


@dataclass(frozen=True, slots=True, order=True)
class Alias:
    """A path as some rule writes it and the real path that the rule covers as well."""

    written: bytes
    real: bytes


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything that binds one workload.

    Build it with `RuleSet.of`, which puts the rules in canonical order.
    """

    rules: tuple[Rule, ...]
    postures: Postures
    aliases: tuple[Alias, ...] = ()

    @classmethod
    def of(cls, rules: Iterable[Rule], postures: Postures, aliases: Iterable[Alias] = ()) -> "RuleSet":
        """A rule set that is equal for equal content, whatever the order of arrival."""
        ordered: list[Rule] = []
        # Nearly always the rank alone decides, and the whole of a rule is much to compare.
        for _, equals in groupby(sorted(rules, key=_rank), _rank):
            found = list(equals)
            ordered += sorted(found, key=rule_order) if len(found) > 1 else found
        return cls(tuple(ordered), postures, tuple(sorted(set(aliases))))

    @property
    def base_set(self) -> bool:
        """Whether the built-in base set is part of the rules."""
        return any(rule.base for rule in self.rules)


def rule_order(rule: Rule) -> tuple[object, ...]:
    """The rank among rules of equal breadth: kind, namespace, name, index; the base set comes last.

    The rest of the rule follows, so that the order is one even if two policies were given the same name.
    """
    return (
        *_rank(rule),
        rule.section,
        rule.action,
        repr(rule.target),
        rule.sources,
        (rule.owner_only, rule.read_only, rule.tty_only),
        (rule.where, rule.line, rule.severity, rule.tags, rule.message, rule.scope),
    )


_rank = attrgetter("base", "policy", "index")


class Outcome(NamedTuple):
    """A verdict and the number of the rule behind it.

    An index into `RuleSet.rules`, or POSTURE, UNKNOWN or NONE.
    """

    verdict: Verdict
    rule: int
