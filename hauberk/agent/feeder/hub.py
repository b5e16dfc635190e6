# SPDX-License-Identifier: Apache-2.0
"""Hands what has happened to whoever has asked for it. Who is slow holds up nobody: its queue is bounded, and
what does not fit there is counted and told to it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from hauberk.agent.feeder.wire import Change
from hauberk.events.alert import Alert, Log

QUEUE: Final = 1000
"""Events that wait for one client."""


class Numbered(NamedTuple):
    """An event and its place among all there were, by which a client can go on where it was."""

    number: int
    event: Alert | Log


class Missing(NamedTuple):
    """In place of events: so many accesses are missing here, and why."""

    accesses: int
    why: str


Wanted = Callable[[Alert | Log], bool]


class Subscription:
    """What one client gets: iterate until it is closed."""

    def __init__(self, wanted: Wanted, size: int) -> None:
        self._wanted = wanted
        self._size = size
        self._queue: deque[Numbered | Missing] = deque()
        self._missing = 0
        self._stirred = asyncio.Event()
        self._closed = False
        self.lost = 0
        """Accesses that did not fit in its queue."""

    def offer(self, events: Sequence[Numbered]) -> None:
        """Put those that are wanted in the queue."""
        for numbered in events:
            if not self._wanted(numbered.event):
                continue
            if len(self._queue) >= self._size:
                self._missing += numbered.event.Hauberk.Count
                self.lost += numbered.event.Hauberk.Count
                continue
            if self._missing:
                self._queue.append(Missing(self._missing, "this client does not keep up"))
                self._missing = 0
            self._queue.append(numbered)
        self._stirred.set()

    def tell(self, missing: Missing) -> None:
        """Say that some are missing for everybody."""
        if len(self._queue) < self._size:
            self._queue.append(missing)
        else:
            self._missing += missing.accesses
        self._stirred.set()

    def close(self) -> None:
        """Let the client have what is in the queue, and end."""
        self._closed = True
        self._stirred.set()

    async def __aiter__(self) -> AsyncIterator[Numbered | Missing]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._missing:
                missing, self._missing = self._missing, 0
                yield Missing(missing, "this client does not keep up")
                continue
            if self._closed:
                return
            self._stirred.clear()
            await self._stirred.wait()


class Hub:
    """The subscriptions there are, and the workloads there are."""

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._subscriptions: set[Subscription] = set()
        self._watchers: set[Callable[[Change], None]] = set()
        self.workloads: dict[tuple[str, str, str], Change] = {}
        """By namespace, id and name: what was told of each last."""
        self.lost_by_clients = 0
        """Accesses that did not fit in a client's queue, over all clients there ever were."""
        self.stirred = asyncio.Event()
        """Set when there is something new to say of clients or services."""

    def go_on(self, first: int) -> None:
        """Give the next event this number."""
        self._next = first

    def number(self, events: Sequence[Alert | Log]) -> list[Numbered]:
        """Give events their numbers."""
        begin, self._next = self._next, self._next + len(events)
        return [Numbered(begin + place, event) for place, event in enumerate(events)]

    @property
    def last(self) -> int:
        """The number of the last event there was."""
        return self._next - 1

    def publish(self, events: Sequence[Numbered]) -> None:
        """Hand these to everybody who wants them."""
        for subscription in self._subscriptions:
            subscription.offer(events)

    def miss(self, missing: Missing) -> None:
        """Tell everybody that some are missing."""
        for subscription in self._subscriptions:
            subscription.tell(missing)

    def change(self, change: Change) -> None:
        """A workload has come, changed or gone."""
        key = (change.namespace, change.id, change.name)
        known = self.workloads.pop(key, None)
        if change.what != "deleted":
            # The agent tells of each again now and then.
            change = msgspec.structs.replace(change, what="updated" if known else "added")
            self.workloads[key] = msgspec.structs.replace(change, what="added")
            if self.workloads[key] == known:
                return
        elif known is None:
            return
        for watcher in tuple(self._watchers):
            watcher(change)

    def subscribe(self, wanted: Wanted, size: int = QUEUE) -> Subscription:
        """From now on. Has to be given to `leave`."""
        subscription = Subscription(wanted, size)
        self._subscriptions.add(subscription)
        self.stirred.set()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        self.lost_by_clients += subscription.lost
        self.stirred.set()

    def watch(self, watcher: Callable[[Change], None]) -> None:
        """Be called for each change. Has to be given to `unwatch`."""
        self._watchers.add(watcher)
        self.stirred.set()

    def unwatch(self, watcher: Callable[[Change], None]) -> None:
        self._watchers.discard(watcher)
        self.stirred.set()

    @property
    def clients(self) -> int:
        return len(self._subscriptions) + len(self._watchers)

    @property
    def lost(self) -> int:
        """Accesses that did not reach a client, so far."""
        return self.lost_by_clients + sum(each.lost for each in self._subscriptions)

    def close(self) -> None:
        """Let every client have what waits for it, and end."""
        for subscription in self._subscriptions:
            subscription.close()
