# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/policies.md against the code that decides.

A table that follows a policy says what becomes of accesses under it, in the words that are read here.
"""

import re

import pytest

from hauberk.policy.fields import CAPABILITIES
from hauberk.policy.load import load_text
from hauberk.rules.decide import (
    CapabilityObject,
    FileObject,
    Object,
    SocketObject,
    Subject,
    decide,
    move_refused,
)
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import Operation, Posture, Postures, Verdict
from hauberk.rules.normalise import rule_set
from tests.docs.pages import ROOT, Table, tables
from tests.docs.wrap import whole

HEADINGS = ("Program", "does", "Object", "Verdict")
TABLES = [table for table in tables(ROOT / "docs" / "policies.md") if table.headings[:4] == HEADINGS]

POSTURES = {
    "Verdict": Postures(),
    "With `--posture file=block`": Postures(file=Posture.BLOCK),
}
OPERATIONS = {
    "reads": Operation.READ,
    "writes": Operation.WRITE,
    "runs": Operation.EXEC,
    "maps": Operation.MAP,
    "opens": Operation.NETWORK,
    "uses": Operation.CAPABILITY,
}
WORDS = {
    Verdict.PERMIT: "permitted",
    Verdict.ALLOWED: "permitted",
    Verdict.AUDIT: "permitted, alert",
    Verdict.REFUSE: "refused",
}
FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17}
TYPES = {"stream": 1, "dgram": 2, "raw": 3}


def test_there_are_such_tables() -> None:
    assert len(TABLES) >= 8
    assert sum(len(table.rows) for table in TABLES) >= 50


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_the_table_tells_the_truth(table: Table) -> None:
    assert table.after is not None, "no policy stands before the table"
    assert table.after.kind == "yaml"
    loaded = load_text(whole(table.after.text))
    assert not loaded.faults
    for column in range(3, len(table.headings)):
        meaning = Meaning(rule_set(loaded.policies, POSTURES[table.headings[column]]))
        for row in table.rows:
            assert verdict(meaning, *row[:3]) == row[column], (table.headings[column], row)


def verdict(meaning: Meaning, program: str, does: str, what: str) -> str:
    """What the table should say of an access that it describes in these words."""
    verb, *conditions = does.split(", ")
    replaced, owned, tty = None, False, False
    for condition in conditions:
        if condition == "as owner":
            owned = True
        elif condition == "on a terminal":
            tty = True
        else:
            found = re.fullmatch(r"having replaced `(.*)`", condition)
            assert found, condition
            replaced = found[1].encode()
    if verb == "moves":
        found = re.fullmatch(r"`(.*)` to `(.*)`", what)
        assert found, what
        refused = move_refused(meaning, found[1].encode(), found[2].encode(), True)
        return WORDS[Verdict.REFUSE if refused else Verdict.PERMIT]
    subject = Subject(None if program == "any program" else program.strip("`").encode(), replaced, tty)
    decision = decide(meaning, subject, OPERATIONS[verb], _object(verb, what, owned))
    return WORDS[decision.verdict] + (f" ({decision.special})" if decision.special else "")


def _object(verb: str, what: str, owned: bool) -> Object:
    if verb == "opens":
        family, type_, _ = what.split()
        return SocketObject(FAMILIES[family], TYPES[type_], 0)
    if verb == "uses":
        return CapabilityObject(CAPABILITIES.index(what.strip("`")))
    assert what.startswith("`/")
    return FileObject((what.strip("`").encode(),), owned)
