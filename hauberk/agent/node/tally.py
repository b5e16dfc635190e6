# SPDX-License-Identifier: Apache-2.0
"""What became of each workload's accesses, counted as the alerts pass by."""

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.events.alert import Alert, Log
from hauberk.events.identity import WorkloadIdentity

Key = tuple[str, str, str]
"""What tells workloads apart in an alert: namespace, container id, container name."""


@dataclass(slots=True)
class Count:
    """Of one workload."""

    refused: int = 0
    audited: int = 0
    last: str = ""


def key_of(identity: WorkloadIdentity) -> Key:
    """The key that alerts of this workload have."""
    return identity.namespace, identity.container_id, identity.container_name


class Tally:
    """A sink that only counts."""

    lost = 0

    def __init__(self) -> None:
        self._counts: dict[Key, Count] = {}

    def of(self, identity: WorkloadIdentity) -> Count:
        """What was counted for a workload so far."""
        return self._counts.get(key_of(identity), Count())

    def forget(self, identity: WorkloadIdentity) -> None:
        """Drop the counts of a workload that has ended."""
        self._counts.pop(key_of(identity), None)

    def write(self, events: Sequence[Alert | Log]) -> None:
        """See `Sink`."""
        for event in events:
            if not isinstance(event, Alert):
                continue
            key = event.NamespaceName, event.ContainerID, event.ContainerName
            count = self._counts.setdefault(key, Count())
            if event.Action == "Block":
                count.refused += event.Hauberk.Count
            else:
                count.audited += event.Hauberk.Count
            count.last = f"{event.UpdatedTime} {event.Action} {event.Operation} {event.Resource}"

    def flush(self) -> None:
        """See `Sink`."""

    def close(self) -> None:
        """See `Sink`."""
