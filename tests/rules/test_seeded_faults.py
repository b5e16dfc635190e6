# SPDX-License-Identifier: Apache-2.0
"""Faults put into the meaning on purpose: each of them must show against the plain reading of the rules.

This tests the tests: were one of these faults to slip in, the properties would fail.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from hauberk.rules.decide import decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture
from hauberk.rules.precedence import Part, Precedence

from .make import Access, scenes
from .oracle import oracle

Patch = pytest.MonkeyPatch


@settings(
    max_examples=1000,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(scenes())
def agree(scene: tuple[Any, list[Access]]) -> None:
    rule_set, chosen = scene
    meaning = Meaning(rule_set)
    for subject, operation, obj in chosen:
        decision = decide(meaning, subject, operation, obj)
        expected = oracle(rule_set, subject, operation, obj)
        assert (decision.verdict, decision.rule or decision.special or None) == expected


def from_source_dropped(patch: Patch) -> None:
    _with_classes(patch, lambda classes: [None] * len(classes))


def programs_confused(patch: Patch) -> None:
    patch.setattr(Meaning, "class_of", lambda self, program: 1 if program else 0)


def read_and_write_swapped(patch: Patch) -> None:
    _with_parts(patch, lambda part: part._replace(read=not part.read))


def owner_ignored(patch: Patch) -> None:
    _with_access(patch, lambda access: access._replace(owner=False))


def terminal_ignored(patch: Patch) -> None:
    _with_access(patch, lambda access: access._replace(tty=False))


def replaced_program_forgotten(patch: Patch) -> None:
    _with_access(patch, lambda access: access._replace(replaced=0))


def an_equal_allow_excepts(patch: Patch) -> None:
    patch.setattr(Precedence, "excepts", lambda self, a, b: self.reaches(a, b) and self.lies_inside(a, b)[0])


def any_allow_excepts(patch: Patch) -> None:
    patch.setattr(Precedence, "excepts", Precedence.reaches)


def nothing_excepts(patch: Patch) -> None:
    patch.setattr(Precedence, "excepts", lambda self, a, b: False)


def a_narrow_scope_excepts_a_wide_one(patch: Patch) -> None:
    patch.setattr(Precedence, "reaches", lambda self, a, b: True)


def only_the_same_policy_excepts(patch: Patch) -> None:
    patch.setattr(Precedence, "reaches", lambda self, a, b: self._rules[a].policy == self._rules[b].policy)


def the_widest_is_named(patch: Patch) -> None:
    patch.setattr(Precedence, "narrowest", lambda self, rules: max(rules))


def a_host_allow_switches_on_for_all(patch: Patch) -> None:
    original = Precedence._switch

    def switch(self: Precedence, section: Any) -> Any:
        return None if original(self, section) else original(self, section)

    patch.setattr(Precedence, "_switch", switch)


def the_posture_never_refuses(patch: Patch) -> None:
    original = Precedence.posture
    patch.setattr(
        Precedence,
        "posture",
        lambda self, part, access: Posture.AUDIT if original(self, part, access) else None,
    )


def wide_directories_stop_mapping_libraries(patch: Patch) -> None:
    patch.setattr(Precedence, "_reaches_libraries", lambda self, rule: True)


def every_program_is_a_loader(patch: Patch) -> None:
    _with_parts(patch, lambda part: part._replace(loaders_only=False))


def the_base_set_is_forgotten(patch: Patch) -> None:
    _with_parts(patch, lambda part: part._replace(base=0x3FFFFFFF))


def an_audit_is_forgotten(patch: Patch) -> None:
    _with_parts(patch, lambda part: part._replace(audits=()))


def only_the_first_name_counts(patch: Patch) -> None:
    patch.setattr(Precedence, "graver", lambda self, one, other: one)


def allow_rules_count_on_later_mounts(patch: Patch) -> None:
    patch.setattr(Meaning, "without_allows", lambda self, matching: matching)


FAULTS: tuple[Callable[[Patch], None], ...] = (
    from_source_dropped,
    programs_confused,
    read_and_write_swapped,
    owner_ignored,
    terminal_ignored,
    replaced_program_forgotten,
    an_equal_allow_excepts,
    any_allow_excepts,
    nothing_excepts,
    a_narrow_scope_excepts_a_wide_one,
    only_the_same_policy_excepts,
    the_widest_is_named,
    a_host_allow_switches_on_for_all,
    the_posture_never_refuses,
    wide_directories_stop_mapping_libraries,
    every_program_is_a_loader,
    the_base_set_is_forgotten,
    an_audit_is_forgotten,
    only_the_first_name_counts,
    allow_rules_count_on_later_mounts,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_seeded_fault_shows(fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        agree()


def _with_classes(patch: Patch, change: Callable[[Any], Any]) -> None:
    original = Precedence.__init__

    def build(self: Precedence, *given_: Any, classes: Any, **more: Any) -> None:
        original(self, *given_, classes=change(classes), **more)

    patch.setattr(Precedence, "__init__", build)


def _with_parts(patch: Patch, change: Callable[[Part], Part]) -> None:
    original = Precedence._draw_up
    patch.setattr(
        Precedence,
        "_draw_up",
        lambda self, *given_: tuple(change(part) for part in original(self, *given_)),
    )


def _with_access(patch: Patch, change: Callable[[Any], Any]) -> None:
    original = Precedence.outcome
    patch.setattr(
        Precedence,
        "outcome",
        lambda self, operation, matching, access: original(self, operation, matching, change(access)),
    )
