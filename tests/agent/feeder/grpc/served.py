# SPDX-License-Identifier: Apache-2.0
"""The services of gRPC in a thread of this process, for clients in the others."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from hauberk.agent.feeder.grpc.service import GrpcService
from hauberk.agent.feeder.hub import Hub, Missing
from hauberk.agent.feeder.wire import Change, Feeding, Grpc
from hauberk.api import feeder_pb2 as api
from hauberk.events.alert import Alert, Extras, Log

T = TypeVar("T")
SECONDS = 30.0
WEB = Change("updated", "default", "web", "0123", "nginx:1", {"app": "web"}, 0)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def feeding(asked: Grpc | None, control: str | Path = "/nowhere/agent.sock") -> Feeding:
    return Feeding(
        cluster="blue", node_name="node", socket=str(control), state_directory="/nowhere", grpc=asked
    )


def alert(count: int = 1, **fields: Any) -> Alert:
    return Alert(PPID=0, UID=0, Type="MatchedPolicy", Hauberk=Extras(Count=count), **fields)


def log(**fields: Any) -> Log:
    return Log(PPID=0, UID=0, Type="ContainerLog", Hauberk=Extras(), **fields)


class Served:
    """A hub and its services."""

    def __init__(self, asked: Grpc | None = None, control: str | Path = "/nowhere/agent.sock") -> None:
        self.asked = asked or Grpc(address="127.0.0.1", port=free_port())
        self.feeding = feeding(self.asked, control)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    async def _start(self) -> None:
        self.hub = Hub()
        self.service = GrpcService(self.feeding, self.asked, self.hub)
        await self.service.start()

    async def _stop(self) -> None:
        self.hub.close()
        await self.service.close()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def call(self, work: Callable[[], T]) -> T:
        """Do something where the hub is."""

        async def do() -> T:
            return work()

        found: T = self.run(do())
        return found

    def publish(self, events: Sequence[Alert | Log]) -> None:
        self.call(lambda: self.hub.publish(self.hub.number(events)))

    def miss(self, accesses: int, why: str) -> None:
        self.call(lambda: self.hub.miss(Missing(accesses, why)))

    def until(self, what: Callable[[], bool]) -> None:
        """Wait until something holds where the hub is."""
        deadline = time.monotonic() + SECONDS
        while not self.call(what):
            assert time.monotonic() < deadline, "it has not come to that"
            time.sleep(0.01)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.asked.port}"


METHODS = {
    "HealthCheck": (api.NonceMessage, api.ReplyMessage),
    "WatchMessages": (api.RequestMessage, api.Message),
    "WatchAlerts": (api.RequestMessage, api.Alert),
    "WatchLogs": (api.RequestMessage, api.Log),
}


def health_check(channel: grpc.Channel, nonce: int = 7) -> int:
    call = channel.unary_unary(
        "/feeder.LogService/HealthCheck", api.NonceMessage.SerializeToString, api.ReplyMessage.FromString
    )
    return int(call(api.NonceMessage(nonce=nonce), timeout=SECONDS).Retval)


def watch(channel: grpc.Channel, method: str, filter_: str = "all") -> Any:
    """A stream, when the server has it."""
    asked, answered = METHODS[method]
    call = channel.unary_stream(f"/feeder.LogService/{method}", asked.SerializeToString, answered.FromString)(
        asked(Filter=filter_), timeout=SECONDS
    )
    call.initial_metadata()
    return call
