"""`ws://` and `wss://` sources: a WebSocket that edge opens, or the port of the bridge page."""

from __future__ import annotations

import importlib.util
import secrets
import ssl
from pathlib import Path

from firmware_bridge.bridge_protocol import profile
from firmware_bridge.devices import make_decoder
from firmware_bridge.errors import SourceError, SourceUriError
from firmware_bridge.protocols import GattDevice
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.source_uri import SCHEMES
from firmware_bridge.transports.sockets import Endpoint
from firmware_bridge.transports.token_gate import required_token
from firmware_bridge.transports.web_origin import own_names

__all__ = ["open_ws"]

FIRST_DATA_S = 20.0
"""The phone has to subscribe to all characteristics and the device to start."""
MISSING = (
    "ws: sources need the package websockets; install it with: pip install 'edge[bridge]' "
    "(or: pip install 'websockets>=15')"
)


def open_ws(uri: SourceUri) -> Source:
    """Source of `ws://HOST:PORT/PATH?device=native` or, with `listen=1`, of the bridge page."""
    if importlib.util.find_spec("websockets") is None:
        raise SourceError(MISSING)
    if "listen" in uri.options:
        return _open_listener(uri)
    for option in ("cert", "key", "host"):
        if option in uri.options:
            raise SourceUriError(f"{uri.scheme}: {option}= is for listen=1")
    from firmware_bridge.transports.ws_client import WsTransport

    host, _, path = uri.target.partition("/")
    to = Endpoint.parse(_with_port(host, uri.scheme), uri.scheme)
    device = uri.get("device", "native")
    decoder = make_decoder(device, **SCHEMES[uri.scheme].of_device(uri))
    channel = decoder.gatt.data[0] if isinstance(decoder, GattDevice) else ""
    tls = _client_tls(uri) if uri.scheme == "wss" else None
    transport = WsTransport(to, f"/{path}", uri.get("token", ""), channel, tls)
    return Source(
        uri=f"{transport.name}?device={device}",
        transport=transport,
        decoder=decoder,
        finite=False,
        description=f"{device} at {transport.name}",
    )


def _open_listener(uri: SourceUri) -> Source:
    from firmware_bridge.transports.ws_listener import WsListener

    at = Endpoint.parse(uri.target.rstrip("/"), uri.scheme)
    if "ca" in uri.options:
        raise SourceUriError(f"{uri.scheme}: ca= is for connecting, not for listen=1")
    if uri.get("host", "") and not uri.get("token", ""):
        raise SourceUriError(
            f"{uri.scheme}: host= is for those who come from other machines, so it needs a token; "
            f"add for instance token={secrets.token_urlsafe(16)}"
        )
    device = uri.get("device", "polar_h10")
    decoder = make_decoder(device, **SCHEMES[uri.scheme].of_device(uri))
    gatt = decoder.gatt if isinstance(decoder, GattDevice) else None
    transport = WsListener(
        at,
        required_token(uri.get("token", ""), at, uri.scheme),
        profile(device, gatt, decoder) if gatt else None,
        channel=gatt.data[0] if gatt else "",
        names=own_names(filter(None, uri.get("host", "").split(","))),
        tls=_server_tls(uri),
    )
    way = f"a phone's browser at {transport.page_url}" if gatt else f"whom calls {transport.name}"
    return Source(
        uri=f"{transport.name}?device={device}&listen=1",
        transport=transport,
        decoder=decoder,
        finite=False,
        description=f"{device} by way of {way}",
        data_channels=gatt.data if gatt else (),
        first_data_s=FIRST_DATA_S,
    )


def _server_tls(uri: SourceUri) -> ssl.SSLContext | None:
    cert, key = uri.get("cert", ""), uri.get("key", "")
    if not cert:
        if uri.scheme == "wss" or key:
            raise SourceUriError(
                f"{uri.scheme}: cert=FILE.pem is missing; docs/bridge.md makes one"
            )
        return None
    for file in filter(None, (cert, key)):
        if not Path(file).is_file():
            raise SourceError(f"{uri.scheme}: there is no file {file}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key or None, password=lambda: b"")
    except PermissionError as error:
        raise SourceError(f"{uri.scheme}: no permission to read {key or cert}") from error
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SourceError(
            f"{uri.scheme}: {cert} and {key or 'the key in it'} are no certificate and its key "
            f"without a password, in PEM"
        ) from error
    return context


def _client_tls(uri: SourceUri) -> ssl.SSLContext:
    ca = uri.get("ca", "")
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (ssl.SSLError, OSError) as error:
        raise SourceError(f"wss: {ca} is no readable certificate in PEM") from error


def _with_port(host: str, scheme: str) -> str:
    has_port = host.rpartition("]")[2].count(":") == 1
    return host if has_port else f"{host}:{443 if scheme == 'wss' else 80}"
