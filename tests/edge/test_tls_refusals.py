"""TLS against a real Mosquitto: who is refused, what is said, what is sent, what is kept.

A proxy between the two counts what the client sends. Nothing of MQTT may leave before the broker
has proved who it is; a broker judges us only later, when it has our CONNECT, and no alert.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox
from edge.publish import Publisher
from edge.publish.failure import hung_up
from tests.certificates import DAY, NOW, Identity, issue, lock, revoke
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S
from tests.recording_proxy import RecordingProxy

pytestmark = [pytest.mark.broker, needs_mosquitto]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return issue(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return issue(tmp_path_factory.mktemp("other"), "stranger")


def tls_broker(authority: Identity, server: Identity, more: str = "") -> Mosquitto:
    return Mosquitto(
        f"cafile {authority.cert_file}\ncertfile {server.cert_file}\n"
        f"keyfile {server.key_file}\nlog_dest stderr\n{more}"  # unlike stdout, at once in the log
    )


@contextmanager
def connecting(
    port: int, path: Path, ca: Identity, client: Identity | None = None, clock: object = None
) -> Iterator[tuple[Outbox, Publisher]]:
    """A publisher with one alert to deliver."""
    settings = MqttSettings(
        url=f"mqtts://127.0.0.1:{port}",
        ca_file=str(ca.cert_file),
        cert_file=str(client.cert_file) if client else "",
        key_file=str(client.key_file) if client else "",
    )
    outbox = Outbox(path)
    publisher = Publisher(settings, outbox, clock)  # type: ignore[arg-type]
    outbox.put(OutboundMessage("p1", "a1", "start", 1, 0, "edge/p1/alert", b"{}"))
    publisher.start()
    try:
        yield outbox, publisher
    finally:
        publisher.stop(WAIT_S)
        outbox.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no other process can tell."""
    for _ in range(int(WAIT_S / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not within {WAIT_S:g} s")


def test_a_pinned_authority_is_trusted_and_the_proxy_counts(
    authority: Identity, tmp_path: Path
) -> None:
    """The counterpart of what follows: where all is well, MQTT passes and is counted."""
    server = issue(tmp_path, "server", authority)
    with (
        tls_broker(authority, server) as broker,
        RecordingProxy(broker.port) as proxy,
        connecting(proxy.port, tmp_path / "outbox.db", authority) as (outbox, publisher),
    ):
        assert publisher.first_connect(WAIT_S).connected
        until(lambda: outbox.counts.delivered == 1)
        assert proxy.application_bytes > 100
        assert "New client connected" in broker.log
        assert "Received PUBLISH" in broker.log


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [
        ("wrong authority", "is not from"),
        ("self-signed", "is not from"),
        ("expired", "has expired"),
        ("not yet valid", "check this machine's clock, which says 2"),
        ("wrong host", "is not for 127.0.0.1"),
    ],
)
def test_a_broker_that_cannot_prove_itself_gets_nothing_until_it_is_mended(
    authority: Identity, stranger: Identity, tmp_path: Path, flaw: str, complaint: str
) -> None:
    match flaw:
        case "wrong authority":
            server = issue(tmp_path, "server", stranger)
        case "self-signed":
            server = issue(tmp_path, "server")
        case "expired":
            server = issue(tmp_path, "server", authority, start=NOW - 9 * DAY, end=NOW - DAY)
        case "not yet valid":
            server = issue(tmp_path, "server", authority, start=NOW + DAY, end=NOW + 9 * DAY)
        case _:
            server = issue(tmp_path, "server", authority, address="192.0.2.7")
    with (
        tls_broker(authority, server) as broker,
        RecordingProxy(broker.port) as proxy,
        connecting(proxy.port, tmp_path / "outbox.db", authority) as (outbox, publisher),
    ):
        first = publisher.first_connect(WAIT_S)
        assert not first.connected
        assert complaint in first.reason
        assert proxy.connections >= 1
        assert proxy.application_bytes == 0
        assert outbox.counts.pending == 1
        assert "New client connected" not in broker.log
        broker.stop()
        assert proxy.application_bytes == 0
        issue(tmp_path, "server", authority)
        broker.start()
        until(lambda: outbox.counts.delivered == 1)


def test_a_broker_with_old_tls_gets_nothing(authority: Identity, tmp_path: Path) -> None:
    with (
        OldTls(issue(tmp_path, "server", authority)) as old,
        RecordingProxy(old.port) as proxy,
        connecting(proxy.port, tmp_path / "outbox.db", authority) as (outbox, publisher),
    ):
        first = publisher.first_connect(WAIT_S)
        assert not first.connected
        assert "does not speak TLS 1.2 or newer" in first.reason
        assert proxy.connections >= 1
        assert proxy.application_bytes == 0
        assert old.handshakes == 0
        assert outbox.counts.pending == 1


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [
        ("no certificate", "client certificate"),
        ("of an unknown authority", "mqtt.cert_file"),
        ("revoked", "mqtt.cert_file"),
    ],
)
def test_a_client_that_the_broker_does_not_accept_keeps_its_alerts(
    authority: Identity, stranger: Identity, tmp_path: Path, flaw: str, complaint: str
) -> None:
    more = "require_certificate true\nuse_identity_as_username true\n"
    client: Identity | None = None
    match flaw:
        case "of an unknown authority":
            client = issue(tmp_path, "client", stranger)
        case "revoked":
            client = issue(tmp_path, "client", authority)
            more += f"crlfile {revoke(tmp_path, authority, client)}\n"
    server = issue(tmp_path, "server", authority)
    with ExitStack() as stack:
        broker = stack.enter_context(tls_broker(authority, server, more))
        connected = connecting(broker.port, tmp_path / "outbox.db", authority, client)
        outbox, publisher = stack.enter_context(connected)
        until(lambda: complaint in publisher.statistics.last_error)
        assert not publisher.statistics.connects
        assert outbox.counts.pending == 1
        assert "Received PUBLISH" not in broker.log
        if client:
            issue(tmp_path, "client", authority)
            until(lambda: outbox.counts.delivered == 1)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it asks for a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not know the authority that issued mqtt.cert_file"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", "mqtt.cert_file has been revoked"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "mqtt.cert_file has expired"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "does not accept mqtt.cert_file"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "does not speak TLS 1.2 or newer"),
        ("", "hangs up without an answer (does it accept mqtt.cert_file?)"),
    ],
)
def test_what_the_broker_says_by_tls_becomes_words(said: str, words: str) -> None:
    """Its word may be lost with the connection, so a real one says it at some attempts only."""
    settings = MqttSettings(url="mqtts://broker.example", cert_file="client.pem")
    text = f"failed to receive on socket: [SSL: {said}] tells (_ssl.c:2580)" if said else ""
    failure = hung_up(settings, text)
    assert words in str(failure)
    assert failure.permanent is bool(said)


def test_a_client_certificate_is_an_identity(authority: Identity, tmp_path: Path) -> None:
    server, client = (issue(tmp_path, name, authority) for name in ("server", "pi-3"))
    identity = "require_certificate true\nuse_identity_as_username true\n"
    with (
        tls_broker(authority, server, identity) as broker,
        connecting(broker.port, tmp_path / "outbox.db", authority, client) as (outbox, _),
    ):
        until(lambda: outbox.counts.delivered == 1)
        assert "u'pi-3'" in broker.log


def test_a_clock_that_starts_in_1970_is_named(authority: Identity, tmp_path: Path) -> None:
    """OpenSSL asks the system's clock, so here the certificate lies ahead and our clock behind."""
    server = issue(tmp_path, "server", authority, start=NOW + DAY, end=NOW + 9 * DAY)
    with (
        tls_broker(authority, server) as broker,
        connecting(broker.port, tmp_path / "o.db", authority, clock=Epoch()) as (_, publisher),
    ):
        reason = publisher.first_connect(WAIT_S).reason
        assert reason.endswith("check this machine's clock, which says 1970-01-01")


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [
        ("no authority", "mqtt.ca_file .*nowhere.pem: No such file"),
        ("no certificate authority in it", "mqtt.ca_file .*: there is no certificate in PEM in it"),
        ("no client certificate", "mqtt.cert_file .*nowhere.pem.*: No such file"),
        ("the key of another", "the key is not that of the certificate"),
        ("a passphrase", "the key has a passphrase, which nobody is there to type"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    authority: Identity, stranger: Identity, tmp_path: Path, flaw: str, complaint: str
) -> None:
    client = issue(tmp_path, "client", authority)
    nowhere, empty = tmp_path / "nowhere.pem", tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    match flaw:
        case "no authority":
            authority = replace(authority, cert_file=nowhere)
        case "no certificate authority in it":
            authority = replace(authority, cert_file=empty)
        case "no client certificate":
            client = replace(client, cert_file=nowhere)
        case "the key of another":
            client = replace(client, key_file=stranger.key_file)
        case _:
            lock(client)
    with connecting(1, tmp_path / "outbox.db", authority, client) as (outbox, publisher):
        assert re.search(complaint, publisher.first_connect(WAIT_S).reason)
        assert outbox.counts.pending == 1


def test_tls_to_a_port_that_has_none_is_said(tmp_path: Path, authority: Identity) -> None:
    with (
        Mosquitto() as plain,
        connecting(plain.port, tmp_path / "outbox.db", authority) as (outbox, publisher),
    ):
        until(lambda: bool(publisher.statistics.last_error))
        assert not publisher.statistics.connects
        assert outbox.counts.pending == 1


class Epoch(SystemClock):
    """A board without a battery that has not heard the time yet."""

    def utc_ns(self) -> int:
        return 3_000_000_000


class OldTls:
    """A server that speaks TLS 1.1 and nothing newer; Mosquitto cannot be told to."""

    def __init__(self, identity: Identity) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL@SECLEVEL=0")
        context.load_cert_chain(identity.cert_file, identity.key_file)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.handshakes = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> OldTls:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with contextlib.suppress(OSError), client:
                    self._context.wrap_socket(client, server_side=True)
                    self.handshakes += 1
