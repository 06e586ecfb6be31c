"""What one request may ask of a server, held before anything of it is understood."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of what stands in line.

    Parameters
    ----------
    mebibytes:
        Of a request's body.
    samples:
        Of a request.
    seconds:
        That a body may take to come in, and then an answer to be made.
    waiting:
        Requests that are answered or wait for it; one more is sent away.
    """

    mebibytes: int = 32
    samples: int = 64
    seconds: float = 60.0
    waiting: int = 8


class LimitedBodies:
    """Lets an application read bodies that are as large and as quick as `limits` says.

    What is larger ends in 413, what is slower in 408, as soon as that is known.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._limits.mebibytes * MEBIBYTE
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        size, whole = 0, False

        async def limited() -> Message:
            nonlocal size, whole
            if whole:  # what comes then is that the other end has gone
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                seconds = f"{self._limits.seconds:g} s"
                raise HTTPException(408, f"the request did not come in within {seconds}") from None
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > most:
                raise HTTPException(413, self._too_large())
            return message

        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > most:
            size, whole = 0, True

            async def refused() -> Message:
                raise HTTPException(413, self._too_large())

            await self._app(scope, refused, send)
        else:
            await self._app(scope, limited, send)

    def _too_large(self) -> str:
        return f"the request has more than {self._limits.mebibytes} MiB, the most that is taken"
