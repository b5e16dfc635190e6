# SPDX-License-Identifier: Apache-2.0
"""A socket on which events are had: those of the history, then those that happen.

Whoever follows reads from the history until nothing is left, and takes what happens from then on from a
queue of its own. If it does not keep up and the queue runs over, it goes back to the history, so that nothing
is lost to it as long as the history has it. Nothing is held back for it, as it is for KubeArmor's clients.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec

from hauberk.agent.control.peer import Peer, group_number
from hauberk.agent.control.server import listen
from hauberk.agent.feeder.hub import Hub, Missing, Numbered
from hauberk.agent.feeder.keeping import Keeping
from hauberk.agent.feeder.question import (
    MAX_QUESTION,
    Answer,
    Ask,
    Begins,
    Done,
    Event,
    Failed,
    Lack,
    Live,
)
from hauberk.agent.feeder.wire import EVENTS, Feeding
from hauberk.errors import HauberkError
from hauberk.events.alert import Alert, Log
from hauberk.events.where import check_field, matcher
from hauberk.sinks.history import HistoryError
from hauberk.sinks.recall import Hole, Kept, Kind, Recall, Span

MAX_CLIENTS: Final = 16
"""Most that are answered at once."""
PATIENCE_SECONDS: Final = 10.0
"""How long a client may take for its question."""

_encoder: Final = msgspec.json.Encoder()
_questions: Final = msgspec.json.Decoder(Ask)
T = TypeVar("T")
Send = Callable[[Sequence[Answer]], Awaitable[None]]


class Following:
    """See `Service`."""

    def __init__(self, feeding: Feeding, keeping: Keeping) -> None:
        self._path = Path(feeding.socket).parent / EVENTS
        self._group_name = feeding.socket_group
        self._group: int | None = None
        self._inode = 0
        self._followers = Hub()
        self._keeping = keeping
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.findings: Sequence[str] = ()
        self.listening: Sequence[str] = ()

    @property
    def lost(self) -> Mapping[str, int]:
        # What does not fit in a queue is read from the history, if there is one.
        return {"followers": 0 if self._keeping.is_on else self._followers.lost}

    async def start(self) -> None:
        try:
            self._group = group_number(self._group_name)
            listener = listen(self._path, self._group)
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=MAX_QUESTION)
        except (HauberkError, OSError) as error:
            self.findings = (f"`hauberk logs` cannot ask for events: {error}",)
        else:
            self.listening = (f"events at {self._path}",)

    def take(self, events: Sequence[Numbered]) -> None:
        self._followers.publish(events)

    def miss(self, missing: Missing) -> None:
        self._followers.miss(missing)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with suppress(FileNotFoundError):
            # The next agent's process may listen there already.
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(answers: Sequence[Answer]) -> None:
            writer.write(b"".join(_encoder.encode(answer) + b"\n" for answer in answers))
            await writer.drain()

        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            ask = await self._question(reader, writer)
            answering = asyncio.ensure_future(self._answer(ask, send))
            # One that hangs up is noticed although there may be nothing to send.
            gone = asyncio.ensure_future(reader.read(1))
            try:
                await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    await answering
            finally:
                answering.cancel()
                gone.cancel()
                await asyncio.gather(answering, gone, return_exceptions=True)
        except HauberkError as error:
            with suppress(OSError):
                await send([Failed(error.message, error.remedy)])
        except (OSError, TimeoutError):
            pass  # it has gone, or does not ask
        finally:
            self._clients.discard(task)
            writer.close()

    async def _question(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ask:
        """Raises HauberkError, OSError, TimeoutError."""
        peer = Peer.of(cast("socket.socket", writer.get_extra_info("socket")))
        if not peer.may_ask(self._group):
            raise HauberkError("only root and members of the agent's group may have events")
        if len(self._clients) > MAX_CLIENTS:
            raise HauberkError(f"there are {MAX_CLIENTS} clients already", "try again later")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                ask = _questions.decode(await reader.readline())
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise HauberkError(f"the question is not understood: {error}") from error
        for terms in ask.span.where:
            for term in terms:
                check_field(term.field)
        return ask

    async def _answer(self, ask: Ask, send: Send) -> None:
        """Raises HauberkError, OSError."""
        if not ask.follow:
            if not self._keeping.is_on:
                raise HauberkError(
                    "no history is kept, so there is nothing of the past",
                    "historyMiB in /etc/hauberk/agent.yaml turns it on; --follow shows what happens",
                )
            _, unreadable = await self._recall(ask.span, send, begins=True)
            await send([Done(unreadable)])
            return
        reached, _ = await self._recall(ask.span, send, begins=True)
        wanted = _wanted(ask.span)
        told = False
        while True:
            subscription = self._followers.subscribe(wanted)
            try:
                rest = msgspec.structs.replace(ask.span, after=reached, limit=0)
                reached, _ = await self._recall(rest, send)
                if not told:
                    told = True
                    await send([Live()])
                async for each in subscription:
                    if isinstance(each, Numbered):
                        if each.number > reached:
                            reached = each.number
                            await send([_event(each)])
                    elif self._keeping.is_on:
                        break
                    else:
                        await send([Lack(each.accesses, each.why)])
                else:
                    return
            finally:
                self._followers.leave(subscription)

    async def _recall(self, span: Span, send: Send, *, begins: bool = False) -> tuple[int, int]:
        """Send what the history has. How far it goes, and how many events in it are none."""
        if not self._keeping.is_on:
            return span.after, 0
        try:
            recall = await asyncio.to_thread(Recall, self._keeping.path, span)
            try:
                if begins and (oldest := await _whole(recall.begins)):
                    await send([Begins(oldest)])
                while part := await _whole(recall.part):
                    await send([_answer_of(each) for each in part])
                return recall.reached, recall.unreadable
            finally:
                recall.close()
        except HistoryError as error:
            if error.damaged:
                self._keeping.damaged(f"it was damaged ({error.message})")
            raise


async def _whole(work: Callable[[], T]) -> T:
    """Do something in a thread, and if this is cancelled, wait until it is done all the same: a database must
    not be closed while a thread reads it, which would end the process."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise


def _wanted(span: Span) -> Callable[[Alert | Log], bool]:
    holds = matcher(span.where)
    return lambda event: _kind(event) in span.kinds and holds(event)


def _kind(event: Alert | Log) -> Kind:
    return "alert" if isinstance(event, Alert) else "log"


def _event(numbered: Numbered) -> Event:
    return Event(numbered.number, _kind(numbered.event), msgspec.Raw(_encoder.encode(numbered.event)))


def _answer_of(each: Kept | Hole) -> Answer:
    if isinstance(each, Kept):
        return Event(each.number, each.kind, msgspec.Raw(each.event))
    return Lack(each.accesses, each.why)
