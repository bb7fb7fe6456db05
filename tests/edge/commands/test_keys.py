"""Key files and the `[commands]` table."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edge.commands.keys import load_key, load_keys, write_new_key
from edge.commands.settings import USUAL_VERBS
from edge.config import Config, check
from edge.errors import ConfigError, UsageError


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_key_is_the_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ward.key"
    write_new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = load_key("ward", path, USUAL_VERBS, "--key")
    assert len(bytes.fromhex(key.secret.decode())) == 32
    with pytest.raises(UsageError, match="never overwritten"):
        write_new_key(path)
    assert load_key("ward", path, (), "--key").secret == key.secret


def test_no_two_new_keys_are_the_same(tmp_path: Path) -> None:
    for number in range(20):
        write_new_key(tmp_path / str(number))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 20


@pytest.mark.parametrize("content", [b"\n" + b"k" * 32 + b"\r\n", b"k" * 32, b" " + b"k" * 32])
def test_white_space_around_a_key_does_not_count(tmp_path: Path, content: bytes) -> None:
    key = load_key("ward", written(tmp_path / "k", content), (), "--key")
    assert key.secret == b"k" * 32


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666, 0o601])
def test_a_key_open_to_everybody_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "ward.key", b"k" * 64, mode)
    with pytest.raises(ConfigError, match=r"commands\.keys\.ward: .*chmod 600") as refused:
        load_key("ward", path, (), "commands.keys.ward")
    assert "kkkk" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes"),
        (b"short", "5 bytes, expected at least 32"),
        (b"k" * 31 + b"\n", "31 bytes"),
        (b"k" * 5000, "no key"),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        load_key("ward", written(tmp_path / "k", content), (), "here")
    assert "short" not in str(refused.value).replace(str(tmp_path), "")


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", Path("/dev/zero")):
        with pytest.raises(ConfigError, match=f"here: {path}"):
            load_key("ward", path, (), "here")


def test_a_key_never_shows_its_secret(tmp_path: Path) -> None:
    key = load_key("ward", written(tmp_path / "k", b"canary" * 8), USUAL_VERBS, "here")
    assert "canary" not in f"{key} {key!r} {key.counter_name}"


def test_the_counter_belongs_to_the_secret_and_not_to_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "k", b"k" * 32)
    one, other = load_key("a", path, (), ""), load_key("b", path, (), "")
    assert one.counter_name == other.counter_name
    renewed = load_key("a", written(tmp_path / "l", b"l" * 32), (), "")
    assert renewed.counter_name != one.counter_name
    assert "/" in one.counter_name


def test_keys_of_the_configuration(tmp_path: Path) -> None:
    path = str(written(tmp_path / "k", b"k" * 32))
    short = check({"commands": {"keys": {"ward": path}}}).commands
    (key,) = load_keys(short.key_settings())
    assert key.verbs == {"acknowledge", "pause_audio", "ask_strip"}
    long = {"keys": {"chief": {"file": path, "verbs": ["set_limits"]}}, "unsigned": ["ask_strip"]}
    (key,) = load_keys(check({"commands": long}).commands.key_settings())
    assert (key.name, key.verbs) == ("chief", {"set_limits"})


def test_by_default_nothing_is_heard() -> None:
    assert not Config().commands.heard
    assert check({"commands": {"unsigned": ["acknowledge"]}}).commands.heard


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"unsigned": ["set_limits"]}, "set_limits"),
        ({"unsigned": ["reboot"]}, "reboot"),
        ({"keys": {"a/b": "x"}}, "keys"),
        ({"keys": {"Ward": "x"}}, "keys"),
        ({"keys": {"ward": {"file": "x", "verbs": ["reboot"]}}}, "reboot"),
        ({"keys": {"ward": {"path": "x"}}}, "path"),
        ({"keys": {"ward": 7}}, "ward|keys"),
        ({"secret": "x"}, "secret"),
        ({"expiry": "maybe"}, "maybe"),
    ],
)
def test_a_table_that_does_not_hold_is_refused(table: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check({"commands": table})
