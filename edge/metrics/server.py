"""Serves the figures over HTTP, one request at a time, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from socketserver import TCPServer
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from edge.errors import ConfigError, UsageError
from edge.health.report import HealthReporter
from edge.metrics.settings import MetricsSettings
from edge.worker import Worker
from firmware_bridge.transports.sockets import Endpoint
from firmware_bridge.transports.web_origin import own_names, reached_by_own_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["MetricsServer"]

REQUEST_S = 5.0
"""A request that is not asked and answered within this time is hung up on."""
POLL_S = 0.2


class MetricsServer(Worker):
    """Answers every GET with the figures of that moment. Its pulse never beats: only its death is
    noticed.

    Raises UsageError where prometheus-client is missing, ConfigError where it cannot listen.
    """

    def __init__(self, settings: MetricsSettings, reporter: HealthReporter) -> None:
        super().__init__("metrics")
        at = settings.endpoint
        app = _application(settings, reporter)
        if at.is_loopback:
            app = _for_own_names(app)
        family = _V6Server if ":" in at.host else _Server
        try:
            self._server = make_server(at.host, at.port, app, family, _Handler)
        except OSError as error:
            raise ConfigError(
                f"metrics: listen = {settings.listen}: {error.strerror or error}; name another port"
            ) from None
        self.endpoint = Endpoint(at.host, self._server.server_port)
        """Where it listens."""

    def close(self, timeout_s: float = REQUEST_S) -> None:
        """Answer no more; a request under way is left to itself after `timeout_s`."""
        self._closing.set()
        if self._thread.is_alive():
            # For as long as a request lasts, `shutdown` waits and cannot be told for how long.
            threading.Thread(target=self._server.shutdown, daemon=True).start()
            self._join(timeout_s)
        self._server.server_close()

    def _run(self) -> None:
        self._server.serve_forever(POLL_S)


class _Server(WSGIServer):
    """Does not ask the name server what this machine is called."""

    def server_bind(self) -> None:
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()


class _V6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_S

    def setup(self) -> None:
        """Count down from now: the time-out of a socket begins anew with every byte."""
        super().setup()
        self._deadline = threading.Timer(self.timeout, self._hang_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        """The request is over."""
        self._deadline.cancel()
        with contextlib.suppress(OSError):
            super().finish()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        """One request; whoever has left before the answer is no fault."""
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """A request is no news."""


def _for_own_names(app: WSGIApplication) -> WSGIApplication:
    """Denies a browser's request by a foreign name that leads here, which is DNS rebinding.

    Where everybody who reaches the address is answered, names are no secret's guard.
    """
    names = own_names()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST")
        if host is None or reached_by_own_name(host, names):
            return app(environ, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"not a name of this machine\n"]

    return answer


def _application(settings: MetricsSettings, reporter: HealthReporter) -> WSGIApplication:
    try:
        from edge.metrics.collector import application
    except ImportError:
        raise UsageError(
            "[metrics] needs prometheus-client: pip install 'edge[metrics]', or leave out "
            "metrics.listen"
        ) from None
    return application(settings, reporter)
