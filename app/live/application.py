"""The ASGI application: which request gets which answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from app.config import Config
from app.db import Database
from app.errors import TacitError, Unauthenticated
from app.http.headers import ALWAYS, LOCAL, NOTHING
from app.http.problems import MIMETYPE, problem
from app.ids import new_id
from app.live.admission import admit, read_visitor
from app.live.feeds import Feeds
from app.live.limits import Limits
from app.live.notices import listen
from app.live.reading import Reader
from app.live.stream import Message, Receive, Send, Stream

_log = logging.getLogger("tacit.live")

_STREAM = re.compile(r"/runs/([^/]{1,64})/events|/api/v1/runs/([^/]{1,64})/stream")


class LiveApp:
    """Server-sent events of runs, for pages and programs.

    :param db: the database; the master key has no place in this process.
    """

    def __init__(self, config: Config, db: Database, limits: Limits | None = None) -> None:
        self._config = config
        self._db = db
        self._limits = limits or Limits(recheck=float(config.live_recheck))
        self._reader = Reader(db, threads=self._limits.threads, page=self._limits.page)
        self._feeds = Feeds(self._reader, self._limits)
        self._headers = dict(ALWAYS)
        self._headers |= {"Content-Security-Policy": NOTHING, "Cache-Control": "no-store"}
        if config.host not in LOCAL:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or live through the process's start and end (ASGI 3.0)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await _Request(self, scope, receive, send).answer()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        notices = asyncio.create_task(
            listen(self._config.redis_url or "redis://localhost:6379/0", self._feeds.notify)
        )
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        finally:
            notices.cancel()
            self._reader.close()
            self._db.dispose()
        await send({"type": "lifespan.shutdown.complete"})

    async def stream(self, request: _Request, run_id: str) -> None:
        """Answer with a run's events.

        :raises TacitError: before the response has begun.
        """
        visitor = read_visitor(
            run_id, request.headers, request.query, web_origin=self._config.public_url,
            request_id=request.id, address=request.address,
        )
        actor = await self._reader.do(lambda: admit(self._db, visitor))
        person = actor.user_id or actor.name
        self._feeds.enter(person)
        try:
            await request.begin(
                200, {"Content-Type": "text/event-stream; charset=utf-8",
                      "X-Accel-Buffering": "no"},
            )
            await Stream(
                visitor, actor, request.send, feeds=self._feeds, reader=self._reader,
                limits=self._limits,
            ).serve(request.receive)
        finally:
            self._feeds.leave(person)

    def answer_headers(self, request: _Request, more: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of an answer: pages of the web listener may read it, no others."""
        headers = {**self._headers, "X-Request-Id": request.id, "Vary": "Origin", **more}
        if request.headers.get("origin") == self._config.public_url:
            headers["Access-Control-Allow-Origin"] = self._config.public_url
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers


class _Request:
    """A request and the ways to answer it."""

    def __init__(self, app: LiveApp, scope: Message, receive: Receive, send: Send) -> None:
        self._app = app
        self._method, self._path = scope["method"], scope["path"]
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        self.address = scope["client"][0] if scope.get("client") else None
        self.id = new_id()
        self.receive = receive
        self.send = send
        self._begun = False

    async def answer(self) -> None:
        """Answer; whatever goes wrong before the response has begun becomes a problem."""
        try:
            await self._route()
        except TacitError as error:
            headers = {}
            if isinstance(error, Unauthenticated):
                headers["WWW-Authenticate"] = "Bearer"
            if error.status in (429, 503):
                headers["Retry-After"] = "5"
            await self._problem(
                error.status, error.code, error.detail, headers, title=error.title,
                field=error.field,
            )
        except Exception as error:
            _log.error("unexpected error %s (request %s)", type(error).__name__, self.id)
            await self._problem(
                500, "internal_error",
                "Something went wrong on our side. Try again; if it stays, give the request id "
                "to whoever runs this installation.",
            )

    async def _route(self) -> None:
        found = _STREAM.fullmatch(self._path)
        if found is None and self._path != "/healthz":
            await self._problem(404, "not_found", "There is nothing at this address.")
        elif self._method != "GET":
            await self._problem(
                405, "method_not_allowed", "This address doesn't take that method.",
                {"Allow": "GET"},
            )
        elif found is None:
            await self._whole(200, "application/json", {"status": "ok"})
        else:
            await self._app.stream(self, found[1] or found[2])

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        self._begun = True
        whole = self._app.answer_headers(self, headers)
        await self.send({
            "type": "http.response.start",
            "status": status,
            "headers": [
                (name.lower().encode(), value.encode("latin-1")) for name, value in whole.items()
            ],
        })

    async def _problem(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None,
        *, title: str | None = None, field: str | None = None,
    ) -> None:
        if self._begun:
            # Too late to say anything: the connection is closed.
            return
        body = problem(status, code, detail, title=title, field=field, of_request=self.id)
        await self._whole(status, MIMETYPE, body, headers)

    async def _whole(
        self, status: int, mimetype: str, content: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        about = {"Content-Type": mimetype, "Content-Length": str(len(body))}
        await self.begin(status, {**about, **(headers or {})})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
