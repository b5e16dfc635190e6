# SPDX-License-Identifier: Apache-2.0
"""A scenario's policies, put in force and taken back.

They are in the workload's namespace if they name none. Host policies that name the machine which the scenario
was written on are for this one.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from hauberk.agent.control.messages import PolicyRef
from hauberk.workbench.live.scenario import ALL, Scenario
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

_HOST_NAMES: Final = ("kubearmor.io/hostname", "kubernetes.io/hostname")


class RulingAgent(Protocol):
    """What is asked of the agent."""

    @property
    def node(self) -> str: ...
    def apply(self, policies: tuple[Mapping[str, Any], ...]) -> tuple[PolicyRef, ...]: ...
    def delete(self, refs: tuple[PolicyRef, ...]) -> None: ...


class InForce:
    """Which of a scenario's policies are in force."""

    def __init__(self, agent: RulingAgent, scenario: Scenario) -> None:
        self._agent = agent
        self._policies = _placed(scenario, agent.node if scenario.is_of_host else "")
        self._refs: set[PolicyRef] = set()

    def apply(self, names: Collection[str]) -> None:
        """Put these in force. Raises HauberkError."""
        chosen = tuple(each for each in self._policies if _name(each) in names or ALL in names)
        if chosen:
            self._refs.update(self._agent.apply(chosen))

    def delete(self, names: Collection[str]) -> None:
        """Take those of these back that are in force. Raises HauberkError."""
        refs = tuple(sorted(ref for ref in self._refs if ref.name in names or ALL in names))
        if refs:
            self._agent.delete(refs)
            self._refs.difference_update(refs)


def _name(policy: Mapping[str, Any]) -> str:
    return str(policy["metadata"].get("name", ""))


def _placed(scenario: Scenario, node: str) -> tuple[Mapping[str, Any], ...]:
    """The policies, as they are meant here."""
    namespaces = [each.namespace for each in scenario.containers] or [DEFAULT_NAMESPACE]
    written = next((name for policy in scenario.policies if (name := _host_name(policy))), "")
    placed = []
    for policy in scenario.policies:
        metadata = {"namespace": namespaces[0], **policy.get("metadata", {})}
        if policy.get("kind") == "KubeArmorPolicy":
            policy = {**policy, "metadata": metadata}
        if node and written and _host_name(policy) == written:
            labels = policy["spec"]["nodeSelector"]["matchLabels"]
            labels = {key: node if key in _HOST_NAMES else value for key, value in labels.items()}
            policy = {**policy, "spec": {**policy["spec"], "nodeSelector": {"matchLabels": labels}}}
        placed.append(policy)
    return tuple(placed)


def _host_name(policy: Mapping[str, Any]) -> str:
    """The machine that a host policy names; empty if it names none, or several."""
    spec = policy.get("spec") or {}
    labels = (spec.get("nodeSelector") or {}).get("matchLabels") or {}
    names = [str(labels[key]) for key in _HOST_NAMES if key in labels]
    return names[0] if names and not set(names[0]) & set("*,") else ""
