# SPDX-License-Identifier: Apache-2.0
"""`/metrics` of the feeder: what a scrape gets, and what becomes of those who ask badly."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from hauberk.agent.control.messages import AgentStatus, PolicyRef, RuntimeStatus, WorkloadStatus
from hauberk.agent.feeder.client import Feeder
from hauberk.agent.feeder.http import CONNECTIONS, HEAD_BYTES, PATIENCE_SECONDS
from hauberk.agent.feeder.wire import Feeding
from hauberk.events.alert import Alert, Extras
from hauberk.events.clock import unix_time
from hauberk.events.histogram import Histogram
from tests.sinks.debian import unpacked

from .test_client import until

ROOT = Path(__file__).resolve().parents[3]
GUARD = PolicyRef("KubeArmorPolicy", "default", "guard")
STATUS = AgentStatus(
    version="1.2.3",
    pid=1,
    node="node-7",
    kernel="6.12.1",
    enforcer="BPFLSM",
    since=1e9,
    on_agent_loss="refuse",
    placed_without_agent=2,
    refused_without_agent=1,
    policies=3,
    workloads=(
        WorkloadStatus(
            name="web",
            kind="container",
            namespace="default",
            state="enforced",
            policies=((GUARD, "enforced", ()),),
        ),
        WorkloadStatus(
            name="db",
            kind="container",
            namespace="default",
            state="degraded",
            policies=((GUARD, "degraded", ()),),
        ),
        WorkloadStatus(name="host", kind="host", namespace=""),
    ),
    runtimes=(RuntimeStatus("docker", "gate", containers=2),),
    counters={"lost_events": 0, "no_label": 4},
    room={"tasks": (100, 32768), "table bytes": (1 << 20, 64 << 20)},
    waited=Histogram((0.01, 0.1), [5, 2, 1], 1.5),
    findings=("something",),
)


class Agent:
    """Answers like the agent, as often as it is asked."""

    def __init__(self, path: Path) -> None:
        self.asked = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                assert json.loads(connection.makefile().readline())["type"] == "AskStatus"
                self.asked += 1
                connection.sendall(msgspec.json.encode(STATUS) + b"\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path / "agent.sock")
    yield agent
    agent.close()


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    feeder = Feeder(
        Feeding(
            cluster="default",
            node_name="node-7",
            socket=str(tmp_path / "agent.sock"),
            state_directory="/nowhere",
            metrics="127.0.0.1:0",
        )
    )
    feeder.start(tuple)
    until(feeder, lambda: bool(feeder.told.listening))
    yield feeder
    feeder.close()


def url(feeder: Feeder) -> str:
    (told,) = (each for each in feeder.told.listening if each.startswith("metrics"))
    return told.removeprefix("metrics at ")


def port(feeder: Feeder) -> int:
    return int(url(feeder).split(":")[2].partition("/")[0])


def scrape(feeder: Feeder) -> dict[str, dict[tuple[str, ...], float]]:
    with urllib.request.urlopen(url(feeder), timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def tell(feeder: Feeder, *alerts: Alert) -> None:
    feeder.write(alerts)
    number = feeder.told.number + 1
    until(feeder, lambda: feeder.told.number == number)


def alert(**more: Any) -> Alert:
    made = Alert(PPID=0, UID=0, Type="MatchedPolicy", Action="Block", PolicyName="guard", Hauberk=Extras())
    made.UpdatedTime = unix_time(time.time_ns())[1]
    for key, value in more.items():
        setattr(made, key, value)
    return made


def test_a_scrape_has_what_happened_and_what_the_agent_says(agent: Agent, feeder: Feeder) -> None:
    tell(feeder, alert(), alert(PolicyName="other"))
    found = scrape(feeder)
    assert found["kubearmor_alerts_with_policy_total"] == {("guard",): 1, ("other",): 1}
    assert found["hauberk_agent_up"] == {(): 1}
    assert found["hauberk_agent_info"] == {("BPFLSM", "6.12.1", "1.2.3"): 1}
    assert found["hauberk_workloads"] == {
        ("container", "enforced"): 1,
        ("container", "degraded"): 1,
        ("host", "none"): 1,
    }
    assert found["hauberk_bound_policies"] == {("enforced",): 1, ("degraded",): 1}
    assert found["hauberk_policies"] == {(): 3}
    assert found["hauberk_lost_total"] == {("lost_events",): 0, ("no_label",): 4}
    assert found["hauberk_room_used"] == {("tasks",): 100, ("table bytes",): 1 << 20}
    assert found["hauberk_room_limit"] == {("tasks",): 32768, ("table bytes",): 64 << 20}
    assert found["hauberk_starts_without_agent_total"] == {("placed",): 2, ("refused",): 1}
    assert found["hauberk_start_wait_seconds_bucket"] == {("0.01",): 5, ("0.1",): 7, ("+Inf",): 8}
    assert found["hauberk_start_wait_seconds_sum"] == {(): 1.5}
    assert found["hauberk_findings"] == {(): 1}


def test_the_agent_is_asked_once_for_many_scrapes_at_once(agent: Agent, feeder: Feeder) -> None:
    threads = [threading.Thread(target=scrape, args=(feeder,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= agent.asked < 8


def test_without_an_agent_what_happened_is_told_all_the_same(feeder: Feeder) -> None:
    tell(feeder, alert())
    found = scrape(feeder)
    assert found["hauberk_agent_up"] == {(): 0}
    assert found["kubearmor_alerts_with_policy_total"] == {("guard",): 1}
    assert "hauberk_workloads" not in found


def test_an_address_that_is_taken_is_a_finding(feeder: Feeder) -> None:
    other = Feeder(
        Feeding(
            cluster="default",
            node_name="node",
            socket="/nowhere",
            state_directory="/nowhere",
            metrics=f"127.0.0.1:{port(feeder)}",
        )
    )
    other.start(tuple)
    try:
        until(other, lambda: bool(other.told.findings))
        wanted = f"metrics are not served at 127.0.0.1:{port(feeder)}: "
        assert any(finding.startswith(wanted) for finding in other.told.findings)
    finally:
        other.close()


def test_an_address_that_others_reach_is_a_finding() -> None:
    feeder = Feeder(
        Feeding(
            cluster="default",
            node_name="node",
            socket="/nowhere",
            state_directory="/nowhere",
            metrics="0.0.0.0:0",
        )
    )
    feeder.start(tuple)
    try:
        until(feeder, lambda: bool(feeder.told.findings))
        wanted = "can read the names of workloads and policies"
        assert any(wanted in finding for finding in feeder.told.findings)
    finally:
        feeder.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /metrics?x=1 HTTP/1.0\r\nA: b\r\n\r\n", b"200 OK"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET /metrics\r\n\r\n", b"400 Bad Request"),
        (b"\xff\0\x1b[31m\r\n\r\n", b"400 Bad Request"),
    ],
)
def test_what_is_asked_is_answered_by_its_kind(feeder: Feeder, request_: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port(feeder)), timeout=30) as connection:
        connection.sendall(request_)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert bool(body) is not request_.startswith(b"HEAD")


def test_a_request_without_end_is_not_kept(feeder: Feeder) -> None:
    with socket.create_connection(("127.0.0.1", port(feeder)), timeout=30) as connection:
        connection.settimeout(PATIENCE_SECONDS / 2)
        with suppress(ConnectionError):
            connection.sendall(b"GET /metrics HTTP/1.1\r\nA: " + b"x" * (HEAD_BYTES * 64))
            assert connection.recv(1) == b""


def test_who_asks_slowly_takes_no_more_than_the_connections_there_are(feeder: Feeder) -> None:
    slow = [socket.create_connection(("127.0.0.1", port(feeder)), timeout=30) for _ in range(CONNECTIONS)]
    try:
        for each in slow:
            each.sendall(b"GET /met")
        with pytest.raises((URLError, ConnectionError)):
            scrape(feeder)
        # Those who wait are parted with, and then there is room again.
        assert slow[0].recv(1) == b""
        scrape(feeder)
    finally:
        for each in slow:
            each.close()


@pytest.fixture(scope="session")
def prometheus() -> Path:
    tree = unpacked("prometheus")
    return tree / "usr/bin"


def test_promtool_has_nothing_to_say_against_the_metrics(
    agent: Agent, feeder: Feeder, prometheus: Path
) -> None:
    tell(feeder, alert())
    with urllib.request.urlopen(url(feeder), timeout=30) as answer:
        text = answer.read()
    done = subprocess.run(
        [prometheus / "promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    # KubeArmor's labels are as they are.
    theirs = re.compile(r"kubearmor_alerts_\w+ label names should be written in 'snake_case' not 'camelCase'")
    said = [line for line in done.stderr.decode().splitlines() if not theirs.fullmatch(line)]
    assert (said, done.stdout) == ([], b"")


def test_a_real_prometheus_scrapes_it(agent: Agent, feeder: Feeder, prometheus: Path, tmp_path: Path) -> None:
    tell(feeder, alert(), alert(PolicyName='b"} 1\n\\'))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        its_port = free.getsockname()[1]
    settings = tmp_path / "prometheus.yml"
    settings.write_text(
        "scrape_configs:\n- job_name: hauberk\n  scrape_interval: 1s\n  static_configs:\n"
        f"  - targets: ['127.0.0.1:{port(feeder)}']\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                prometheus / "prometheus",
                f"--config.file={settings}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{its_port}",
            ],
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 120
        found: dict[str, str] = {}
        while not found:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
            try:
                found = _query(its_port, "kubearmor_alerts_with_policy_total", "PolicyName")
            except (URLError, ConnectionError):
                continue
        assert found == {"guard": "1", 'b"} 1\n\\': "1"}
        assert _query(its_port, "up", "job") == {"hauberk": "1"}
        assert _query(its_port, "hauberk_room_used", "of") == {"tasks": "100", "table bytes": "1048576"}
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)


def _query(its_port: int, name: str, label: str) -> dict[str, str]:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{its_port}/api/v1/query?query={name}", timeout=30
    ) as answer:
        results = json.load(answer)["data"]["result"]
    return {each["metric"][label]: each["value"][1] for each in results}


def test_the_dashboard_asks_for_what_there_is(agent: Agent, feeder: Feeder) -> None:
    tell(feeder, alert())
    feeder.write([])
    there = scrape(feeder).keys() | {"hauberk_logged_total"}
    dashboard = json.loads((ROOT / "deploy/grafana/hauberk.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert queries
    asked = {name for query in queries for name in re.findall(r"\b(?:hauberk|kubearmor)_\w+", query)}
    assert asked <= there
    assert {name for name in there if name.startswith("kubearmor")} <= asked


def test_the_alerting_rules_ask_for_what_there_is(agent: Agent, feeder: Feeder, prometheus: Path) -> None:
    rules = ROOT / "deploy/prometheus/hauberk.rules.yml"
    done = subprocess.run(
        [prometheus / "promtool", "check", "rules", rules], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    asked = set(re.findall(r"\bhauberk_\w+", rules.read_text()))
    assert asked
    assert asked <= scrape(feeder).keys()


def test_every_metric_is_told(agent: Agent, feeder: Feeder) -> None:
    tell(feeder, alert())
    cells = re.findall(r"^\|([^|]*)\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    told = set(re.findall(r"`(\w+)`", " ".join(cells)))
    with urllib.request.urlopen(url(feeder), timeout=30) as answer:
        text = answer.read().decode()
    there = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    assert told == there
