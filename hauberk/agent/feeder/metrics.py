# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: what Prometheus scrapes. Events are counted here; everything else the agent is asked for when
somebody scrapes, so that it costs nothing while nobody does."""

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from hauberk.agent.control.client import AgentError, ask
from hauberk.agent.control.messages import AgentStatus, AskStatus
from hauberk.agent.feeder.http import PageServer
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.sinks.metrics import EventMetrics, histogram

PATH: Final = "/metrics"
FRESH_SECONDS: Final = 1.0
"""For how long an answer of the agent serves everybody."""
_AGENT_SECONDS: Final = 5.0
"""How long the agent may take. It is without its numbers that the page is served then."""


class Metrics:
    """The service, at `address` (HOST:PORT); `socket` is where the agent is asked."""

    def __init__(self, address: str, socket: str, hub: Hub) -> None:
        self.findings: Sequence[str] = ()
        self.listening: Sequence[str] = ()
        self.lost: Mapping[str, int] = {}
        self._address = address
        self._events = EventMetrics()
        self._agent = AgentMetrics(socket, hub)
        self._registry = CollectorRegistry()
        self._registry.register(self._events)
        self._registry.register(self._agent)
        self._server = PageServer(PATH, self._page)

    async def start(self) -> None:
        """See `Service`."""
        host, _, port = self._address.rpartition(":")
        host = host.strip("[]")
        try:
            bound = await self._server.start(host, int(port))
        except OSError as error:
            self.findings = (f"metrics are not served at {self._address}: {error.strerror or error}",)
            return
        self.listening = (f"metrics at http://{bound}{PATH}",)
        if not ipaddress.ip_address(host).is_loopback:
            self.findings = (
                f"whoever reaches {bound} can read the names of workloads and policies: metrics have no"
                " encryption and no password",
            )

    def take(self, events: Sequence[Numbered]) -> None:
        """See `Service`."""
        self._events.take(numbered.event for numbered in events)

    def miss(self, missing: Missing) -> None:
        """See `Service`. The agent counts them."""

    async def close(self) -> None:
        """See `Service`."""
        await self._server.close()

    async def _page(self, accepted: str) -> tuple[str, bytes]:
        await self._agent.refresh()
        encode, kind = choose_encoder(accepted)
        return kind, encode(self._registry)


class AgentMetrics:
    """What the agent says of itself, as it was when it was asked last."""

    def __init__(self, socket: str, hub: Hub) -> None:
        self._socket = socket
        self._hub = hub
        self._status: AgentStatus | None = None
        self._asked = -FRESH_SECONDS
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Ask, if it was not asked a moment ago."""
        async with self._one_at_a_time:
            if time.monotonic() - self._asked < FRESH_SECONDS:
                return
            try:
                self._status = await asyncio.to_thread(ask, AskStatus(), self._socket, _AGENT_SECONDS)
            except AgentError:
                self._status = None
            self._asked = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """All families; without an answer only whether there was one, and the clients."""
        status = self._status
        yield _gauge("hauberk_agent_up", "Whether the agent has answered", [((), status is not None)])
        yield _gauge("hauberk_clients", "Clients that are connected", [((), self._hub.clients)])
        if status is None:
            return
        yield _gauge(
            "hauberk_agent_info",
            "The agent's version and what it stands on",
            [((status.version, status.kernel, status.enforcer), 1)],
            ("version", "kernel", "enforcer"),
        )
        yield _gauge("hauberk_agent_start_time_seconds", "When the agent was started", [((), status.since)])
        yield _gauge("hauberk_findings", "What is wrong, which status tells", [((), len(status.findings))])
        workloads = Counter((each.kind, each.state) for each in status.workloads)
        yield _gauge("hauberk_workloads", "Workloads by state", workloads.items(), ("kind", "state"))
        yield _gauge("hauberk_policies", "Policies that are in force", [((), status.policies)])
        bound = Counter((state,) for each in status.workloads for _, state, _ in each.policies)
        yield _gauge(
            "hauberk_bound_policies", "Policies of each workload, by state", bound.items(), ("state",)
        )
        containers = [((each.name, each.path), each.containers) for each in status.runtimes]
        yield _gauge(
            "hauberk_containers",
            "Containers by runtime, and how they are caught",
            containers,
            ("runtime", "path"),
        )
        yield _counter("hauberk_lost", "What was lost or refused for want of room", status.counters, "cause")
        alone = {"placed": status.placed_without_agent, "refused": status.refused_without_agent}
        yield _counter("hauberk_starts_without_agent", "Starts that the gate decided", alone, "outcome")
        taken = [((what,), used) for what, (used, _) in status.room.items()]
        yield _gauge("hauberk_room_used", "How much is taken", taken, ("of",))
        limits = [((what,), limit) for what, (_, limit) in status.room.items()]
        yield _gauge("hauberk_room_limit", "How much there is room for", limits, ("of",))
        if status.waited is not None:
            yield histogram(
                "hauberk_start_wait_seconds", "How long starts of containers waited", status.waited
            )


def _gauge(
    name: str,
    meaning: str,
    values: Iterable[tuple[tuple[str, ...], float]],
    labels: Sequence[str] = (),
) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for texts, value in values:
        family.add_metric(texts, value)
    return family


def _counter(name: str, meaning: str, values: Mapping[str, int], label: str) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for text, value in values.items():
        family.add_metric([text], value)
    return family
