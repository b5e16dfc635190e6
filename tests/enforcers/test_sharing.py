# SPDX-License-Identifier: Apache-2.0
"""Which tables are one, and for how long."""

import msgspec
import pytest
from hypothesis import given, settings

from hauberk.enforcers.bpf_lsm.sharing import content_key
from hauberk.enforcers.bpf_lsm.tables import TableCompiler
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Posture, Postures, RuleSet, Section
from hauberk.workloads.mounts import Mount
from tests.rules.make import rule, rule_sets

ROOT = Mount(1 << 20, True, 2, b"")
DATA = Mount(2 << 20, True, 2, b"/data")
RULES = RuleSet.of([rule("Block", "/a"), rule("Block", "/b", policy="two")], Postures())


def test_equal_content_has_an_equal_key_wherever_it_stands() -> None:
    again = RuleSet.of(reversed(RULES.rules), Postures())
    assert content_key(again, [ROOT, DATA]) == content_key(RULES, (ROOT, DATA))
    low, high = (TableCompiler(Meaning(each), base) for each, base in ((RULES, 64), (again, 4096)))
    assert low.compile([ROOT]).key == high.compile([ROOT]).key == content_key(RULES, [ROOT])


@pytest.mark.parametrize(
    ("rules", "mounts", "visible"),
    [
        (RuleSet.of(RULES.rules[:1], Postures()), (ROOT, DATA), ()),
        (
            RuleSet.of([msgspec.structs.replace(RULES.rules[0], line=9), RULES.rules[1]], Postures()),
            (ROOT, DATA),
            (),
        ),
        (RuleSet.of(RULES.rules, Postures(network=Posture.BLOCK)), (ROOT, DATA), ()),
        (RULES, (ROOT,), ()),
        (RULES, (DATA, ROOT), ()),
        (RULES, (Mount(3, True, 2, b""), DATA), ()),
        (RULES, (ROOT, DATA), (Section.FILE,)),
    ],
    ids=["a rule less", "another line", "a posture", "a mount less", "another order", "a device", "visible"],
)
def test_whatever_a_table_or_its_alerts_depend_on_is_in_the_key(
    rules: RuleSet, mounts: tuple[Mount, ...], visible: tuple[Section, ...]
) -> None:
    assert content_key(rules, mounts, visible) != content_key(RULES, (ROOT, DATA))


@settings(max_examples=30, deadline=None)
@given(rule_sets(), rule_sets())
def test_keys_are_equal_exactly_if_the_rules_are(one: RuleSet, other: RuleSet) -> None:
    assert (content_key(one, [ROOT]) == content_key(other, [ROOT])) == (one == other)


def test_the_order_in_which_sections_are_asked_for_does_not_matter() -> None:
    sections = [Section.FILE, Section.NETWORK]
    assert content_key(RULES, [ROOT], sections) == content_key(RULES, [ROOT], reversed(sections))
