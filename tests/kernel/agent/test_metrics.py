# SPDX-License-Identifier: Apache-2.0
"""What Prometheus finds at a real agent: numbers that agree with what happened, and with what status says."""

import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.kernel.agent.agent import Agent, run
from tests.kernel.agent.test_host import file_rule, host_policy
from tests.kernel.run.hauberk import until

URL = "http://127.0.0.1:32765/metrics"


def scrape() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    with urllib.request.urlopen(URL, timeout=60) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_refusals_and_room_are_what_they_are(agent: Agent, secret: Path) -> None:
    agent.apply(host_policy("counted", file_rule(secret)))
    for _ in range(3):
        assert run("cat", str(secret)).returncode == 1
    by_policy = (("PolicyName", "counted"),)
    until(
        lambda: scrape().get("kubearmor_alerts_with_policy_total", {}).get(by_policy) == 3,
        "three refusals, those included that only repeat the first",
    )
    found = scrape()
    assert found["hauberk_agent_up"] == {(): 1}
    assert found["hauberk_policies"] == {(): 1}
    assert found["hauberk_bound_policies"] == {(("state", "enforced"),): 1}
    assert found["hauberk_workloads"][("kind", "host"), ("state", "enforced")] == 1
    used = {dict(labels)["of"]: value for labels, value in found["hauberk_room_used"].items()}
    limits = {dict(labels)["of"]: value for labels, value in found["hauberk_room_limit"].items()}
    assert used.keys() == limits.keys() == {"workloads", "table bytes", "mounts", "tasks"}
    assert all(0 < used[name] <= limits[name] for name in used)
    assert used["tasks"] >= agent.workload("host").tasks
    assert found["hauberk_feeder_latency_seconds_count"][()] >= 1


def test_none_turns_it_off_while_the_agent_runs(agent: Agent) -> None:
    assert scrape()
    assert agent.process
    agent.write_settings(metricsAddress="none")
    agent.process.send_signal(1)

    def is_off() -> bool:
        try:
            scrape()
        except OSError:
            return True
        return False

    until(is_off, "nobody to listen")
    agent.write_settings()
    agent.process.send_signal(1)
    until(lambda: not is_off(), "somebody to listen")
    assert agent.status().findings == ()
