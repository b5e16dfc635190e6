# SPDX-License-Identifier: Apache-2.0
"""How the node and its workloads are, in the agent's messages."""

from collections import Counter
from collections.abc import Iterator

from hauberk.agent.control.messages import PolicyRef, RuntimeStatus, Standing, WorkloadStatus
from hauberk.agent.node.member import HOST, Member
from hauberk.agent.node.node import Node, sections_of
from hauberk.enforcers.bpf_lsm.abi import MAX_WORKLOADS
from hauberk.enforcers.protocol import PolicyStatus
from hauberk.rules.model import PolicyId


def ref_of(policy: PolicyId) -> PolicyRef:
    """The name of a policy as messages have it."""
    return PolicyRef(policy.kind, policy.namespace, policy.name)


def reasons_of(status: PolicyStatus) -> tuple[str, ...]:
    return (*status.reasons, *status.caveats)


def workloads(node: Node) -> Iterator[WorkloadStatus]:
    """Containers, then services and the host where policies bind them, or tasks are theirs."""
    members = sorted(node.members, key=lambda each: (each.kind != "container", each.namespace, each.name))
    for member in members:
        if member.container or member.number == HOST or member.statuses or member.unit:
            yield workload_status(node, member)


def workload_status(node: Node, member: Member) -> WorkloadStatus:
    """One workload."""
    found = member.container
    count = node.tally.of(node.identity(member))
    caveats = (*member.caveats, *((member.fault,) if member.fault and not member.statuses else ()))
    return WorkloadStatus(
        name=member.name,
        kind="host" if member.kind == "console" else member.kind,
        namespace=member.namespace if found or member.unit else "",
        id=found.id if found else "",
        runtime=found.runtime if found else "",
        image=found.image if found else "",
        labels=member.labels,
        pid=found.pid if found else 0,
        tasks=node.engine.tasks(member.number),
        state=member.state,
        policies=tuple((ref_of(each.policy), str(each.state), reasons_of(each)) for each in member.statuses),
        caveats=caveats,
        postures=sections_of(node.postures_of(member)),
        refused=count.refused,
        audited=count.audited,
        last_alert=count.last,
    )


def standings(node: Node, ref: PolicyRef) -> Iterator[Standing]:
    """How a policy stands for each workload that it binds."""
    for member in node.members:
        for status in member.statuses:
            if ref_of(status.policy) == ref:
                state = "closed" if member.is_closed else str(status.state)
                yield Standing(member.name, state, (*reasons_of(status), *member.caveats))


def runtimes(node: Node) -> Iterator[RuntimeStatus]:
    """The container runtimes of the node, and how starts of their containers are held."""
    held = node.entrance.gate.held if node.entrance else ()
    counts = Counter(each.container.runtime for each in node.members.containers() if each.container)
    # Podman keeps no records of its own where those of low-level runtimes are: it shows by its containers.
    for name in sorted(counts.keys() | node.starts.runtimes.present().keys()):
        yield RuntimeStatus(name, "gate" if held else "none", " ".join(held), counts[name])


def room(node: Node) -> dict[str, tuple[int, int]]:
    """How much is taken, and how much there is room for."""
    members = sum(1 for _ in node.members)
    return {"workloads": (members, MAX_WORKLOADS), **node.engine.room()}
