# SPDX-License-Identifier: Apache-2.0
"""A defect of one service is its own: what made it fail would be told to the next process, and so on."""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from hauberk.agent.feeder.hub import Missing, Numbered
from hauberk.agent.feeder.services import Service


class Careful:
    """A service that goes on after its own defects. What it did not take then is counted and told.

    See `Service`. Where it failed stands in the agent's log, once.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._name = type(service).__name__.lower()
        self._untaken = 0
        self._defect = ""

    @property
    def findings(self) -> Sequence[str]:
        found = tuple(self._service.findings)
        return (*found, f"a defect in Hauberk, {self._name}: {self._defect}") if self._defect else found

    @property
    def listening(self) -> Sequence[str]:
        return self._service.listening

    @property
    def lost(self) -> Mapping[str, int]:
        lost = dict(self._service.lost)
        return lost | {f"{self._name} defects": self._untaken} if self._untaken else lost

    async def start(self) -> None:
        try:
            await self._service.start()
        except Exception as error:
            self._failed(error)

    def take(self, events: Sequence[Numbered]) -> None:
        self._try(lambda: self._service.take(events), sum(event.Hauberk.Count for _, event in events))

    def miss(self, missing: Missing) -> None:
        self._try(lambda: self._service.miss(missing), missing.accesses)

    async def close(self) -> None:
        await self._service.close()

    def _try(self, act: Callable[[], None], accesses: int) -> None:
        try:
            act()
        except Exception as error:
            self._untaken += accesses
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._defect:
            traceback.print_exc(file=sys.stderr)
        self._defect = f"{error!r}; the agent's log says where; please report it"
