# SPDX-License-Identifier: Apache-2.0
"""Faults put into the way from YAML to the packed table: each of them must show.

The checker is the agreement property, reduced: a few drawn policy sets with a fixed seed, with what `decide`
says under rules made without the loader and the normalisation, noted before the fault is put in. Then
the policies go the whole way, and the table is walked as the kernel walks it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from hauberk.automaton.pack import TableBuilder
from hauberk.automaton.patterns import Directory, Glob
from hauberk.enforcers.bpf_lsm import tables
from hauberk.enforcers.bpf_lsm.reading import TableWalker
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.rules import normalise
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import (
    NONE,
    Operation,
    Outcome,
    Posture,
    Postures,
    RuleSet,
    Section,
    Verdict,
)
from hauberk.rules.normalise import _Names
from hauberk.rules.precedence import Precedence
from hauberk.workloads.mounts import Mount
from tests.agreement import written
from tests.agreement.access import Answer, expected
from tests.agreement.draw import Draw, Scene, read
from tests.agreement.walker import answers
from tests.agreement.world import World

Patch = pytest.MonkeyPatch
Key = tuple[object, ...]

SEED = 1
ROOT = (Mount(1 << 20, True, 2, b""),)
WORLDS = (World(), World("/below"), World("", True), World("/below", True))


def essence(answer: Answer) -> Key:
    """What is compared: everything but the line that the rule was read from."""
    by = answer.by
    if not isinstance(by, str):
        by = (by.policy, by.index, by.where, by.action, repr(by.target), by.sources)  # type: ignore[assignment]
    return answer.call, answer.verdict, by, answer.name


@cache
def noted() -> list[tuple[Scene, list[list[Key]]]]:
    """Scenes, and what has to come of each of their accesses."""
    found = []
    for scene in Draw(SEED, WORLDS).scenes(16):
        plain = written.rules(scene.documents, scene.world, scene.postures)
        base = [rule for rule in scene.meaning.rules if rule.base]
        reference = Meaning(RuleSet.of((*plain.rules, *base), scene.postures, plain.aliases))
        wanted = [
            list(map(essence, expected(reference, access, scene.world))) for access, _ in scene.accesses
        ]
        found.append((scene, wanted))
    return found


def disagreements() -> int:
    """How many accesses the tables decide otherwise than noted, up to the end of the first scene with any."""
    for scene, wanted in noted():
        meaning = Meaning(read(scene.documents, scene.world, scene.postures, base_set=scene.base_set))
        walker = TableWalker(TableCompiler(meaning, 64).compile(ROOT))
        wrong = 0
        for (access, _), want in zip(scene.accesses, wanted, strict=True):
            got = answers(walker, meaning.rules, access, scene.world)
            wrong += list(map(essence, got)) != want
        if wrong:
            return wrong
    return 0


def test_without_a_fault_nothing_disagrees() -> None:
    assert disagreements() == 0


# From YAML to rules


def from_source_dropped(patch: Patch) -> None:
    patch.setattr(_Names, "of_programs", lambda self, paths: ())


def real_name_of_a_source_dropped(patch: Patch) -> None:
    patch.setattr(_Names, "of_programs", lambda self, paths: tuple(path.encode() for path in paths))


def alias_of_a_path_dropped(patch: Patch) -> None:
    patch.setattr(_Names, "of_path", lambda self, path: (path,))


def alias_of_a_pattern_dropped(patch: Patch) -> None:
    patch.setattr(_Names, "_of_glob", lambda self, text: (Glob(text),))


def recursion_dropped(patch: Patch) -> None:
    patch.setattr(_Names, "of_pattern", _flat(_Names.of_pattern))


def read_only_dropped(patch: Patch) -> None:
    _with_rules(patch, read_only=False)


def owner_only_dropped(patch: Patch) -> None:
    _with_rules(patch, owner_only=False)


def every_policy_is_as_wide(patch: Patch) -> None:
    patch.setattr(normalise, "scope_of", lambda policy: normalise.Scope.HOST)


# From rules to outcomes


def inclusion_reversed(patch: Patch) -> None:
    original = Meaning.inside
    patch.setattr(Meaning, "inside", lambda self, inner, outer: original(self, outer, inner))


def base_set_overrides_blocks(patch: Patch) -> None:
    original = Precedence.conclude

    def conclude(self: Precedence, part: Any, hearing: Any, access: Any) -> Outcome:
        if part.base != NONE:
            return Outcome(Verdict.ALLOWED, part.base)
        return original(self, part, hearing, access)

    patch.setattr(Precedence, "conclude", conclude)


def audit_permits(patch: Patch) -> None:
    original = Precedence.conclude
    patch.setattr(
        Precedence,
        "conclude",
        lambda self, part, hearing, access: original(self, part, hearing._replace(alerting=[]), access),
    )


def posture_of_another_section(patch: Patch) -> None:
    def of(self: Postures, section: Section) -> Posture:
        return self.file if section is Section.NETWORK else self.network

    patch.setattr(Postures, "of", of)


# From outcomes to the table


def reads_and_writes_swapped(patch: Patch) -> None:
    original = TableCompiler._decide

    def decide(self: TableCompiler, matching: Any, program: int, operations: Any) -> Any:
        return original(self, matching, program, tuple(reversed(operations)))

    patch.setattr(TableCompiler, "_decide", decide)


def owner_ignored(patch: Patch) -> None:
    _with_conditions(patch, owner=False)


def terminal_ignored(patch: Patch) -> None:
    _with_conditions(patch, tty=False)


def conditions_left_out(patch: Patch) -> None:
    patch.setattr(Meaning, "conditional", lambda self, matching: False)


def replaced_program_lost(patch: Patch) -> None:
    patch.setattr(Meaning, "relevant_replaced", lambda self, matching: frozenset())


def classes_lost(patch: Patch) -> None:
    patch.setattr(Meaning, "relevant_classes", lambda self, matching, operation=None: frozenset())


def class_row_off_by_one(patch: Patch) -> None:
    original = TableBuilder.add_row

    def add_row(self: TableBuilder, accept: int, default: int, edges: Any) -> int:
        return original(self, accept, default, {symbol + 1: to for symbol, to in edges.items()})

    patch.setattr(TableBuilder, "add_row", add_row)


def states_off_by_one(patch: Patch) -> None:
    original = TableBuilder.add_automaton

    def add_automaton(self: TableBuilder, automaton: Any, words: Any, **how: Any) -> int:
        return original(self, automaton, [words[0], *words[:-1]], **how)

    patch.setattr(TableBuilder, "add_automaton", add_automaton)


def socket_rows_off_by_one(patch: Patch) -> None:
    original = tables._kind_of_row
    patch.setattr(tables, "_kind_of_row", lambda row: original((row + 1) % 64))


def capabilities_off_by_one(patch: Patch) -> None:
    original = Meaning.capability_rules
    patch.setattr(Meaning, "capability_rules", lambda self, number: original(self, number + 1))


def protected_directories_forgotten(patch: Patch) -> None:
    patch.setattr(Meaning, "blocks_below", property(lambda self: bytearray(len(self.exec))))


def protected_files_forgotten(patch: Patch) -> None:
    patch.setattr(Meaning, "blocks", property(lambda self: [False] * len(self.exec.accept_sets)))


FAULTS: tuple[Callable[[Patch], None], ...] = (
    from_source_dropped,
    real_name_of_a_source_dropped,
    alias_of_a_path_dropped,
    alias_of_a_pattern_dropped,
    recursion_dropped,
    read_only_dropped,
    owner_only_dropped,
    every_policy_is_as_wide,
    inclusion_reversed,
    base_set_overrides_blocks,
    audit_permits,
    posture_of_another_section,
    reads_and_writes_swapped,
    owner_ignored,
    terminal_ignored,
    conditions_left_out,
    replaced_program_lost,
    classes_lost,
    class_row_off_by_one,
    states_off_by_one,
    socket_rows_off_by_one,
    capabilities_off_by_one,
    protected_directories_forgotten,
    protected_files_forgotten,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_seeded_fault_shows(fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    noted()
    fault(monkeypatch)
    assert disagreements() > 0


def _flat(original: Callable[..., Any]) -> Callable[..., Any]:
    def of_pattern(self: Any, pattern: Any) -> Any:
        flat = Directory(pattern.path) if isinstance(pattern, Directory) else pattern
        return original(self, flat)

    return of_pattern


def _with_rules(patch: Patch, **fields: Any) -> None:
    original = normalise.Rule
    patch.setattr(normalise, "Rule", lambda **given: original(**{**given, **fields}))


def _with_conditions(patch: Patch, **fields: bool) -> None:
    original = Meaning.outcome

    def outcome(
        self: Meaning,
        operation: Operation,
        matching: frozenset[int],
        program: int = 0,
        replaced: int = 0,
        owner: bool = False,
        tty: bool = False,
    ) -> Outcome:
        conditions = {"owner": owner, "tty": tty} | fields
        return original(self, operation, matching, program, replaced, **conditions)

    patch.setattr(Meaning, "outcome", outcome)
