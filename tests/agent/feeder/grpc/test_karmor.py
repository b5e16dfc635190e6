# SPDX-License-Identifier: Apache-2.0
"""karmor, KubeArmor's own client, against our services. `make karmor` builds it."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hauberk.agent.config.certificates import make
from hauberk.agent.control.messages import PolicyRef
from hauberk.agent.feeder.wire import Grpc
from hauberk.events.alert import Alert, Log
from hauberk.events.text import escape
from scripts.build_karmor import binary
from tests.agent.feeder.grpc.agents import AgentWithoutEngine
from tests.agent.feeder.grpc.served import SECONDS, Served, alert, free_port, log

KARMOR = binary()
pytestmark = [
    pytest.mark.grpc,
    pytest.mark.skipif(not KARMOR.exists(), reason=f"{KARMOR} is not there: make karmor"),
]

CONTAINER = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorPolicy
metadata:
  name: no-sleep
spec:
  severity: 5
  selector:
    matchLabels:
      kubearmor.io/container.name: web
  process:
    matchPaths:
      - path: /bin/sleep
        pts: false
        fromSource:
          - path: /bin/bash
  network:
    matchProtocols:
      - protocol: tcp
  action: Block
"""
HOST = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorHostPolicy
metadata:
  name: secrets
spec:
  nodeSelector:
    matchLabels:
      kubearmor.io/hostname: "*"
  file:
    matchDirectories:
      - dir: /srv/secret/
        recursive: true
  action: Block
"""
NETWORK = """
apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata:
  name: net
spec:
  nodeSelector:
    matchLabels:
      kubearmor.io/hostname: "*"
  action: Audit
"""


def refused(resource: str = "/etc/shadow", **fields: Any) -> Alert:
    known: dict[str, Any] = {
        "Timestamp": 1753340000,
        "UpdatedTime": "2026-07-24T06:53:20.123456Z",
        "NamespaceName": "shop",
        "ContainerName": "cart",
        "Labels": "app=cart,tier=web",
        "PolicyName": "secrets",
        "Severity": "5",
        "Operation": "File",
        "Source": "/usr/bin/cat /etc/shadow",
        "Data": "lsm=FILE_OPEN",
        "EventData": {"Lsm": "FILE_OPEN"},
        "Action": "Block",
        "Result": "Permission denied",
    }
    return alert(Resource=resource, **known | fields)


def permitted(resource: str = "/etc/hosts") -> Log:
    return log(
        Resource=resource,
        NamespaceName="shop",
        ContainerName="cart",
        ProcessName="/usr/bin/cat",
        Source="/usr/bin/cat",
        Operation="File",
        Result="Passed",
        Timestamp=1753340000,
        UpdatedTime="2026-07-24T06:53:20.123456Z",
    )


class Karmor:
    """`karmor logs` as it runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def rest(self) -> str:
        """What it prints further until it is interrupted, and that it ends well then."""
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=SECONDS)
        assert self._process.returncode == 0, err
        return out


@contextmanager
def logs(served: Served, *options: str, address: str = "", streams: int = 1) -> Iterator[Karmor]:
    """`karmor logs`, when as many streams as it asks for are there."""
    before = served.call(lambda: served.hub.clients)
    process = subprocess.Popen(
        [KARMOR, "logs", "--gRPC", address or served.address, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        served.until(lambda: served.hub.clients == before + streams)
        yield Karmor(process)
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str | Path, **variables: str) -> str:
    done = subprocess.run(
        [KARMOR, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **variables}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_alerts_and_logs_as_json(served: Served) -> None:
    with logs(served, "--json", "--logFilter", "all", streams=2) as karmor:
        served.publish([refused()])
        found = json.loads(karmor.line())
        assert found == {
            "Timestamp": 1753340000,
            "UpdatedTime": "2026-07-24T06:53:20.123456Z",
            "NamespaceName": "shop",
            "ContainerName": "cart",
            "Labels": "app=cart,tier=web",
            "PPID": 0,
            "UID": 0,
            "PolicyName": "secrets",
            "Severity": "5",
            "Type": "MatchedPolicy",
            "Source": "/usr/bin/cat /etc/shadow",
            "Operation": "File",
            "Resource": "/etc/shadow",
            "Data": "lsm=FILE_OPEN",
            "EventData": {"Lsm": "FILE_OPEN"},
            "Action": "Block",
            "Result": "Permission denied",
        }
        served.publish([permitted()])
        found = json.loads(karmor.line())
        assert (found["Type"], found["Resource"], found["UID"]) == ("ContainerLog", "/etc/hosts", 0)
        assert karmor.rest() == ""


@pytest.mark.parametrize(("filter_", "wanted"), [("policy", "/alert"), ("system", "/log")])
def test_the_log_filter(served: Served, filter_: str, wanted: str) -> None:
    with logs(served, "-o", "json", "--logFilter", filter_) as karmor:
        served.publish([refused("/alert"), permitted("/log")])
        assert json.loads(karmor.line())["Resource"] == wanted
        assert karmor.rest() == ""


def test_the_text_form(served: Served) -> None:
    with logs(served) as karmor:
        served.publish([refused()])
        assert karmor.line() == "== Alert / 2026-07-24 06:53:20.123456 ==\n"
        lines = [karmor.line() for _ in range(12)]
        assert "PolicyName: secrets\n" in lines
        assert "Severity: 5\n" in lines
        assert "EventData: map[Lsm:FILE_OPEN]\n" in lines


@pytest.mark.parametrize(
    "options",
    [
        ("-n", "^SHOP$"),
        ("--operation", "file"),
        ("--container", "cart"),
        ("--logType", "MatchedPolicy"),
        ("--resource", "^/wanted"),
        ("--source", "dog"),
        ("-l", "app=cart"),
    ],
    ids=lambda options: options[0],
)
def test_filters_on_fields(served: Served, options: tuple[str, str]) -> None:
    others = {
        "NamespaceName": "other",
        "Operation": "Network",
        "ContainerName": "other",
        "Type": "MatchedHostPolicy",
        "Source": "other",
        "Labels": "app=other",
    }
    other = refused("/other")
    for name, value in others.items():
        setattr(other, name, value)
    with logs(served, "--json", *options) as karmor:
        served.publish([other, refused("/wanted", Source="/usr/bin/dog")])
        assert json.loads(karmor.line())["Resource"] == "/wanted"


def test_the_limit_ends_it(served: Served) -> None:
    with logs(served, "--json", "--limit", "2") as karmor:
        served.publish([refused(f"/{number}") for number in range(3)])
        assert [json.loads(karmor.line())["Resource"] for _ in range(2)] == ["/0", "/1"]
        assert karmor.line() == ""
        served.until(lambda: served.hub.clients == 0)


def test_messages(served: Served) -> None:
    with logs(served, "--msgPath", "stdout", streams=2) as karmor:
        served.miss(3, "the reason")
        lines = [karmor.line()]
        while "[WARN]" not in lines[-1]:
            lines.append(karmor.line())
        assert lines[-1].endswith("  blue  node  [WARN]  3 accesses are missing here: the reason\n")


def test_no_name_forges_a_line(served: Served) -> None:
    name = escape(b"/tmp/a\n== Alert / forged ==\x1b[2J\xff\r")
    with logs(served) as karmor:
        served.publish([refused(name), refused("/next")])
        lines = [karmor.line()]
        while lines[-1] != "Resource: /next\n":
            lines.append(karmor.line())
        assert sum(line.startswith("== Alert") for line in lines) == 2
        assert f"Resource: {name}\n" in lines
        assert all(line[:-1].isprintable() for line in lines)


def test_over_tls(tmp_path: Path) -> None:
    make(tmp_path, [], 30)
    asked = Grpc(address="0.0.0.0", port=free_port(), certificates=str(tmp_path))
    how = ("--secure", "--tlsCertProvider", "external", "--readCAFromSecret=false", "--tlsCertPath")
    with Served(asked) as served:
        address = f"localhost:{asked.port}"
        with logs(served, "--json", *how, str(tmp_path), address=address) as karmor:
            served.publish([refused()])
            assert json.loads(karmor.line())["Resource"] == "/etc/shadow"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentWithoutEngine]:
    with AgentWithoutEngine(tmp_path) as found:
        yield found


@pytest.mark.parametrize("is_unix", [False, True], ids=["loopback", "unix socket"])
@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (CONTAINER, PolicyRef("KubeArmorPolicy", "container_namespace", "no-sleep")),
        (HOST, PolicyRef("KubeArmorHostPolicy", "", "secrets")),
    ],
    ids=["container", "host"],
)
def test_policies_are_added_and_deleted(
    agent: AgentWithoutEngine, tmp_path: Path, text: str, ref: PolicyRef, is_unix: bool
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    socket = tmp_path / "grpc.sock"
    with Served(Grpc(address="127.0.0.1", port=free_port(), socket=str(socket)), agent.socket) as served:
        where = f"unix://{socket}" if is_unix else served.address
        assert run("vm", "policy", "add", file, "--gRPC", where) == "Policy Applied \n"
        assert agent.refs == [ref]
        assert run("vm", "policy", "add", file, KUBEARMOR_SERVICE=where) == "Policy Modified \n"
        assert run("vm", "policy", "delete", file, "--gRPC", where) == "Policy Deleted \n"
        assert agent.refs == []
        assert run("vm", "policy", "delete", file, "--gRPC", where) == "Policy NotExist \n"


def test_what_cannot_be_enforced_is_told(agent: AgentWithoutEngine, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with Served(control=agent.socket) as served:
        file.write_text(CONTAINER.replace("/bin/sleep", "bin/sleep"))
        assert run("vm", "policy", "add", file, "--gRPC", served.address) == "Policy Invalid \n"
        file.write_text(NETWORK)
        assert run("vm", "policy", "add", file, "--gRPC", served.address) == "Policy NotEnabled \n"
    assert agent.refs == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a /tmp of its own takes root")
def test_probe_shows_what_binds_whom(agent: AgentWithoutEngine, tmp_path: Path) -> None:
    # What it looks at besides our service: a systemd unit of KubeArmor's name, and a file in /tmp, which the
    # agent does not write since anybody could take that name first. They are this test's.
    script = (
        'mount -t tmpfs none /tmp && echo "{}" >/tmp/karmorProbeData.cfg && '
        "mkdir /tmp/bin && ln -s /bin/true /tmp/bin/systemctl && "
        f'PATH=/tmp/bin:$PATH exec {KARMOR} probe -f json --gRPC "$0"'
    )
    with Served(control=agent.socket) as served:
        for name, text in (("container", CONTAINER), ("host", HOST)):
            file = tmp_path / f"{name}.yaml"
            file.write_text(text)
            run("vm", "policy", "add", file, "--gRPC", served.address)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, served.address], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["Probe Data"]
    assert found["HostPolicies"]["node"]["policyList"] == ["secrets"]
    assert found["ArmoredContainers"] == {"web": ["no-sleep"]}


def test_profile_shows_what_happens(served: Served) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 240, 0, 0))
    process = subprocess.Popen(
        [KARMOR, "profile", "--gRPC", served.address],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        served.until(lambda: served.hub.clients == 1)
        shown = b""
        deadline = time.monotonic() + SECONDS
        event = permitted()
        event.Operation, event.Resource = "Process", "/usr/bin/cat /etc/hosts"
        while b"/usr/bin/cat" not in shown:
            assert time.monotonic() < deadline, shown[-2000:]
            served.publish([event])
            if select.select([ours], [], [], 0.2)[0]:
                shown += os.read(ours, 1 << 16)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
