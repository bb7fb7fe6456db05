"""The page as a web application: files, the login and the feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from edge.view.access import Access
from edge.view.page_files import PATHS, page_file, security_headers

__all__ = ["FEED_PATH", "Attend", "application"]

FEED_PATH, SESSION_PATH = "/feed", "/session"
LOGIN_BYTES_MAX = 1024

WRONG_NAME = (
    "This address is not known here. Open the page by the IP address of the machine, or add its "
    "name to names under [view].\n"
)

Attend = Callable[[WebSocket], Awaitable[None]]


class Room(Protocol):
    """Knows whether there is a place for one more."""

    @property
    def is_full(self) -> bool:
        """Whether nobody more is let in."""


class _Login(msgspec.Struct, forbid_unknown_fields=True):
    token: str


def application(access: Access, room: Room, attend: Attend) -> ASGIApp:
    """The application. attend: serves a viewer who was let in, from accepting to the end."""

    async def feed(socket: WebSocket) -> None:
        refusal = _refusal(access, room, socket)
        if refusal:
            await socket.send_denial_response(refusal)
        else:
            await attend(socket)

    async def session(request: Request) -> Response:
        if request.method == "POST":
            return await _logged_in(access, request)
        admitted = access.admits(request.headers, _address(request))
        return Response(status_code=204 if admitted else 401)

    routes = [Route(path, _file, methods=["GET"]) for path in PATHS]
    routes.append(Route(SESSION_PATH, session, methods=["GET", "POST"]))
    return _Guard(Starlette(routes=[*routes, WebSocketRoute(FEED_PATH, feed)]), access)


async def _file(request: Request) -> Response:
    content, media_type = page_file(request.url.path)
    return Response(content, media_type=media_type)


async def _logged_in(access: Access, request: Request) -> Response:
    """JSON only: no form of another page can send it, whatever its browser thinks of origins."""
    address = _address(request)
    if request.headers.get("content-type") != "application/json":
        return PlainTextResponse("the token is given as application/json\n", 415)
    if access.bars(address):
        return PlainTextResponse("too many wrong tokens; wait a minute\n", 429)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LOGIN_BYTES_MAX:
            return PlainTextResponse("that is no token\n", 413)
    try:
        token = msgspec.json.decode(body, type=_Login).token
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return PlainTextResponse("that is no token\n", 400)
    cookie = access.login(token, address)
    if cookie is None:
        return PlainTextResponse("wrong token\n", 403)
    return Response(status_code=204, headers={"Set-Cookie": cookie})


def _refusal(access: Access, room: Room, socket: WebSocket) -> Response | None:
    address = _address(socket)
    if access.bars(address):
        return PlainTextResponse("too many wrong tokens; wait a minute\n", 429)
    if not access.admits(socket.headers, address):
        return PlainTextResponse("this needs the token\n", 401)
    if room.is_full:
        return PlainTextResponse("too many are looking on; try again later\n", 503)
    return None


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


class _Guard:
    """In front of everything: the right name, the right page, and headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 and self._access.named_here(hosts[0]) else ""
        guarded = _with_headers(send, security_headers(host))
        await self._answering(scope, headers, host)(scope, receive, guarded)

    def _answering(self, scope: Scope, headers: Headers, host: str) -> ASGIApp:
        if not host:
            return _denial(scope, WRONG_NAME, 421)
        origins = headers.getlist("origin")
        asks = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if len(origins) > 1 or (
            asks and not self._access.from_here(origins[0] if origins else None, host)
        ):
            return _denial(scope, "only the page of this very address may ask that\n", 403)
        return self._app


def _denial(scope: Scope, words: str, status: int) -> ASGIApp:
    response = PlainTextResponse(words, status)
    if scope["type"] == "http":
        return response

    async def denied(scope: Scope, receive: Receive, send: Send) -> None:
        await WebSocket(scope, receive, send).send_denial_response(response)

    return denied


def _with_headers(send: Send, more: dict[str, str]) -> Send:
    added = [(name.lower().encode(), value.encode("latin-1")) for name, value in more.items()]

    async def sending(message: Message) -> None:
        if message["type"].endswith("response.start"):
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return sending
