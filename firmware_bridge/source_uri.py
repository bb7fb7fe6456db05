"""Source URIs: `scheme:target?option=value&...`, and what each scheme takes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from urllib.parse import unquote

from firmware_bridge.errors import SourceUriError

__all__ = ["SCHEMES", "Scheme", "SourceUri", "parse_uri", "redact", "third_party"]

ENTRY_POINT_GROUP = "edge.sources"
SECRETS = "pass(?:word)?|token|secret|key|auth"
ADDRESS = r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"

Check = Callable[[str], str | None]
"""Says what is wrong with an option's value, or None."""


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A source URI in its parts: `scheme:target?option=value&...`, percent-decoding done."""

    scheme: str
    target: str
    options: Mapping[str, str] = field(default_factory=dict)

    def get(self, option: str, default: str) -> str:
        """Value of an option, or `default` where the URI does not set it."""
        return self.options.get(option, default)


@dataclass(frozen=True, slots=True)
class Scheme:
    """Who opens a scheme (imported only then), and the options it takes.

    options: None where the opener checks them itself. device_options: whether others are the
    decoder's, which checks them.
    """

    module: str
    function: str
    options: Mapping[str, Check] | None
    device_options: bool = False

    def of_device(self, uri: SourceUri) -> dict[str, str]:
        """The options of a URI that are not the transport's own."""
        return {
            name: text for name, text in uri.options.items() if name not in (self.options or ())
        }


def one_of(*allowed: str) -> Check:
    """A check that takes these words only."""

    def check(value: str) -> str | None:
        if value in allowed:
            return None
        return f"allowed are {', '.join(allowed)}{_suggest(value, allowed)}"

    return check


def whole(low: int, high: int) -> Check:
    """A check for whole numbers from `low` to `high`."""

    def check(value: str) -> str | None:
        if re.fullmatch(r"[0-9]{1,12}", value) and low <= int(value) <= high:
            return None
        return f"it takes a whole number from {low} to {high}"

    return check


def speed(value: str) -> str | None:
    """`max`, or how many times faster than life, above 0 and up to 100,000."""
    if value == "max":
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", value) and 0 < float(value) <= 1e5:
        return None
    return "it takes max or a number above 0 and up to 100000, such as 1"


def filled(value: str) -> str | None:
    """Any text but the empty one."""
    return None if value else "it must not be empty"


def service_uuid(value: str) -> str | None:
    """A Bluetooth service: 4 hexadecimal digits or a UUID of 36 characters."""
    if re.fullmatch(r"[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", value):
        return None
    return "it takes 4 hexadecimal digits, such as 180d, or a UUID of 36 characters"


def token(value: str) -> str | None:
    """A shared secret: long enough not to be guessed, and fit for a line and for a header."""
    if re.fullmatch(r"[0-9A-Za-z._~+/=-]{8,128}", value):
        return None
    return "it takes 8 to 128 letters, digits and . _ ~ + / = -"


WEB_SOCKET_OPTIONS: Mapping[str, Check] = MappingProxyType(
    {
        "device": filled,
        "listen": one_of("1"),
        "token": token,
        "cert": filled,
        "key": filled,
        "ca": filled,
        "host": filled,
    }
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "serial": Scheme(
            "firmware_bridge.transports.serial_port",
            "open_serial",
            {"device": filled, "baud": whole(50, 12_000_000)},
            device_options=True,
        ),
        "ble": Scheme(
            "firmware_bridge.transports.ble",
            "open_ble",
            {"device": filled, "name": filled, "service": service_uuid},
            device_options=True,
        ),
        "tcp": Scheme(
            "firmware_bridge.transports.tcp",
            "open_tcp",
            {"device": filled, "listen": one_of("1"), "token": token},
            device_options=True,
        ),
        "ws": Scheme(
            "firmware_bridge.transports.ws", "open_ws", WEB_SOCKET_OPTIONS, device_options=True
        ),
        "wss": Scheme(
            "firmware_bridge.transports.ws", "open_ws", WEB_SOCKET_OPTIONS, device_options=True
        ),
        "replay": Scheme(
            "firmware_bridge.transports.replay",
            "open_replay",
            {"speed": speed, "via": one_of("serial"), "lead": filled},
        ),
        "sim": Scheme("firmware_bridge.transports.sim", "open_sim", None),
    }
)


def parse_uri(text: str) -> SourceUri:
    """Take a source URI apart and check its scheme, its options and their values.

    Raises SourceUriError, which names what is wrong and lists what is allowed.
    """
    if re.fullmatch(ADDRESS, text):
        raise SourceUriError(_no_scheme(text))
    matched = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", text, re.DOTALL)
    if matched is None:
        raise SourceUriError(_no_scheme(text))
    scheme, rest = matched[1].lower(), matched[2]
    path, _, query = rest.partition("?")
    target = unquote(path[2:] if path.startswith("//") else path)
    if "\0" in target:
        raise SourceUriError(f"source {redact(text)!r}: the target holds a NUL character")
    uri = SourceUri(scheme, target, MappingProxyType(_options(text, query)))
    _check_options(text, uri)
    return uri


def redact(uri: str) -> str:
    """The URI without user names, passwords and tokens, fit for logs and messages."""
    uri = re.sub(r"//[^/?#]*@", "//***@", uri)
    return re.sub(rf"(?i)\b({SECRETS})=[^&]*", r"\1=***", uri)


def is_secret(option: str) -> bool:
    """Whether an option's value is not to be shown."""
    return re.fullmatch(SECRETS, option, re.IGNORECASE) is not None


def third_party() -> dict[str, EntryPoint]:
    """Schemes of other packages: entry points of the group `edge.sources`.

    Each is a function from SourceUri to Source.
    """
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _options(text: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        if not equals:
            raise SourceUriError(f"source {redact(text)!r}: option {name!r} has no =value")
        if name in options:
            raise SourceUriError(f"source {redact(text)!r}: option {name!r} is given twice")
        options[name] = unquote(value)
    return options


def _check_options(text: str, uri: SourceUri) -> None:
    scheme = SCHEMES.get(uri.scheme)
    if scheme is None:
        _check_third_party(text, uri.scheme)
        return
    if scheme.options is None:
        return
    for name, value in uri.options.items():
        check = scheme.options.get(name)
        hint = _suggest(name, scheme.options)
        if check is None and scheme.device_options and not hint:
            continue
        if check is None:
            known = f"{uri.scheme} takes {', '.join(scheme.options)}"
            raise SourceUriError(f"source {redact(text)!r}: no option {name!r}: {known}{hint}")
        problem = check(value)
        if problem:
            shown = f"{name}=***" if is_secret(name) else f"{name}={value!r}"
            raise SourceUriError(f"source {redact(text)!r}: {shown}: {problem}")


def _check_third_party(text: str, scheme: str) -> None:
    known = [*SCHEMES, *third_party()]
    if scheme not in known:
        raise SourceUriError(
            f"source {redact(text)!r}: no scheme {scheme!r}: "
            f"there are {', '.join(known)}{_suggest(scheme, known)}"
        )


def _no_scheme(text: str) -> str:
    if text.startswith("/dev/") or re.fullmatch(r"COM\d+", text):
        return f"source {text!r} has no scheme: did you mean serial://{text}?"
    if re.fullmatch(ADDRESS, text):
        return f"source {text!r} has no scheme: did you mean ble://{text}?"
    return (
        f"source {redact(text)!r} has no scheme: a source begins with one of "
        f"{', '.join(f'{name}:' for name in SCHEMES)}, such as replay:{redact(text) or 'PATH'}"
    )


def _suggest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
