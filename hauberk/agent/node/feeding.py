# SPDX-License-Identifier: Apache-2.0
"""What the node tells its feeder: what it has to serve, and which workloads there are."""

from collections.abc import Iterator
from pathlib import Path

from hauberk.agent.config.settings import Settings
from hauberk.agent.feeder.wire import Change, Feeding, Grpc
from hauberk.agent.node.member import Member
from hauberk.agent.node.members import Members
from hauberk.events.throttle import Throttling


def feeding_of(settings: Settings) -> Feeding:
    """What the settings have served."""
    return Feeding(
        cluster=settings.cluster,
        node_name=settings.node_name,
        socket=settings.socket,
        state_directory=settings.state_directory,
        metrics=settings.metrics,
        forward=settings.also_to,
        hashes=settings.hashes,
        throttling=Throttling(settings.max_alerts, settings.throttle_seconds)
        if settings.throttling
        else None,
        socket_group=settings.socket_group,
        history_mib=settings.history_mib,
        grpc=_grpc_of(settings),
    )


def _grpc_of(settings: Settings) -> Grpc | None:
    if not settings.grpc_port:
        return None
    return Grpc(
        address=settings.grpc_address,
        port=settings.grpc_port,
        health_port=settings.grpc_health_port,
        certificates=settings.tls_directory if settings.tls_enabled else "",
        socket=str(grpc_socket(settings)),
        group=settings.socket_group,
    )


def grpc_socket(settings: Settings) -> Path:
    """Where gRPC listens on a unix socket: beside where commands ask the agent."""
    return Path(settings.socket).parent / "grpc" / "hauberk.sock"


def change_of(member: Member, what: str) -> Change | None:
    """What is told of a member, if it is a container."""
    found = member.container
    if found is None:
        return None
    return Change(what, member.namespace, member.name, found.id, found.image, member.labels, found.pid)


def workloads(members: Members) -> Iterator[Change]:
    """All that are there."""
    for member in members:
        if change := change_of(member, "added"):
            yield change
