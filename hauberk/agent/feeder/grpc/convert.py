# SPDX-License-Identifier: Apache-2.0
"""Events as the bytes that clients get, made once however many of them there are.

Fields have KubeArmor's names on both sides and are taken over by them. What only Hauberk knows has no field
there, so the little of it that changes what an alert means goes into `EventData`, which is made for more
words: `Count` and `FirstTime` if it stands for several accesses, `Rule`, and `Reason` where no rule decided.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message

from hauberk.agent.feeder.hub import Missing, Numbered
from hauberk.api import feeder_pb2 as api
from hauberk.events.alert import Alert, Extras, Log
from hauberk.events.clock import unix_time

SYSTEM_EVENT: Final = "SystemEvent"
"""Type of what is not about an access."""
MISSING: Final = "Missing"
"""Operation of what stands in place of events."""
_LATEST: Final = 4096
"""Events whose bytes are kept, for clients that are not all at the same place."""

_ALERT_FIELDS: Final = tuple(
    name
    for name in Alert.__struct_fields__
    if name in api.Alert.DESCRIPTOR.fields_by_name and name not in ("Owner", "ExecEvent", "EventData")
)
_LOG_FIELDS: Final = tuple(
    name
    for name in Log.__struct_fields__
    if name in api.Log.DESCRIPTOR.fields_by_name and name not in ("Owner", "ExecEvent", "EventData")
)


def message_of(event: Alert | Log) -> api.Alert | api.Log:
    """An event as a message. Raises ValueError or TypeError for a value that has no place in one."""
    message: api.Alert | api.Log
    if isinstance(event, Alert):
        message = api.Alert(**{name: value for name in _ALERT_FIELDS if (value := getattr(event, name))})
    else:
        message = api.Log(**{name: value for name in _LOG_FIELDS if (value := getattr(event, name))})
    if event.Owner is not None:
        owner = event.Owner
        message.Owner.CopyFrom(api.Podowner(Ref=owner.Ref, Name=owner.Name, Namespace=owner.Namespace))
    if event.ExecEvent is not None:
        message.ExecEvent.ExecID = event.ExecEvent.ExecID
        message.ExecEvent.ExecutableName = event.ExecEvent.ExecutableName
    message.EventData.update(event.EventData)
    message.EventData.update(_more(event.Hauberk))
    return message


def _more(extras: Extras) -> dict[str, str]:
    words = {"Rule": extras.Rule, "Reason": extras.Reason}
    if extras.Count > 1:
        words |= {"Count": str(extras.Count), "FirstTime": extras.FirstTime}
    return {name: word for name, word in words.items() if word}


class Encoder:
    """Bytes of events for a node."""

    def __init__(self, cluster: str, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._bytes: OrderedDict[int, tuple[Alert | Log, bytes]] = OrderedDict()
        """By the identity of the event: what is told together has a number that others have as well."""

    def event(self, numbered: Numbered) -> bytes:
        """An event's. One that has no form as a message, which none should, is told as missing."""
        event = numbered.event
        known = self._bytes.get(id(event))
        if known is not None:
            return known[1]
        try:
            data: bytes = message_of(event).SerializeToString()
        except (ValueError, TypeError) as error:
            missing = Missing(event.Hauberk.Count, f"it has no form as a message: {error}")
            data = self.alert(missing) if isinstance(event, Alert) else self.log(missing)
        self._bytes[id(event)] = event, data
        if len(self._bytes) > _LATEST:
            self._bytes.popitem(last=False)
        return data

    def alert(self, missing: Missing) -> bytes:
        """What a client for alerts is told in place of those that are missing."""
        return self._notice(api.Alert, Message=in_words(missing), **_missing_fields(missing))

    def log(self, missing: Missing) -> bytes:
        """The same for logs, which have no field for words."""
        return self._notice(api.Log, Resource=in_words(missing), **_missing_fields(missing))

    def message(self, missing: Missing) -> bytes:
        """The same for messages about the engine."""
        return self._notice(api.Message, Type="Message", Level="WARN", Message=in_words(missing))

    def _notice(self, kind: Callable[..., Message], **fields: Any) -> bytes:
        """Something that the node says itself, now."""
        second, text = unix_time(time.time_ns())
        told = kind(
            Timestamp=second, UpdatedTime=text, ClusterName=self._cluster, HostName=self._node, **fields
        )
        data: bytes = told.SerializeToString()
        return data


def _missing_fields(missing: Missing) -> dict[str, Any]:
    """What alerts and logs have in common that stand for missing ones."""
    return {
        "Type": SYSTEM_EVENT,
        "Operation": MISSING,
        "Data": f"missing={missing.accesses}",
        "EventData": {"Missing": str(missing.accesses)},
    }


def in_words(missing: Missing) -> str:
    """That events are missing, for people."""
    return f"{missing.accesses} accesses are missing here: {missing.why}"
