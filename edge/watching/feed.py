"""Patients by way of the live page's feed."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np

from edge.clock import SystemClock
from edge.errors import BrokerError, ConfigError, UsageError
from edge.messages import ActiveAlerts, AlertMessage, StateMessage
from edge.publish.backoff import Backoff
from edge.view.reader import FeedError, GapSeen, SamplesSeen, read_message
from edge.view.wire import SCALE_UV
from edge.watching.heard import Format, Heard, Notice, Samples
from firmware_bridge.errors import SourceError
from firmware_bridge.stream import NS_PER_S
from firmware_bridge.transports.sockets import Endpoint

__all__ = ["FeedSource"]

FEED_PATH = "/feed"
HOLE_MAX_S = 30.0
TYPES: dict[str, type[StateMessage | AlertMessage | ActiveAlerts]] = {
    "state": StateMessage,
    "alert": AlertMessage,
    "active": ActiveAlerts,
}
SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}


@dataclass(slots=True)
class _Stream:
    """A patient's samples: the number of their format, and the display index due next."""

    id: str
    form: int = -1
    rate_hz: float = 0.0
    due: int | None = None


class FeedSource:
    """Listens to `edge run --view`. token: empty where the page asks for none.

    url: of the page, such as http://127.0.0.1:8765. ca_file: PEM file of the authority to trust.
    Raises UsageError for a URL that is none, ConfigError where the extra `view` is missing.
    """

    def __init__(self, url: str, token: str = "", ca_file: str = "", patient: str = "") -> None:
        at, tls = _endpoint(url)
        try:
            from firmware_bridge.transports.ws_client import WsTransport
        except ModuleNotFoundError:
            raise ConfigError(
                "edge watch --view needs websockets: pip install 'edge[view]'"
            ) from None
        self._transport = WsTransport(at, FEED_PATH, token, tls=_tls(ca_file) if tls else None)
        self._only = patient
        self._clock = SystemClock()
        self._backoff = Backoff()
        self._streams: dict[int, _Stream] = {}
        self._again_ns: int | None = None
        self._ready = False

    @property
    def name(self) -> str:
        """The address of the feed."""
        return self._transport.name

    def open(self) -> None:
        """Connect. Raises BrokerError."""
        try:
            self._transport.open()
        except SourceError as error:
            raise BrokerError(_explained(str(error), self.name)) from None

    def read(self, timeout_s: float) -> list[Heard]:
        """What came, or that the connection was lost or is back."""
        if self._again_ns is not None and not self._reopened(timeout_s):
            return []
        back: list[Heard] = [Notice("connected again")] if self._again_ns is not None else []
        self._again_ns = None
        try:
            packet = self._transport.read(timeout_s)
            return back + (list(self._heard(packet.data)) if packet else [])
        except SourceError as error:
            self._again_ns = self._clock.monotonic_ns()
            return [*back, Notice(f"connection lost, nothing here is current: {error}", lost=True)]
        except FeedError as error:
            raise BrokerError(f"{self.name}: {error}") from None

    def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    def _reopened(self, timeout_s: float) -> bool:
        assert self._again_ns is not None
        if self._clock.monotonic_ns() < self._again_ns:
            return _pause(timeout_s)
        try:
            self._transport.open()
        except SourceError:
            wait_ns = round(self._backoff.next_s() * NS_PER_S)
            self._again_ns = self._clock.monotonic_ns() + wait_ns
            return False
        self._backoff = Backoff()
        return True

    def _heard(self, message: bytes) -> Iterator[Heard]:
        read = read_message(message)
        if isinstance(read, dict):
            yield from self._of_document(read)
            return
        for record in read:
            if isinstance(record, SamplesSeen | GapSeen):
                yield from self._samples(record)

    def _of_document(self, document: dict[str, Any]) -> Iterator[Heard]:
        try:
            yield from self._known(document)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise FeedError(f"damaged {document.get('type')}: {error}") from None

    def _known(self, document: dict[str, Any]) -> Iterator[Heard]:
        kind = document["type"]
        if kind in ("hello", "ready"):  # alerts told in between are history
            self._ready = kind == "ready"
        elif kind == "patient" and self._only in ("", document["id"]):
            self._streams[document["number"]] = _Stream(document["id"])
            if document["state"]:
                yield msgspec.convert(document["state"], StateMessage)
        elif kind in TYPES and (self._ready or kind != "alert"):
            told = msgspec.convert(document[kind], TYPES[kind])
            if self._only in ("", told.patient):
                yield told
        elif kind == "format":
            for stream in self._streams.values():
                if stream.id == document["patient"]:
                    stream.form, stream.due = document["number"], None
                    stream.rate_hz = document["rate_hz"]
                    yield Format(stream.id, stream.rate_hz, tuple(document["leads"]))

    def _samples(self, record: SamplesSeen | GapSeen) -> Iterator[Heard]:
        stream = self._streams.get(record.patient)
        if stream is None or stream.form != record.form:
            return
        missing = 0 if stream.due is None else (record.first - stream.due) & 0xFFFFFFFF
        count = record.count if isinstance(record, GapSeen) else record.samples.shape[1]
        stream.due = (record.first + count) & 0xFFFFFFFF
        missing += count if isinstance(record, GapSeen) else 0
        if missing:
            held = min(missing, round(HOLE_MAX_S * stream.rate_hz))
            yield Samples(stream.id, np.full(held, np.nan, np.float32))
        if isinstance(record, SamplesSeen):
            yield Samples(stream.id, record.samples[0].astype(np.float32) * SCALE_UV)


def _explained(fault: str, name: str) -> str:
    if "HTTP 401" in fault:
        return f"{name} asks for its token: give the file that holds it with --token-file"
    if "CERTIFICATE" in fault:
        return f"{fault}: --ca-file names the authority of its certificate"
    return f"{fault} (is `edge run --view` running there?)"


def _pause(timeout_s: float) -> bool:
    """Wait a moment; False, for nothing has been opened."""
    threading.Event().wait(timeout_s)
    return False


def _endpoint(url: str) -> tuple[Endpoint, bool]:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    bad = parts.scheme not in SCHEMES or not parts.hostname or port == 0
    if bad or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise UsageError(
            "--view takes the page's address and nothing else, such as http://127.0.0.1:8765"
        )
    tls = SCHEMES[parts.scheme]
    return Endpoint(str(parts.hostname), port or (443 if tls else 80)), tls


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "no certificates in PEM"
        raise ConfigError(f"--ca-file {Path(ca_file)}: {reason}") from None
