# SPDX-License-Identifier: Apache-2.0
"""Events become numbers, under the names of KubeArmor's exporter, and their number is bounded."""

import time

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families as parse

from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time
from hauberk.sinks.metrics import IDLE_SECONDS, LONGEST, SERIES, Counts, EventMetrics

KUBEARMOR = {
    "kubearmor_alerts_in_host_total": {"HostName": "node-7"},
    "kubearmor_alerts_in_namespace_total": {"NamespaceName": "shop"},
    "kubearmor_alerts_in_pod_total": {"PodName": "cart-5d9"},
    "kubearmor_alerts_in_container_total": {"ContainerName": "cart"},
    "kubearmor_alerts_with_policy_total": {"PolicyName": "guard"},
    "kubearmor_alerts_with_severity_total": {"Severity": "7"},
    "kubearmor_alerts_with_type_total": {"Type": "MatchedPolicy"},
    "kubearmor_alerts_with_operation_total": {"Operation": "File"},
    "kubearmor_alerts_with_action_total": {"Action": "Block"},
}
"""The names and labels of KubeArmor's exporter."""


def alert(count: int = 1, ago: float = 0.0, **more: str) -> Alert:
    made = Alert(PPID=0, UID=0, Hauberk=Extras(Count=count, Rule="spec.file.matchPaths[0]"))
    made.UpdatedTime = unix_time(time.time_ns() - int(ago * 1e9))[1]
    values = {key: value for labels in KUBEARMOR.values() for key, value in labels.items()}
    for key, value in (values | more).items():
        setattr(made, key, value)
    return made


def scraped(metrics: EventMetrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What Prometheus would have, by name."""
    from prometheus_client import generate_latest

    registry = CollectorRegistry()
    registry.register(metrics)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in parse(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_the_names_are_those_of_kubearmors_exporter() -> None:
    metrics = EventMetrics()
    metrics.take([alert(), alert(count=4)])
    found = scraped(metrics)
    for name, labels in KUBEARMOR.items():
        assert found[name] == [(labels, 5)]
    assert {name for name in found if name.startswith("kubearmor")} == KUBEARMOR.keys()


def test_decisions_are_counted_by_rule() -> None:
    metrics = EventMetrics()
    metrics.take([alert(), alert(PolicyName="other"), alert(Action="Audit")])
    found = scraped(metrics)["hauberk_decisions_total"]
    assert sorted((labels["policy"], labels["action"], value) for labels, value in found) == [
        ("guard", "Audit", 1),
        ("guard", "Block", 1),
        ("other", "Block", 1),
    ]
    assert {labels["rule"] for labels, _ in found} == {"spec.file.matchPaths[0]"}


def test_marks_of_gaps_are_no_alerts() -> None:
    metrics = EventMetrics()
    metrics.take([alert(Type="SystemEvent")])
    assert "kubearmor_alerts_with_type_total" not in scraped(metrics)


def test_logs_are_counted_by_operation() -> None:
    metrics = EventMetrics()
    log = Log(PPID=0, UID=0, Operation="File", UpdatedTime=alert().UpdatedTime, Hauberk=Extras(Count=2))
    metrics.take([log, log])
    assert scraped(metrics)["hauberk_logged_total"] == [({"operation": "File"}, 4)]


def test_the_latency_is_from_the_time_of_the_access() -> None:
    metrics = EventMetrics()
    repeats = alert(ago=100)
    repeats.Hauberk.FirstTime = repeats.UpdatedTime
    metrics.take([alert(ago=20), alert(ago=-20), repeats, alert(UpdatedTime="")])
    found = scraped(metrics)
    buckets = {labels["le"]: value for labels, value in found["hauberk_feeder_latency_seconds_bucket"]}
    assert (buckets["0.001"], buckets["10.0"], buckets["+Inf"]) == (1, 1, 2)
    assert found["hauberk_feeder_latency_seconds_count"] == [({}, 2)]


def test_series_beyond_the_limit_are_others() -> None:
    metrics = EventMetrics()
    metrics.take(alert(PodName=f"pod-{number}") for number in range(SERIES + 30))
    found = {labels["PodName"]: value for labels, value in scraped(metrics)["kubearmor_alerts_in_pod_total"]}
    assert len(found) == SERIES + 1
    assert found["other"] == 30


def test_series_that_count_nothing_any_more_make_room() -> None:
    counts = Counts("a", "b", ["c"], limit=2)
    for name, now in (("one", 0.0), ("two", 1.0), ("three", 2.0), ("four", IDLE_SECONDS)):
        counts.add((name,), 1, now)
    assert [sample.labels["c"] for sample in counts.family().samples] == ["two", "four", "other"]


def test_a_long_name_ends_somewhere() -> None:
    counts = Counts("a", "b", ["c"])
    counts.add(("x" * 5000,), 1, 0.0)
    counts.add(("x" * 6000,), 1, 0.0)
    assert [(len(sample.labels["c"]), sample.value) for sample in counts.family().samples] == [(LONGEST, 2)]


@pytest.mark.parametrize("name", ['a"} 5\nforged 1', "a\\", "a\nb", "\x1b[31m", "‮", "é"])
def test_no_name_forges_a_line(name: str) -> None:
    metrics = EventMetrics()
    metrics.take([alert(ContainerName=name)])
    found = scraped(metrics)
    assert found["kubearmor_alerts_in_container_total"] == [({"ContainerName": name}, 1)]
    assert "forged" not in found
