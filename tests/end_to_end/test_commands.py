"""`edge command` to a running `edge run` over a real broker, and what gets nowhere."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.cli import main
from edge.clock import SystemClock
from edge.commands.keys import write_new_key
from edge.commands.opening import open_desk
from edge.config import check
from edge.errors import ConfigError, Exit
from edge.runtime import Runtime
from tests.mosquitto import Mosquitto, Received, Subscriber, needs_mosquitto
from tests.patience import WAIT_S

pytestmark = [pytest.mark.broker, needs_mosquitto]

COMMAND, ANSWERS = "edge/bed-3/command", "edge/bed-3/command/response"
CONFIG = """
[[patient]]
id = "bed-3"
source = "sim:?scenario=sinus&speed=10"
limits = {{brady_bpm = 80}}
adjustable = {{tachy_bpm = [110, 140]}}
[encoder]
bundle = "none"
[mqtt]
url = "{url}"
{mqtt}
[storage]
directory = "{folder}/state"
[commands]
unsigned = ["pause_audio"]
[commands.keys]
ward = "{folder}/ward.key"
chief = {{file = "{folder}/chief.key", verbs = ["set_limits"]}}
"""
"""A heart of about 70 a minute under a limit of 80: the alarm stays on."""


class Ward:
    """A running `edge run` with its keys and the broker's side of it."""

    def __init__(self, broker: Mosquitto, folder: Path, mqtt: str = "") -> None:
        self.broker = broker
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(url=broker.url, folder=folder, mqtt=mqtt))
        for name in ("ward", "chief", "stranger"):
            if not (folder / f"{name}.key").exists():
                write_new_key(folder / f"{name}.key")
        self.log = folder / "log"
        self.out = folder / "out"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log, self.out.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", str(self.config), "--json"],
                stdout=out,
                stderr=log,
            )

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(WAIT_S)

    def ask(self, verb: str, *more: str, key: str = "ward", patient: str = "bed-3") -> int:
        """`edge command` in this process; its exit code."""
        named = f"{key}={self.folder / key}.key"
        where = ["--mqtt", self.broker.url, "--patient", patient, "--key", named]
        return main(["command", verb, *where, *more])


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@pytest.fixture(scope="module")
def hears(broker: Mosquitto) -> Iterator[Subscriber]:
    with broker.subscribe("edge/#") as subscriber:
        yield subscriber


@pytest.fixture(scope="module")
def ward(
    broker: Mosquitto, hears: Subscriber, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    running = Ward(broker, tmp_path_factory.mktemp("ward"))
    hears.wait_for(lambda got: any(each.topic.endswith("/alert") for each in got))
    yield running
    running.stop(signal.SIGKILL)


def alert_with(received: list[Received], **fields: Any) -> bool:
    alerts = [each.json for each in received if each.topic == "edge/bed-3/alert"]
    return any(fields.items() <= each.items() for each in alerts)


def answers(hears: Subscriber, after: int, count: int = 1) -> list[dict[str, Any]]:
    """Answers on the usual topic beyond the first `after` messages of all."""

    def given(received: list[Received]) -> list[dict[str, Any]]:
        return [each.json for each in received[after:] if each.topic == ANSWERS]

    return given(hears.wait_for(lambda got: len(given(got)) >= count))


def test_an_alarm_is_acknowledged(ward: Ward, hears: Subscriber, capfd: Any) -> None:
    assert ward.ask("acknowledge", "--by", "Jo") == Exit.OK
    assert "done: acknowledged: brady" in capfd.readouterr().out
    hears.wait_for(
        lambda got: alert_with(
            got, kind="brady", inactivation="acknowledged", acknowledged_by="Jo (ward)"
        )
    )


def test_sound_is_paused_and_a_strip_is_asked_for(
    ward: Ward, hears: Subscriber, capfd: Any
) -> None:
    assert ward.ask("pause-audio", "--for", "30") == Exit.OK
    assert "30 s" in capfd.readouterr().out
    assert ward.ask("ask-strip", "--json") == Exit.OK
    answer = json.loads(capfd.readouterr().out)
    assert (answer["done"], answer["verb"]) == (True, "ask_strip")
    hears.wait_for(lambda got: any(each.topic.endswith("/alert/strip") for each in got))


def test_limits_are_set_by_whoever_may_and_within_their_bounds(ward: Ward, capfd: Any) -> None:
    limits = ("--limit", "tachy_bpm=135")
    assert ward.ask("set-limits", *limits) == Exit.FAILURE
    assert "refused (right)" in capfd.readouterr().err
    assert ward.ask("set-limits", *limits, key="chief") == Exit.OK
    capfd.readouterr()
    for beyond in ("tachy_bpm=150", "asystole_s=6"):
        assert ward.ask("set-limits", "--limit", beyond, key="chief") == Exit.FAILURE
        assert "refused (not_possible)" in capfd.readouterr().err


def test_a_stranger_is_refused(ward: Ward, capfd: Any) -> None:
    assert ward.ask("acknowledge", key="stranger") == Exit.FAILURE
    assert "refused (signature)" in capfd.readouterr().err


def test_a_copy_is_refused(ward: Ward, hears: Subscriber) -> None:
    assert ward.ask("pause-audio", "--by", "once") == Exit.OK

    def sent(received: list[Received]) -> list[Received]:
        return [each for each in received if each.topic == COMMAND and "once" in each.payload]

    (original,) = sent(hears.wait_for(lambda got: bool(sent(got))))
    before = len(hears.received)
    ward.broker.publish(COMMAND, original.payload)
    assert answers(hears, before)[0]["reason"] == "counter"


def test_a_button_works_without_a_signature_where_that_is_allowed(
    ward: Ward, hears: Subscriber
) -> None:
    before = len(hears.received)
    ward.broker.publish(f"{COMMAND}/button", "acknowledge")
    ward.broker.publish(f"{COMMAND}/button", "pause_audio", "-r")
    ward.broker.publish(f"{COMMAND}/button", "pause_audio")
    refused, done = answers(hears, before, 2)
    assert (refused["done"], refused["reason"]) == (False, "malformed")
    assert (done["done"], done["verb"]) == (True, "pause_audio")


def test_a_patient_whom_nobody_watches_and_a_broker_that_is_not_there(
    ward: Ward, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.cli import command

    monkeypatch.setattr(command, "WAIT_S", 0.3)
    assert ward.ask("acknowledge", patient="bed-4") == Exit.BROKER
    assert "does `edge run` watch bed-4" in capfd.readouterr().err
    nowhere = ["--mqtt", "mqtt://127.0.0.1:1", "--patient", "bed-3"]
    key = f"ward={ward.folder}/ward.key"
    assert main(["command", "acknowledge", *nowhere, "--key", key]) == Exit.BROKER
    assert "is it running?" in capfd.readouterr().err


def test_an_older_broker_serves_as_well(ward: Ward, capfd: Any, tmp_path: Path) -> None:
    config = tmp_path / "sender.toml"
    config.write_text(f'[mqtt]\nurl = "{ward.broker.url}"\nprotocol = 311\n')
    key = f"ward={ward.folder}/ward.key"
    sent = ["--mqtt", str(config), "--patient", "bed-3", "--key", key]
    assert main(["command", "pause-audio", "--for", "0", *sent]) == Exit.OK
    capfd.readouterr()


def test_a_flood_disturbs_neither_samples_nor_commands(
    ward: Ward, hears: Subscriber, capfd: Any
) -> None:
    before = len(hears.received)
    flood = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(ward.broker.port), "-t", COMMAND, "-l"]
    subprocess.run(flood, input=b'{"command":"x","key":"ward"}\n' * 5000, check=True)
    assert ward.ask("pause-audio") == Exit.OK
    capfd.readouterr()

    def states(received: list[Received]) -> list[dict[str, Any]]:
        return [each.json for each in received[before:] if each.topic == "edge/bed-3/state"]

    samples = states(hears.wait_for(lambda got: len(states(got)) >= 3))[-1]["samples"]
    assert samples["gap"] == samples["late"] == samples["bad"] == 0
    assert samples["delivered"] == samples["span"] > 0
    refusals = [line for line in ward.log.read_text().splitlines() if "it is no command" in line]
    assert len(refusals) == 1


def test_a_copy_is_refused_after_a_kill_and_no_secret_is_anywhere(
    tmp_path: Path, capfd: Any
) -> None:
    if not shutil.which("mosquitto_passwd"):
        pytest.skip("needs mosquitto_passwd (apt install mosquitto)")
    password = "canary-password-4711"
    users, secret = tmp_path / "users", tmp_path / "password"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "edge", password], check=True)
    secret.write_text(password)
    key = "canary-key-0815-" * 3
    (tmp_path / "ward.key").write_text(key)
    (tmp_path / "ward.key").chmod(0o600)
    mqtt = f'username = "edge"\npassword_file = "{secret}"'
    who = ("-u", "edge", "-P", password)
    with (
        Mosquitto(f"allow_anonymous false\npassword_file {users}") as guarded,
        guarded.subscribe("#", arguments=who) as hears,
    ):
        ward = Ward(guarded, tmp_path, mqtt)
        hears.wait_for(lambda got: alert_with(got, kind="brady"))
        arguments = process_facts(ward.process.pid)
        by_config = ["--mqtt", str(ward.config), "--patient", "bed-3"]
        named = f"ward={tmp_path}/ward.key"
        assert main(["command", "acknowledge", *by_config, "--key", named]) == Exit.OK
        ward.stop(signal.SIGKILL)
        before = len(hears.received)
        ward.start()
        hears.wait_for(lambda got: any('"online"' in each.payload for each in got[before:]))
        (sent,) = [each for each in hears.received if each.topic == COMMAND]
        guarded.publish(COMMAND, sent.payload, *who)
        assert answers(hears, before)[0]["reason"] == "counter"
        ward.stop()
        said = [each.topic + each.payload for each in hears.received]
    stored = [path.read_bytes() for path in (tmp_path / "state").iterdir()]
    shown = capfd.readouterr()
    everything = "\n".join(
        [*said, arguments, shown.out, shown.err, ward.log.read_text(), ward.out.read_text()]
    )
    assert "canary" not in everything
    assert not any(b"canary" in content for content in stored)
    assert "Traceback" not in everything


def process_facts(pid: int) -> str:
    """What everybody on the machine sees of a process, and its environment."""
    folder = Path("/proc") / str(pid)
    if not folder.exists():
        return ""
    return (folder / "cmdline").read_text() + (folder / "environ").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        (["pause-audio", "--for", "121"], "<= 120", Exit.USAGE),
        (["set-limits", "--limit", "tachy_bpm"], "NAME=NUMBER", Exit.USAGE),
        (["set-limits", "--limit", "Tachy=1"], "limits", Exit.USAGE),
        (["acknowledge", "--patient", "bed/3"], "patient", Exit.USAGE),
        (["acknowledge", "--by", "x" * 29], "28", Exit.USAGE),
        (["acknowledge", "--key", "ward=/nowhere"], "No such file", Exit.CONFIG),
        (["acknowledge", "--key", "ward"], "NAME=FILE", Exit.USAGE),
        (["acknowledge", "--base", "a/#"], "base", Exit.USAGE),
        (["acknowledge", "--mqtt", "http://x"], "mqtt://", Exit.CONFIG),
        (["acknowledge", "--mqtt", "/nowhere.toml"], "does not exist", Exit.CONFIG),
    ],
)
def test_what_cannot_be_sent_is_said(
    tmp_path: Path, capfd: Any, arguments: list[str], complaint: str, code: int
) -> None:
    write_new_key(tmp_path / "ward.key")
    given = {
        "--mqtt": "mqtt://127.0.0.1:1",
        "--patient": "bed-3",
        "--key": f"ward={tmp_path}/ward.key",
    }
    missing = [word for pair in given.items() if pair[0] not in arguments for word in pair]
    try:
        done = main(["command", *arguments, *missing])
    except SystemExit as ended:
        done = int(ended.code or 0)
    said = capfd.readouterr().err
    assert done == code, said
    assert complaint in said
    assert len(said.strip().splitlines()) == 1


def test_commands_without_a_broker_do_not_start() -> None:
    config = check({"commands": {"unsigned": ["acknowledge"]}})
    runtime = Runtime(SystemClock(), [])
    with ExitStack() as stack, pytest.raises(ConfigError, match="needs a broker"):
        open_desk(config, runtime, None, None, SystemClock(), stack)


def test_an_open_key_is_said_before_anything_runs(tmp_path: Path, capfd: Any) -> None:
    ward = tmp_path / "ward.key"
    write_new_key(ward)
    write_new_key(tmp_path / "chief.key")
    ward.chmod(0o644)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(url="mqtt://127.0.0.1:1", folder=tmp_path, mqtt=""))
    assert main(["config", "check", str(config)]) == Exit.CONFIG
    said = capfd.readouterr().err
    assert f"commands.keys.ward: {ward}" in said
    assert "chmod 600" in said
    ward.chmod(0o600)
    assert main(["config", "check", str(config)]) == Exit.OK
