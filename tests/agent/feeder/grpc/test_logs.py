# SPDX-License-Identifier: Apache-2.0
"""LogService, as clients see it."""

import signal
import socket
import struct
import subprocess
import sys

import grpc
import pytest

from hauberk.agent.feeder.grpc import serving
from hauberk.agent.feeder.grpc.limits import SERVER_OPTIONS
from hauberk.agent.feeder.hub import QUEUE
from hauberk.events.alert import ExecContext, Extras
from hauberk.events.identity import PodOwner
from hauberk.events.text import escape
from tests.agent.feeder.grpc.served import Served, alert, health_check, log, watch

pytestmark = pytest.mark.grpc


def test_health_check_answers_with_the_nonce(channel: grpc.Channel) -> None:
    assert health_check(channel, 12345) == 12345
    assert health_check(channel, -1) == -1


@pytest.mark.parametrize("filter_", ["all", "policy"])
def test_alerts_reach_whoever_watches_alerts(served: Served, channel: grpc.Channel, filter_: str) -> None:
    stream = watch(channel, "WatchAlerts", filter_)
    served.publish([log(Resource="/a"), alert(Resource="/b"), alert(Resource="/c")])
    assert [next(stream).Resource, next(stream).Resource] == ["/b", "/c"]


@pytest.mark.parametrize("filter_", ["all", "system"])
def test_logs_reach_whoever_watches_logs(served: Served, channel: grpc.Channel, filter_: str) -> None:
    stream = watch(channel, "WatchLogs", filter_)
    served.publish([alert(Resource="/a"), log(Resource="/b")])
    assert next(stream).Resource == "/b"


@pytest.mark.parametrize(
    ("method", "filter_"),
    [("WatchAlerts", "system"), ("WatchAlerts", ""), ("WatchLogs", "policy"), ("WatchLogs", "ALL")],
)
def test_another_filter_ends_the_stream_at_once(channel: grpc.Channel, method: str, filter_: str) -> None:
    stream = watch(channel, method, filter_)
    assert list(stream) == []
    assert stream.code() is grpc.StatusCode.OK


def test_every_field_comes_through(served: Served, channel: grpc.Channel) -> None:
    stream = watch(channel, "WatchAlerts")
    event = alert(
        Timestamp=1753340000,
        UpdatedTime="2026-07-24T06:53:20.123456Z",
        ClusterName="blue",
        HostName="node",
        NodeID="3f0c",
        NamespaceName="shop",
        Owner=PodOwner("Deployment", "cart", "shop"),
        PodName="cart-1",
        Labels="app=cart",
        ContainerID="ab12",
        ContainerName="cart",
        ContainerImage="cart:1",
        HostPPID=4100,
        HostPID=4188,
        PID=23,
        ParentProcessName="/bin/bash",
        ProcessName="/usr/bin/apt",
        PolicyName="no-pkg",
        Severity="5",
        Tags="NIST,CIS",
        ATags=("NIST", "CIS"),
        Message="package tool",
        Source="/bin/bash",
        Operation="Process",
        Resource="/usr/bin/apt update",
        Data="lsm=SECURITY_BPRM_CHECK",
        EventData={"Lsm": "SECURITY_BPRM_CHECK"},
        Enforcer="BPFLSM",
        Action="Block",
        Result="Permission denied",
        Cwd="/",
        TTY="pts0",
        ExecEvent=ExecContext("0", "bash"),
    )
    event.UID, event.PPID = -2, 4100
    served.publish([event])
    found = next(stream)
    special = {"Owner", "ExecEvent", "EventData", "ATags", "Hauberk"}
    for name in set(event.__struct_fields__) - special:
        assert getattr(found, name) == getattr(event, name), name
    assert (found.Owner.Ref, found.Owner.Name, found.Owner.Namespace) == ("Deployment", "cart", "shop")
    assert (found.ExecEvent.ExecID, found.ExecEvent.ExecutableName) == ("0", "bash")
    assert dict(found.EventData) == event.EventData
    assert tuple(found.ATags) == event.ATags


def test_what_an_alert_stands_for_is_in_its_event_data(served: Served, channel: grpc.Channel) -> None:
    stream = watch(channel, "WatchAlerts")
    event = alert()
    event.Hauberk = Extras(Count=500, FirstTime="2026-01-01T00:00:00.000000Z", Rule="spec.file.matchPaths[0]")
    served.publish([event])
    assert dict(next(stream).EventData) == {
        "Count": "500",
        "FirstTime": "2026-01-01T00:00:00.000000Z",
        "Rule": "spec.file.matchPaths[0]",
    }


@pytest.mark.parametrize(
    "name", [b"/tmp/\x1b[2J\n\r\0", b"/\xff\xfe", "/\u202egpj".encode(), b"/" + b"a" * 4095, b"\\x00"]
)
def test_no_name_breaks_a_stream(served: Served, channel: grpc.Channel, name: bytes) -> None:
    stream = watch(channel, "WatchAlerts")
    served.publish([alert(Resource=escape(name)), alert(Resource="/next")])
    assert [next(stream).Resource, next(stream).Resource] == [escape(name), "/next"]


def test_a_value_without_a_form_is_told_as_missing(served: Served, channel: grpc.Channel) -> None:
    stream = watch(channel, "WatchAlerts")
    served.publish([alert(count=3, HostPID=1 << 40), alert(Resource="/next")])
    told = next(stream)
    assert (told.Type, told.EventData["Missing"]) == ("SystemEvent", "3")
    assert next(stream).Resource == "/next"


def test_what_is_missing_for_everybody_is_told_in_every_stream(served: Served, channel: grpc.Channel) -> None:
    alerts, logs, messages = (
        watch(channel, method) for method in ("WatchAlerts", "WatchLogs", "WatchMessages")
    )
    served.miss(41, "the reason")
    words = "41 accesses are missing here: the reason"
    found = next(alerts)
    assert (found.Type, found.Operation, found.Message) == ("SystemEvent", "Missing", words)
    assert (found.ClusterName, found.HostName, found.EventData["Missing"]) == ("blue", "node", "41")
    found = next(logs)
    assert (found.Type, found.Resource, found.EventData["Missing"]) == ("SystemEvent", words, "41")
    found = next(messages)
    assert (found.Type, found.Level, found.Message) == ("Message", "WARN", words)


def test_a_client_that_does_not_read_loses_only_its_own_and_is_told(served: Served) -> None:
    with (
        grpc.insecure_channel(served.address, (("grpc.http2.bdp_probe", 0),)) as slow_channel,
        grpc.insecure_channel(served.address) as channel,
    ):
        slow, quick = watch(slow_channel, "WatchAlerts"), watch(channel, "WatchAlerts")
        number, size = 4 * QUEUE, QUEUE // 4
        for begin in range(0, number, size):
            served.publish([alert(Resource=f"{at:01000d}") for at in range(begin, begin + size)])
            for at in range(begin, begin + size):
                assert int(next(quick).Resource) == at
        served.until(lambda: served.hub.lost > 0)
        found, missing = 0, 0
        while found + missing < number:
            event = next(slow)
            if event.Type == "SystemEvent":
                missing += int(event.EventData["Missing"])
            else:
                assert int(event.Resource) == found + missing, "a gap that is not told, or not at its place"
                found += 1
        assert missing == served.hub.lost > 0
        assert found >= QUEUE


def test_a_client_that_dies_is_forgotten(served: Served, channel: grpc.Channel) -> None:
    stays = watch(channel, "WatchAlerts")
    goes = grpc.insecure_channel(served.address, (("grpc.use_local_subchannel_pool", 1),))
    watch(goes, "WatchAlerts")
    served.until(lambda: served.hub.clients == 2)
    goes.close()
    served.until(lambda: served.hub.clients == 1)
    served.publish([alert(Resource="/a")])
    assert next(stays).Resource == "/a"


WATCHER = """
import sys, grpc
call = grpc.insecure_channel(sys.argv[1]).unary_stream("/feeder.LogService/WatchAlerts")(b"\\n\\x03all")
next(call)
"""


def test_a_client_whose_machine_says_nothing_any_more_is_parted_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = ("grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms")
    options = tuple((name, 1000 if name in times else value) for name, value in SERVER_OPTIONS)
    monkeypatch.setattr(serving, "SERVER_OPTIONS", options)
    with Served() as served, grpc.insecure_channel(served.address) as channel:
        stream = watch(channel, "WatchAlerts")
        with subprocess.Popen([sys.executable, "-c", WATCHER, served.address]) as silent:
            served.until(lambda: served.hub.clients == 2)
            # As good as a machine without power: its kernel takes bytes, and nobody answers.
            silent.send_signal(signal.SIGSTOP)
            served.until(lambda: served.hub.clients == 1)
            silent.kill()
        served.publish([alert(Resource="/a")])
        assert next(stream).Resource == "/a"


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 4096]
)
def test_who_does_not_speak_grpc_disturbs_nobody(served: Served, channel: grpc.Channel, data: bytes) -> None:
    stream = watch(channel, "WatchAlerts")
    with socket.create_connection(("127.0.0.1", served.asked.port)) as peer:
        peer.sendall(data)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    served.publish([alert(Resource="/a")])
    assert next(stream).Resource == "/a"


def test_a_method_that_there_is_not_is_said_to_be_none(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/feeder.LogService/Nothing")(b"", timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
