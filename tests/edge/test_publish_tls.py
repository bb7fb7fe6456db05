"""TLS: what is refused, what is said, and that nothing leaves before the peer is known."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox
from edge.publish import Publisher
from tests.mosquitto import Mosquitto, needs_mosquitto

pytest.importorskip("cryptography", reason="needs cryptography to make certificates")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

pytestmark = [pytest.mark.broker, needs_mosquitto]
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as objects and as PEM files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cert_file: Path
    key_file: Path


def issue(
    folder: Path,
    name: str,
    by: Identity | None = None,
    address: str = LOOPBACK,
    start: datetime = NOW - DAY,
    end: datetime = NOW + DAY,
) -> Identity:
    """A certificate issued by an authority, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    issuer_key = by.key if by else key
    issuer = by.certificate.subject if by else subject
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority, critical=False)
        .add_extension(_usage(signs=by is None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    identity = Identity(built, key, folder / f"{name}.pem", folder / f"{name}.key")
    identity.cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    identity.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return identity


def _usage(signs: bool) -> x509.KeyUsage:
    """What RFC 5280 asks of an authority, and what it asks of the others."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return issue(tmp_path_factory.mktemp("ca"), "authority")


def tls_broker(authority: Identity, server: Identity, more: str = "") -> Mosquitto:
    return Mosquitto(
        f"cafile {authority.cert_file}\ncertfile {server.cert_file}\n"
        f"keyfile {server.key_file}\n{more}"
    )


@contextmanager
def connecting(
    broker: Mosquitto, path: Path, ca: Identity, client: Identity | None = None
) -> Iterator[tuple[Outbox, Publisher]]:
    settings = MqttSettings(
        url=broker.url.replace("mqtt://", "mqtts://"),
        ca_file=str(ca.cert_file),
        cert_file=str(client.cert_file) if client else "",
        key_file=str(client.key_file) if client else "",
    )
    outbox = Outbox(path)
    publisher = Publisher(settings, outbox)
    outbox.put(OutboundMessage("p1", "a1", "start", 1, 0, "edge/p1/alert", b"{}"))
    publisher.start()
    try:
        yield outbox, publisher
    finally:
        publisher.stop(2.0)
        outbox.close()


def test_a_pinned_authority_is_trusted(authority: Identity, tmp_path: Path) -> None:
    server = issue(tmp_path, "server", authority)
    with (
        tls_broker(authority, server) as broker,
        connecting(broker, tmp_path / "outbox.db", authority) as (outbox, publisher),
    ):
        assert publisher.first_connect(10.0).connected
        assert publisher.stop(10.0)
        assert outbox.counts.delivered == 1


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [
        ("wrong authority", "is not from"),
        ("self-signed", "is not from"),
        ("wrong host", "IP address mismatch"),
        ("expired", "has expired"),
        ("not yet valid", "check this machine's clock"),
    ],
)
def test_a_server_that_cannot_prove_itself_gets_nothing(
    authority: Identity, tmp_path: Path, flaw: str, complaint: str
) -> None:
    trusted = authority
    match flaw:
        case "wrong authority":
            server = issue(tmp_path, "server", authority)
            trusted = issue(tmp_path, "other")
        case "self-signed":
            server = issue(tmp_path, "server")
        case "wrong host":
            server = issue(tmp_path, "server", authority, address="192.0.2.7")
        case "expired":
            server = issue(tmp_path, "server", authority, start=NOW - 9 * DAY, end=NOW - DAY)
        case _:
            server = issue(tmp_path, "server", authority, start=NOW + DAY, end=NOW + 9 * DAY)
    with (
        tls_broker(authority, server) as broker,
        connecting(broker, tmp_path / "outbox.db", trusted) as (outbox, publisher),
    ):
        first = publisher.first_connect(10.0)
        assert not first.connected
        assert complaint in first.reason
        assert outbox.counts.pending == 1
        assert "New client connected" not in broker.log


def test_a_broker_may_ask_who_we_are(authority: Identity, tmp_path: Path) -> None:
    server = issue(tmp_path, "server", authority)
    client = issue(tmp_path, "client", authority)
    with tls_broker(authority, server, "require_certificate true\n") as broker:
        with connecting(broker, tmp_path / "a.db", authority) as (outbox, publisher):
            first = publisher.first_connect(1.0)
            assert not first.connected
            assert "mqtt.cert_file" in first.reason
            assert outbox.counts.pending == 1
            assert "New client connected" not in broker.log
        with connecting(broker, tmp_path / "b.db", authority, client) as (_, publisher):
            assert publisher.first_connect(10.0).connected


def test_a_missing_authority_file_is_named(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    publisher = Publisher(
        MqttSettings(url="mqtts://127.0.0.1:1", ca_file="/nowhere/ca.pem"), outbox
    )
    publisher.start()
    assert "mqtt.ca_file /nowhere/ca.pem: No such file" in publisher.first_connect(10.0).reason
    publisher.stop(0.0)
    outbox.close()
