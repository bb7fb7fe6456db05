"""The `[view]` table: what may listen where, and what it needs."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest

from edge.clock import SystemClock
from edge.config import check
from edge.errors import ConfigError
from edge.view import open_view
from edge.view_settings import ViewSettings


@pytest.mark.parametrize(
    ("listen", "at"),
    [
        ("", "127.0.0.1:8765"),
        ("9000", "127.0.0.1:9000"),
        ("localhost:0", "localhost:0"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_addresses(listen, at):
    assert str(ViewSettings(listen=listen).endpoint) == at


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"listen": "0.0.0.0:1"}, "needs a token and TLS"),
        ({"listen": "192.168.1.2:1", "token_file": "t"}, "needs a token and TLS"),
        ({"listen": "10.0.0.1:1", "cert_file": "c", "key_file": "k"}, "needs a token and TLS"),
        ({"cert_file": "c"}, "belong together"),
        ({"listen": "nowhere"}, "names no address"),
        ({"listen": "127.0.0.1:65536"}, "names no address"),
        ({"port": 1}, "unknown field"),
    ],
)
def test_what_is_refused_says_what_is_missing(tree, words):
    with pytest.raises(ConfigError, match=words):
        check({"view": tree})


@pytest.mark.parametrize("content", ["", "2short!", "x" * 129, "ümläute in a token", "\x07" * 20])
def test_a_token_must_be_one(tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(ConfigError, match="token_file") as refused:
        ViewSettings(token_file=str(file)).token()
    assert not content or content not in str(refused.value)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "websockets"])
def test_the_extra_that_is_missing_is_named(monkeypatch, missing):
    for name in [each for each in sys.modules if each.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    for name in ("edge.view.live", "edge.view.server", "edge.view.app", "edge.view.attendance"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in [each for each in sys.modules if each.startswith("uvicorn.protocols")]:
        monkeypatch.delitem(sys.modules, name)
    config = check({"view": {"listen": "0"}})
    with ExitStack() as stack, pytest.raises(ConfigError, match=r"edge\[view\]"):
        open_view(config, SystemClock(), None, stack)


def test_first_line_is_the_token(tmp_path):
    file = tmp_path / "token"
    file.write_text("a token of some length\nmore\n")
    assert ViewSettings(token_file=str(file)).token() == "a token of some length"
    with pytest.raises(ConfigError, match="No such file"):
        ViewSettings(token_file=str(tmp_path / "none")).token()
