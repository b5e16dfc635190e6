# SPDX-License-Identifier: Apache-2.0
"""The catalogue of attacks is whole: nothing that was to be tried is missing, nothing is excused unsaid."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.attacks.building import build
from tests.attacks.catalogue import HeadError, attacks, read
from tests.attacks.pending import PENDING

ROOT = Path(__file__).parent.parent.parent
CATALOGUE = attacks()

LAST = {"A": 13, "B": 9, "C": 4, "D": 6, "E": 5}
KNOWN = {f"{letter}{number}" for letter, last in LAST.items() for number in range(1, last + 1)} | {"C9", "E8"}
ELSEWHERE = {"B8": "tests/kernel/run/test_run.py"}
"""Rules on arguments: `degraded` is the honest answer, and where it is tested."""
OWN_AT_LEAST, FROM_SOURCES_AT_LEAST = 10, 5


THREAT_MODEL = (ROOT / "docs" / "threat-model.md").read_text()


def test_every_known_bypass_is_tried() -> None:
    tried = {each for attack in CATALOGUE for each in attack.tries} - {"own"}
    assert tried | set(ELSEWHERE) == KNOWN
    assert not tried & set(ELSEWHERE)
    assert all((ROOT / place).exists() for place in ELSEWHERE.values())


def test_there_are_others_and_some_of_them_from_public_sources() -> None:
    own = [attack for attack in CATALOGUE if "own" in attack.tries]
    assert len(own) >= OWN_AT_LEAST
    assert sum(bool(attack.source) for attack in own) >= FROM_SOURCES_AT_LEAST


def test_no_two_attacks_have_one_name() -> None:
    assert [name for name, times in Counter(attack.name for attack in CATALOGUE).items() if times > 1] == []


@pytest.mark.parametrize("attack", CATALOGUE, ids=lambda attack: attack.name)
def test_the_head_says_what_is_tried_why_it_might_work_and_against_what(attack) -> None:  # type: ignore[no-untyped-def]
    what, _, why = attack.text.partition("\n\n")
    assert what.endswith(".")
    assert why.endswith(".")
    assert bool(attack.sections) != attack.on_engine
    assert not (attack.by and attack.beyond)


def test_what_succeeds_under_rules_stands_in_the_threat_model() -> None:
    headings = set(re.findall("^### (.*)$", THREAT_MODEL, re.MULTILINE))
    assert {attack.beyond for attack in CATALOGUE if attack.beyond} <= headings


def test_what_is_still_a_hole_stands_there_too() -> None:
    gaps = THREAT_MODEL.partition("## Known gaps\n")[2].partition("\n## ")[0]
    assert set(re.findall("`([a-z-]+)`", gaps)) == set(PENDING)
    assert set(PENDING) <= {attack.name for attack in CATALOGUE}


def test_all_attacks_in_c_compile_without_a_warning() -> None:
    build(CATALOGUE)


def test_a_head_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "attack.sh"
    for text in (
        "# what\n",
        "# what\n#\n# ---\n# wins: often\n# tries: []\n",
        "# what\n#\n# ---\n# win: said\n",
    ):
        path.write_text(text)
        with pytest.raises(HeadError):
            read(path)
