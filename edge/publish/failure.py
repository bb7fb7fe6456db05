"""Why a connection failed, in words that say what to do."""

from __future__ import annotations

import socket
import ssl

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
_NOT_YET_VALID, _EXPIRED, _UNKNOWN_AUTHORITY = 9, 10, (18, 19, 20)


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


def hung_up(settings: MqttSettings) -> ConnectFailedError:
    """The connection closed before the broker answered CONNECT."""
    hint = "is this an MQTT broker?"
    if settings.endpoint.tls and not settings.cert_file:
        hint = "does it ask for a client certificate? then set mqtt.cert_file and mqtt.key_file"
    elif not settings.endpoint.tls:
        hint = "does it expect TLS? then begin mqtt.url with mqtts://"
    return ConnectFailedError(f"broker {settings.endpoint} hangs up without an answer ({hint})")


def unreachable(settings: MqttSettings, error: Exception) -> ConnectFailedError:
    """The network or TLS failed before MQTT began."""
    where = f"broker {settings.endpoint}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectFailedError(f"{where}: {_certificate(settings, error)}", True)
    if isinstance(error, ssl.SSLError):
        return ConnectFailedError(f"{where}: TLS failed: {error.reason or error}", True)
    if isinstance(error, socket.gaierror):
        return ConnectFailedError(f"{where}: unknown host: check mqtt.url", True)
    if isinstance(error, TimeoutError):
        return ConnectFailedError(f"{where}: no answer: check mqtt.url and the network")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConnectFailedError(f"{where}: {reason} (is it running?)")


def unreadable(what: str, path: str, error: Exception) -> ConnectFailedError:
    """A file that the settings name cannot be used."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConnectFailedError(f"mqtt.{what} {path}: {reason}", True)


def _certificate(settings: MqttSettings, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not yet valid: check this machine's clock"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired (or this machine's clock is wrong)"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        trusted = settings.ca_file or "the system's authorities"
        return f"its certificate is not from {trusted}: set mqtt.ca_file"
    return f"its certificate does not hold: {error.verify_message}"
