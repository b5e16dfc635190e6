# SPDX-License-Identifier: Apache-2.0
"""Which of the rules that match an object has the last word.

Given the set of rules that match an object, the question splits in two. Who *could* speak, and which Allow
lies strictly inside which Block, depends on the set alone: that is a `Part`, drawn up once for each set. Who
*does* speak depends on the subject and on the conditions of the access: that is a `Hearing` of the part. The
verdict follows from the hearing. A Block or an Audit only ever adds to the lists of those who refuse or
alert, so adding one permits nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from hauberk.automaton.patterns import Directory
from hauberk.rules.base import LIBRARY_DIRECTORIES
from hauberk.rules.model import (
    DECIDED,
    LIBRARY,
    NONE,
    POSTURE,
    Action,
    Operation,
    Outcome,
    Posture,
    Postures,
    Rule,
    Scope,
    Section,
    Verdict,
)


class Access(NamedTuple):
    """The conditions of an access: subject classes, whether the task owns the object and has a terminal."""

    program: int
    replaced: int
    owner: bool
    tty: bool


Excepted: TypeAlias = tuple[int, tuple[int, ...]]
"""A Block or Audit, and the Allows that except it wherever they apply."""


class Part(NamedTuple):
    """All that a set of matching rules can say about one operation in one section."""

    section: Section
    read: bool
    """The operation is a read to the conditions of the rules."""
    blocks: tuple[Excepted, ...]
    audits: tuple[Excepted, ...]
    allows: tuple[int, ...]
    base: int
    """The rule of the base set that permits the access against the posture, or NONE."""
    loaders_only: bool
    """The posture governs only subjects that run an ELF loader as their program."""


class Hearing(NamedTuple):
    """Who speaks of one access."""

    refusing: list[int]
    alerting: list[int]
    permitting: list[int]
    excepted: list[tuple[int, int]]
    """Blocks and Audits that would speak but for an Allow, with that Allow."""


PERMITTED: Final = Outcome(Verdict.PERMIT, NONE)
_SELF: Final = -1
_RANK: Final = {Verdict.PERMIT: 0, Verdict.ALLOWED: 1, Verdict.AUDIT: 2, Verdict.REFUSE: 3}
_SECTIONS: Final = {
    Operation.READ: Section.FILE,
    Operation.WRITE: Section.FILE,
    Operation.NETWORK: Section.NETWORK,
    Operation.CAPABILITY: Section.CAPABILITIES,
}
_LIBRARY_PATHS: Final = tuple(directory.path + b"/" for directory in LIBRARY_DIRECTORIES)
_CACHED_PARTS: Final = 512


class Precedence:
    """The precedence among the rules of one set.

    `classes` has for each rule the subject classes that its sources name, None for any subject. `sources` has
    the programs behind them under one name each. `inside(a, b)` tells whether rule b names every object that
    rule a names.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        postures: Postures,
        *,
        classes: Sequence[frozenset[int] | None],
        sources: Sequence[frozenset[bytes] | None],
        loaders: frozenset[int],
        inside: Callable[[int, int], bool],
    ) -> None:
        self._rules = rules
        self._postures = postures
        self._classes = classes
        self._sources = sources
        self._loaders = loaders
        self._inside = inside
        self._switches = {section: self._switch(section) for section in DECIDED}
        # For each rule a number that is equal for rules that lead to the same where they are alone.
        self.shapes = self._number_shapes()
        self._alone: dict[tuple[Operation, int, Access], Outcome] = {}
        self._parts: dict[tuple[Operation, frozenset[int]], tuple[Part, ...]] = {}

    def outcome(self, operation: Operation, matching: frozenset[int], access: Access) -> Outcome:
        """The verdict on an access to an object that the rules `matching` match."""
        if len(matching) != 1:
            return self._weigh(operation, matching, access)
        # Nearly every object of a large rule set is matched by one rule. What one rule leads to depends on
        # its shape only, so that thousands of rules cost as much as a few.
        (rule,) = matching
        if rule >= len(self.shapes):
            return self._weigh(operation, matching, access)
        key = (operation, self.shapes[rule], access)
        found = self._alone.get(key)
        if found is None:
            found = self._weigh(operation, matching, access)
            if found.rule == rule:
                found = Outcome(found.verdict, _SELF)
            self._alone[key] = found
        return Outcome(found.verdict, rule) if found.rule == _SELF else found

    def parts(self, operation: Operation, matching: frozenset[int]) -> tuple[Part, ...]:
        """What `matching` can say about `operation`: one part, or two for a mapping."""
        key = (operation, matching)
        found = self._parts.get(key)
        if found is None:
            if len(self._parts) >= _CACHED_PARTS:
                self._parts.clear()
            found = self._parts[key] = self._draw_up(operation, matching)
        return found

    def hear(self, part: Part, access: Access) -> Hearing:
        """Who speaks of the access."""
        excepted: list[tuple[int, int]] = []
        refusing = self._unexcepted(part.blocks, part.read, access, excepted)
        alerting = self._unexcepted(part.audits, part.read, access, excepted)
        permitting = [rule for rule in part.allows if self.permits(rule, part.read, access)]
        return Hearing(refusing, alerting, permitting, excepted)

    def conclude(self, part: Part, hearing: Hearing, access: Access) -> Outcome:
        """The verdict that follows from a hearing."""
        if hearing.refusing:
            return Outcome(Verdict.REFUSE, self.narrowest(hearing.refusing))
        audit = Outcome(Verdict.AUDIT, self.narrowest(hearing.alerting)) if hearing.alerting else None
        if hearing.permitting:
            return audit or Outcome(Verdict.ALLOWED, self.narrowest(hearing.permitting))
        posture = self.posture(part, access)
        if posture in (Posture.BLOCK, Posture.AUDIT) and part.base != NONE:
            return audit or Outcome(Verdict.ALLOWED, part.base)
        if posture is Posture.BLOCK:
            return Outcome(Verdict.REFUSE, POSTURE)
        if posture is Posture.AUDIT:
            return audit or Outcome(Verdict.AUDIT, POSTURE)
        return audit or PERMITTED

    def posture(self, part: Part, access: Access) -> Posture | None:
        """The posture for what no rule decides; None if the section is not switched on for the subject."""
        if part.loaders_only and access.program not in self._loaders:
            return None
        switch = self._switches[part.section]
        if switch is None or access.program in switch:
            return self._postures.of(part.section)
        return None

    def posture_classes(self, section: Section) -> frozenset[int] | None:
        """The subject classes to which a section's posture applies; None for all."""
        return self._switches[section]

    def speaks(self, rule: int, read: bool, access: Access) -> bool:
        """Whether a matching Block or Audit speaks of the access: it applies and does not exempt it."""
        this = self._rules[rule]
        classes = self._classes[rule]
        if classes is not None and access.program not in classes and access.replaced not in classes:
            return False
        if this.tty_only and not access.tty:
            return False
        if this.owner_only and this.read_only:
            return not (access.owner and read)
        if this.owner_only:
            return not access.owner
        return not (this.read_only and read)

    def permits(self, rule: int, read: bool, access: Access) -> bool:
        """Whether a matching Allow applies to the access."""
        this = self._rules[rule]
        classes = self._classes[rule]
        return not (
            (classes is not None and access.program not in classes)
            or (this.tty_only and access.tty)
            or (this.owner_only and not access.owner)
            or (this.read_only and not read)
        )

    def lies_inside(self, allow: int, block: int) -> tuple[bool, bool, bool]:
        """Whether `allow` lies inside `block`, and whether strictly in objects, and in programs."""
        fewer, more = self._sources[allow], self._sources[block]
        programs_inside = more is None or (fewer is not None and fewer <= more)
        inside = programs_inside and self._inside(allow, block)
        return inside, inside and not self._inside(block, allow), inside and fewer != more

    def reaches(self, allow: int, block: int) -> bool:
        """Whether `allow` stands in the same policy as `block` or in one of at least as wide a scope."""
        this, other = self._rules[allow], self._rules[block]
        return this.policy == other.policy or this.scope >= other.scope

    def excepts(self, allow: int, block: int) -> bool:
        """Whether `block`, where both apply, is excepted by `allow`."""
        if not self.reaches(allow, block):
            return False
        inside, fewer_objects, fewer_programs = self.lies_inside(allow, block)
        return inside and (fewer_objects or fewer_programs)

    def narrowest(self, rules: Sequence[int]) -> int:
        """The rule that names the fewest objects; of several, the first in canonical order."""
        if len(rules) == 1:
            return rules[0]
        return min(rule for rule in rules if not any(self._strictly_narrower(other, rule) for other in rules))

    def _strictly_narrower(self, rule: int, other: int) -> bool:
        return rule != other and self._inside(rule, other) and not self._inside(other, rule)

    def _weigh(self, operation: Operation, matching: frozenset[int], access: Access) -> Outcome:
        outcomes = [
            self.conclude(part, self.hear(part, access), access) for part in self.parts(operation, matching)
        ]
        return outcomes[0] if len(outcomes) == 1 else self.graver(*outcomes)

    def graver(self, one: Outcome, other: Outcome) -> Outcome:
        """The one of two outcomes that counts; a rule's before a posture's, then the narrower rule's."""
        ranks = [(_RANK[outcome.verdict], outcome.rule < POSTURE) for outcome in (one, other)]
        if ranks[0] != ranks[1]:
            return one if ranks[0] > ranks[1] else other
        if one.rule >= POSTURE or one.rule == other.rule:
            return one
        return one if self.narrowest((one.rule, other.rule)) == one.rule else other

    def _unexcepted(
        self,
        candidates: Iterable[Excepted],
        read: bool,
        access: Access,
        excepted: list[tuple[int, int]],
    ) -> list[int]:
        found = []
        for rule, exceptions in candidates:
            if self.speaks(rule, read, access):
                allow = next((allow for allow in exceptions if self.permits(allow, read, access)), None)
                if allow is None:
                    found.append(rule)
                else:
                    excepted.append((rule, allow))
        return found

    def _draw_up(self, operation: Operation, matching: frozenset[int]) -> tuple[Part, ...]:
        mine: dict[tuple[Section, Action], list[int]] = {}
        base = NONE
        for index in sorted(matching):
            if index >= len(self._rules):
                continue
            rule = self._rules[index]
            if not rule.base:
                mine.setdefault((rule.section, rule.action), []).append(index)
            elif base == NONE:
                base = index

        def rules(section: Section, action: Action) -> list[int]:
            return mine.get((section, action), [])

        if operation in _SECTIONS:
            section = _SECTIONS[operation]
            read = operation is Operation.READ
            return (self._part(section, read, rules, base=base if read else NONE),)
        if operation is Operation.EXEC:
            return (self._exec_part(rules),)
        as_read = self._part(Section.FILE, True, rules, base=base)

        def mapped(section: Section, action: Action) -> list[int]:
            found = rules(section, action)
            if action is Action.ALLOW or LIBRARY not in matching:
                return found
            return [index for index in found if self._reaches_libraries(index)]

        as_run = self._part(Section.PROCESS, True, mapped, base=base, loaders_only=True)
        return (as_read, as_run)

    def _part(
        self,
        section: Section,
        read: bool,
        rules: Callable[[Section, Action], list[int]],
        *,
        base: int,
        loaders_only: bool = False,
    ) -> Part:
        allows = rules(section, Action.ALLOW)
        return Part(
            section,
            read,
            self._with_exceptions(rules(section, Action.BLOCK), allows),
            self._with_exceptions(rules(section, Action.AUDIT), allows),
            tuple(allows),
            base,
            loaders_only,
        )

    def _exec_part(self, rules: Callable[[Section, Action], list[int]]) -> Part:
        """Running a file: the process rules, and file rules that do not merely forbid changing it.

        A file Allow excepts a file Block from this too, but it permits no running.
        """
        allows = rules(Section.PROCESS, Action.ALLOW)
        either = allows + rules(Section.FILE, Action.ALLOW)

        def candidates(action: Action) -> tuple[Excepted, ...]:
            of_files = [i for i in rules(Section.FILE, action) if not self._rules[i].read_only]
            return self._with_exceptions(rules(Section.PROCESS, action), allows) + self._with_exceptions(
                of_files, either
            )

        blocks, audits = candidates(Action.BLOCK), candidates(Action.AUDIT)
        return Part(Section.PROCESS, True, blocks, audits, tuple(allows), NONE, loaders_only=False)

    def _with_exceptions(self, rules: list[int], allows: list[int]) -> tuple[Excepted, ...]:
        return tuple((rule, tuple(allow for allow in allows if self.excepts(allow, rule))) for rule in rules)

    def _reaches_libraries(self, rule: int) -> bool:
        """Whether a process rule speaks of mapping an object of a library directory that it matches.

        A rule on a whole directory of libraries, or on one above, is about running programs: were it to stop
        every mapping too, nothing could start.
        """
        target = self._rules[rule].target
        return not isinstance(target, Directory) or target.path.startswith(_LIBRARY_PATHS)

    def _switch(self, section: Section) -> frozenset[int] | None:
        found: frozenset[int] = frozenset()
        allow = Action.ALLOW
        for rule, classes in zip(self._rules, self._classes, strict=True):
            if rule.section is section and rule.action is allow and not rule.base:
                if classes is None or rule.scope is not Scope.HOST:
                    return None
                found |= classes
        return found

    def _number_shapes(self) -> list[int]:
        numbers: dict[object, int] = {}
        shapes = []
        known: object = None
        number = 0
        for index, rule in enumerate(self._rules):
            shape = (
                rule.section,
                rule.action,
                rule.owner_only,
                rule.read_only,
                rule.tty_only,
                rule.base,
                self._classes[index],
            )
            # Most are like the one before; enumerations are slow to hash.
            if shape != known:
                known, number = shape, numbers.setdefault(shape, len(numbers))
            shapes.append(number)
        return shapes
