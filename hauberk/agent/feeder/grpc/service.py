# SPDX-License-Identifier: Apache-2.0
"""gRPC as a service of the feeder: which servers there are, and what each of them serves.

Who can reach a server decides what it serves. At the unix socket everything: its directory lets in root and
the agent's group. On loopback everything too, but only to these, except LogService, which any user of the
machine may listen to. Off loopback everything with TLS, to those with a certificate, else LogService and no
more.
"""

import asyncio
import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hauberk.agent.feeder.grpc import logs, policies, probing, states
from hauberk.agent.feeder.grpc.admission import Admission
from hauberk.agent.feeder.grpc.certificates import server_credentials
from hauberk.agent.feeder.grpc.convert import Encoder
from hauberk.agent.feeder.grpc.rpc import Answer, Answers, Context, handler
from hauberk.agent.feeder.grpc.serving import Serving
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.wire import Feeding, Grpc

Services = Sequence[tuple[ServiceDescriptor, Answers]]


class GrpcService:
    """See `Service`."""

    def __init__(self, feeding: Feeding, asked: Grpc, hub: Hub) -> None:
        self._hub = hub
        self._asked = asked
        self._health = health.aio.HealthServicer()
        self._main: list[Serving] = []
        self._logs: Services = [
            (logs.SERVICE, logs.LogService(hub, Encoder(feeding.cluster, feeding.node_name)).answers)
        ]
        self._others: Services = [
            (policies.SERVICE, policies.PolicyService(feeding, asked.kinds).answers),
            (probing.SERVICE, probing.ProbeService(feeding).answers),
            (states.SERVICE, states.StateAgent(feeding, hub).answers),
        ]
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

    # The servers

    def _make(self) -> list[Serving]:
        asked = self._asked
        servings = [self._on_network()]
        if asked.socket:
            servings.append(self._on_socket(asked.socket))
        self._main = list(servings)
        if asked.health_port:
            servings.append(self._for_health())
        return servings

    def _on_network(self) -> Serving:
        asked = self._asked
        where = place(asked.address, asked.port)
        if asked.certificates:

            def with_certificates(server: grpc.aio.Server) -> None:
                server.add_secure_port(where, server_credentials(asked.certificates))

            return self._serve(f"gRPC with TLS at {where}", [*self._logs, *self._others], with_certificates)

        def plain(server: grpc.aio.Server) -> None:
            server.add_insecure_port(where)

        if not ipaddress.ip_address(asked.address).is_loopback:
            name = f"gRPC at {where}, alerts and logs only, without encryption and to everybody"
            return self._serve(name, self._logs, plain)
        admission = Admission(asked.address, asked.port, asked.group, asked.socket, self._hub)
        others = [(service, _admitted(answers, admission)) for service, answers in self._others]
        return self._serve(f"gRPC at {where}", [*self._logs, *others], plain)

    def _on_socket(self, path: str) -> Serving:
        def bind(server: grpc.aio.Server) -> None:
            # What another process left there.
            with suppress(FileNotFoundError):
                os.unlink(path)
            # The directory says who gets here, not the socket.
            mask = os.umask(0o111)
            try:
                server.add_insecure_port(f"unix:{path}")
            finally:
                os.umask(mask)

        return self._serve(f"gRPC at unix:{path}", [*self._logs, *self._others], bind)

    def _for_health(self) -> Serving:
        where = place(self._asked.address, self._asked.health_port)

        def set_up(server: grpc.aio.Server) -> None:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            server.add_insecure_port(where)

        return Serving(f"gRPC health at {where}", set_up, self._changed)

    def _serve(self, name: str, services: Services, bind: Callable[[grpc.aio.Server], None]) -> Serving:
        def set_up(server: grpc.aio.Server) -> None:
            server.add_generic_rpc_handlers(tuple(handler(*each) for each in services))
            names = [service.full_name for service, _ in services]
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
            bind(server)

        return Serving(name, set_up, self._changed)

    async def _changed(self) -> None:
        """A server listens, or does not any more."""
        serves = all(serving.is_listening for serving in self._main)
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if serves else kinds.NOT_SERVING
        for name in ("", *(service.full_name for service, _ in (*self._logs, *self._others))):
            await self._health.set(name, status)
        self._hub.stirred.set()


def place(address: str, port: int) -> str:
    """An address and port as gRPC and people write them."""
    return f"[{address}]:{port}" if ipaddress.ip_address(address).version == 6 else f"{address}:{port}"


def _admitted(answers: Answers, admission: Admission) -> Answers:
    """The same for those who may."""

    def checked(answer: Answer) -> Answer:
        async def check(request: object, context: Context) -> bytes | None:
            if why := await asyncio.to_thread(admission.refusal, context.peer()):
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, why)
            return await answer(request, context)

        return check

    return {method: checked(answer) for method, answer in answers.items()}
