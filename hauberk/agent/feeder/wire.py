# SPDX-License-Identifier: Apache-2.0
"""What the agent and its feeder tell each other: MessagePack behind its length, over a socket that is theirs
alone, as both are of one version."""

from struct import Struct
from typing import Any, Final

import msgspec

from hauberk.events.alert import Alert, Log
from hauberk.events.throttle import Throttling

HISTORY: Final = "history.db"
"""Name of the history in the state directory."""
EVENTS: Final = "events.sock"
"""Name of the socket that events are had from, beside the agent's."""
HASHES: Final = "hashes"
"""An argument of the feeder, which has to know before it gives up what it may: begin what computes hashes."""
_LENGTH: Final = Struct("=I")


class Grpc(msgspec.Struct, frozen=True, kw_only=True):
    """What is served over gRPC. A port of 0 is none.

    `address` is an IP address. `certificates` is the directory of those for TLS, empty: plaintext. Then, off
    loopback, LogService is served and nothing else. `socket` is a unix socket, or empty: what its directory
    lets in may do everything. `group` names whose members, besides root, may do so over loopback. `kinds` are
    the kinds of policies that bind anything.
    """

    address: str
    port: int
    health_port: int = 0
    certificates: str = ""
    socket: str = ""
    group: str = ""
    kinds: tuple[str, ...] = ("KubeArmorPolicy", "KubeArmorHostPolicy")


class Feeding(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first that the feeder hears: what it has to serve. `socket` is where the agent can be asked,
    `socket_group` who may do that besides root. `history_mib`: 0 is none."""

    cluster: str
    node_name: str
    socket: str
    state_directory: str
    throttling: Throttling | None = None
    metrics: str = ""
    """HOST:PORT; empty: nowhere."""
    socket_group: str = ""
    history_mib: int = 0
    grpc: Grpc | None = None
    forward: tuple[str, ...] = ()
    """Logs of this machine that have all events too (`log_records.PLACES`)."""
    hashes: bool = False
    """Whether events have hashes of the files that they name."""


class Events(msgspec.Struct, tag=True):
    """What has happened, in its order among alerts and among logs. The feeder answers with `number`."""

    number: int
    alerts: list[Alert]
    logs: list[Log]


class Gap(msgspec.Struct, frozen=True, tag=True):
    """So many accesses happened since the last `Events` that the feeder will not hear of."""

    accesses: int


class Change(msgspec.Struct, frozen=True, tag=True):
    """A workload has come, has changed or has gone: `what` is `added`, `updated` or `deleted`."""

    what: str
    namespace: str
    name: str
    id: str
    image: str
    labels: dict[str, str]
    pid: int


class Told(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What the feeder answers: the number of the last `Events` that it has dealt with, and how it is."""

    number: int
    clients: int = 0
    lost: dict[str, int] = {}
    """Accesses that did not reach a client or a store, by cause."""
    findings: tuple[str, ...] = ()
    """What is wrong, in words."""
    listening: tuple[str, ...] = ()
    """Services and their addresses, in words."""


ToFeeder = Feeding | Events | Gap | Change

_encoder: Final = msgspec.msgpack.Encoder()
_to_feeder: Final = msgspec.msgpack.Decoder(ToFeeder)
_to_agent: Final = msgspec.msgpack.Decoder(Told)


def pack(message: ToFeeder | Told) -> bytes:
    """A message as it goes over the socket."""
    payload = _encoder.encode(message)
    return _LENGTH.pack(len(payload)) + payload


class Unpacker:
    """Messages out of what a socket brings piece by piece."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[Any]") -> None:
        self._decoder = decoder
        self._pending = bytearray()

    @classmethod
    def for_feeder(cls) -> "Unpacker":
        return cls(_to_feeder)

    @classmethod
    def for_agent(cls) -> "Unpacker":
        return cls(_to_agent)

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are whole with this. Raises `msgspec.DecodeError`."""
        self._pending += data
        found, begin = [], 0
        while len(self._pending) - begin >= _LENGTH.size:
            end = begin + _LENGTH.size + _LENGTH.unpack_from(self._pending, begin)[0]
            if len(self._pending) < end:
                break
            found.append(self._decoder.decode(bytes(self._pending[begin + _LENGTH.size : end])))
            begin = end
        del self._pending[:begin]
        return found
