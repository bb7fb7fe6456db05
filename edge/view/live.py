"""The live page of one run, from the configuration to a port that browsers open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from edge.actions import Action, Outcome
from edge.clock import Clock
from edge.config import Signal
from edge.errors import ConfigError
from edge.monitor import Monitor
from edge.runtime import Runtime
from edge.view.access import Access
from edge.view.app import application
from edge.view.attendance import Attendance
from edge.view.hub import Hub
from edge.view.server import ViewServer
from edge.view.ward import Ward
from edge.view_settings import ViewSettings
from firmware_bridge.errors import SourceError
from firmware_bridge.transports.sockets import Endpoint, listen

__all__ = ["LiveView"]

LOOK_S = 0.05
"""How often news is sent: a fifth of the 250 ms that a sample may take to the screen."""
PORTS_TRIED = 20
FAULTS_MAX = 100

log = logging.getLogger(__name__)


class LiveView:
    """Shows the patients of a run. `ward` is its observer and sink.

    Raises ConfigError where the port, the token or the certificate cannot be had.
    """

    def __init__(
        self,
        settings: ViewSettings,
        signal: Signal,
        clock: Clock,
        runtime: Callable[[], Runtime],
    ) -> None:
        tls = _tls(settings)
        token = settings.token()
        listening = _listening(settings)
        port = int(listening.getsockname()[1])
        self._at = Endpoint(settings.endpoint.host, port)
        self._secure = tls is not None
        self._runtime = runtime
        self._hub = Hub()
        self.ward = Ward(signal, clock)
        access = Access(token, settings.names, port, self._secure, clock)
        self._attend = Attendance(self.ward, self._hub, self._ask)
        app = application(access, self._hub, self._attend)
        self.server = ViewServer(app, listening, tls, self._look)

    @property
    def watchers(self) -> tuple[Ward, ...]:
        """Observers of the runtime that are sinks, too: the one that there is."""
        return (self.ward,)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = socket.gethostname() if self._at.is_every_interface else self._at.host
        return f"{'https' if self._secure else 'http'}://{Endpoint(host, self._at.port)}/"

    def start(self, monitors: Sequence[Monitor]) -> None:
        """Show these patients from now on."""
        self.ward.admit(monitors)
        self.server.start()

    def close(self) -> None:
        """Say goodbye to the viewers and close the port."""
        self.server.stop()

    def _ask(self, action: Action) -> Future[Outcome]:
        return self._runtime().ask(action)

    async def _look(self) -> None:
        """Pass on what has happened, twenty times a second."""
        self._attend.open_door()
        faults = 0
        while faults < FAULTS_MAX:
            await asyncio.sleep(LOOK_S)
            try:
                news = self.ward.take()
                self._hub.tell(news.signal, news.documents)
            except Exception:  # a defect of ours costs what was on its way, not the page
                log.exception("live page")
                faults += 1


def _listening(settings: ViewSettings) -> socket.socket:
    at = settings.endpoint
    if not settings.listen:
        for port in range(at.port, at.port + PORTS_TRIED):
            with contextlib.suppress(OSError):
                return socket.create_server((at.host, port))
    try:
        return listen(at)
    except SourceError as error:
        raise ConfigError(f"view: {error}") from None


def _tls(settings: ViewSettings) -> ssl.SSLContext | None:
    if not settings.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert, key = (Path(name).expanduser() for name in (settings.cert_file, settings.key_file))
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise ConfigError(
            f"view: {cert} and {key} are no certificate and its key without a "
            f"passphrase, in PEM: {error.reason}"
        ) from None
    except OSError as error:
        name = key if cert.is_file() else cert
        raise ConfigError(f"view: {name}: {error.strerror}") from None
    return context
