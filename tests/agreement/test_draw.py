# SPDX-License-Identifier: Apache-2.0
"""What is drawn is what the agreement tests need: all of it, the same each time, and read as it was meant."""

import pytest

from hauberk.rules.model import DECIDED
from tests.agreement import written
from tests.agreement.access import OPERATIONS
from tests.agreement.draw import Draw, Scene
from tests.agreement.tally import COMBINATIONS, CONDITIONS, can_be_written
from tests.agreement.world import World

WORLDS = (World(), World("/below"), World("", True), World("/below", True))


@pytest.fixture(scope="module")
def drawn() -> tuple[Draw, list[Scene]]:
    draw = Draw(5, WORLDS)
    return draw, list(draw.scenes(56))


def test_every_combination_occurs_and_rules_decide_most(drawn: tuple[Draw, list[Scene]]) -> None:
    tally = drawn[0].tally
    assert tally.pairs == sum(len(scene.accesses) for scene in drawn[1]) >= 2000
    assert tally.by_rule * 2 >= tally.pairs
    assert min(tally.combinations[combination] for combination in COMBINATIONS) >= 20
    assert set(tally.operations) == set(OPERATIONS)
    assert tally.merged[True] == tally.merged[False]
    assert {by.partition(" by ")[2] for by in tally.answers} >= {
        "a rule",
        "nothing",
        "DefaultPosture",
        "ProtectedPath",
    }


def test_what_cannot_be_written_is_little() -> None:
    impossible = {
        (condition, operation)
        for condition in CONDITIONS
        for operation in OPERATIONS
        if not can_be_written(condition, operation)
    }
    assert impossible == {
        ("owner", "socket"),
        ("readOnly", "socket"),
        ("owner", "capability"),
        ("readOnly", "capability"),
        ("pts", "capability"),
    }


def test_equal_seeds_give_equal_scenes(drawn: tuple[Draw, list[Scene]]) -> None:
    for one, other in zip(drawn[1][:8], Draw(5, WORLDS).scenes(8), strict=True):
        assert one.policies == other.policies
        assert one.accesses == other.accesses


def test_the_yaml_comes_to_the_rules_that_were_meant(drawn: tuple[Draw, list[Scene]]) -> None:
    for scene in drawn[1]:
        meant = written.rules(scene.documents, scene.world, scene.postures)
        assert written.bare(scene.meaning.ruleset) == list(meant.rules)
        assert set(meant.aliases) <= set(scene.meaning.ruleset.aliases)


def test_rules_of_all_sections_and_forms_are_drawn(drawn: tuple[Draw, list[Scene]]) -> None:
    entries = [entry for scene in drawn[1] for document in scene.documents for entry in document.entries]
    assert {entry.section for entry in entries} == set(DECIDED)
    assert {entry.form for entry in entries} == {
        "path",
        "dir",
        "pattern",
        "execname",
        "protocol",
        "capability",
    }
    assert any(len(entry.sources) > 1 for entry in entries)
    assert any(len(entry.conditions) > 1 for entry in entries)


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_a_world_is_named_by_real_paths(world: World) -> None:
    for path in (*world.programs, *world.scripts, *world.files, *world.new, *world.voids):
        assert world.resolve(path) == path
    assert any(world.resolve(link) in world.programs for link in world.links)
    assert world.resolve(world.prefix.encode() + b"/bin/p4").startswith(
        world.prefix.encode() + (b"/usr/bin" if world.merged else b"/bin")
    )
