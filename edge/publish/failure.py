"""Why a connection failed, in words that say what to do."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from edge.clock import rfc3339
from edge.mqtt_settings import MqttSettings

_ADVICE = {
    128: "connection lost",
    132: "it does not speak this version of MQTT: set mqtt.protocol = 311",
    133: "client id not accepted: set mqtt.client_id",
    134: "bad user name or password: check mqtt.username and mqtt.password_file",
    135: "not authorised: check the broker's access list, mqtt.username and mqtt.password_file",
    136: "the broker is not available",
    137: "the broker is busy",
    138: "this client is banned",
    140: "bad authentication method",
    142: "another client took over: two clients have the same mqtt.client_id",
    149: "packet too large for the broker",
    151: "quota exceeded",
    155: "QoS 1 is not supported by the broker",
    156: "the broker moved: set mqtt.url to its new address",
    157: "the broker moved: set mqtt.url to its new address",
    159: "connection rate exceeded",
}
_PERMANENT = {132, 133, 134, 135, 138, 140, 155, 157}
_NOT_YET_VALID, _EXPIRED, _UNKNOWN_AUTHORITY, _OTHER_NAME = 9, 10, (18, 19, 20, 21), (62, 64)
"""X509_V_ERR_* of OpenSSL."""

_TLS_ALERTS = {
    "CERTIFICATE_REQUIRED": "it asks for a client certificate: set mqtt.cert_file and key_file",
    "HANDSHAKE_FAILURE": "no common ground in TLS (does it ask for mqtt.cert_file?)",
    "ALERT_UNKNOWN_CA": "it does not know the authority that issued mqtt.cert_file",
    "CERTIFICATE_REVOKED": "mqtt.cert_file has been revoked",
    "ALERT_CERTIFICATE_EXPIRED": "mqtt.cert_file has expired",
    "BAD_CERTIFICATE": "it does not accept mqtt.cert_file",
    "CERTIFICATE_UNKNOWN": "it does not accept mqtt.cert_file",
    "PROTOCOL_VERSION": "it does not speak TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "it does not speak TLS there: is the port right?",
}
"""Part of OpenSSL's name of what ended the connection, to words. The broker's side sent all but
the last two (RFC 8446, 6.2)."""

_UNUSABLE = {
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in PEM in it",
    "NO_START_LINE": "there is no certificate in PEM in it",
}


@dataclass(frozen=True, slots=True)
class FirstConnect:
    """How the first attempts to connect went. reason: empty where connected."""

    connected: bool
    reason: str = ""


class ConnectFailedError(Exception):
    """No connection. permanent: trying again helps only after somebody changed something."""

    def __init__(self, text: str, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


def refused(settings: MqttSettings, code: int, name: str) -> ConnectFailedError:
    """The broker answered with a reason code (MQTT 5, 2.4) that is a refusal."""
    why = _ADVICE.get(code, name)
    return ConnectFailedError(
        f"broker {settings.endpoint} refuses the connection: {why}", code in _PERMANENT
    )


def ended(code: int, name: str) -> str:
    """Why an established connection ended."""
    return _ADVICE.get(code, name)


def no_answer(settings: MqttSettings, timeout_s: float) -> ConnectFailedError:
    """TCP works, yet no CONNACK came."""
    hint = " (does it speak MQTT 3.1.1 only? then set mqtt.protocol = 311)"
    return ConnectFailedError(
        f"broker {settings.endpoint} did not answer within {timeout_s:g} s"
        + (hint if settings.protocol == 5 else "")
    )


def hung_up(settings: MqttSettings, said: str = "") -> ConnectFailedError:
    """The connection closed before the broker answered CONNECT. said: by TLS, where it did: a
    broker judges our certificate only after the handshake is over for us.
    """
    where = f"broker {settings.endpoint}"
    if why := _of_tls(said):
        return ConnectFailedError(f"{where}: {why}", True)
    if settings.endpoint.tls and not settings.cert_file:
        hint = "does it ask for a client certificate? then set mqtt.cert_file and mqtt.key_file"
    elif settings.endpoint.tls:
        hint = "does it accept mqtt.cert_file?"
    else:
        hint = "is it an MQTT broker? does it expect TLS? then begin mqtt.url with mqtts://"
    return ConnectFailedError(f"{where} hangs up without an answer ({hint})")


def unreachable(settings: MqttSettings, error: Exception, utc_ns: int) -> ConnectFailedError:
    """The network or TLS failed before MQTT began. utc_ns: the time as this machine has it."""
    where = f"broker {settings.endpoint}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectFailedError(f"{where}: {_certificate(settings, error, utc_ns)}", True)
    if isinstance(error, ssl.SSLError):
        why = _of_tls(str(error)) or f"TLS failed: {error.reason or error}"
        return ConnectFailedError(f"{where}: {why}", True)
    if isinstance(error, socket.gaierror):
        return ConnectFailedError(f"{where}: unknown host: check mqtt.url", True)
    if isinstance(error, TimeoutError):
        return ConnectFailedError(f"{where}: no answer: check mqtt.url and the network")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConnectFailedError(f"{where}: {reason} (is it running?)")


def unreadable(what: str, path: str, error: Exception) -> ConnectFailedError:
    """A file that the settings name cannot be used."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, ssl.SSLError):
        reason = _UNUSABLE.get(error.reason, reason)
    return ConnectFailedError(f"mqtt.{what} {path}: {reason}", True)


def _of_tls(text: str) -> str:
    """What an error of OpenSSL means here; empty where that is not known."""
    return next((words for name, words in _TLS_ALERTS.items() if name in text), "")


def _certificate(settings: MqttSettings, error: ssl.SSLCertVerificationError, utc_ns: int) -> str:
    today = f"this machine's clock, which says {rfc3339(utc_ns)[:10]}"
    if error.verify_code == _NOT_YET_VALID:
        return f"its certificate is not yet valid: check {today}"
    if error.verify_code == _EXPIRED:
        return f"its certificate has expired (or else check {today})"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        trusted = settings.ca_file or "the system's authorities"
        return f"its certificate is not from {trusted}: set mqtt.ca_file"
    if error.verify_code in _OTHER_NAME:
        name = settings.endpoint.host
        return f"its certificate is not for {name}: set mqtt.url to a name that it is for"
    return f"its certificate does not hold: {error.verify_message}"
