"""The bridge page as HTTP answers: the known files of the package and no others."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["page_file", "security_headers"]

HTML, SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
FILES = {
    "/": ("index.html", HTML),
    "/bridge.css": ("bridge.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", SCRIPT)
        for name in ("main", "device", "uplink", "outbox", "page_clock", "words")
    },
}


def page_file(path: str) -> tuple[bytes, str] | None:
    """Content and media type of what a path names, None where the page has no such file."""
    known = FILES.get(path.partition("?")[0])
    if known is None:
        return None
    name, media_type = known
    return (files("firmware_bridge") / "bridge_page" / name).read_bytes(), media_type


def security_headers(host: str) -> dict[str, str]:
    """What browsers are told with every answer; `host`: as the request named it, checked."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        f"connect-src 'self' ws://{host} wss://{host}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
