"""The page as HTTP answers: the known files of the package and no others."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from firmware_bridge.transports.page_files import security_headers as bridge_headers

__all__ = ["PATHS", "page_file", "security_headers"]

HTML, SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
MODULES = (
    "main",
    "feed",
    "wire",
    "ward",
    "tile",
    "sweep",
    "paper",
    "signal",
    "alarms",
    "sound",
    "trend",
    "strip",
    "login",
    "words",
    "theme",
)
FILES = {
    "/": ("index.html", HTML),
    "/view.css": ("view.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/{name}.js": (f"{name}.js", SCRIPT) for name in MODULES},
}
PATHS = tuple(FILES)


@cache
def page_file(path: str) -> tuple[bytes, str]:
    """Content and media type of one of `PATHS`."""
    name, media_type = FILES[path]
    return (files("edge.view") / "page" / name).read_bytes(), media_type


def security_headers(host: str) -> dict[str, str]:
    """What browsers are told with every answer. host: as the request named it, checked."""
    headers = bridge_headers(host)
    policy = headers["Content-Security-Policy"]
    return headers | {
        "Content-Security-Policy": f"{policy}; require-trusted-types-for 'script'",
        "X-Frame-Options": "DENY",
    }
