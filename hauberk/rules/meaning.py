# SPDX-License-Identifier: Apache-2.0
"""A rule set, compiled: what every access under it leads to.

`decide` and the kernel's tables both get their verdicts here, from `Meaning.outcome`; they differ only in how
they find the rules that match (`decide` tries each rule, the tables walk an automaton) and the class of the
subject's program.

A *subject class* stands for all programs that no rule tells apart: named by the same rules, and alike in
being an ELF loader or not. Class 0 is any program that no rule names, class 1 any ELF loader that no rule
names.

Two automata read paths. `file` is for file accesses and knows the file rules. `exec` is for running and
mapping: it knows process and file rules, the programs that sources name, the ELF loaders and the library
directories. An *accept* is a number in an automaton's `accept_sets`.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TypeGuard

from hauberk.automaton.dfa import Automaton, compile_patterns
from hauberk.automaton.patterns import Directory, Exact, Glob, Name, Pattern, matches
from hauberk.rules.base import LIBRARY_DIRECTORIES, LOADERS, is_own
from hauberk.rules.model import (
    LIBRARY,
    NONE,
    UNKNOWN,
    Action,
    Capability,
    Operation,
    Outcome,
    Posture,
    Protocol,
    Rule,
    RuleSet,
    Scope,
    Section,
    Target,
    Verdict,
)
from hauberk.rules.precedence import Access, Precedence
from hauberk.rules.sockets import protocol_inside, protocol_matches

_Sections = Collection[Section]
_PATHS: _Sections = (Section.PROCESS, Section.FILE)
_SECTIONS_OF: dict[Operation, _Sections] = {
    Operation.EXEC: _PATHS,
    Operation.MAP: _PATHS,
    Operation.READ: (Section.FILE,),
    Operation.WRITE: (Section.FILE,),
    Operation.NETWORK: (Section.NETWORK,),
    Operation.CAPABILITY: (Section.CAPABILITIES,),
}


class _Patterns:
    """The distinct patterns of some rules and markers, and the rules behind each."""

    def __init__(self, rules: Sequence[Rule], sections: _Sections, markers: Iterable[Pattern]) -> None:
        self.numbers: dict[Pattern, int] = {}
        self.rules: list[list[int]] = []
        for index, rule in enumerate(rules):
            if rule.section in sections and is_pattern(target := rule.target):
                number = self.numbers.setdefault(target, len(self.rules))
                if number == len(self.rules):
                    self.rules.append([index])
                else:
                    self.rules[number].append(index)
        for marker in markers:
            self.number(marker)

    def number(self, pattern: Pattern) -> int:
        number = self.numbers.setdefault(pattern, len(self.rules))
        if number == len(self.rules):
            self.rules.append([])
        return number

    def lone_rules(self, accept_sets: Iterable[frozenset[int]], markers: Iterable[int] = ()) -> list[int]:
        alone = [rules[0] if len(rules) == 1 else NONE for rules in self.rules]
        for marker in markers:
            alone[marker] = NONE
        return [alone[next(iter(accepted))] if len(accepted) == 1 else NONE for accepted in accept_sets]

    def rules_of(self, accepted: frozenset[int]) -> frozenset[int]:
        return frozenset(rule for number in accepted for rule in self.rules[number])


class Meaning:
    """What a rule set means. Immutable; the automata are compiled when first asked for.

    Anything that needs an automaton raises StateLimitError if the patterns are too costly together.
    """

    def __init__(self, ruleset: RuleSet) -> None:
        self.ruleset = ruleset
        self.rules = ruleset.rules
        programs = sorted({source for rule in self.rules for source in rule.sources})
        self._number_classes(programs)
        self._file_patterns = _Patterns(self.rules, (Section.FILE,), ())
        markers: tuple[Pattern, ...] = (*map(Exact, programs), *LOADERS, *LIBRARY_DIRECTORIES)
        self._exec_patterns = _Patterns(self.rules, _PATHS, markers)
        numbers = self._exec_patterns.numbers
        self._program_markers = {numbers[Exact(program)]: program for program in programs}
        self._loader_markers = frozenset(numbers[loader] for loader in LOADERS)
        self._library_markers = frozenset(numbers[directory] for directory in LIBRARY_DIRECTORIES)
        self.precedence = Precedence(
            self.rules,
            ruleset.postures,
            classes=self._rule_classes,
            sources=self._real_sources(),
            loaders=self.loader_classes,
            inside=self.inside,
        )

    # Subjects

    @property
    def numbering(self) -> str:
        """Stands for the classes and their numbers: equal in two meanings that number every program alike."""
        numbers = sorted(self._class_of_program.items()), sorted(self.loader_classes)
        return sha256(repr(numbers).encode()).hexdigest()

    def class_of(self, program: bytes | None) -> int:
        """The class of a program by its real path; None is a program that could not be determined."""
        if program is None:
            return 0
        found = self._class_of_program.get(program)
        return int(is_loader(program)) if found is None else found

    def class_of_exec_accept(self, accept: int) -> int:
        """The class of a program whose path ends in this accept of the `exec` automaton."""
        accepted = self.exec.accept_sets[accept]
        for number in accepted:
            if number in self._program_markers:
                return self._class_of_program[self._program_markers[number]]
        return int(not self._loader_markers.isdisjoint(accepted))

    def classes_of_rule(self, rule: int) -> frozenset[int] | None:
        """The subject classes that a rule is limited to; None for any."""
        return self._rule_classes[rule]

    # Objects

    @cached_property
    def file(self) -> Automaton:
        """The automaton for file accesses."""
        return compile_patterns(tuple(self._file_patterns.numbers))

    @cached_property
    def exec(self) -> Automaton:
        """The automaton for running and mapping."""
        return compile_patterns(tuple(self._exec_patterns.numbers))

    def file_rules(self, accept: int) -> frozenset[int]:
        """The rules that match a path which ends in this accept of `file`."""
        return self._file_patterns.rules_of(self.file.accept_sets[accept])

    def exec_rules(self, accept: int) -> frozenset[int]:
        """The rules that match a path with this accept of `exec`, LIBRARY for library directories."""
        accepted = self.exec.accept_sets[accept]
        rules = self._exec_patterns.rules_of(accepted)
        return rules if self._library_markers.isdisjoint(accepted) else rules | {LIBRARY}

    def lone_file_rules(self) -> list[int]:
        """For each accept of `file` the one rule that matches there; NONE if it is none or several."""
        return self._file_patterns.lone_rules(self.file.accept_sets)

    def lone_exec_rules(self) -> list[int]:
        """The same for `exec`; NONE as well for a source, a loader, and in a library directory."""
        markers = (*self._program_markers, *self._loader_markers, *self._library_markers)
        return self._exec_patterns.lone_rules(self.exec.accept_sets, markers)

    def socket_rules(self, kind: int) -> frozenset[int]:
        """The rules that match sockets of a kind (`sockets.socket_kind`)."""
        return frozenset(index for index, name in self._protocol_rules if protocol_matches(name, kind))

    def capability_rules(self, number: int) -> frozenset[int]:
        """The rules that match a capability."""
        return frozenset(index for index, named in self._capability_rules if named == number)

    @cached_property
    def _protocol_rules(self) -> list[tuple[int, str]]:
        rules = enumerate(self.rules)
        return [(i, rule.target.name) for i, rule in rules if isinstance(rule.target, Protocol)]

    @cached_property
    def _capability_rules(self) -> list[tuple[int, int]]:
        rules = enumerate(self.rules)
        return [(i, rule.target.number) for i, rule in rules if isinstance(rule.target, Capability)]

    def matching(self, operation: Operation, path: bytes) -> frozenset[int]:
        """The rules that match a path, each of them tried: the definition of what the automata find."""
        sections = _SECTIONS_OF[operation]
        found = {
            index
            for index, rule in enumerate(self.rules)
            if rule.section in sections and is_pattern(rule.target) and matches(rule.target, path)
        }
        if Section.PROCESS in sections and any(matches(directory, path) for directory in LIBRARY_DIRECTORIES):
            found.add(LIBRARY)
        return frozenset(found)

    def without_allows(self, matching: frozenset[int]) -> frozenset[int]:
        """What of `matching` counts for an object on a mount that was made after the workload began."""
        return frozenset(
            i for i in matching if i >= len(self.rules) or self.rules[i].action is not Action.ALLOW
        )

    # Verdicts

    def outcome(
        self,
        operation: Operation,
        matching: frozenset[int],
        program: int = 0,
        replaced: int = 0,
        owner: bool = False,
        tty: bool = False,
    ) -> Outcome:
        """The verdict on an access, and the rule behind it.

        `matching` are the rules that match the object, `program` and `replaced` the classes of the subject's
        program and of the one that its last exec replaced (which only an exec looks at), `owner` whether the
        subject owns the object, `tty` whether it has a controlling terminal.
        """
        known = replaced if operation is Operation.EXEC else 0
        return self.precedence.outcome(operation, matching, Access(program, known, owner, tty))

    def unknown_refused(self, section: Section) -> bool:
        """Whether an object without a name is refused in a section: some rule there might have refused it."""
        return any(
            rule.section is section and not rule.base and self._may_refuse(rule) for rule in self.rules
        )

    def unknown_outcome(self, operation: Operation) -> Outcome:
        """The verdict on an access to an object whose name could not be built.

        Running is refused as well where a file Block might have refused it, mapping where either section
        might.
        """
        sections = _SECTIONS_OF[operation]
        if operation is Operation.EXEC:
            refused = self.unknown_refused(Section.PROCESS) or any(
                rule.section is Section.FILE and rule.action is Action.BLOCK and not rule.read_only
                for rule in self.rules
                if rule.scope is not Scope.ENGINE
            )
        else:
            refused = any(self.unknown_refused(section) for section in sections)
        return Outcome(Verdict.REFUSE if refused else Verdict.AUDIT, UNKNOWN)

    @cached_property
    def own(self) -> int:
        """The base rule under which a task reads its own /proc entry and terminal; NONE without the base set.

        It counts where the posture alone would refuse or report such a read.
        """
        return next((i for i, rule in enumerate(self.rules) if rule.base and is_own(rule.target)), NONE)

    # What a table must tell apart

    def relevant_classes(
        self, matching: frozenset[int], operation: Operation | None = None
    ) -> frozenset[int]:
        """The classes for which the outcome may differ from class 0's, by `operation` or by any on paths."""
        found = self._always_relevant[operation]
        for index in matching:
            classes = self._rule_classes[index] if index < len(self.rules) else None
            if classes is not None:
                found |= classes
        return found

    def relevant_replaced(self, matching: frozenset[int]) -> frozenset[int]:
        """The classes of replaced programs for which the outcome of an exec may differ from class 0's."""
        found: frozenset[int] = frozenset()
        for index in matching:
            classes = self._rule_classes[index] if index < len(self.rules) else None
            if classes is not None and self.rules[index].action is not Action.ALLOW:
                found |= classes
        return found

    def conditional(self, matching: frozenset[int]) -> bool:
        """Whether the outcome may depend on the object's owner or on the terminal."""
        return any(
            self.rules[i].owner_only or self.rules[i].tty_only for i in matching if i < len(self.rules)
        )

    @property
    def shapes(self) -> Sequence[int]:
        """For each rule a number that is equal for rules that lead to the same wherever one of them is all
        that matches."""
        return self.precedence.shapes

    # Inclusion

    def inside(self, inner: int, outer: int) -> bool:
        """Whether rule `outer` names every object that rule `inner` names. Decided exactly."""
        one, other = self.rules[inner].target, self.rules[outer].target
        if is_pattern(one) and is_pattern(other):
            numbers = self._exec_patterns.numbers
            return one == other or self.exec.includes(numbers[other], numbers[one])
        if isinstance(one, Protocol) and isinstance(other, Protocol):
            return protocol_inside(one.name, other.name)
        return one == other

    # Moves

    @cached_property
    def blocks(self) -> list[bool]:
        """For each accept of `exec`, whether a Block, on whatever condition, names a path that ends there."""
        blocking = self._blocking
        return [not blocking.isdisjoint(accepted) for accepted in self.exec.accept_sets]

    @cached_property
    def blocks_below(self) -> bytearray:
        """For each state of `exec`, 1 if an anchored Block names something below its path."""
        return self.exec.live_below(self._anchored)

    @cached_property
    def _blocking(self) -> frozenset[int]:
        block = Action.BLOCK
        blocks = [rule.action is block for rule in self.rules]
        return frozenset(
            number
            for number, rules in enumerate(self._exec_patterns.rules)
            if (blocks[rules[0]] if len(rules) == 1 else any(blocks[rule] for rule in rules))
        )

    @cached_property
    def _anchored(self) -> frozenset[int]:
        patterns = tuple(self._exec_patterns.numbers)
        return frozenset(number for number in self._blocking if is_anchored(patterns[number]))

    # Set-up

    def _number_classes(self, programs: Sequence[bytes]) -> None:
        naming: dict[bytes, list[int]] = {program: [] for program in programs}
        for index, rule in enumerate(self.rules):
            for source in rule.sources:
                naming[source].append(index)
        numbers: dict[tuple[frozenset[int], bool], int] = {(frozenset(), False): 0, (frozenset(), True): 1}
        self._class_of_program: dict[bytes, int] = {}
        for program in programs:
            signature = (frozenset(naming[program]), is_loader(program))
            self._class_of_program[program] = numbers.setdefault(signature, len(numbers))
        self.classes = len(numbers)
        self.loader_classes = frozenset(number for (_, loader), number in numbers.items() if loader)
        of_rule: dict[int, set[int]] = {}
        for (named_by, _), number in numbers.items():
            for index in named_by:
                of_rule.setdefault(index, set()).add(number)
        self._rule_classes: list[frozenset[int] | None] = [
            frozenset(of_rule[index]) if rule.sources else None for index, rule in enumerate(self.rules)
        ]

    def _real_sources(self) -> list[frozenset[bytes] | None]:
        """The programs behind each rule's sources: a link and its target are one program."""
        real: dict[bytes, set[bytes]] = {}
        for alias in self.ruleset.aliases:
            real.setdefault(alias.written, set()).add(alias.real)
        return [
            frozenset(source for source in rule.sources if real.get(source, set()).isdisjoint(rule.sources))
            if rule.sources
            else None
            for rule in self.rules
        ]

    def _may_refuse(self, rule: Rule) -> bool:
        if rule.action is Action.ALLOW:
            return self.ruleset.postures.of(rule.section) is Posture.BLOCK
        return rule.action is Action.BLOCK and rule.scope is not Scope.ENGINE

    @cached_property
    def _always_relevant(self) -> dict[Operation | None, frozenset[int]]:
        found: dict[Operation | None, frozenset[int]] = {}
        for operation, sections in _SECTIONS_OF.items():
            switches = [self.precedence.posture_classes(section) for section in sections]
            found[operation] = frozenset().union(*(switch for switch in switches if switch is not None))
        process = self.precedence.posture_classes(Section.PROCESS)
        if process is None:
            found[Operation.MAP] |= self.loader_classes
        found[None] = frozenset().union(*(found[operation] for operation in _ON_PATHS))
        return found


_ON_PATHS = (Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE)
_PATTERNS = (Exact, Directory, Glob, Name)


def is_pattern(target: Target) -> TypeGuard[Pattern]:
    """Whether a rule's target is a set of paths."""
    return isinstance(target, _PATTERNS)


def is_loader(program: bytes) -> bool:
    """Whether a program is an ELF loader, by its path."""
    return any(matches(loader, program) for loader in LOADERS)


def is_anchored(pattern: Pattern) -> bool:
    """Whether what a pattern matches depends on more of a path than its last component."""
    if isinstance(pattern, Exact):
        return True
    if isinstance(pattern, Name):
        return False
    if isinstance(pattern, Glob) and pattern.text.startswith(b"/**/"):
        rest = pattern.text[len(b"/**/") :]
        return b"/" in rest or b"**" in rest
    return True
