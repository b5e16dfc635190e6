# SPDX-License-Identifier: Apache-2.0
"""The definition of what a policy means: `decide`, for one access, with the reason.

It finds the rules that match by trying each of them with the naive matcher, and leaves the weighing to
`Meaning.outcome`, as the kernel's tables do.
"""

from dataclasses import dataclass
from typing import TypeAlias

from hauberk.policy.syscalls import NAME_OF
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    NONE,
    POSTURE,
    SPECIAL_NAMES,
    UNKNOWN,
    Operation,
    Outcome,
    Rule,
    RulesError,
    Verdict,
)
from hauberk.rules.precedence import Access
from hauberk.rules.reasons import cite, explain, explain_own, explain_unknown
from hauberk.rules.sockets import UNDECIDED, socket_kind
from hauberk.rules.syscalls import find


@dataclass(frozen=True, slots=True)
class Subject:
    """Who accesses: real paths of its program and of the one its last exec replaced; has it a terminal?"""

    program: bytes | None = None
    replaced: bytes | None = None
    tty: bool = False


@dataclass(frozen=True, slots=True)
class FileObject:
    """A file, directory or program by all its known names; none if the name cannot be built.

    `owned`: the subject's fsuid is the file's owner, or for an object being made its directory's.
    `fresh_mount`: it was reached over a mount made after the workload began. `own`: it is the subject's own
    terminal, or lies in the subject's own directory of /proc.
    """

    names: tuple[bytes, ...]
    owned: bool = False
    fresh_mount: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class SocketObject:
    """A socket by the numbers of `socket(2)`, the type without its flags."""

    family: int
    type: int
    protocol: int


@dataclass(frozen=True, slots=True)
class CapabilityObject:
    """A capability by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class SyscallObject:
    """A system call by its number on x86-64, with the absolute paths that it was given
    (`syscalls.absolute`)."""

    number: int
    paths: tuple[bytes | None, ...] = ()


Object: TypeAlias = FileObject | SocketObject | CapabilityObject | SyscallObject


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an access, the rule behind it if one is, and why.

    `special` is what the alert names if no rule decided: `DefaultPosture`, `UnknownObject` or nothing.
    """

    verdict: Verdict
    rule: Rule | None
    special: str
    reason: str

    @property
    def refused(self) -> bool:
        """Whether the operation fails."""
        return self.verdict is Verdict.REFUSE


def decide(meaning: Meaning, subject: Subject, operation: Operation, obj: Object) -> Decision:
    """What the rules say of `subject` doing `operation` to `obj`.

    Raises RulesError if the operation is none that such an object can undergo.
    """
    if isinstance(obj, SyscallObject) and operation is Operation.SYSCALL:
        return _decide_call(meaning, subject, obj)
    program = meaning.class_of(subject.program)
    replaced = meaning.class_of(subject.replaced) if operation is Operation.EXEC else 0
    match obj:
        case FileObject() if operation <= Operation.WRITE:
            access = Access(program, replaced, obj.owned, subject.tty)
            return _decide_file(meaning, operation, obj, access)
        case SocketObject() if operation is Operation.NETWORK:
            kind = socket_kind(obj.family, obj.type, obj.protocol)
            if kind == UNDECIDED:
                return Decision(Verdict.PERMIT, None, "", "unix and netlink sockets are never decided")
            matching = meaning.socket_rules(kind)
        case CapabilityObject() if operation is Operation.CAPABILITY:
            matching = meaning.capability_rules(obj.number)
        case _:
            raise RulesError(f"{operation.name} cannot be done to a {type(obj).__name__}")
    access = Access(program, replaced, False, subject.tty)
    return _decision(meaning, operation, matching, access, meaning.outcome(operation, matching, *access))


def _decide_call(meaning: Meaning, subject: Subject, call: SyscallObject) -> Decision:
    index = find([rule.target for rule in meaning.rules], call.number, subject.program or b"", call.paths)
    if index is None:
        name = NAME_OF.get(call.number, str(call.number))
        return Decision(
            Verdict.PERMIT, None, "", f"no rule speaks of this call of {name}; none is ever refused"
        )
    rule = meaning.rules[index]
    return Decision(Verdict.AUDIT, rule, "", f"reported by {cite(rule)}")


def _decide_file(meaning: Meaning, operation: Operation, obj: FileObject, access: Access) -> Decision:
    if not obj.names:
        outcome = meaning.unknown_outcome(operation)
        return Decision(
            outcome.verdict, None, SPECIAL_NAMES[UNKNOWN], explain_unknown(meaning, operation, outcome)
        )
    worst: tuple[Outcome, frozenset[int], bytes] | None = None
    for name in obj.names:
        matching = meaning.matching(operation, name)
        if obj.fresh_mount:
            matching = meaning.without_allows(matching)
        outcome = meaning.outcome(operation, matching, *access)
        if worst is None or meaning.precedence.graver(worst[0], outcome) != worst[0]:
            worst = (outcome, matching, name)
    assert worst is not None
    outcome, matching, name = worst
    if obj.own and operation is Operation.READ and outcome.rule == POSTURE and meaning.own != NONE:
        rule = meaning.rules[meaning.own]
        return Decision(Verdict.ALLOWED, rule, "", explain_own(rule))
    decision = _decision(meaning, operation, matching, access, outcome)
    if len(obj.names) == 1:
        return decision
    reason = f"by its name {name.decode('utf-8', 'backslashreplace')}: {decision.reason}"
    return Decision(decision.verdict, decision.rule, decision.special, reason)


def _decision(
    meaning: Meaning, operation: Operation, matching: frozenset[int], access: Access, outcome: Outcome
) -> Decision:
    rule = meaning.rules[outcome.rule] if outcome.rule < len(meaning.rules) else None
    special = SPECIAL_NAMES.get(outcome.rule, "")
    return Decision(outcome.verdict, rule, special, explain(meaning, operation, matching, access, outcome))


def move_refused(meaning: Meaning, source: bytes, target: bytes, is_directory: bool) -> bool:
    """Whether moving (or linking, or mounting) `source` to `target` is refused because of what Blocks name.

    Refused if some path at or below `source` that a Block names might afterwards not be named by it, or if
    a directory would come where a Block names something below. The other rights that the move needs are
    decided elsewhere.
    """
    automaton = meaning.exec
    before, after = automaton.run(source), automaton.run(target)
    if before == after:
        # One state: every rule says the same of both places and of all that could be below.
        return False
    if meaning.blocks[automaton.accept_id(before)]:
        return True
    return is_directory and bool(meaning.blocks_below[before] or meaning.blocks_below[after])
