# SPDX-License-Identifier: Apache-2.0
"""The rules that are measured: as many as asked for, and the same for both enforcers."""

import pytest

from bench.micro import OPERATIONS
from bench.policy import EARLY, FULL, blocks, policy, profile
from hauberk.policy.load import load_text
from hauberk.rules.decide import FileObject, Subject, decide
from hauberk.rules.meaning import Meaning
from hauberk.rules.model import DECIDED, Operation, Postures, Section, Verdict
from hauberk.rules.normalise import rule_set


@pytest.mark.parametrize("rules", [1, 100, 1000])
def test_there_are_as_many_rules_as_asked_for(rules: int) -> None:
    loaded = load_text(policy(rules), "bench")
    assert not loaded.faults
    found = rule_set(loaded.policies, Postures(), base_set=False).rules
    assert len(found) == rules
    assert {rule.section for rule in found} == (set(DECIDED) if rules >= 100 else {Section.FILE})


def test_nothing_that_is_measured_is_refused() -> None:
    meaning = Meaning(rule_set(load_text(policy(100), "bench").policies, Postures()))
    for _, *arguments in OPERATIONS.values():
        for path in arguments:
            object_ = FileObject((path.encode(),), False, False)
            for operation in (Operation.EXEC, Operation.MAP, Operation.READ, Operation.WRITE):
                assert decide(meaning, Subject(b"/bin/micro"), operation, object_).verdict is Verdict.PERMIT


def test_the_walk_of_one_file_goes_to_its_end_and_that_of_the_other_does_not_begin() -> None:
    files = blocks(1).files + blocks(100).files
    assert any(FULL.startswith(path) for path in files)
    assert any(path.startswith(FULL) for path in files)
    assert not any(path[:2] == EARLY[:2] for path in files)


def test_the_profile_denies_all_that_the_policy_blocks() -> None:
    text, chosen = profile(100, "name"), blocks(100)
    for path in chosen.files:
        assert f"  deny {path} rwlkmx,\n" in text
    for path in chosen.programs:
        assert f"  deny {path} mx,\n" in text
    for capability in chosen.capabilities:
        assert f"  deny capability {capability},\n" in text
    assert text.count("deny ") == 101, "one protocol is two families there"
