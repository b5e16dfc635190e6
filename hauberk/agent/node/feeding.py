# SPDX-License-Identifier: Apache-2.0
"""What the node tells its feeder: what it has to serve, and which workloads there are."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hauberk.agent.config.settings import Settings
from hauberk.agent.control.peer import group_number
from hauberk.agent.control.place import own_directory
from hauberk.agent.feeder.wire import Change, Feeding, Grpc
from hauberk.agent.node.member import Member
from hauberk.agent.node.members import Members
from hauberk.errors import HauberkError
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
        kinds=tuple(
            kind
            for kind, binds in (
                ("KubeArmorPolicy", settings.container_policy),
                ("KubeArmorHostPolicy", settings.host_policy),
            )
            if binds
        ),
    )


def grpc_socket(settings: Settings) -> Path:
    """Where gRPC listens on a unix socket: beside where commands ask the agent."""
    return Path(settings.socket).parent / "grpc" / "hauberk.sock"


def own_grpc_directory(settings: Settings) -> None:
    """Have the directory of that socket, which root and the agent's group can enter. Raises HauberkError.

    The feeder, which may do nothing but what its user owns, cannot give a socket to the group.
    """
    directory = grpc_socket(settings).parent
    own_directory(directory, 0o700)
    group = group_number(settings.socket_group)
    try:
        os.chown(directory, -1, group if group is not None else os.getegid())
        directory.chmod(0o750 if group is not None else 0o700)
    except OSError as error:
        raise HauberkError(f"giving {directory} to its group: {error.strerror}") from error


def remove_grpc_directory(settings: Settings) -> None:
    """Take that away again."""
    grpc_socket(settings).unlink(missing_ok=True)
    with suppress(OSError):
        grpc_socket(settings).parent.rmdir()


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
