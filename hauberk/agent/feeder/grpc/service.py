# SPDX-License-Identifier: Apache-2.0
"""gRPC as a service of the feeder: which servers there are, and what each of them serves.

Who can reach a server decides what it serves. At a unix socket everything: its directory lets in root and the
agent's group. On loopback everything too, but only to these, except LogService, which any user of the machine
may listen to. Off loopback everything with TLS, to those with a certificate, else LogService and no more.
"""

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence

import grpc

from hauberk.agent.feeder.grpc import logs
from hauberk.agent.feeder.grpc.convert import Encoder
from hauberk.agent.feeder.grpc.rpc import handler
from hauberk.agent.feeder.grpc.serving import Serving
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.wire import Feeding, Grpc


class GrpcService:
    """See `Service`."""

    def __init__(self, feeding: Feeding, asked: Grpc, hub: Hub) -> None:
        self._hub = hub
        self._asked = asked
        log_service = logs.LogService(hub, Encoder(feeding.cluster, feeding.node_name))
        self._logs = handler(logs.SERVICE, log_service.answers)
        self._servings = self._make()

    @property
    def findings(self) -> Sequence[str]:
        return [serving.finding for serving in self._servings if serving.finding]

    @property
    def listening(self) -> Sequence[str]:
        return [serving.name for serving in self._servings if serving.is_listening]

    @property
    def lost(self) -> Mapping[str, int]:
        return {"slow_clients": self._hub.lost}

    async def start(self) -> None:
        await asyncio.gather(*(serving.start() for serving in self._servings))

    def take(self, events: Sequence[Numbered]) -> None:
        """Clients have them from the hub."""

    def miss(self, missing: Missing) -> None:
        """Clients are told by the hub."""

    async def close(self) -> None:
        await asyncio.gather(*(serving.close() for serving in self._servings))

    def _make(self) -> list[Serving]:
        asked = self._asked
        servings = []
        if asked.port:
            servings.append(self._serve("gRPC", place(asked.address, asked.port), [self._logs]))
        return servings

    def _serve(self, what: str, where: str, handlers: Sequence[grpc.GenericRpcHandler]) -> Serving:
        def bind(server: grpc.aio.Server) -> None:
            server.add_insecure_port(where)

        return Serving(f"{what} at {where}", bind, handlers, self._hub.stirred.set)


def place(address: str, port: int) -> str:
    """An address and port as gRPC and people write them."""
    return f"[{address}]:{port}" if ipaddress.ip_address(address).version == 6 else f"{address}:{port}"
