# SPDX-License-Identifier: Apache-2.0
"""Moves that would carry a blocked path out from under its rule are refused, others are not hindered."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.rules.decide import move_refused
from hauberk.rules.meaning import Meaning, is_anchored
from hauberk.rules.model import Action, Operation, RuleSet, Section

from .make import WORLD, meaning, pattern, rule, rule_sets


@pytest.mark.parametrize(
    ("block", "source", "target", "is_directory"),
    [
        ("/etc/shadow", "/etc/shadow", "/tmp/x", False),
        ("/etc/shadow", "/etc", "/tmp/etc", True),
        ("/a/b/c/**", "/a", "/z", True),
        ("/a/**", "/a/b", "/z", True),
        ("name:curl", "/usr/bin/curl", "/usr/bin/harmless", False),
        ("glob:/srv/*/key", "/srv/x", "/tmp/x", True),
    ],
)
def test_refused(block: str, source: str, target: str, is_directory: bool) -> None:
    rules = meaning(rule("Block", block, section=Section.PROCESS))
    assert move_refused(rules, source.encode(), target.encode(), is_directory)


@pytest.mark.parametrize(
    ("block", "source", "target", "is_directory"),
    [
        ("/etc/shadow", "/srv/app.new", "/srv/app", True),
        ("/etc/shadow", "/etc/passwd", "/tmp/x", False),
        ("/a/**", "/a/b", "/a/c", True),
        ("name:curl", "/srv/new", "/srv/app", True),
        ("glob:/**/*.key", "/srv/new", "/srv/app", True),
        ("/a/b", "/a", "/z", False),
    ],
)
def test_not_hindered(block: str, source: str, target: str, is_directory: bool) -> None:
    rules = meaning(rule("Block", block, section=Section.PROCESS))
    assert not move_refused(rules, source.encode(), target.encode(), is_directory)


@pytest.mark.parametrize("action", ["Allow", "Audit"])
def test_only_blocks_hold_things_in_place(action: str) -> None:
    assert not move_refused(meaning(rule(action, "/etc/shadow")), b"/etc/shadow", b"/x", False)


def test_only_the_last_component_matters_to_a_pattern_without_an_anchor() -> None:
    assert not is_anchored(pattern("name:curl"))
    assert not is_anchored(pattern("glob:/**/*.key"))
    for text in ("/curl", "/", "glob:/*/x", "glob:/**/a/b", "glob:/**/a**", "glob:/**{,/}x"):
        assert is_anchored(pattern(text))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule_sets(), st.data())
def test_a_permitted_move_leaves_every_block_on_every_path_it_named(
    rule_set: RuleSet, data: st.DataObject
) -> None:
    rules = Meaning(rule_set)
    source, target = (
        data.draw(st.sampled_from([path for path in WORLD if path and path.count(b"/") < 3])) for _ in "12"
    )
    is_directory = data.draw(st.booleans())
    if move_refused(rules, source, target, is_directory):
        return
    below = [path[len(source) :] for path in WORLD if path.startswith(source + b"/")] if is_directory else []
    for tail in (b"", *below):
        assert _blocks(rules, source + tail) <= _blocks(rules, target + tail)


def _blocks(rules: Meaning, path: bytes) -> set[int]:
    matching = rules.matching(Operation.EXEC, path)
    return {i for i in matching if i < len(rules.rules) and rules.rules[i].action is Action.BLOCK}
