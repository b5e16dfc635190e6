# SPDX-License-Identifier: Apache-2.0
"""Which policies bind which of the agent's workloads (`jobs.Facts` says it in words)."""

from hauberk.agent.compiler.jobs import UNIT_LABEL, UNIT_NAMESPACE, Facts
from hauberk.agent.control.messages import PolicyRef
from hauberk.policy.models import KubeArmorClusterPolicy, KubeArmorHostPolicy, Policy
from hauberk.rules.select import Workload, selects


def binds(policy: Policy, facts: Facts) -> bool:
    """Whether `policy` binds the workload."""
    match facts.kind:
        case "container":
            return selects(policy, Workload(facts.namespace, facts.labels, facts.name))
        case "host":
            return _selects_node(policy, facts)
        case "unit":
            if isinstance(policy, KubeArmorHostPolicy):
                return _selects_node(policy, facts)
            if isinstance(policy, KubeArmorClusterPolicy) and not _names_units(policy):
                return False
            labels = {**facts.labels, UNIT_LABEL: facts.name}
            return selects(policy, Workload(UNIT_NAMESPACE, labels, facts.name))
        case "console":
            return ref_of(policy) in facts.forced and _selects_node(policy, facts)


def ref_of(policy: Policy) -> PolicyRef:
    """What makes the policy unique."""
    return PolicyRef(policy.kind, policy.namespace, policy.name)


def _selects_node(policy: Policy, facts: Facts) -> bool:
    return selects(policy, Workload(None, facts.node_labels, "", facts.node))


def _names_units(policy: KubeArmorClusterPolicy) -> bool:
    return any(
        expression.key == "namespace" and expression.operator == "In" and UNIT_NAMESPACE in expression.values
        for expression in policy.spec.selector.match_expressions
    )
