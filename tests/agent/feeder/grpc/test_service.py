# SPDX-License-Identifier: Apache-2.0
"""Where gRPC is served, what is served there and to whom."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import msgspec
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from hauberk.agent.feeder.grpc.admission import cgroup_root
from hauberk.agent.feeder.grpc.limits import MAX_CALLS, MAX_CONNECTIONS, MAX_REQUEST
from hauberk.agent.feeder.wire import Grpc
from hauberk.api import feeder_pb2, policy_pb2
from tests.agent.feeder.grpc.served import SECONDS, WEB, Served, alert, free_port, health_check, watch

pytestmark = pytest.mark.grpc

ALL = {
    "feeder.LogService",
    "policy.PolicyService",
    "policy.ProbeService",
    "state_agent.StateAgent",
    "grpc.reflection.v1alpha.ServerReflection",
}
PROBE = "/policy.ProbeService/getProbeData"


def reflect(channel: grpc.Channel, **asked: str) -> reflection_pb2.ServerReflectionResponse:
    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    return next(call(iter([reflection_pb2.ServerReflectionRequest(**asked)]), timeout=SECONDS))


def services(channel: grpc.Channel) -> set[str]:
    answer = reflect(channel, list_services="")
    return {each.name for each in answer.list_services_response.service}


def test_reflection_tells_of_services_and_their_messages(channel: grpc.Channel) -> None:
    assert services(channel) == ALL
    answer = reflect(channel, file_containing_symbol="feeder.LogService")
    (data,) = answer.file_descriptor_response.file_descriptor_proto
    file = FileDescriptorProto.FromString(data)
    assert file.package == "feeder"
    assert {message.name for message in file.message_type} >= {"Alert", "Log", "Message"}


def test_health_is_told_at_a_port_of_its_own() -> None:
    asked = Grpc(address="127.0.0.1", port=free_port(), health_port=free_port())
    with Served(asked) as served, grpc.insecure_channel(f"127.0.0.1:{asked.health_port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        for name in ("", "feeder.LogService"):
            answer = check(health_pb2.HealthCheckRequest(service=name), timeout=SECONDS)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert list(served.service.listening) == [
            f"gRPC at 127.0.0.1:{asked.port}",
            f"gRPC health at 127.0.0.1:{asked.health_port}",
        ]


def test_a_port_that_is_taken_is_a_finding_until_it_is_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        asked = Grpc(address="127.0.0.1", port=other.getsockname()[1], health_port=free_port())
        with Served(asked) as served:
            (finding,) = served.service.findings
            assert finding.startswith(f"gRPC at {served.address} is not served: the address cannot be")
            with grpc.insecure_channel(f"127.0.0.1:{asked.health_port}") as channel:
                answer = channel.unary_unary(
                    "/grpc.health.v1.Health/Check", None, health_pb2.HealthCheckResponse.FromString
                )(b"", timeout=SECONDS)
                assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            other.close()
            served.until(lambda: not served.service.findings)
            with grpc.insecure_channel(served.address) as channel:
                assert health_check(channel) == 7


def test_two_servers_do_not_share_a_port(served: Served) -> None:
    with Served(served.asked) as second:
        assert len(second.service.findings) == 1


def test_a_unix_socket_serves_all_to_whom_its_directory_lets_in(tmp_path: Path) -> None:
    path = tmp_path / "hauberk.sock"
    asked = Grpc(address="127.0.0.1", port=free_port(), socket=str(path))
    for _ in range(2):  # the second time over what the first one left
        with Served(asked) as served, grpc.insecure_channel(f"unix:{path}") as channel:
            assert services(channel) == ALL
            stream = watch(channel, "WatchAlerts")
            served.publish([alert(Resource="/a")])
            assert next(stream).Resource == "/a"
            # No agent is there; but the caller was let in.
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(PROBE)(b"", timeout=SECONDS)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        path.touch()


CALL = """
import os, sys, grpc, grpc._channel
os.setgroups([]); os.setgid(65534); os.setuid(65534)
channel = grpc.insecure_channel(sys.argv[1])
health = channel.unary_unary("/feeder.LogService/HealthCheck")
assert health(bytes([8, 7]), timeout=30) == bytes([8, 7])
for method in ("policy.PolicyService/containerPolicy", "policy.ProbeService/getProbeData"):
    try:
        channel.unary_unary("/" + method)(b"", timeout=30)
        print("admitted")
    except grpc.RpcError as error:
        print(error.code().name, error.details())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_on_loopback_another_user_may_listen_and_no_more(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALL, served.address], capture_output=True, text=True, timeout=120
    )
    words = "PERMISSION_DENIED only root and members of the agent's group may do this\n"
    assert done.stdout == 2 * words, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is let in")
def test_root_is_let_in_on_loopback_unless_it_may_be_in_a_container(
    served: Served, channel: grpc.Channel
) -> None:
    def code() -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(PROBE)(b"", timeout=SECONDS)
        return caught.value.code(), caught.value.details() or ""

    assert code()[0] is grpc.StatusCode.UNAVAILABLE
    # As good as a container of this control group.
    served.call(lambda: served.hub.change(msgspec.structs.replace(WEB, pid=os.getpid())))
    status, why = code()
    assert status is grpc.StatusCode.PERMISSION_DENIED
    assert "container" in why


ASK = """
import sys, grpc, grpc._channel
try:
    grpc.insecure_channel(sys.argv[1]).unary_unary("/policy.ProbeService/getProbeData")(b"", timeout=60)
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group for this test."""
    root = cgroup_root()
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("there are no control groups of version 2 here that can be changed")
    directory = root / f"hauberk-test-{os.getpid()}"
    directory.mkdir()
    yield directory
    for path, _, _ in os.walk(directory, topdown=False):
        os.rmdir(path)


def test_root_in_a_container_is_turned_away_on_loopback_wherever_it_hides(
    served: Served, cgroup: Path
) -> None:
    def start(path: str, *argv: str) -> "subprocess.Popen[str]":
        place = cgroup / path
        place.mkdir(parents=True, exist_ok=True)
        enter = f'echo 0 >{place}/cgroup.procs && exec "$@"'
        return subprocess.Popen(
            ["sh", "-c", enter, "sh", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    with start("container", "sh", "-c", "echo ready; read line") as container:
        assert container.stdout is not None
        assert container.stdout.readline() == "ready\n"
        served.call(lambda: served.hub.change(msgspec.structs.replace(WEB, pid=container.pid)))
        for path, told in (
            ("container", "PERMISSION_DENIED you are in a container"),
            ("container/inner/most", "PERMISSION_DENIED you are in a container"),
            ("elsewhere", "UNAVAILABLE no agent listens at /nowhere"),
        ):
            out, _ = start(path, sys.executable, "-c", ASK, served.address).communicate(timeout=120)
            assert out.startswith(told), path
        container.communicate("\n", timeout=SECONDS)


def test_off_loopback_without_encryption_there_is_log_service_alone() -> None:
    asked = Grpc(address="0.0.0.0", port=free_port())
    with Served(asked) as served, grpc.insecure_channel(served.address) as channel:
        assert services(channel) == {"feeder.LogService", "grpc.reflection.v1alpha.ServerReflection"}
        assert list(served.service.listening) == [
            f"gRPC at 0.0.0.0:{asked.port}, alerts and logs only, without encryption and to everybody"
        ]
        stream = watch(channel, "WatchAlerts")
        served.publish([alert(Resource="/a")])
        assert next(stream).Resource == "/a"
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/policy.PolicyService/containerPolicy")(b"", timeout=SECONDS)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_request_that_is_too_long_is_refused(channel: grpc.Channel) -> None:
    call = channel.unary_unary("/policy.PolicyService/containerPolicy", policy_pb2.policy.SerializeToString)
    with pytest.raises(grpc.RpcError) as caught:
        call(policy_pb2.policy(policy=bytes(MAX_REQUEST)), timeout=SECONDS)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_more_calls_than_there_may_be_are_refused_and_the_others_go_on(served: Served) -> None:
    channels = [
        grpc.insecure_channel(served.address, (("grpc.use_local_subchannel_pool", 1),)) for _ in range(4)
    ]
    streams = [watch(channels[at % 4], "WatchAlerts") for at in range(MAX_CALLS)]
    with pytest.raises(grpc.RpcError) as caught:
        health_check(channels[0])
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    served.publish([alert(Resource="/a")])
    assert {next(stream).Resource for stream in streams} == {"/a"}
    streams[0].cancel()
    served.until(lambda: served.hub.clients == MAX_CALLS - 1)
    assert health_check(channels[0]) == 7
    for channel in channels:
        channel.close()


def test_more_connections_than_there_may_be_are_closed(served: Served, channel: grpc.Channel) -> None:
    assert health_check(channel) == 7
    others = [
        socket.create_connection(("127.0.0.1", served.asked.port), SECONDS)
        for _ in range(MAX_CONNECTIONS + 5)
    ]
    # A server begins by saying how it speaks, if it has taken the connection.
    taken = [bool(other.recv(1)) for other in others]
    assert sum(taken) == MAX_CONNECTIONS - 1, "one is the first client's"
    assert health_check(channel) == 7
    for other in others:
        other.close()


def test_the_messages_have_kubearmors_names_and_numbers() -> None:
    numbers = {name: field.number for name, field in feeder_pb2.Alert.DESCRIPTOR.fields_by_name.items()}
    assert sorted(numbers.values()) == list(range(1, 45))
    assert {name: numbers[name] for name in ("Severity", "Enforcer", "ATags", "EventData", "UserName")} == {
        "Severity": 14,
        "Enforcer": 28,
        "ATags": 30,
        "EventData": 43,
        "UserName": 44,
    }
