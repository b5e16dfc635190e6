# SPDX-License-Identifier: Apache-2.0
"""What a scenario needs that this version does not have, told from its policies and expectations.

What policies need is told by the same code that warns of unenforced fields (`policy.degraded`), so that a
feature that is added there is tested from then on.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from hauberk.policy.degraded import degradations
from hauberk.policy.load import Loaded, load_text
from hauberk.workbench.live.scenario import AlertPattern, Scenario, Step

_OF_NEEDS: Final = {
    "k8s": "Kubernetes",
    "engine-api": "KubeArmor's API",
    "in-process": "a test of a function",
}
_OF_FIELDS: Final = (
    ("allowedArgs", "allowedArgs"),
    ("matchDNSQueries", "DNS rules"),
    ("apparmor", "AppArmor"),
    ("device", "devices"),
    ("presets", "presets"),
    ("KubeArmorNetworkPolicy", "network policies"),
)
_OF_OPERATIONS: Final = {"Process": "", "File": "", "Network": "", "Capabilities": "", "Syscall": ""}
_OF_SETTINGS: Final = {"visibility": "visibility", "hostVisibility": "visibility"}
_POSTURE: Final = re.compile(r"(host)?[dD]efault(File|Network|Capabilities)Posture")


def policies_text(policies: tuple[Mapping[str, Any], ...]) -> str:
    """Documents as YAML."""
    return yaml.safe_dump_all(policies, sort_keys=False)


def load_policies(scenario: Scenario) -> Loaded:
    """The scenario's policies, with the faults in them."""
    if not scenario.policies:
        return Loaded((), (), ())
    return load_text(policies_text(scenario.policies), f"policies of {scenario.id}")


def missing_features(scenario: Scenario, loaded: Loaded) -> list[str]:
    """The features that the scenario needs and this version lacks; empty if it can be run."""
    return list(dict.fromkeys(name for name in _missing(scenario, loaded) if name))


def _missing(scenario: Scenario, loaded: Loaded) -> Iterator[str]:
    for need in scenario.needs.split("+"):
        yield _OF_NEEDS.get(need, "")
    for policy in loaded.policies:
        for degradation in degradations(policy):
            words = re.split(r"[.\[]", degradation.field)
            known = [name for word, name in _OF_FIELDS if word in words]
            yield known[0] if known else degradation.field
    for setting in scenario.engine:
        yield _setting(setting)
    for step in scenario.steps:
        yield from _of_step(step)


def _of_step(step: Step) -> Iterator[str]:
    for setting in step.settings:
        yield _setting(setting)
    if step.is_log_odd:
        yield "counts of logs"
    for pattern in (step.alert, step.no_alert):
        yield _of_pattern(pattern)


def _of_pattern(pattern: AlertPattern | None) -> str:
    if pattern is None or not pattern.operation:
        return ""
    return _OF_OPERATIONS.get(pattern.operation, f"{pattern.operation} alerts")


def _setting(name: str) -> str:
    if _POSTURE.fullmatch(name):
        return ""
    if "hrottl" in name or name == "maxAlertPerSec":
        return "alert throttling"
    return _OF_SETTINGS.get(name, f"the setting {name}")
