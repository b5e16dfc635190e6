# SPDX-License-Identifier: Apache-2.0
"""Which policies bind which workloads, and what to say when none does."""

from typing import Any

import pytest

from hauberk.policy import models
from hauberk.rules.select import Workload, select, selects, unselected_message


def ksp(namespace: str = "default", **selector: Any) -> models.KubeArmorPolicy:
    return models.KubeArmorPolicy(
        metadata=models.Metadata(name="p", namespace=namespace),
        spec=models.ContainerSpec(selector=models.Selector(**selector)),
    )


def csp(*expressions: tuple[str, str, tuple[str, ...]]) -> models.KubeArmorClusterPolicy:
    written = tuple(models.ClusterExpression(key=k, operator=o, values=v) for k, o, v in expressions)  # type: ignore[arg-type]
    return models.KubeArmorClusterPolicy(
        metadata=models.Metadata(name="c"),
        spec=models.ClusterSpec(selector=models.ClusterSelector(match_expressions=written)),
    )


def hsp(**labels: str) -> models.KubeArmorHostPolicy:
    named = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    return models.KubeArmorHostPolicy(
        metadata=models.Metadata(name="h"),
        spec=models.HostSpec(node_selector=models.NodeSelector(match_labels=named)),
    )


def labels(operator: str, *values: str) -> models.LabelExpression:
    return models.LabelExpression(key="label", operator=operator, values=values)  # type: ignore[arg-type]


WEB = Workload("default", {"app": "web", "tier": "front"}, "nginx")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ksp(), True),
        (ksp("other"), False),
        (ksp(match_labels={"app": "web"}), True),
        (ksp(match_labels={"app": "web", "tier": "front"}), True),
        (ksp(match_labels={"app": "web", "tier": "back"}), False),
        (ksp(match_labels={"app": "wev"}), False),
        (ksp(match_expressions=(labels("In", "app=x", "app=web"),)), True),
        (ksp(match_expressions=(labels("In", "app=x"),)), False),
        (ksp(match_expressions=(labels("In"),)), False),
        (ksp(match_expressions=(labels("NotIn", "app=x"),)), True),
        (ksp(match_expressions=(labels("NotIn", "app=x", "app=web"),)), False),
        (ksp(match_expressions=(labels("In", "app=web"), labels("NotIn", "tier=front"))), False),
        (ksp(match_expressions=(labels("NotIn", "tier=back"), labels("In", "app=x"))), False),
        (ksp(match_labels={"app": "web"}, match_expressions=(labels("In", "app=x"),)), False),
    ],
)
def test_a_namespaced_policy_binds_workloads_of_its_namespace_with_all_its_labels(
    policy: models.Policy, expected: bool
) -> None:
    assert select(policy, WEB).selected is expected
    assert selects(policy, WEB) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[nginx]", True),
        ("[sidecar, nginx]", True),
        ("[sidecar]", False),
        ("[]", True),
        ("", True),
        ("nginx", True),
        ("ngin", False),
        ("ng.*", True),
        ("x|nginx", True),
        ("ngin(", False),
    ],
)
def test_the_container_name_is_a_bracket_list_or_an_expression(value: str, expected: bool) -> None:
    assert select(ksp(match_labels={"kubearmor.io/container.name": value}), WEB).selected is expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (csp(), True),
        (csp(("namespace", "In", ("default", "x"))), True),
        (csp(("namespace", "In", ("x",))), False),
        (csp(("namespace", "NotIn", ("x",))), True),
        (csp(("namespace", "NotIn", ("default",))), False),
        (csp(("namespace", "In", ("default",)), ("label", "In", ("app=web",))), True),
        (csp(("namespace", "In", ("default",)), ("label", "In", ("app=x",))), False),
        (csp(("label", "NotIn", ("app=web",))), False),
    ],
)
def test_a_cluster_policy_binds_workloads_of_the_namespaces_that_it_leaves(
    policy: models.Policy, expected: bool
) -> None:
    assert select(policy, WEB).selected is expected
    assert selects(policy, WEB) is expected


NODE = Workload(None, {"arch": "amd64"}, node="node-7")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (hsp(), False),
        (hsp(kubearmor_io__hostname="node-7"), True),
        (hsp(kubernetes_io__hostname="node-1, node-7"), True),
        (hsp(kubearmor_io__hostname="*"), True),
        (hsp(kubearmor_io__hostname="node-*"), False),
        (hsp(kubearmor_io__hostnamereg="node-*"), True),
        (hsp(kubearmor_io__hostnamereg="node-?"), False),
        (hsp(kubearmor_io__hostname="node-7", arch="amd64"), True),
        (hsp(kubearmor_io__hostname="node-7", arch="arm64"), False),
    ],
)
def test_a_host_policy_binds_nodes(policy: models.Policy, expected: bool) -> None:
    assert select(policy, NODE).selected is expected
    assert selects(policy, NODE) is expected


def test_a_host_policy_binds_no_container_and_a_container_policy_no_host() -> None:
    assert not select(hsp(kubearmor_io__hostname="*"), WEB).selected
    assert not select(ksp(), NODE).selected
    assert not select(csp(), NODE).selected


def test_the_message_names_the_labels_that_came_nearest() -> None:
    workload = Workload("default", {"app": "wev"})
    selections = [
        select(policy, workload)
        for policy in (
            ksp("far", match_labels={"app": "database", "tier": "back"}),
            ksp(match_labels={"app": "web"}),
            ksp(match_labels={"app": "database"}),
        )
    ]
    assert unselected_message(selections) == (
        "none of these policies selects this workload; nearest: KubeArmorPolicy default/p "
        "wants app=web, the workload has app=wev"
    )


@pytest.mark.parametrize(
    ("policy", "workload", "words"),
    [
        (ksp("other"), WEB, "wants namespace other, the workload has namespace default"),
        (ksp(match_labels={"aap": "web"}), WEB, "wants aap=web, the workload has app=web"),
        (ksp(match_labels={"x": "y"}), Workload("default"), "wants x=y, the workload has no labels"),
        (
            ksp(match_labels={"kubearmor.io/container.name": "[a]"}),
            WEB,
            "wants kubearmor.io/container.name=[a], the workload has container name nginx",
        ),
        (hsp(kubearmor_io__hostname="n"), NODE, "the workload has kubearmor.io/hostname=node-7"),
        (hsp(), NODE, "an empty nodeSelector selects no node"),
        (csp(("namespace", "NotIn", ("default",))), WEB, "wants a namespace other than default"),
        (ksp(match_expressions=(labels("NotIn", "app=web"),)), WEB, "wants no label app=web"),
    ],
)
def test_a_miss_says_what_was_wanted_and_what_there_is(
    policy: models.Policy, workload: Workload, words: str
) -> None:
    assert words in str(select(policy, workload))
