# SPDX-License-Identifier: Apache-2.0
"""Every field of the four kinds is read into the attribute of its name."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from hauberk.policy import calls, models, unenforced
from hauberk.policy.models import Action, Policy

OnePolicy = Callable[..., Policy]

COMMON = "severity: 3, tags: [a, b], message: m, action: Audit"
FROM = "fromSource: [{path: /bin/b}]"
BOTH = "readOnly: true, ownerOnly: true"
SET = {"severity": 3, "tags": ("a", "b"), "message": "m", "action": Action.AUDIT}


def written(model: Any) -> dict[str, object]:
    """The fields of a model that differ from their defaults."""
    return {
        field.name: getattr(model, field.name)
        for field in dataclasses.fields(model)
        if field.init and getattr(model, field.name) not in (None, (), "", False, {})
    }


def test_a_container_policy_has_all_its_fields(one_policy: OnePolicy) -> None:
    policy = one_policy(
        f"""
        selector:
          matchLabels: {{app: web}}
          matchExpressions: [{{key: label, operator: In, values: [a=b]}}]
        process:
          matchPaths: [{{path: /bin/a, ownerOnly: true, pts: false, {FROM}, {COMMON}}}]
          matchDirectories: [{{dir: /bin/, recursive: true, ownerOnly: true, pts: true, {FROM}, {COMMON}}}]
          matchPatterns: [{{pattern: /bin/*, ownerOnly: true, {COMMON}}}]
          severity: 3
          tags: [a, b]
          message: m
          action: Audit
        file:
          matchPaths: [{{path: /a, {BOTH}, pts: false, {FROM}, {COMMON}}}]
          matchDirectories: [{{dir: /a/, recursive: true, {BOTH}, pts: true, {FROM}, {COMMON}}}]
          matchPatterns: [{{pattern: /a/*, {BOTH}, {COMMON}}}]
        network:
          matchProtocols: [{{protocol: 'tcp,UDP', pts: false, {FROM}, {COMMON}}}]
          matchDNSQueries: [{{domain: 'a.b, c.d', {FROM}, {COMMON}}}]
        capabilities:
          matchCapabilities: [{{capability: 'net_raw, chown', {FROM}, {COMMON}}}]
        syscalls:
          severity: 3
          tags: [a, b]
          message: m
          matchSyscalls:
          - {{syscall: [open, bpf], fromSource: [{{path: /bin/b}}, {{dir: /bin/, recursive: true}}]}}
          matchPaths: [{{path: /a/, recursive: true, syscall: [unlink], fromSource: [{{path: /bin/b}}]}}]
        presets: [{{name: exec, action: Audit}}]
        apparmor: deny /x rw,
        severity: 3
        tags: [a, b]
        message: m
        action: Audit
        """
    )
    assert isinstance(policy, models.KubeArmorPolicy)
    spec = policy.spec
    source = {"from_source": (models.Source(path="/bin/b"),)}
    assert spec.selector.match_labels == {"app": "web"}
    assert spec.selector.match_expressions == (
        models.LabelExpression(key="label", operator="In", values=("a=b",)),
    )
    path, directory, pattern = spec.process.rules
    assert written(path) == {"path": "/bin/a", "owner_only": True, **source, **SET}
    assert path.pts is False
    assert written(directory) == {
        "dir": "/bin/",
        "recursive": True,
        "owner_only": True,
        "pts": True,
        **source,
        **SET,
    }
    assert written(pattern) == {"pattern": "/bin/*", "owner_only": True, **SET}
    assert {name: getattr(spec.process, name) for name in SET} == SET
    path, directory, pattern = spec.file.rules
    both = {"read_only": True, "owner_only": True}
    assert written(path) == {"path": "/a", **both, **source, **SET}
    assert written(directory) == {"dir": "/a/", "recursive": True, "pts": True, **both, **source, **SET}
    assert written(pattern) == {"pattern": "/a/*", **both, **SET}
    (protocol,) = spec.network.match_protocols
    assert written(protocol) == {"protocol": "tcp,UDP", **source, **SET}
    assert (protocol.protocols, protocol.pts, protocol.sources) == (("tcp", "udp"), False, ("/bin/b",))
    (query,) = spec.network.match_dns_queries
    assert query.domains == ("a.b", "c.d")
    (capability,) = spec.capabilities.match_capabilities
    assert capability.capabilities == ("net_raw", "chown")
    assert spec.syscalls is not None
    (call,) = spec.syscalls.match_syscalls
    assert call.syscall == ("open", "bpf")
    assert call.from_source[1] == calls.SyscallSource(dir="/bin/", recursive=True)
    (on_path,) = spec.syscalls.match_paths
    assert (on_path.path, on_path.recursive, on_path.syscall) == ("/a/", True, ("unlink",))
    assert spec.presets[0].name == "exec"
    assert spec.apparmor == "deny /x rw,"
    assert {name: getattr(spec, name) for name in SET} == SET


def test_a_cluster_policy_selects_by_expressions(one_policy: OnePolicy) -> None:
    policy = one_policy(
        """
        selector:
          matchExpressions:
          - {key: namespace, operator: NotIn, values: [kube-system]}
          - {key: label, operator: In, values: [a=b]}
        presets: [{name: protectEnv}]
        """,
        kind="KubeArmorClusterPolicy",
    )
    assert isinstance(policy, models.KubeArmorClusterPolicy)
    first, second = policy.spec.selector.match_expressions
    assert (first.key, first.operator, first.values) == ("namespace", "NotIn", ("kube-system",))
    assert second.key == "label"
    assert (policy.namespaced, policy.namespace) == (False, "")


def test_a_host_policy_selects_nodes_and_knows_devices(one_policy: OnePolicy) -> None:
    policy = one_policy(
        f"""
        nodeSelector: {{matchLabels: {{kubernetes.io/hostname: '*'}}}}
        device:
          matchDevice: [{{class: HID, subClass: 1, protocol: 2, level: 3, {COMMON}}}]
          action: Block
        network:
          matchProtocols: [{{protocol: raw, fromSource: [{{path: /bin/b}}]}}]
        """,
        kind="KubeArmorHostPolicy",
    )
    assert isinstance(policy, models.KubeArmorHostPolicy)
    assert policy.spec.node_selector.match_labels == {"kubernetes.io/hostname": "*"}
    assert policy.spec.device is not None
    (device,) = policy.spec.device.match_device
    assert written(device) == {"class_": "HID", "sub_class": 1, "protocol": 2, "level": 3, **SET}
    assert policy.spec.device.action is Action.BLOCK
    assert policy.spec.network.match_protocols[0].pts is None


def test_a_network_policy_has_all_its_fields(one_policy: OnePolicy) -> None:
    rule = (
        "iface: [eth0], ports: [{port: '80', endPort: 90, protocol: TCP}], limit: 5MB, duration: 1h, "
        "tags: [a, b], message: m, action: Audit"
    )
    policy = one_policy(
        f"""
        nodeSelector: {{matchLabels: {{a: b}}}}
        selector: {{matchLabels: {{c: d}}}}
        ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}], severity: 77, {rule}}}]
        egress: [{{to: [{{ipBlock: {{cidr: '::/0'}}}}], {rule}}}]
        level: Pod
        action: Block
        """,
        kind="KubeArmorNetworkPolicy",
    )
    assert isinstance(policy, models.KubeArmorNetworkPolicy)
    (ingress,) = policy.spec.ingress
    assert ingress.from_[0].ip_block.cidr == "10.0.0.0/8"
    assert (ingress.iface, ingress.limit, ingress.duration, ingress.severity) == (("eth0",), "5MB", "1h", 77)
    assert ingress.ports == (unenforced.Port(port="80", end_port=90, protocol="TCP"),)
    (egress,) = policy.spec.egress
    assert egress.to[0].ip_block.cidr == "::/0"
    assert (policy.spec.level, policy.spec.action) == ("Pod", Action.BLOCK)


def test_what_is_not_written_is_empty_and_inherits(one_policy: OnePolicy) -> None:
    policy = one_policy("process: {matchPaths: [{execname: sh}]}")
    assert isinstance(policy, models.KubeArmorPolicy)
    (rule,) = policy.spec.process.match_paths
    assert written(rule) == {"execname": "sh"}
    assert (rule.action, rule.severity, rule.pts, rule.sources) == (None, None, None, ())
    assert written(policy.spec.file) == written(policy.spec.network) == {}
    assert policy.namespace == "default"


def test_a_rule_knows_its_line_and_place(one_policy: OnePolicy) -> None:
    policy = one_policy(
        """
        process:
          matchPaths:
          - path: /a

          - path: /b
        """
    )
    assert isinstance(policy, models.KubeArmorPolicy)
    assert [(rule.line, rule.where) for rule in policy.spec.process.rules] == [
        (7, "spec.process.matchPaths[0]"),
        (9, "spec.process.matchPaths[1]"),
    ]
    assert (policy.file, policy.line) == ("p.yaml", 1)


def test_line_and_place_cannot_be_written_by_a_user(one_fault: Callable[..., object]) -> None:
    assert "`line`" in str(one_fault("file: {matchPaths: [{path: /a, line: 3}]}"))


def test_python_names_are_no_fields(one_fault: Callable[..., object]) -> None:
    assert "did you mean `ownerOnly`?" in str(one_fault("file: {matchPaths: [{path: /a, owner_only: true}]}"))


def test_models_are_frozen_and_small(one_policy: OnePolicy) -> None:
    policy = one_policy("process: {matchPaths: [{execname: sh}]}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.metadata = None
    assert not hasattr(policy.spec, "__dict__")


def test_an_entry_without_a_path_makes_the_sources_everyone() -> None:
    sources = (models.Source(path="/a"), models.Source())
    assert models.FilePath(path="/x", from_source=sources).sources == ()
    assert models.FilePath(path="/x", from_source=sources[:1]).sources == ("/a",)
