# SPDX-License-Identifier: Apache-2.0
"""The rules of a workload in which nothing goes: its policies could not be put in force, so nothing starts.

Blocks refuse every name, and, since there are some, every object whose name cannot be built. What is executed
from memory has a name but no path: it is refused by the posture, which a lone Allow switches on; that one
names the root directory, which nobody can run.
"""

from typing import Final

from hauberk.automaton.patterns import Directory, Exact
from hauberk.rules.model import Action, PolicyId, Posture, Postures, Rule, RuleSet, Scope, Section, Target

CLOSED_POLICY: Final = PolicyId("KubeArmorPolicy", "", "hauberk-closed")
CLOSED_MESSAGE: Final = "its policies could not be put in force"


def closed_rules() -> RuleSet:
    """They refuse every exec and every open."""
    everything = Directory(b"/", recursive=True)
    return RuleSet.of(
        (
            _rule(0, Section.PROCESS, Action.BLOCK, everything),
            _rule(1, Section.FILE, Action.BLOCK, everything),
            _rule(2, Section.PROCESS, Action.ALLOW, Exact(b"/")),
        ),
        Postures(file=Posture.BLOCK),
    )


def _rule(index: int, section: Section, action: Action, target: Target) -> Rule:
    return Rule(
        policy=CLOSED_POLICY,
        scope=Scope.HOST,
        index=index,
        where=f"spec.{section.name.lower()}",
        line=0,
        section=section,
        action=action,
        target=target,
        severity=10,
        message=CLOSED_MESSAGE,
    )
