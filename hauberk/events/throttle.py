# SPDX-License-Identifier: Apache-2.0
"""Alerts held back for the sake of clients, with KubeArmor's settings, and told together later: none is lost.

Of a workload the first alerts of a second pass, up to a limit. The one after them begins a silence, which a
`SystemEvent` of operation `AlertThreshold` tells of. When `seconds` have passed since the first of them, what
was held back is told in one alert for each policy, rule, program, object and action, with `Hauberk.Count`
and the times of the first and the last. Of kinds beyond a limit one alert tells without rule and object.

So the counts of all alerts that are told add up to those of all alerts that came. Logs and other events pass.
The clock is whoever's calls it is: `now` is in seconds, and never goes back.
"""

from collections.abc import Iterator, Sequence
from operator import methodcaller
from typing import Final

import msgspec

from hauberk.events.alert import Alert, Extras, Log

KINDS_OF_ONE: Final = 64
"""Alerts that differ and are held back of one workload. Those beyond are told together."""
KINDS_OF_ALL: Final = 4096
"""The same, of all workloads."""
IDLE: Final = 1024
"""Workloads that are remembered although nothing of them is held back."""
WINDOW_SECONDS: Final = 1.0
"""The time in which so many may pass."""

NOTICE: Final = "SystemEvent"
THRESHOLD: Final = "AlertThreshold"
REST: Final = "OtherAlerts"
"""`PolicyName` of what is told of kinds beyond a limit."""

_copy: Final = methodcaller("__copy__")

_Key = tuple[str, str, str, str]
_Kind = tuple[str, ...]


class Throttling(msgspec.Struct, frozen=True):
    """How many alerts of a workload pass in a second, and for how long it is quiet after more, in seconds."""

    alerts: int
    seconds: int


class _Workload:
    """Alerts of one workload since `began`."""

    __slots__ = ("began", "held", "passed")

    def __init__(self, now: float) -> None:
        self.began = now
        self.passed = 0
        self.held: dict[_Kind, Alert] | None = None
        """What is held back, by kind; None while nothing is."""


class Throttle:
    """Decides which alerts pass. `setting` None: all."""

    def __init__(self, setting: Throttling | None) -> None:
        self._setting = setting
        self._workloads: dict[_Key, _Workload] = {}
        self._held = 0

    def take(self, event: Alert | Log, now: float) -> Sequence[Alert | Log]:
        """What is to be told now that this has come."""
        setting = self._setting
        if setting is None or not isinstance(event, Alert) or not event.Type.startswith("Matched"):
            return (event,)
        key = event.NamespaceName, event.PodName, event.ContainerID, event.ContainerName
        workload = self._workloads.get(key)
        if workload is None:
            if len(self._workloads) >= IDLE:
                self._forget_idle(now)
            workload = self._workloads[key] = _Workload(now)
        if workload.held is None:
            if now - workload.began >= WINDOW_SECONDS:
                workload.began = now
                workload.passed = 0
            workload.passed += 1
            if workload.passed <= setting.alerts:
                return (event,)
            workload.held = {}
            self._hold(workload.held, event)
            return (_notice(event, setting),)
        self._hold(workload.held, event)
        return ()

    def due(self) -> float | None:
        """When the next silence ends; None if there is none."""
        if self._setting is None or not self._held:
            return None
        begins = (each.began for each in self._workloads.values() if each.held is not None)
        first = min(begins, default=None)
        return None if first is None else first + self._setting.seconds

    def expire(self, now: float | None = None) -> Iterator[Alert]:
        """What was held back in the silences that have ended at `now`; without it, in all."""
        if self._setting is None:
            return
        for key, workload in list(self._workloads.items()):
            if workload.held is None or (now is not None and now < workload.began + self._setting.seconds):
                continue
            del self._workloads[key]
            self._held -= len(workload.held)
            yield from workload.held.values()

    def _hold(self, held: dict[_Kind, Alert], event: Alert) -> None:
        kind = _kind(event)
        first = held.get(kind)
        if first is None and (len(held) >= KINDS_OF_ONE or self._held >= KINDS_OF_ALL):
            kind = (event.Type, event.Action)
            first = held.get(kind)
            if first is None:
                event = _rest(event)
        if first is not None:
            _add(first, event)
            return
        # The event itself is others' as well, and this one will change.
        kept = held[kind] = _copy(event)
        kept.Hauberk = _copy(event.Hauberk)
        self._held += 1

    def _forget_idle(self, now: float) -> None:
        """Nothing but the numbers of this second is lost with them."""
        idle = [key for key, each in self._workloads.items() if each.held is None]
        passed = [key for key in idle if now - self._workloads[key].began >= WINDOW_SECONDS]
        for key in passed or idle:
            del self._workloads[key]


def _kind(event: Alert) -> _Kind:
    """What tells alerts apart that are not told together."""
    extras = event.Hauberk
    return (
        event.Type,
        event.Action,
        event.PolicyName,
        extras.PolicyKind,
        extras.PolicyNamespace,
        extras.Rule,
        event.ProcessName,
        event.Operation,
        event.Resource,
    )


def _add(sum_: Alert, event: Alert) -> None:
    """Let the first alert stand for one more."""
    extras, added = sum_.Hauberk, event.Hauberk
    extras.Count += added.Count
    extras.FirstTime = min(extras.FirstTime or sum_.UpdatedTime, added.FirstTime or event.UpdatedTime)
    extras.LastTime = max(extras.LastTime or sum_.UpdatedTime, added.LastTime or event.UpdatedTime)
    if event.Timestamp >= sum_.Timestamp:
        sum_.Timestamp, sum_.UpdatedTime = event.Timestamp, extras.LastTime


def _anonymous(event: Alert) -> Alert:
    """An alert that says of which workload it is, and when, and no more."""
    made = Alert(PPID=0, UID=0, Hauberk=Extras())
    for name in (
        "Timestamp", "UpdatedTime", "ClusterName", "HostName", "NodeID", "NamespaceName", "Owner", "PodName",
        "Labels", "ContainerID", "ContainerName", "ContainerImage",
    ):  # fmt: skip
        setattr(made, name, getattr(event, name))
    return made


def _notice(event: Alert, setting: Throttling) -> Alert:
    made = _anonymous(event)
    made.Type, made.Operation = NOTICE, THRESHOLD
    made.MaxAlertsPerSec, made.DroppingAlertsInterval = setting.alerts, setting.seconds
    made.Message = (
        f"there are more than {setting.alerts} alerts a second; further ones are told together within"
        f" {setting.seconds} seconds"
    )
    # It stands for no access.
    made.Hauberk.Count = 0
    return made


def _rest(event: Alert) -> Alert:
    made = _anonymous(event)
    made.Type, made.Action, made.Result, made.Enforcer = (
        event.Type,
        event.Action,
        event.Result,
        event.Enforcer,
    )
    made.PolicyName = REST
    extras = made.Hauberk
    extras.Count = event.Hauberk.Count
    extras.FirstTime = event.Hauberk.FirstTime or event.UpdatedTime
    extras.LastTime = event.Hauberk.LastTime or event.UpdatedTime
    extras.Reason = "too many alerts that differ were held back to tell of each"
    return made
