"""A port on which a phone's browser, or a program, delivers a device over WebSocket."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from firmware_bridge.stream import Packet
from firmware_bridge.transports.mailbox import Mailbox
from firmware_bridge.transports.sockets import Endpoint, listen
from firmware_bridge.transports.token_gate import TokenGate
from firmware_bridge.transports.ws_clients import PAGE_PATH, RAW_PATH, WsClients
from firmware_bridge.transports.ws_server import WsServer

__all__ = ["WsListener"]

WAIT_S = 15.0
NO_PAGE = "This source takes no phone: its device is not reached over Bluetooth LE.\n"

log = logging.getLogger(__name__)


class WsListener:
    """Packets of the one client that delivers at a time; the page is served at `/`.

    device_profile: of `bridge_protocol.profile`; None where the device is none for the page, and
    only programs (path /raw) deliver. channel: of the packets of programs. names: by which this
    machine may be called besides its addresses. wait_s: how long `open` waits for a device.
    The port stays open from the first `open` to `close`. A page that was cut off and comes back
    goes on where it was, without the link being lost if that takes less than 4 s.
    """

    def __init__(
        self,
        at: Endpoint,
        token: str,
        device_profile: Mapping[str, Any] | None,
        *,
        channel: str = "",
        names: frozenset[str] = frozenset({"localhost"}),
        tls: ssl.SSLContext | None = None,
        wait_s: float = WAIT_S,
    ) -> None:
        self._at = at
        self._names = names
        self._tls = tls
        self._wait_s = wait_s
        self._serves_page = device_profile is not None
        self._mailbox = Mailbox(self.name)
        self._gate = TokenGate(self.name, token, time.monotonic_ns)
        self._new_clients = partial(WsClients, self._mailbox, self._gate, device_profile, channel)
        self._clients = self._new_clients()
        self._changing = threading.Lock()
        self._server: WsServer | None = None
        self._port = at.port

    @property
    def name(self) -> str:
        """The address that it listens on."""
        return f"{'wss' if self._tls else 'ws'}://{self._at}"

    @property
    def port(self) -> int:
        """The port that it listens on, chosen by the system where 0 was asked for."""
        return self._port

    @property
    def page_url(self) -> str:
        """What to open on the phone, without the token, which goes behind a `#`."""
        host = _reachable_address(self._at) if self._at.is_every_interface else self._at.host
        return f"{'https' if self._tls else 'http'}://{Endpoint(host, self._port)}/"

    @property
    def wrong_tokens(self) -> int:
        """How many clients gave a wrong token or none, since it was made."""
        return self._gate.wrong

    @property
    def dropped(self) -> int:
        """Notifications that the page dropped because its network was away for too long."""
        return self._clients.inbox.dropped

    @property
    def duplicates(self) -> int:
        """Notifications that came twice and were delivered once."""
        return self._clients.inbox.duplicates

    def open(self) -> None:
        """Serve, and wait until a device delivers.

        Raises SourceError where the port cannot be had, NotInReachError where nobody comes.
        """
        self._mailbox.reopen()
        with self._changing:
            if self._server is not None and not self._server.answers():
                self._replace(self._server)
            if self._server is None:
                self._serve()
        self._mailbox.wait_for_device(self._wait_s, self._hint)

    def read(self, timeout_s: float) -> Packet | None:
        """The next packet, at the host time at which the page received it."""
        return self._mailbox.get(timeout_s)

    def write(self, data: bytes) -> None:
        """Let the page write to the control characteristic, or send to the program."""
        self._mailbox.send(data)

    def pause(self) -> None:
        """Go on serving: what comes until the next `open` is delivered then."""

    def close(self) -> None:
        """Say goodbye to clients and stop serving; a wait in another thread ends at once."""
        self._mailbox.shut()
        with self._changing:
            server, self._server = self._server, None
            if server is not None:
                server.stop()

    def _replace(self, server: WsServer) -> None:
        """Another server, whose clients go on where those of the old one were."""
        log.error("%s: the server hangs or has died; another takes its place", self.name)
        server.abandon()
        known, self._clients = self._clients.inbox, self._new_clients()
        self._clients.inbox = known
        self._server = None

    def _serve(self) -> None:
        listening = listen(Endpoint(self._at.host, self._port))
        self._port = int(listening.getsockname()[1])
        handlers = {RAW_PATH: self._clients.raw}
        if self._serves_page:
            handlers[PAGE_PATH] = self._clients.page
        server = WsServer(
            handlers,
            self._clients.admission,
            self._clients.delivers,
            self._names,
            self._tls,
            "" if self._serves_page else NO_PAGE,
        )
        server.start(listening)
        self._server = server
        # A warning, for somebody has to do it before anything comes.
        log.warning("%s: %s", self.name, self._hint() + self._obstacle())

    def _hint(self) -> str:
        wrong = f" ({self._gate.wrong} tried with a wrong token)" if self._gate.wrong else ""
        if not self._serves_page:
            return f"let the program connect to {self.name}{RAW_PATH}{wrong}"
        if self._gate.is_open:
            return f"open {self.page_url} on the phone{wrong}"
        return f"open {self.page_url}#TOKEN on the phone, TOKEN being the source's token{wrong}"

    def _obstacle(self) -> str:
        if self._tls or self._at.is_loopback or not self._serves_page:
            return ""
        return "; browsers give Bluetooth only to https and localhost, so add cert= and key="


def _reachable_address(at: Endpoint) -> str:
    """The address of this machine that other machines see; nothing is sent to find out."""
    family, somewhere = (
        (socket.AF_INET, "192.0.2.1") if at.host == "0.0.0.0" else (socket.AF_INET6, "2001:db8::1")
    )
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))  # TEST-NET-1 and its like in IPv6 (RFC 5737, RFC 3849)
            return str(probe.getsockname()[0])
    except OSError:  # no network yet
        return socket.gethostname()
