# SPDX-License-Identifier: Apache-2.0
"""The demonstration's verdict: everything has to be seen, or it has failed and says what was missing."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.attacks import ATTACKS
from demo.score import WITH, WITHOUT, Score
from hauberk.policy.load import load

POLICIES = Path(__file__).parents[2] / "demo" / "policies"
Messages = list[dict[str, Any]]


def everything() -> Messages:
    """The messages of a demonstration as it should be."""
    said: Messages = [{"kind": "answer", "page": "/", "right": True}]
    for which in (WITHOUT, WITH):
        for number, attack in enumerate(ATTACKS):
            alert = {
                "PolicyName": attack.policy,
                "Action": "Block",
                "Result": "Permission denied",
                "Resource": "it",
                "Hauberk": {"Rule": attack.rule},
            }
            message = {"kind": "attack", "round": which, "number": number}
            said.append({**message, "worked": which == WITHOUT, "alerts": [alert] if which == WITH else []})
    return [*said, {"kind": "finished"}]


def complaints(messages: Messages) -> list[str]:
    score = Score()
    for message in messages:
        score.take(message)
    return score.complaints


def test_when_everything_was_seen_there_is_nothing_to_complain_about() -> None:
    assert complaints(everything()) == []


def last_attack(messages: Messages) -> dict[str, Any]:
    return messages[-2]


def first_attack(messages: Messages) -> dict[str, Any]:
    return messages[1]


def alert(messages: Messages) -> dict[str, Any]:
    found: dict[str, Any] = last_attack(messages)["alerts"][0]
    return found


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda said: first_attack(said).update(worked=False), "did not even work"),
        (lambda said: last_attack(said).update(worked=True), "in spite of the policies"),
        (lambda said: last_attack(said).update(alerts=[]), "there was none"),
        (lambda said: alert(said).update(PolicyName="another"), "another"),
        (lambda said: alert(said)["Hauberk"].update(Rule="spec.file.matchPaths[7]"), "matchPaths[7]"),
        (lambda said: alert(said).update(Action="Audit"), "no alert named"),
        (lambda said: alert(said).update(Result="Passed"), "no alert named"),
        (lambda said: said[0].update(right=False), "did not answer as it should: /"),
        (
            lambda said: said.insert(0, {"kind": "stray", "alert": {"PolicyName": "p"}}),
            "hindered the service",
        ),
        (lambda said: said.insert(0, {"kind": "fault", "text": "nginx is missing"}), "nginx is missing"),
        (lambda said: said.pop(0), "ended early"),
        (lambda said: said.pop(1), f"not tried: {ATTACKS[0].title}"),
        (lambda said: said.pop(-2), f"not tried: {ATTACKS[-1].title}"),
        (lambda said: said.pop(-1), "ended early"),
    ],
)
def test_whatever_was_not_seen_is_said(spoil: Callable[[Messages], object], complaint: str) -> None:
    messages = copy.deepcopy(everything())
    spoil(messages)
    said = complaints(messages)
    assert len(said) == 1
    assert complaint in said[0]


def test_nothing_at_all_is_not_a_success() -> None:
    assert complaints([]) != []


def test_the_policies_have_no_faults_no_warnings_and_all_the_rules_that_the_attacks_name() -> None:
    loaded = load([str(POLICIES)])
    assert loaded.faults == ()
    assert loaded.warnings == ()
    names = {policy.metadata.name for policy in loaded.policies}
    assert names == {attack.policy for attack in ATTACKS}
