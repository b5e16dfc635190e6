# SPDX-License-Identifier: Apache-2.0
"""What the feeder serves."""

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from hauberk.agent.feeder.following import Following
from hauberk.agent.feeder.forward import Forward
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.keeping import Keeping
from hauberk.agent.feeder.wire import Feeding


class Service(Protocol):
    """One way for events to reach somebody. Trouble is a finding, never an exception."""

    @property
    def findings(self) -> Sequence[str]:
        """What is wrong now, in words."""

    @property
    def listening(self) -> Sequence[str]:
        """What it listens at, in words: `gRPC at 127.0.0.1:32767`."""

    @property
    def lost(self) -> Mapping[str, int]:
        """Accesses that did not reach whom they were for, by cause."""

    async def start(self) -> None:
        """Begin. What it listens at is there when this returns, or a finding says why not."""

    def take(self, events: Sequence[Numbered]) -> None:
        """Take these, in their order. Does not wait."""

    def miss(self, missing: Missing) -> None:
        """Some are missing here."""

    async def close(self) -> None:
        """End, within half a second."""


def services_for(feeding: Feeding, hub: Hub) -> list[Service]:
    """Those that are asked for, in the order in which they take events."""
    keeping = Keeping(feeding, hub)
    services: list[Service] = [keeping, Following(feeding, keeping)]
    for place in feeding.forward:
        services.append(Forward.to_place(place, feeding.node_name, hub.stirred.set))
    if feeding.metrics:
        # Whoever does not want it has not its library in memory.
        from hauberk.agent.feeder.metrics import Metrics

        services.append(Metrics(feeding.metrics, feeding.socket, hub))
    if feeding.grpc is not None:
        # gRPC itself would write into the agent's log whatever a peer has it say.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # It takes a tenth of a second and 13 MiB to import, which who does not want it need not pay.
        from hauberk.agent.feeder.grpc.service import GrpcService

        services.append(GrpcService(feeding, feeding.grpc, hub))
    return services
