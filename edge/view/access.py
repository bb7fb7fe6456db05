"""Who may look on: by which name the request came, from whose page, and with which token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from edge.clock import Clock
from firmware_bridge.transports.token_gate import TokenGate
from firmware_bridge.transports.web_origin import is_own_origin, own_names, reached_by_own_name

__all__ = ["Access"]

TOKEN_LENGTH_MAX = 256
SESSION_LABEL = b"edge live page, session 1"


class Access:
    """Judges requests. A browser gives the token once and then has a cookie, which is valid as
    long as the token; a program gives it as `Authorization: Bearer` every time.

    token: empty where everybody on this machine may look on. port: cookies are shared by all ports
    of a host, so its number is in their name. secure: whether TLS is spoken.
    """

    def __init__(
        self, token: str, names: tuple[str, ...], port: int, secure: bool, clock: Clock
    ) -> None:
        self._gate = TokenGate("live page", token, clock.monotonic_ns)
        self._names = own_names(names)
        self._secure = secure
        self._cookie = f"{'__Host-' if secure else ''}edge_view_{port}"
        # Of the token alone: a restart must not lock the pages that are open.
        self._session = hmac.new(token.encode(), SESSION_LABEL, "sha256").hexdigest()

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return self._gate.is_open

    def named_here(self, host: str) -> bool:
        """Whether a Host header names this machine; anything else is DNS rebinding."""
        return reached_by_own_name(host, self._names)

    def from_here(self, origin: str | None, host: str) -> bool:
        """Whether the request comes from this very page, or from no page at all."""
        return origin is None or is_own_origin(origin, host)

    def bars(self, address: str) -> bool:
        """Whether an address has given too many wrong tokens and must wait."""
        return self._gate.bars(address)

    def admits(self, headers: Mapping[str, str], address: str) -> bool:
        """Whether a request carries the cookie or the token. headers: names in lower case."""
        if self._gate.is_open:
            return True
        given = headers.get("authorization", "")
        if given.startswith("Bearer "):
            return self._gives(given.removeprefix("Bearer "), address)
        return hmac.compare_digest(self._cookie_of(headers).encode(), self._session.encode())

    def login(self, token: str, address: str) -> str | None:
        """The Set-Cookie for whoever gives the right token, None for others."""
        if not self._gives(token, address):
            return None
        secure = "; Secure" if self._secure else ""
        return f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict{secure}"

    def _gives(self, token: str, address: str) -> bool:
        if len(token) > TOKEN_LENGTH_MAX:
            self._gate.count_wrong(address)
            return False
        return self._gate.admits(token.encode(errors="replace"), address)

    def _cookie_of(self, headers: Mapping[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""
