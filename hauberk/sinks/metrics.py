# SPDX-License-Identifier: Apache-2.0
"""Events as numbers: the counters of KubeArmor's exporter, by its names, and Hauberk's own.

All count accesses: an alert that stands for many counts as many. How many series a counter has is bounded,
whatever names workloads choose: of a series beyond the limit each label is `other`. Before it comes to that,
series that have not counted anything for an hour are forgotten.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from hauberk.events.alert import Alert, Log
from hauberk.events.histogram import Histogram

SERIES: Final = 1000
"""Series of one counter."""
IDLE_SECONDS: Final = 3600.0
LONGEST: Final = 256
"""Characters of a label's value; longer ones end there."""
OTHER: Final = "other"

_LATENCIES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_KUBEARMOR: Final = (
    ("host", "HostName"),
    ("namespace", "NamespaceName"),
    ("pod", "PodName"),
    ("container", "ContainerName"),
    ("policy", "PolicyName"),
    ("severity", "Severity"),
    ("type", "Type"),
    ("operation", "Operation"),
    ("action", "Action"),
)
"""What the counters of KubeArmor's exporter are named for, and their labels."""
_DECISION: Final = ("kind", "policy_namespace", "policy", "rule", "operation", "action")


class _Series:
    """What was counted, and when last."""

    __slots__ = ("count", "seen")

    def __init__(self) -> None:
        self.count = 0
        self.seen = 0.0


class Counts:
    """One counter and its series."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], *, limit: int = SERIES) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = tuple(labels)
        self._limit = limit
        self._series: dict[tuple[str, ...], _Series] = {}
        self._others = 0
        """What was counted beyond the limit."""

    def add(self, values: tuple[str, ...], count: int, now: float) -> None:
        """Count. `values` are those of the labels; `now` is in seconds, and never goes back."""
        series = self._series.get(values)
        if series is None:
            values = tuple(value[:LONGEST] for value in values)
            series = self._series.get(values)
            if series is None:
                if len(self._series) >= self._limit and not self._forget_idle(now):
                    self._others += count
                    return
                series = self._series[values] = _Series()
        series.count += count
        series.seen = now

    def family(self) -> Metric:
        """As the exposition has it."""
        family = CounterMetricFamily(self.name, self._meaning, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(values, series.count)
        if self._others:
            family.add_metric((OTHER,) * len(self._labels), self._others)
        return family

    def _forget_idle(self, now: float) -> bool:
        """Whether there is room for a new series then."""
        for values in [each for each, series in self._series.items() if now - series.seen >= IDLE_SECONDS]:
            del self._series[values]
        return len(self._series) < self._limit


class EventMetrics:
    """Counts events as they come; `collect` is asked by a registry of prometheus_client."""

    def __init__(self, *, realtime: Callable[[], float] = time.time) -> None:
        self._realtime = realtime
        self._kubearmor = tuple(
            (
                label,
                Counts(
                    f"kubearmor_alerts_{'in' if at < 4 else 'with'}_{what}", f"Alerts by {label}", [label]
                ),
            )
            for at, (what, label) in enumerate(_KUBEARMOR)
        )
        self._decisions = Counts(
            "hauberk_decisions", "Accesses that were refused or audited, by rule", _DECISION
        )
        self._logged = Counts("hauberk_logged", "Accesses that visibility reports", ["operation"])
        self._latency = Histogram.of(*_LATENCIES)

    def take(self, events: Iterable[Alert | Log]) -> None:
        """Count these."""
        now, monotonic = self._realtime(), time.monotonic()
        log = None
        for event in events:
            count = event.Hauberk.Count
            if isinstance(event, Log):
                self._logged.add((event.Operation,), count, monotonic)
                log = log or event
            elif event.Type.startswith("Matched"):
                for label, counts in self._kubearmor:
                    counts.add((getattr(event, label),), count, monotonic)
                extras = event.Hauberk
                self._decisions.add(
                    (
                        extras.PolicyKind,
                        extras.PolicyNamespace,
                        event.PolicyName,
                        extras.Rule,
                        event.Operation,
                        event.Action,
                    ),
                    count,
                    monotonic,
                )
                if not extras.FirstTime:
                    self._add_latency(now, event)
        if log is not None:
            # Of logs, of which there may be many, the first of each batch, which took longest.
            self._add_latency(now, log)

    def _add_latency(self, now: float, event: Alert | Log) -> None:
        if event.UpdatedTime:
            self._latency.add(now - datetime.fromisoformat(event.UpdatedTime).timestamp())

    def collect(self) -> Iterator[Metric]:
        """All families."""
        for _, counts in self._kubearmor:
            yield counts.family()
        yield self._decisions.family()
        yield self._logged.family()
        yield histogram(
            "hauberk_feeder_latency_seconds",
            "From an access in the kernel to the process that serves clients",
            self._latency,
        )


def histogram(name: str, meaning: str, of: Histogram) -> Metric:
    """A histogram as the exposition has it."""
    buckets, total = [], 0
    for bound, count in zip((*map(str, of.bounds), "+Inf"), of.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=of.seconds)
