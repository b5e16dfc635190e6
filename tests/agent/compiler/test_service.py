# SPDX-License-Identifier: Apache-2.0
"""Reading policies and choosing them for workloads."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hauberk.agent.compiler.jobs import UNIT_NAMESPACE, Facts
from hauberk.agent.compiler.service import Service
from hauberk.agent.control.messages import PolicyRef
from hauberk.errors import HauberkError
from hauberk.rules.model import Posture, Postures, Section
from hauberk.workloads.containers.model import DEFAULT_NAMESPACE

from .make import NODE, host_policy, on_node, policy, source, web

UNIT = on_node("unit", name="nginx.service")
BY_UNIT = "selector: {matchLabels: {hauberk.io/systemd-unit: nginx.service}}"
CLUSTER = "KubeArmorClusterPolicy"


@pytest.fixture
def service() -> Service:
    return Service(os.getpid(), ())


def bound(service: Service, facts: Facts) -> set[str]:
    return {each.policy.name for each in service._chosen(facts)}


def test_each_policy_comes_with_its_own_text_and_warnings(service: Service) -> None:
    second = policy("Odd").replace("path:", "ownerOnly: true, path:") + "  # odd\n"
    third = policy("calls", "network: {matchDNSQueries: [{domain: a.org}]}")
    checked = service.check([source(f"{policy('plain')}---\n{second}---\n{third}")])
    assert checked.faults == ()
    plain, odd, calls = checked.policies
    assert plain.ref == PolicyRef("KubeArmorPolicy", DEFAULT_NAMESPACE, "plain")
    assert (plain.text, plain.warnings) == (policy("plain"), ())
    assert odd.text == second
    (warning,) = odd.warnings
    assert warning.startswith("p.yaml:10:18: metadata.name: Kubernetes refuses the name `Odd`")
    assert calls.warnings == ("p.yaml:21: spec.network.matchDNSQueries[0] is not enforced by this version",)
    assert len({each.digest for each in checked.policies}) == 3


def test_all_faults_are_told_with_their_places_and_nothing_is_put_in_use(service: Service) -> None:
    service.use([source(policy("a"))])
    texts = [source(policy("b").replace("path:", "pth:"), "b.yaml"), source("kind: [", "c.yaml")]
    checked = service.check([*texts, source(policy("d"), "d.yaml")])
    assert {fault.partition(":")[0] for fault in checked.faults} == {"b.yaml", "c.yaml"}
    assert [each.ref.name for each in checked.policies] == ["d"]
    with pytest.raises(HauberkError, match=r"(?s)b\.yaml:6.*c\.yaml:2"):
        service.use(texts)
    assert bound(service, web()) == {"a"}


def test_two_policies_of_one_name_are_a_fault_even_if_one_names_the_namespace(service: Service) -> None:
    twice = [source(policy("a"), "1.yaml"), source(policy("a", namespace=DEFAULT_NAMESPACE), "2.yaml")]
    (fault,) = service.check(twice).faults
    assert fault.startswith("2.yaml:1:1: metadata.name: there is already a KubeArmorPolicy of this name")


def test_the_digest_is_of_the_text_and_the_fingerprint_of_its_place_too(service: Service) -> None:
    """Alerts tell lines, so a policy that has moved in its file is compiled anew."""
    (one,) = service.check([source(policy("a"))]).policies
    (other,) = service.check([source("\n" + policy("a"))]).policies
    assert one.digest == other.digest
    service.use([source(policy("a"))])
    before = service.choose([web()])
    service.use([source("\n" + policy("a"))])
    assert service.choose([web()]) != before


@pytest.mark.parametrize(
    ("text", "facts", "binds"),
    [
        (policy("p"), web(), True),
        (policy("p"), web(labels={"app": "db"}), False),
        (policy("p"), web(namespace="shop"), False),
        (policy("p", namespace="shop"), web(namespace="shop"), True),
        (policy("p", namespace="shop"), web(), False),
        (policy("p", selector="selector: {matchLabels: {kubearmor.io/container.name: w.*}}"), web(), True),
        (policy("p", kind=CLUSTER, selector="selector: {}"), web(namespace="shop"), True),
        (host_policy("p"), web(), False),
        (host_policy("p"), on_node("host"), True),
        (policy("p", namespace=UNIT_NAMESPACE, selector="selector: {}"), on_node("host"), False),
        (policy("p", kind=CLUSTER, selector="selector: {}"), on_node("host"), False),
        (host_policy("p"), UNIT, True),
        (policy("p", namespace=UNIT_NAMESPACE, selector=BY_UNIT), UNIT, True),
        (policy("p", namespace=UNIT_NAMESPACE, selector=BY_UNIT), replace(UNIT, name="sshd.service"), False),
        (policy("p", selector=BY_UNIT), UNIT, False),
        (policy("p", kind=CLUSTER, selector="selector: {}"), UNIT, False),
        (
            policy(
                "p",
                kind=CLUSTER,
                selector="selector: {matchExpressions: [{key: namespace, operator: In, values: [host]}]}",
            ),
            UNIT,
            True,
        ),
        (host_policy("p"), on_node("console", name="getty@tty1.service"), False),
        (
            host_policy("p"),
            on_node("console", forced=(PolicyRef("KubeArmorHostPolicy", "", "p"),)),
            True,
        ),
        (
            policy("p", namespace=UNIT_NAMESPACE, selector="selector: {}"),
            on_node("console", forced=(PolicyRef("KubeArmorPolicy", UNIT_NAMESPACE, "p"),)),
            False,
        ),
    ],
)
def test_a_policy_binds_what_its_kind_speaks_of(
    service: Service, text: str, facts: Facts, binds: bool
) -> None:
    service.use([source(text)])
    assert bound(service, facts) == ({"p"} if binds else set())


def test_a_host_policy_picks_nodes_by_their_labels(service: Service) -> None:
    selector = "nodeSelector: {matchLabels: {zone: a}}"
    service.use([source(policy("p", kind="KubeArmorHostPolicy", selector=selector))])
    assert bound(service, on_node("host", node_labels={"zone": "a"})) == {"p"}
    assert bound(service, on_node("host", node_labels={"zone": "b"})) == set()


def test_what_nothing_binds_and_nobody_wants_to_see_needs_nothing(service: Service) -> None:
    service.use([source(policy("a"))])
    assert service.choose([web(labels={}), web(labels={}, visible=(Section.FILE,))])[0] == ""
    assert service.choose([web(labels={}, visible=(Section.FILE,))]) != [""]


@pytest.mark.parametrize(
    "changes",
    [
        {"postures": Postures(file=Posture.BLOCK)},
        {"visible": (Section.NETWORK,)},
        {"base_set": False},
        {"guarded": False},
        {"labels": {"app": "web", "tier": "front"}},
    ],
)
def test_all_that_the_rules_depend_on_is_in_the_fingerprint(
    service: Service, changes: dict[str, object]
) -> None:
    service.use([source(policy("a")), source(policy("b", selector="selector: {matchLabels: {tier: front}}"))])
    one, other = service.choose([web(), web(**changes)])
    assert one != other


@settings(max_examples=30, deadline=None)
@given(
    st.permutations(["a", "b", "c"]),
    st.lists(st.sampled_from(["app", "x", "y"]), unique=True),
    st.integers(3, 100),
)
def test_neither_the_order_of_arrival_nor_who_the_workload_is_matters(
    order: list[str], labels: list[str], number: int
) -> None:
    service = Service(os.getpid(), ())
    service.use([source(policy(name), f"{name}.yaml") for name in "abc"])
    given = dict.fromkeys(labels, "web") | {"app": "web"}
    before = service.choose([web(labels=given)])
    service.use([source(policy(name), f"{name}.yaml") for name in order])
    backwards = dict(reversed(given.items()))
    assert service.choose([web(labels=backwards, number=number, pid=number)]) == before


def test_another_policy_that_does_not_bind_it_changes_nothing(service: Service) -> None:
    service.use([source(policy("a"))])
    before = service.choose([web(), on_node("host", node=NODE)])
    service.use([source(policy("a")), source(host_policy("h"), "h.yaml")])
    after = service.choose([web(), on_node("host", node=NODE)])
    assert (after[0], before[1]) == (before[0], "")
    assert after[1] != ""
