# SPDX-License-Identifier: Apache-2.0
"""One server at one place, tried again every second until the place can be had."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import grpc

from hauberk.agent.feeder.grpc.limits import MAX_CALLS, SERVER_OPTIONS
from hauberk.errors import HauberkError

_PAUSE_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 0.2

SetUp = Callable[[grpc.aio.Server], None]
"""Gives a server its services and has it listen. Raises HauberkError, OSError, or RuntimeError: gRPC cannot
listen there."""


class Serving:
    """A server. `name` is what it is and where, in words.

    `on_change` is called when `finding` or `is_listening` has changed.
    """

    def __init__(self, name: str, set_up: SetUp, on_change: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.finding = ""
        self.is_listening = False
        self._set_up = set_up
        self._on_change = on_change
        self._server: grpc.aio.Server | None = None
        self._trying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, or have a finding and go on trying."""
        if not await self._try():
            self._trying = asyncio.create_task(self._go_on())

    async def close(self) -> None:
        """End, letting streams have what waits for them for a moment."""
        if self._trying is not None:
            self._trying.cancel()
        if self._server is not None:
            await self._server.stop(_GRACE_SECONDS)

    async def _go_on(self) -> None:
        while not self.is_listening:
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._try()

    async def _try(self) -> bool:
        server = grpc.aio.server(options=SERVER_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        try:
            self._set_up(server)
        except (HauberkError, RuntimeError, OSError) as error:
            # It holds what it listened at before it failed, if anything.
            with suppress(RuntimeError):
                await server.stop(None)
            await self._say(_why(self.name, error), is_listening=False)
            return False
        await server.start()
        self._server = server
        await self._say("", is_listening=True)
        return True

    async def _say(self, finding: str, *, is_listening: bool) -> None:
        if (finding, is_listening) != (self.finding, self.is_listening):
            self.finding, self.is_listening = finding, is_listening
            await self._on_change()


def _why(name: str, error: Exception) -> str:
    if isinstance(error, HauberkError):
        return f"{name} is not served: {error.message}" + (f" ({error.remedy})" if error.remedy else "")
    if isinstance(error, OSError):
        return f"{name} is not served: {error.strerror}"
    return (
        f"{name} is not served: the address cannot be listened at, probably because another process does; "
        "it is tried every second"
    )
