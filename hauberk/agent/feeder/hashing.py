# SPDX-License-Identifier: Apache-2.0
"""Fills in the hashes of programs and files that events name, for which it asks a process (`hasher`).

What has no answer in time goes on without: no event waits longer than `PATIENCE_SECONDS`, and nobody is asked
anew before the answer to the last question has come.
"""

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from hauberk.agent.feeder.hasher import Answer, Asked, Wanted
from hauberk.agent.feeder.wire import Change
from hauberk.agent.spawn import spawn
from hauberk.events.alert import Alert, Log
from hauberk.events.hashes import ALGORITHM
from hauberk.events.text import unescape
from hauberk.events.translate import HOST_TYPES

PATIENCE_SECONDS: Final = 0.25
FILES: Final = 64
"""Of one question: further ones go without."""
_MODULE: Final = "hauberk.agent.feeder.hasher"
_PATH_BYTES: Final = 100_000
"""Of all paths of a question, which has to fit in a packet."""
_KINDS: Final[tuple[tuple[str, str], ...]] = (
    ("ProcessHash", "ProcessName"),
    ("ParentHash", "ParentProcessName"),
)
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Answer).decode


class Hashing:
    """Begins the process, as whoever makes this still may do: before capabilities are given up."""

    def __init__(self) -> None:
        self.findings: Sequence[str] = ()
        self._number = 0
        self._waits = False
        """The last question has no answer yet."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line: socket.socket | None = ours
        with theirs:
            spawn(_MODULE, theirs)
        ours.setblocking(False)

    async def fill(self, events: Iterable[Alert | Log], workloads: Mapping[str, Change]) -> None:
        """Fill in what can be had. `workloads` are containers by their ids."""
        wanted: dict[Wanted, None] = {}
        size = 0
        places: list[tuple[Alert | Log, str, Wanted]] = []
        for event in events:
            for name, file in _files(event, workloads):
                if file not in wanted:
                    size += len(file.path)
                    if len(wanted) >= FILES or size > _PATH_BYTES:
                        continue
                    wanted[file] = None
                places.append((event, name, file))
        if not wanted:
            return
        hashes = dict(zip(wanted, await self._ask(list(wanted)), strict=False))
        for event, name, file in places:
            if found := hashes.get(file):
                setattr(event, name, found)
                event.HashAlgo = ALGORITHM

    async def _ask(self, files: list[Wanted]) -> Sequence[str]:
        if self._line is None:
            return ()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._waits:
                    self._hear(await loop.sock_recv(self._line, 1 << 20))
                self._number += 1
                await loop.sock_sendall(self._line, _encode(Asked(self._number, files)))
                self._waits = True
                while True:
                    answer = self._hear(await loop.sock_recv(self._line, 1 << 20))
                    if answer.number == self._number:
                        return answer.hashes
        except TimeoutError:
            self.findings = ("hashes are missing: files take long to read",)
        except (OSError, msgspec.DecodeError):
            self._line.close()
            self._line = None
            self.findings = ("hashes are missing: the process that computes them has ended",)
        return ()

    def _hear(self, packet: bytes) -> Answer:
        answer = _decode(packet)
        self._waits = False
        self.findings = ()
        return answer


def _files(event: Alert | Log, workloads: Mapping[str, Change]) -> Iterable[tuple[str, Wanted]]:
    """What may be hashed of an event, by the field that has its hash."""
    if not event.UpdatedTime:
        return
    if event.ContainerID:
        workload = workloads.get(event.ContainerID)
        if workload is None or not workload.pid:
            return
        pid = workload.pid
    elif event.Type in HOST_TYPES and not event.ContainerName:
        pid = 0
    else:
        # A service may have a place of its own, which cannot be told afterwards.
        return
    moment = round(datetime.fromisoformat(event.Hauberk.FirstTime or event.UpdatedTime).timestamp() * 1e6)
    kinds = _KINDS
    if isinstance(event, Alert) and event.Operation == "File":
        kinds = (*_KINDS, ("ResourceHash", "Resource"))
    for name, source in kinds:
        path = getattr(event, source)
        if path.startswith("/"):
            yield name, Wanted(pid, unescape(path), moment * 1000)
