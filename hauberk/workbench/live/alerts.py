# SPDX-License-Identifier: Apache-2.0
"""Alerts and logs: read from the agent's file as they come, and compared with what a step expects."""

import calendar
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from hauberk.events.alert import Alert, Log, parse_event
from hauberk.workbench.live.goregexp import compile_go
from hauberk.workbench.live.scenario import AlertPattern, Condition
from hauberk.workbench.live.stepping import ALERT_FIELDS

_CHUNK: Final = 1 << 20
_Event = TypeVar("_Event", Alert, Log)


class EventFile:
    """The file that the agent appends alerts and logs to, read from where it ends now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        # The agent may not have made it yet.
        self._at = path.stat().st_size if path.exists() else 0

    def events(self) -> list[Alert | Log]:
        """What has come since the last time."""
        found: list[Alert | Log] = []
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return found
        try:
            while data := os.pread(fd, _CHUNK, self._at):
                self._at += len(data)
                *lines, self._rest = (self._rest + data).split(b"\n")
                found += (event for line in lines if line and (event := _parse(line)) is not None)
        finally:
            os.close(fd)
        return found


class AlertFile(EventFile):
    """The alerts of the file."""

    def new(self) -> list[Alert]:
        """Those that have come since the last time."""
        return [event for event in self.events() if isinstance(event, Alert)]


class LogFile(EventFile):
    """The logs of the file."""

    def new(self) -> list[Log]:
        """Those that have come since the last time."""
        return [event for event in self.events() if isinstance(event, Log)]


def _parse(line: bytes) -> Alert | Log | None:
    try:
        return parse_event(line)
    except msgspec.DecodeError:
        return None  # what an agent was killed in the middle of


def matching(alerts: Iterable[_Event], pattern: AlertPattern) -> list[_Event]:
    """Those that are meant by `pattern`."""
    return [alert for alert in alerts if all(_holds(alert, each) for each in pattern.conditions)]


def describe(alert: Alert) -> str:
    """An alert in a few words."""
    return f"{alert.Action} {alert.Operation} by {alert.PolicyName}: {alert.Resource} ({alert.Result})"


def last_time(alert: Alert) -> float:
    """When the last access was that an alert stands for, as Unix time; 0 if it stands for one alone."""
    return _unix(alert.Hauberk.LastTime) if alert.Hauberk.LastTime else 0.0


def time_of(log: Log) -> float:
    """When it was, as Unix time."""
    return _unix(log.UpdatedTime)


def _unix(text: str) -> float:
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def _holds(alert: Alert | Log, condition: Condition) -> bool:
    value = str(getattr(alert, ALERT_FIELDS[condition.field], ""))  # a log has no policy
    match condition.how:
        case "contains":
            return condition.value in value
        case "matches":
            return compile_go(condition.value).search(value) is not None
        case "not":
            return value != condition.value
    return value == condition.value
