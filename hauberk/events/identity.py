# SPDX-License-Identifier: Apache-2.0
"""Who a workload is, and which rule decided, in the words of alerts."""

from collections.abc import Mapping
from typing import Self

import msgspec

from hauberk.rules.model import PolicyId, Rule
from hauberk.rules.syscalls import Calls


class PodOwner(msgspec.Struct, frozen=True):
    """What made the pod: `Ref` is the kind (`Deployment`)."""

    Ref: str = ""
    Name: str = ""
    Namespace: str = ""


class WorkloadIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an alert says about the workload. What is not known stays empty and is left out.

    `is_host`: the workload is the host itself, so alerts are of KubeArmor's host types.
    """

    cluster_name: str = ""
    host_name: str = ""
    node_id: str = ""
    namespace: str = ""
    pod_name: str = ""
    labels: Mapping[str, str] = {}
    container_id: str = ""
    container_name: str = ""
    container_image: str = ""
    owner: PodOwner | None = None
    is_host: bool = False


class RuleIdentity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What alerts say of a rule: enough when what it means has been compiled. Of a rule about system calls
    also what it means, as only alerts go by it."""

    policy: PolicyId
    where: str
    line: int
    severity: int
    tags: tuple[str, ...]
    message: str
    calls: Calls | None = None

    @classmethod
    def of(cls, rule: Rule) -> Self:
        calls = rule.target if isinstance(rule.target, Calls) else None
        return cls(rule.policy, rule.where, rule.line, rule.severity, rule.tags, rule.message, calls)
