# SPDX-License-Identifier: Apache-2.0
"""The feeder's process: `python -m hauberk.agent.feeder.process AGENT SOCKET [GROUP] [hashes]`.

It hears from the agent what it has to serve, then what happens, and ends when the agent lets go of the
socket. GROUP is whose members may ask, besides root. What cannot be served (an address that is taken, say) is
a finding, and everything else goes on.
"""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from hauberk.agent.feeder.careful import Careful
from hauberk.agent.feeder.hashing import Hashing
from hauberk.agent.feeder.hub import Hub, Missing
from hauberk.agent.feeder.services import Service, services_for
from hauberk.agent.feeder.throttling import Throttled
from hauberk.agent.feeder.wire import HASHES, Change, Events, Feeding, Gap, Told, Unpacker, pack
from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Log
from hauberk.kernel.privileges import drop_capabilities

_EXPENDABLE: Final = "400"
"""Its weight when memory is short (oom_score_adj): it can come back, the agent cannot."""
_CHUNK: Final = 1 << 16
"""Bytes that are read at once: a few hundred events. Between two reads, clients get theirs."""
_GRACE_SECONDS: Final = 0.5


class Process:
    """Everything between the agent's socket and the services."""

    def __init__(self, line: socket.socket, hashing: Hashing | None = None) -> None:
        self._line = line
        self._hashing = hashing
        self._hub = Hub()
        self._throttled = Throttled(self._hub)
        self._services: Sequence[Service] = ()
        self._number = 0
        self._said = Told(number=0)

    async def run(self) -> None:
        """Until the agent lets go of the socket."""
        loop = asyncio.get_running_loop()
        unpacker = Unpacker.for_feeder()
        telling = asyncio.create_task(self._tell_what_is_new())
        try:
            while data := await loop.sock_recv(self._line, _CHUNK):
                for message in unpacker.feed(data):
                    await self._take(message)
                self._hub.stirred.set()
                # While there is more to read, reading never waits, and nobody else would have a turn.
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        finally:
            self._throttled.close()
            telling.cancel()
            self._hub.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await asyncio.gather(*(service.close() for service in self._services))

    async def _take(self, message: Feeding | Events | Gap | Change) -> None:
        match message:
            case Feeding():
                self._throttled.use(message.throttling)
                self._services = [Careful(each) for each in services_for(message, self._hub)]
                for service in self._services:
                    await service.start()
            case Events(number, alerts, logs):
                happened: list[Alert | Log] = [*alerts, *logs]
                if self._hashing is not None:
                    there = {change.id: change for change in self._hub.workloads.values()}
                    await self._hashing.fill(happened, there)
                events = self._hub.number(happened)
                for service in self._services:
                    service.take(events)
                self._throttled.publish(events)
                self._number = number
            case Gap(accesses):
                missing = Missing(
                    accesses, "the process that serves clients was not there, or did not keep up"
                )
                for service in self._services:
                    service.miss(missing)
                self._hub.miss(missing)
            case Change():
                self._hub.change(message)

    async def _tell_what_is_new(self) -> None:
        while True:
            await self._hub.stirred.wait()
            self._hub.stirred.clear()
            await self._tell()

    async def _tell(self) -> None:
        lost: dict[str, int] = {}
        for service in self._services:
            for cause, count in service.lost.items():
                lost[cause] = lost.get(cause, 0) + count
        told = Told(
            number=self._number,
            clients=self._hub.clients,
            lost={cause: count for cause, count in lost.items() if count},
            findings=(
                *(self._hashing.findings if self._hashing is not None else ()),
                *(finding for service in self._services for finding in service.findings),
            ),
            listening=tuple(address for service in self._services for address in service.listening),
        )
        if told != self._said:
            self._said = told
            with suppress(ConnectionError):
                await asyncio.get_running_loop().sock_sendall(self._line, pack(told))


def main() -> None:
    end = int(sys.argv[2])
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE)
    # Out of the way of whoever wants to unmount a file system.
    os.chdir("/")
    line = socket.socket(fileno=end)
    line.setblocking(False)
    try:
        if os.geteuid() == 0:
            # Without capabilities, a file can only be given to a group that one is in.
            os.setgroups([int(group) for group in sys.argv[3:] if group != HASHES])
        hashing = Hashing() if HASHES in sys.argv[3:] else None
        drop_capabilities()
    except (HauberkError, OSError) as error:
        print(f"hauberk: {error}", file=sys.stderr)
        sys.exit(1)
    gc.freeze()
    asyncio.run(Process(line, hashing).run())


if __name__ == "__main__":
    main()
