# SPDX-License-Identifier: Apache-2.0
"""Warnings: valid, but surely not what was wanted."""

from collections.abc import Callable

import pytest

from hauberk.policy.faults import Fault
from hauberk.policy.load import Loaded, load_text

OneFault = Callable[..., Fault]
RULE = "process: {matchPaths: [{path: /a}]}"
HOST = "nodeSelector: {matchLabels: {a: b}}"


@pytest.mark.parametrize(
    ("spec", "kind", "field", "message"),
    [
        ("{}", "KubeArmorPolicy", "spec", "the policy has no rules"),
        ("file: {matchPaths: []}", "KubeArmorPolicy", "spec", "the policy has no rules"),
        (f"nodeSelector: {{}}\n{RULE}", "KubeArmorHostPolicy", "spec.nodeSelector", "selects no node"),
        (
            f"nodeSelector: {{matchLabels: {{}}}}\n{RULE}",
            "KubeArmorHostPolicy",
            "spec.nodeSelector",
            "selects no node",
        ),
        (
            "syscalls: {matchPaths: [{syscall: [unlink, getpid], path: /a}]}",
            "KubeArmorPolicy",
            "spec.syscalls.matchPaths[0].syscall",
            "getpid: such a call is given no path",
        ),
        (
            "syscalls: {matchPaths: [{syscall: [unlink]}]}",
            "KubeArmorPolicy",
            "spec.syscalls.matchPaths[0].path",
            "speaks of every path",
        ),
        (
            "syscalls: {matchSyscalls: [{fromSource: [{path: /a}]}]}",
            "KubeArmorPolicy",
            "spec.syscalls.matchSyscalls[0].syscall",
            "names no system call",
        ),
        ("egress: []", "KubeArmorNetworkPolicy", "spec.nodeSelector", "selects nothing"),
        (
            f"{HOST}\nnetwork: {{matchProtocols: [{{protocol: tcp}}]}}",
            "KubeArmorHostPolicy",
            "spec.network.matchProtocols[0].fromSource",
            "KubeArmor requires fromSource here",
        ),
        (
            f"{HOST}\ncapabilities: {{matchCapabilities: [{{capability: chown}}]}}",
            "KubeArmorHostPolicy",
            "spec.capabilities.matchCapabilities[0].fromSource",
            "KubeArmor requires fromSource here",
        ),
        (
            "process: {matchPaths: [{path: /a, fromSource: [{path: /b}, {}]}]}",
            "KubeArmorPolicy",
            "spec.process.matchPaths[0].fromSource",
            "stands for every program",
        ),
        (
            "process: {matchPaths: [{path: /a, execname: b}]}",
            "KubeArmorPolicy",
            "spec.process.matchPaths[0].path",
            "execname wins",
        ),
        (
            "process: {matchPaths: [{path: /a/*}]}",
            "KubeArmorPolicy",
            "spec.process.matchPaths[0].path",
            "no special meaning",
        ),
        (
            "file: {matchDirectories: [{dir: /*/a/}]}",
            "KubeArmorPolicy",
            "spec.file.matchDirectories[0].dir",
            "no special meaning",
        ),
        (
            f"selector: {{matchExpressions: [{{key: label, operator: In}}]}}\n{RULE}",
            "KubeArmorPolicy",
            "spec.selector.matchExpressions[0].values",
            "matches nothing",
        ),
        (
            f"selector: {{matchExpressions: [{{key: label, operator: NotIn, values: []}}]}}\n{RULE}",
            "KubeArmorPolicy",
            "spec.selector.matchExpressions[0].values",
            "excludes nothing",
        ),
        (
            f"selector: {{matchExpressions: [{{key: label, operator: In, values: [app]}}]}}\n{RULE}",
            "KubeArmorClusterPolicy",
            "spec.selector.matchExpressions[0].values",
            "`app` matches no label",
        ),
        (
            "presets: [{name: filelesExec}]",
            "KubeArmorPolicy",
            "spec.presets[0].name",
            "there is no preset `filelesExec`",
        ),
        ("presets: [{name: exec, action: Allow}]", "KubeArmorPolicy", "spec.presets[0].action", "blocks"),
    ],
)
def test_a_policy_that_surely_means_something_else_is_warned_about(
    spec: str, kind: str, field: str, message: str, one_warning: OneFault
) -> None:
    warning = one_warning(spec, kind)
    assert warning.field == field
    assert message in warning.message


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (RULE, "KubeArmorPolicy"),
        (f"selector: {{}}\n{RULE}", "KubeArmorPolicy"),
        (RULE, "KubeArmorClusterPolicy"),
        ("apparmor: deny /x rw,", "KubeArmorPolicy"),
        (f"{HOST}\n{RULE}", "KubeArmorHostPolicy"),
        ("selector: {matchLabels: {a: b}}", "KubeArmorNetworkPolicy"),
    ],
)
def test_an_ordinary_policy_is_not(spec: str, kind: str, one_policy: Callable[..., object]) -> None:
    assert one_policy(spec, kind)


def _with_metadata(metadata: str, kind: str = "KubeArmorPolicy") -> Loaded:
    return load_text(
        f"apiVersion: security.kubearmor.com/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{RULE}}}\n"
    )


@pytest.mark.parametrize("name", ["Upper", "under_score", "-a", "a" * 254])
def test_a_name_that_kubernetes_refuses_is_warned_about(name: str) -> None:
    loaded = _with_metadata(f"name: {name}")
    assert len(loaded.policies) == 1
    assert [(warning.line, warning.column, warning.field) for warning in loaded.warnings] == [
        (3, 18, "metadata.name")
    ]


def test_a_namespace_where_there_is_none_is_warned_about() -> None:
    loaded = _with_metadata("name: a, namespace: b", "KubeArmorClusterPolicy")
    assert [warning.field for warning in loaded.warnings] == ["metadata.namespace"]
    assert loaded.policies[0].namespace == ""


@pytest.mark.parametrize(
    "metadata", ["", "name: ''", "name: ", 'name: "a\\nb"', "name: 5", "generateName: a-"]
)
def test_a_policy_needs_a_name(metadata: str) -> None:
    loaded = _with_metadata(metadata)
    assert loaded.policies == ()
    assert [fault.field for fault in loaded.faults] == ["metadata.name"]
