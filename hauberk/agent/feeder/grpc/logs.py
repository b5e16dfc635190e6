# SPDX-License-Identifier: Apache-2.0
"""`feeder.LogService`: what happens on the node, to everybody who listens.

A filter that there is not ends a stream at once and without an error, as KubeArmor ends it. A client that
does not keep up is told in the stream, at the place, how many accesses are missing there.
"""

from collections.abc import Callable

import grpc

from hauberk.agent.feeder.grpc.convert import Encoder
from hauberk.agent.feeder.grpc.rpc import Answers, Context
from hauberk.agent.feeder.hub import Hub, Missing, Numbered, Wanted
from hauberk.api import feeder_pb2 as api
from hauberk.events.alert import Alert, Log

SERVICE = api.DESCRIPTOR.services_by_name["LogService"]


class LogService:
    """The service, over a hub."""

    def __init__(self, hub: Hub, encoder: Encoder) -> None:
        self._hub = hub
        self._encoder = encoder

    @property
    def answers(self) -> Answers:
        """By method."""
        return {
            "HealthCheck": self.health_check,
            "WatchMessages": self.watch_messages,
            "WatchAlerts": self.watch_alerts,
            "WatchLogs": self.watch_logs,
        }

    async def health_check(self, request: api.NonceMessage, context: Context) -> bytes:
        return api.ReplyMessage(Retval=request.nonce).SerializeToString()

    async def watch_messages(self, request: api.RequestMessage, context: Context) -> None:
        await self._watch(context, lambda event: False, self._encoder.message)

    async def watch_alerts(self, request: api.RequestMessage, context: Context) -> None:
        if request.Filter in ("all", "policy"):
            await self._watch(context, lambda event: isinstance(event, Alert), self._encoder.alert)

    async def watch_logs(self, request: api.RequestMessage, context: Context) -> None:
        if request.Filter in ("all", "system"):
            await self._watch(context, lambda event: isinstance(event, Log), self._encoder.log)

    async def _watch(self, context: Context, wanted: Wanted, tell: Callable[[Missing], bytes]) -> None:
        """Pass on what is wanted until either side ends it."""
        subscription = self._hub.subscribe(wanted)
        try:
            # Whoever has this knows that nothing from now on passes it by.
            await context.send_initial_metadata(())
            async for each in subscription:
                data = self._encoder.event(each) if isinstance(each, Numbered) else tell(each)
                await context.write(data)
        except grpc.RpcError:
            pass  # the client is gone
        finally:
            self._hub.leave(subscription)
