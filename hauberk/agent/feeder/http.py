# SPDX-License-Identifier: Apache-2.0
"""A page over HTTP, for who only ever asks for that one: bounded in connections, bytes and time, so that
nobody keeps others waiting by asking slowly, or by not taking the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

CONNECTIONS: Final = 16
"""At one time; further ones are closed at once."""
HEAD_BYTES: Final = 16 << 10
"""Of a request."""
PATIENCE_SECONDS: Final = 10.0
"""For a request to come, and again for the answer to be taken."""

Page = Callable[[str], Awaitable[tuple[str, bytes]]]
"""The content type and content, by what the client accepts (its `Accept` header)."""


class PageServer:
    """Serves one page at `path`."""

    def __init__(self, path: str, page: Page, *, patience: float = PATIENCE_SECONDS) -> None:
        self._path = path
        self._page = page
        self._patience = patience
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen; the address, as `HOST:PORT`. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES)
        name, number = self._server.sockets[0].getsockname()[:2]
        return f"[{name}]:{number}" if ":" in name else f"{name}:{number}"

    async def close(self) -> None:
        """Stop. Who is connected gets no answer."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(self._patience):
                    head = await reader.readuntil(b"\r\n\r\n")
                answer = await self._answer(head.decode("latin-1"))
                async with asyncio.timeout(self._patience):
                    writer.write(answer)
                    await writer.drain()
                    writer.write_eof()
                    # It has the whole answer when it closes its end.
                    await reader.read(1)
        finally:
            writer.transport.abort()

    async def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
        }
        kind, body = "text/plain; charset=utf-8", b""
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            status = HTTPStatus.BAD_REQUEST
        elif words[0] not in ("GET", "HEAD"):
            status = HTTPStatus.METHOD_NOT_ALLOWED
        elif words[1].partition("?")[0] != self._path:
            status = HTTPStatus.NOT_FOUND
        else:
            status = HTTPStatus.OK
            kind, body = await self._page(headers.get("accept", ""))
        if status is not HTTPStatus.OK:
            body = f"{status.value} {status.phrase}\n".encode()
        answer = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        ).encode("latin-1")
        return answer if words[0] == "HEAD" else answer + body
