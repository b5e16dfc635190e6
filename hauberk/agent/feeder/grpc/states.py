# SPDX-License-Identifier: Apache-2.0
"""`state_agent.StateAgent`: which containers and namespaces there are on the node.

WatchState begins with all that is there, as `added`: who asks for the state first, as KubeArmor's own clients
do, misses nothing in between. Objects have KubeArmor's keys; what is not known is left out.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from hauberk.agent.feeder.grpc.rpc import Answers, Context
from hauberk.agent.feeder.hub import Hub
from hauberk.agent.feeder.wire import Change, Feeding
from hauberk.api import state_agent_pb2 as api

SERVICE = api.DESCRIPTOR.services_by_name["StateAgent"]
QUEUE: Final = 1000
"""Changes that wait for one client. One that does not keep up is parted with: it has to begin anew."""


class StateAgent:
    """The service, over a hub."""

    def __init__(self, feeding: Feeding, hub: Hub) -> None:
        self._feeding = feeding
        self._hub = hub

    @property
    def answers(self) -> Answers:
        """By method."""
        return {"GetState": self.get_state, "WatchState": self.watch_state}

    async def get_state(self, request: object, context: Context) -> None:
        state = api.StateEvents(StateEvents=self._all())
        await context.write(state.SerializeToString())

    async def watch_state(self, request: object, context: Context) -> None:
        changes: asyncio.Queue[Change | None] = asyncio.Queue(QUEUE)

        def note(change: Change | None) -> None:
            if changes.full():
                changes.get_nowait()
                change = None
            changes.put_nowait(change)

        self._hub.watch(note)
        try:
            counts = _counts(self._hub.workloads.values())
            for event in self._all():
                await context.write(event.SerializeToString())
            while (change := await changes.get()) is not None:
                for event in self._events(change, counts):
                    await context.write(event.SerializeToString())
        finally:
            self._hub.unwatch(note)

    def _all(self) -> list[api.StateEvent]:
        workloads = list(self._hub.workloads.values())
        counts = _counts(workloads)
        return [
            self._node(),
            *(_namespace("added", name, count) for name, count in sorted(counts.items())),
            *(self._container("added", change) for change in workloads),
        ]

    def _events(self, change: Change, counts: dict[str, int]) -> Iterator[api.StateEvent]:
        """A change as events, that of its namespace among them."""
        before = counts.get(change.namespace, 0)
        after = before + {"added": 1, "deleted": -1}.get(change.what, 0)
        counts[change.namespace] = after
        if after > before:
            yield _namespace("updated" if before else "added", change.namespace, after)
        yield self._container(change.what, change)
        if after < before:
            yield _namespace("updated" if after > 0 else "deleted", change.namespace, after)

    def _node(self) -> api.StateEvent:
        system = os.uname()
        return _event(
            "node",
            "added",
            self._feeding.node_name,
            {
                "clusterName": self._feeding.cluster,
                "nodeName": self._feeding.node_name,
                "architecture": system.machine,
                "operatingSystem": "linux",
                "kernelVersion": system.release,
                "policyEnabled": 1,
            },
        )

    def _container(self, what: str, change: Change) -> api.StateEvent:
        return _event(
            "container",
            what,
            change.name,
            {
                "containerID": change.id,
                "containerName": change.name,
                "containerImage": change.image,
                "namespaceName": change.namespace,
                "endPointName": change.name,
                "labels": ",".join(f"{key}={value}" for key, value in sorted(change.labels.items())),
                "pid": change.pid,
                "node_name": self._feeding.node_name,
                "policyEnabled": 1,
            },
        )


def _counts(workloads: Iterable[Change]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for change in workloads:
        counts[change.namespace] = counts.get(change.namespace, 0) + 1
    return counts


def _namespace(what: str, name: str, count: int) -> api.StateEvent:
    return _event("namespace", what, name, {"name": name, "container_count": count})


def _event(kind: str, what: str, name: str, data: dict[str, Any]) -> api.StateEvent:
    return api.StateEvent(Kind=kind, Type=what, Name=name, Object=msgspec.json.encode(data))
