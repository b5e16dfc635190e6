# SPDX-License-Identifier: Apache-2.0
"""Between what happens and the clients: alerts of which there are too many are told together (`throttle`).

What is told later has the number of the last event there was then. Who goes on by numbers gets each alert
(`following`). No timer runs while nothing is held back.
"""

import asyncio
from collections.abc import Iterable, Sequence

from hauberk.agent.feeder.hub import Hub, Numbered
from hauberk.events.alert import Alert
from hauberk.events.throttle import Throttle, Throttling


class Throttled:
    """Publishes to a hub. Without a setting everything."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._throttle = Throttle(None)
        self._timer: asyncio.TimerHandle | None = None

    def use(self, setting: Throttling | None) -> None:
        """Hold back by this setting from now on."""
        self._throttle = Throttle(setting)

    def publish(self, events: Sequence[Numbered]) -> None:
        """Hand on what is to be told now."""
        now = asyncio.get_running_loop().time()
        # What was held back too long because this process was busy comes before what is new.
        self._expire(now)
        take = self._throttle.take
        self._hub.publish([Numbered(number, told) for number, event in events for told in take(event, now)])
        self._set_timer()

    def close(self) -> None:
        """Tell what is held back."""
        if self._timer is not None:
            self._timer.cancel()
        self._tell(self._throttle.expire())

    def _expire(self, now: float) -> None:
        due = self._throttle.due()
        if due is not None and now >= due:
            self._tell(self._throttle.expire(now))

    def _tell(self, alerts: Iterable[Alert]) -> None:
        self._hub.publish([Numbered(self._hub.last, alert) for alert in alerts])

    def _set_timer(self) -> None:
        due = self._throttle.due()
        if due is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._expire(asyncio.get_running_loop().time())
        self._set_timer()
