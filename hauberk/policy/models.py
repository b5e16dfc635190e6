# SPDX-License-Identifier: Apache-2.0
"""The four kinds of policy documents, field by field as KubeArmor defines them.

Attribute names are the YAML names in snake case, with an underscore after them where Python has that word for
itself. The classes of the sections and their rules are importable from here.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic.dataclasses import dataclass

from hauberk.policy.calls import Syscalls
from hauberk.policy.fields import Action, ObjectName, Text, one_of
from hauberk.policy.sections import (
    CONFIG,
    Capabilities,
    CapabilityRule,
    DnsRule,
    Element,
    File,
    FileDirectory,
    FilePath,
    FilePattern,
    HostNetwork,
    Inherited,
    Network,
    Process,
    ProcessDirectory,
    ProcessPath,
    ProcessPattern,
    ProtocolRule,
    Rule,
    Source,
    SourcedRule,
)
from hauberk.policy.unenforced import Device, EgressRule, IngressRule, Preset

API_VERSION: Final = "security.kubearmor.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class LabelExpression(Element):
    """`label In [k=v, ...]` or `label NotIn [...]`."""

    key: Annotated[Text, one_of("label")]
    operator: Annotated[Literal["In", "NotIn"], one_of("In", "NotIn")]
    values: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ClusterExpression(LabelExpression):
    """A label expression, or `namespace In [...]` or `namespace NotIn [...]`."""

    key: Annotated[Text, one_of("namespace", "label")]


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Selector(Element):
    """Which workloads of a namespace; an empty one selects them all."""

    match_labels: dict[str, Text] = field(default_factory=dict, hash=False)
    match_expressions: tuple[LabelExpression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ClusterSelector(Element):
    """Which workloads of the cluster; an empty one selects them all."""

    match_expressions: tuple[ClusterExpression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class NodeSelector(Element):
    """Which nodes; an empty one selects none."""

    match_labels: dict[str, Text] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class CommonSpec(Inherited):
    """What container, cluster and host policies have in common."""

    process: Process = field(default_factory=Process)
    file: File = field(default_factory=File)
    capabilities: Capabilities = field(default_factory=Capabilities)
    syscalls: Syscalls | None = None
    apparmor: Text = ""
    apparmor_line: int = field(default=0, init=False, compare=False)
    """Line of the `apparmor` field."""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ContainerSpec(CommonSpec):
    """The spec of a KubeArmorPolicy."""

    selector: Selector = field(default_factory=Selector)
    network: Network = field(default_factory=Network)
    presets: tuple[Preset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class ClusterSpec(CommonSpec):
    """The spec of a KubeArmorClusterPolicy."""

    selector: ClusterSelector = field(default_factory=ClusterSelector)
    network: Network = field(default_factory=Network)
    presets: tuple[Preset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class HostSpec(CommonSpec):
    """The spec of a KubeArmorHostPolicy."""

    node_selector: NodeSelector
    network: HostNetwork = field(default_factory=HostNetwork)
    device: Device | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class NetworkPolicySpec(Inherited):
    """The spec of a KubeArmorNetworkPolicy."""

    node_selector: NodeSelector | None = None
    selector: NodeSelector | None = None
    ingress: tuple[IngressRule, ...] = ()
    egress: tuple[EgressRule, ...] = ()
    level: Annotated[Text, one_of("Pod", "Policy", "pod", "policy")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Metadata(Element):
    """The part of Kubernetes' object metadata that matters here; the rest is accepted and not kept."""

    name: ObjectName
    namespace: Text = ""
    labels: dict[str, Text] = field(default_factory=dict, hash=False)
    annotations: dict[str, Text] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class Document(Element):
    """What all four kinds have in common."""

    namespaced: ClassVar[bool] = False

    metadata: Metadata
    api_version: Literal["security.kubearmor.com/v1"] = "security.kubearmor.com/v1"
    file: str = field(default="", init=False, compare=False)
    """The file that the policy was read from."""
    line: int = field(default=0, init=False, compare=False)
    """Line of that file on which the document begins."""

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """The policy's namespace; empty for kinds that have none."""
        return (self.metadata.namespace or "default") if self.namespaced else ""


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class KubeArmorPolicy(Document):
    """Binds workloads of its namespace."""

    namespaced: ClassVar[bool] = True

    kind: Literal["KubeArmorPolicy"] = "KubeArmorPolicy"
    spec: ContainerSpec = field(default_factory=ContainerSpec)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class KubeArmorClusterPolicy(Document):
    """Binds workloads of several namespaces."""

    kind: Literal["KubeArmorClusterPolicy"] = "KubeArmorClusterPolicy"
    spec: ClusterSpec = field(default_factory=ClusterSpec)


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class KubeArmorHostPolicy(Document):
    """Binds the host's own processes."""

    kind: Literal["KubeArmorHostPolicy"] = "KubeArmorHostPolicy"
    spec: HostSpec


@dataclass(frozen=True, slots=True, kw_only=True, config=CONFIG)
class KubeArmorNetworkPolicy(Document):
    """Filters packets. It is read, but not enforced by this version."""

    kind: Literal["KubeArmorNetworkPolicy"] = "KubeArmorNetworkPolicy"
    spec: NetworkPolicySpec


Policy: TypeAlias = KubeArmorPolicy | KubeArmorClusterPolicy | KubeArmorHostPolicy | KubeArmorNetworkPolicy
"""Any policy document."""

KINDS: Final[dict[str, type[Policy]]] = {
    kind.__name__: kind
    for kind in (KubeArmorPolicy, KubeArmorClusterPolicy, KubeArmorHostPolicy, KubeArmorNetworkPolicy)
}
"""The models by kind."""

__all__ = [
    "API_VERSION",
    "KINDS",
    "Action",
    "Capabilities",
    "CapabilityRule",
    "ClusterExpression",
    "ClusterSelector",
    "ClusterSpec",
    "CommonSpec",
    "ContainerSpec",
    "DnsRule",
    "Document",
    "File",
    "FileDirectory",
    "FilePath",
    "FilePattern",
    "HostNetwork",
    "HostSpec",
    "KubeArmorClusterPolicy",
    "KubeArmorHostPolicy",
    "KubeArmorNetworkPolicy",
    "KubeArmorPolicy",
    "LabelExpression",
    "Metadata",
    "Network",
    "NetworkPolicySpec",
    "NodeSelector",
    "Policy",
    "Process",
    "ProcessDirectory",
    "ProcessPath",
    "ProcessPattern",
    "ProtocolRule",
    "Rule",
    "Selector",
    "Source",
    "SourcedRule",
]
