"""A password is told to the broker and to nobody else."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S
from tests.reliability.strace import FULL, environment

CANARY = "canary-5d0e7c1b"
needs_passwd = pytest.mark.skipif(
    shutil.which("mosquitto_passwd") is None,
    reason="needs mosquitto_passwd (apt install mosquitto)",
)


def run_of(folder: Path, url: str) -> tuple[str, str, str]:
    """Output, errors, and what the kernel shows of a process that has told states and an alert."""
    (folder / "password").write_text(CANARY + "\n")
    (folder / "config.toml").write_text(
        f'[mqtt]\nurl = "{url}"\nusername = "edge"\npassword_file = "{folder}/password"\n'
        f'[storage]\ndirectory = "{folder}/state"\n[record]\ndirectory = "{folder}/state/rec"\n'
        '[[patient]]\nid = "p1"\nsource = "sim:?scenario=asystole&speed=20"\nbundle = "none"\n'
    )
    command = [sys.executable, "-m", "edge", "run", str(folder / "config.toml"), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        killer = threading.Timer(WAIT_S, process.kill)
        killer.start()
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if sum('"event":"state"' in each for each in lines) >= 3 and _has_told("".join(lines)):
                break
        shown = "".join(
            Path(f"/proc/{process.pid}/{name}").read_bytes().decode(errors="replace")
            for name in ("cmdline", "environ")
        )
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate()
        killer.cancel()
    return "".join(lines) + rest, errors, shown


def _kept(folder: Path) -> bytes:
    """All that the run wrote."""
    files = [each for each in (folder / "state").rglob("*") if each.is_file()]
    assert files
    return b"".join(each.read_bytes() for each in files)


def _has_told(output: str) -> bool:
    return any(json.loads(line)["event"] == "alert" for line in output.splitlines())


@pytest.mark.broker
@needs_mosquitto
@needs_passwd
@pytest.mark.skipif(not FULL, reason="EDGE_RELIABILITY=full runs it")
@pytest.mark.parametrize("told", [CANARY, "another-password"], ids=["right", "wrong"])
def test_a_password_appears_nowhere(tmp_path: Path, told: str) -> None:
    """Whether the broker takes it or refuses it: the broker knows the password `told`."""
    passwords = tmp_path / "passwd"
    make = ["mosquitto_passwd", "-b", "-c", str(passwords), "edge", told]
    subprocess.run(make, check=True, capture_output=True)
    passwords.chmod(0o644)
    with Mosquitto(f"allow_anonymous false\npassword_file {passwords}") as broker:
        if told == CANARY:
            login = ("-u", "edge", "-P", CANARY)
            subscriber = broker.subscribe("#", arguments=login)
        output, errors, shown = run_of(tmp_path, broker.url)
        if told == CANARY:
            received = subscriber.wait_for(1)
            subscriber.close()
            assert CANARY not in repr(received)
    assert _has_told(output)
    for where in (output, errors, shown):
        assert CANARY not in where
    assert CANARY.encode() not in _kept(tmp_path)


@pytest.mark.skipif(not FULL, reason="EDGE_RELIABILITY=full runs it")
def test_a_password_file_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "password").mkdir()
    (tmp_path / "password" / CANARY).touch()
    config = tmp_path / "config.toml"
    config.write_text(
        f'[mqtt]\nurl = "mqtt://127.0.0.1:9"\nusername = "edge"\n'
        f'password_file = "{tmp_path}/password"\n[storage]\ndirectory = "{tmp_path}/state"\n'
        '[[patient]]\nid = "p1"\nsource = "sim:?duration_s=1&speed=max"\nbundle = "none"\n'
    )
    command = [sys.executable, "-m", "edge", "run", str(config), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=WAIT_S, check=False
    )
    assert "password_file" in done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
