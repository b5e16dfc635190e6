# SPDX-License-Identifier: Apache-2.0
"""StateAgent: the workloads that there are, and what changes."""

import json
from typing import Any

import grpc
import msgspec
import pytest

from hauberk.api import state_agent_pb2 as api
from tests.agent.feeder.grpc.served import SECONDS, WEB, Served

pytestmark = pytest.mark.grpc


def call(channel: grpc.Channel, method: str, answer: Any) -> Any:
    return channel.unary_stream(f"/state_agent.StateAgent/{method}", lambda _: b"", answer.FromString)(
        None, timeout=SECONDS
    )


def shown(event: Any) -> tuple[str, str, str]:
    return event.Kind, event.Type, event.Name


def test_the_state_is_one_message(served: Served, channel: grpc.Channel) -> None:
    served.call(lambda: served.hub.change(WEB))
    (state,) = call(channel, "GetState", api.StateEvents)
    assert [shown(event) for event in state.StateEvents] == [
        ("node", "added", "node"),
        ("namespace", "added", "default"),
        ("container", "added", "web"),
    ]
    container = json.loads(state.StateEvents[2].Object)
    assert container["containerID"] == "0123"
    assert container["namespaceName"] == "default"
    assert container["labels"] == "app=web"
    assert container["policyEnabled"] == 1


def test_changes_are_told_as_they_come(served: Served, channel: grpc.Channel) -> None:
    stream = call(channel, "WatchState", api.StateEvent)
    assert shown(next(stream)) == ("node", "added", "node")
    other = msgspec.structs.replace(WEB, id="4567", name="other")
    gone = msgspec.structs.replace(WEB, what="deleted")
    for change in (WEB, WEB, other, msgspec.structs.replace(WEB, image="nginx:2"), gone, gone):
        served.call(lambda change=change: served.hub.change(change))
    served.call(lambda: served.hub.change(msgspec.structs.replace(other, what="deleted")))
    assert [shown(next(stream)) for _ in range(9)] == [
        ("namespace", "added", "default"),
        ("container", "added", "web"),
        ("namespace", "updated", "default"),
        ("container", "added", "other"),
        ("container", "updated", "web"),
        ("container", "deleted", "web"),
        ("namespace", "updated", "default"),
        ("container", "deleted", "other"),
        ("namespace", "deleted", "default"),
    ]


def test_a_client_that_goes_is_forgotten(served: Served, channel: grpc.Channel) -> None:
    stream = call(channel, "WatchState", api.StateEvent)
    next(stream)
    assert served.call(lambda: served.hub.clients) == 1
    stream.cancel()
    served.until(lambda: served.hub.clients == 0)
