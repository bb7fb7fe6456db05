"""Who may speak to a listening transport: one shared token, and patience with those without."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable

from firmware_bridge.errors import SourceUriError
from firmware_bridge.stream import NS_PER_S
from firmware_bridge.transports.sockets import Endpoint

__all__ = ["TokenGate", "required_token"]

WRONG_MAX = 5
WRONG_WINDOW_NS = 60 * NS_PER_S
"""So many wrong tokens from one address within a minute, and it is not heard for the rest."""
ADDRESSES_MAX = 256

log = logging.getLogger(__name__)


class TokenGate:
    """Compares tokens in constant time; counts the wrong ones and never keeps or logs them.

    token: empty where everyone may come (loopback only). clock_ns: host monotonic clock.
    """

    def __init__(self, name: str, token: str, clock_ns: Callable[[], int]) -> None:
        self._name = name
        self._token = token.encode()
        self._clock_ns = clock_ns
        self._wrong = 0
        self._recent: OrderedDict[str, deque[int]] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return not self._token

    @property
    def wrong(self) -> int:
        """Wrong and missing tokens since it was made."""
        return self._wrong

    def bars(self, address: str) -> bool:
        """Whether an address gave so many wrong tokens lately that it is not heard."""
        times = self._recent.get(address)
        if times is None:
            return False
        while times and self._clock_ns() - times[0] > WRONG_WINDOW_NS:
            times.popleft()
        return len(times) >= WRONG_MAX

    def admits(self, given: bytes, address: str) -> bool:
        """Whether the token is right; a wrong one is counted. A barred address is never right."""
        if self.is_open:
            return True
        if self.bars(address):
            self._wrong += 1
            return False
        if hmac.compare_digest(given, self._token):
            return True
        self.count_wrong(address)
        return False

    def count_wrong(self, address: str) -> None:
        """A token was wrong or did not come; the first one is said. Nothing where none is asked."""
        if self.is_open:
            return
        if not self._wrong:
            log.warning(
                "%s: a client at %s gave a wrong token or none; further ones are only counted",
                self._name,
                address,
            )
        self._wrong += 1
        times = self._recent.setdefault(address, deque(maxlen=WRONG_MAX))
        times.append(self._clock_ns())
        self._recent.move_to_end(address)
        if len(self._recent) > ADDRESSES_MAX:
            self._recent.popitem(last=False)


def required_token(token: str, at: Endpoint, scheme: str) -> str:
    """The token; raises SourceUriError where there is none and other machines could connect."""
    if token or at.is_loopback:
        return token
    raise SourceUriError(
        f"{scheme}: listening on {at.host} needs a token, else anyone in the network could send; "
        f"add for instance token={secrets.token_urlsafe(16)}"
    )
