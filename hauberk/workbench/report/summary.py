# SPDX-License-Identifier: Apache-2.0
"""What a span of time was like: counts by workload, rule, object and program, and over time.

Counts are accesses, not events: one that stands for a thousand counts as a thousand.
"""

from typing import Final

import msgspec

from hauberk.events.telling import EventMap, clean, count, done, policy, program, resource, verdict, workload

BINS: Final = 60
"""Parts that the span is divided into."""
TOP: Final = 15
"""Of objects, programs and so on, as many are named."""
MOST: Final = 20_000
"""Most that are told apart while counting; further ones are counted together."""
OTHERS: Final = "(others)"


class Tally(msgspec.Struct):
    """Accesses, by what became of them."""

    refused: int = 0
    audited: int = 0
    passed: int = 0

    @property
    def alerts(self) -> int:
        """Those that a policy has something against."""
        return self.refused + self.audited

    def add(self, state: str, accesses: int) -> None:
        """Count accesses. What is neither refused nor audited has passed."""
        if state == "refused":
            self.refused += accesses
        elif state == "audited":
            self.audited += accesses
        else:
            self.passed += accesses


class Named(Tally):
    """A tally with whom it is of."""

    name: str = ""


class Missing(msgspec.Struct):
    """Accesses of which nothing is known; 0: it is not known how many."""

    accesses: int
    why: str


class Summary(msgspec.Struct, kw_only=True):
    """A span from `begin` to `end`, in seconds since 1970. Lists have the largest first. `bins` are equal
    parts of the span. `complete_since`: older events were dropped, if it is not 0."""

    begin: float
    end: float
    complete_since: float = 0
    nodes: list[str] = []
    events: int = 0
    total: Tally = msgspec.field(default_factory=Tally)
    bins: list[Tally] = []
    workloads: list[Named] = []
    rules: list[Named] = []
    objects: list[Named] = []
    programs: list[Named] = []
    operations: list[Named] = []
    missing: list[Missing] = []


class Count:
    """Tallies by name, of a bounded number of names."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._found: dict[str, Named] = {}

    def add(self, name: str, state: str, accesses: int) -> None:
        """Count accesses of a name."""
        found = self._found.get(name)
        if found is None:
            if len(self._found) >= self._most:
                name = OTHERS
            found = self._found.setdefault(name, Named(name=name))
        found.add(state, accesses)

    def top(self, most: int = TOP) -> list[Named]:
        """The largest, and one for all the others, if there are more."""
        ranked = sorted(self._found.values(), key=lambda each: (-each.alerts, -each.passed, each.name))
        named = [each for each in ranked if each.name != OTHERS][:most]
        others = Named(name=OTHERS)
        for each in ranked:
            if each not in named:
                others.refused += each.refused
                others.audited += each.audited
                others.passed += each.passed
        return [*named, others] if others.alerts or others.passed else named


class Summing:
    """Takes the events of a span, and what is missing in it. `begin` and `end` are seconds since 1970."""

    def __init__(self, begin: float, end: float, bins: int = BINS) -> None:
        self._summary = Summary(begin=begin, end=end, bins=[Tally() for _ in range(bins)])
        self._nodes: set[str] = set()
        self._workloads = Count()
        self._rules = Count()
        self._objects = Count()
        self._programs = Count()
        self._operations = Count()

    def add(self, event: EventMap) -> None:
        """Count an event."""
        state, accesses = verdict(event), count(event)
        summary = self._summary
        summary.events += 1
        summary.total.add(state, accesses)
        self._bin(event).add(state, accesses)
        if (host := clean(event.get("HostName", ""))) and len(self._nodes) < TOP:
            self._nodes.add(host)
        self._workloads.add(workload(event), state, accesses)
        self._operations.add(done(event), state, accesses)
        if state != "passed":
            self._rules.add(policy(event) or "?", state, accesses)
            self._objects.add(resource(event) or "?", state, accesses)
            self._programs.add(program(event), state, accesses)

    def miss(self, accesses: int, why: str) -> None:
        """Remember that accesses are missing."""
        why = clean(why)
        for each in self._summary.missing:
            if each.why == why:
                each.accesses += accesses
                return
        if len(self._summary.missing) < TOP:
            self._summary.missing.append(Missing(accesses, why))
        else:
            self._summary.missing[-1].accesses += accesses

    def finish(self, complete_since: float = 0) -> Summary:
        """What has come together."""
        return msgspec.structs.replace(
            self._summary,
            complete_since=complete_since,
            nodes=sorted(self._nodes),
            workloads=self._workloads.top(),
            rules=self._rules.top(),
            objects=self._objects.top(),
            programs=self._programs.top(),
            operations=self._operations.top(),
        )

    def _bin(self, event: EventMap) -> Tally:
        summary = self._summary
        moment = event.get("Timestamp", 0)
        span = max(summary.end - summary.begin, 1e-9)
        place = int((moment - summary.begin) / span * len(summary.bins)) if isinstance(moment, int) else 0
        return summary.bins[min(max(place, 0), len(summary.bins) - 1)]
