# SPDX-License-Identifier: Apache-2.0
"""Scenarios in which our documented meaning is another (`differs`): what is checked instead.

The reason is a sentence for people. Those that say what happens instead are understood here; a scenario with
another reason fails and says so, since nobody knows what would have to hold.
"""

import re
from dataclasses import replace
from typing import Any, Final

from hauberk.workbench.live.scenario import AlertPattern, Scenario, ScenarioError, Step

_OTHER_KIND: Final = re.compile(
    r"an? (?P<ours>\w+) alert, not an? (?P<theirs>\w+)(?: one)?(?: \(steps? (?P<steps>[\d, and]+)\))?"
)
_NO_ACT: Final = re.compile(r"an act that does not happen")
_NO_POSTURE: Final = re.compile(r"no posture applies")
_AS_BLOCK: Final = re.compile(r"Audit alerts on what the same rule would refuse as Block")


def is_twin(scenario: Scenario) -> bool:
    """Whether it is about which accesses Audit alerts on: those that Block would refuse. Then the scenario is
    played twice, and each step compared."""
    return bool(_AS_BLOCK.search(scenario.differs))


def ours(scenario: Scenario) -> Scenario:
    """The scenario with our meaning in its expectations. Raises ScenarioError if the reason is not known."""
    reason = scenario.differs
    if not reason or is_twin(scenario):
        return scenario
    if kind := _OTHER_KIND.search(reason):
        numbers = {int(each) for each in re.findall(r"\d+", kind["steps"] or "")}
        steps = tuple(
            _of_kind(step, kind["theirs"], kind["ours"]) if not numbers or number in numbers else step
            for number, step in enumerate(scenario.steps)
        )
    elif _NO_ACT.search(reason):
        steps = tuple(_without_alert(step) for step in scenario.steps)
    elif _NO_POSTURE.search(reason):
        steps = tuple(_without_posture(step) for step in scenario.steps)
    else:
        raise ScenarioError(f"it differs for a reason that is not understood: {reason}")
    return replace(scenario, steps=steps)


def as_block(scenario: Scenario) -> Scenario:
    """The twin: Audit becomes Block, everywhere, and nothing else is expected than what Audit showed."""
    steps = tuple(step.unchecked() for step in scenario.steps)
    policies = tuple(_blocking(policy) for policy in scenario.policies)
    return replace(scenario, policies=policies, steps=steps)


def as_audit(scenario: Scenario) -> Scenario:
    """The scenario without expectations of alerts: which there are is what the twins are compared in."""
    return replace(scenario, steps=tuple(replace(step, alert=None, no_alert=None) for step in scenario.steps))


def _blocking(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "Block" if key == "action" and each == "Audit" else _blocking(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_blocking(each) for each in value]
    return value


def _of_kind(step: Step, theirs: str, ours: str) -> Step:
    """With the alert of our kind. What is said of the resource is said of the other kind's."""
    if step.alert is None or step.alert.operation != theirs:
        return step
    conditions = tuple(
        replace(each, value=ours) if each.field == "operation" else each
        for each in step.alert.conditions
        if each.field not in ("resource", "data", "source")
    )
    return replace(step, alert=AlertPattern(conditions, step.alert.at_least))


def _without_alert(step: Step) -> Step:
    return replace(step, alert=None, no_alert=step.alert) if step.alert else step


def _without_posture(step: Step) -> Step:
    is_posture = step.alert and any(each.value == "DefaultPosture" for each in step.alert.conditions)
    return _without_alert(step) if is_posture else step
