# SPDX-License-Identifier: Apache-2.0
"""What is read but not enforced is listed, rule by rule."""

from collections.abc import Callable

from hauberk.policy.degraded import Degradation, degradations
from hauberk.policy.models import Policy

OnePolicy = Callable[..., Policy]


def test_every_rule_that_is_not_enforced_is_named_with_its_line(one_policy: OnePolicy) -> None:
    policy = one_policy(
        """
        apparmor: deny /x rw,
        process:
          matchPaths:
          - path: /a
          - {path: /b, allowedArgs: [x]}
        network:
          matchProtocols: [{protocol: tcp}]
          matchDNSQueries:
          - domain: a.b
          - domain: c.d
        presets:
        - {name: exec}
        """
    )
    assert degradations(policy) == [
        Degradation(field, line, f"{field} is not enforced by this version")
        for field, line in [
            ("spec.apparmor", 5),
            ("spec.process.matchPaths[1].allowedArgs", 9),
            ("spec.network.matchDNSQueries[0]", 13),
            ("spec.network.matchDNSQueries[1]", 14),
            ("spec.presets[0]", 16),
        ]
    ]


def test_device_rules_of_a_host_policy_are_not_enforced(one_policy: OnePolicy) -> None:
    policy = one_policy(
        "{nodeSelector: {matchLabels: {a: b}}, device: {matchDevice: [{class: HID}]}}", "KubeArmorHostPolicy"
    )
    assert [degradation.field for degradation in degradations(policy)] == ["spec.device.matchDevice[0]"]


def test_a_network_policy_is_not_enforced_as_a_whole(one_policy: OnePolicy) -> None:
    policy = one_policy("selector: {matchLabels: {a: b}}", "KubeArmorNetworkPolicy")
    assert degradations(policy) == [
        Degradation("KubeArmorNetworkPolicy", 1, "KubeArmorNetworkPolicy is not enforced by this version")
    ]


def test_what_is_enforced_is_not_listed(one_policy: OnePolicy) -> None:
    policy = one_policy(
        """
        process: {matchPaths: [{path: /a, pts: false, ownerOnly: true}], matchPatterns: [{pattern: /a*}]}
        file: {matchDirectories: [{dir: /a/, recursive: true, readOnly: true}]}
        network: {matchProtocols: [{protocol: 'tcp,raw'}]}
        capabilities: {matchCapabilities: [{capability: net_raw}]}
        syscalls: {matchSyscalls: [{syscall: [mount]}]}
        """
    )
    assert degradations(policy) == []


def test_a_call_that_the_architecture_does_not_have_is_named_with_its_rule(one_policy: OnePolicy) -> None:
    policy = one_policy(
        """
        syscalls:
          matchSyscalls: [{syscall: [unlinkat, unlink]}]
          matchPaths:
          - {path: /x, syscall: [rmdir]}
        """
    )
    assert degradations(policy, "x86_64") == []
    assert degradations(policy, "aarch64") == [
        Degradation(field, line, f"the syscall {name} does not exist on this machine's architecture")
        for field, line, name in [
            ("spec.syscalls.matchSyscalls[0].syscall", 6, "unlink"),
            ("spec.syscalls.matchPaths[0].syscall", 8, "rmdir"),
        ]
    ]
