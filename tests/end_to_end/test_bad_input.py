"""Bad input, met through the command line: one clear line and the right exit code, or survived."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from edge.config import SYSTEM_FILE
from firmware_bridge.native import encode_frame
from firmware_bridge.pseudo_terminal import PseudoTerminal
from models.bundle import load_bundle
from tests import command_line
from tests.mosquitto import BlackHole, Mosquitto, needs_mosquitto
from tests.patience import PROGRAM_S, WAIT_S

EDGE = (sys.executable, "-m", "edge")
SIM = "sim:?scenario=asystole&speed=max&duration_s=20"
LIVE = "sim:?scenario=tour&speed=20"
NOWHERE = "mqtt://127.0.0.1:1"
RULES = ("--bundle", "none")


@pytest.fixture
def environment(tmp_path):
    """Of a user without configuration and without stored alerts."""
    if SYSTEM_FILE.exists():
        pytest.skip(f"{SYSTEM_FILE} would be read")
    homes = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return {**os.environ, **homes}


@pytest.fixture
def edge(environment):
    def edge(*arguments, prefix=(), stdout=subprocess.PIPE, **variables):
        return subprocess.run(
            [*prefix, *EDGE, *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PROGRAM_S,
            env={**environment, **variables},
        )

    return edge


@pytest.fixture
def here(environment):
    """As `edge`, in this process: for a command that is refused before it does anything."""
    return partial(command_line.here, **environment)


@pytest.fixture
def start(environment):
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [*EDGE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def refused(done, code, *words):
    """One line on standard error, with these words, and the exit code."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def until(process, event, wanted=lambda _: True):
    for line in process.stdout:
        said = json.loads(line)
        if said["event"] == event and wanted(said):
            return
    raise AssertionError(f"the run ended early: {process.stderr.read()}")


@contextmanager
def port(chunks: Iterable[bytes]):
    """A serial port that sends these, one every 10 ms, once a program has opened it."""
    over = threading.Event()

    def feed(terminal):
        while not (over.is_set() or terminal.wait_for_reader(0.2)):
            pass
        for chunk in chunks:
            if over.wait(0.01):
                return
            terminal.write(chunk)

    with PseudoTerminal() as terminal:
        thread = threading.Thread(target=feed, args=(terminal,), daemon=True)
        thread.start()
        yield terminal.path
        over.set()
        thread.join(WAIT_S)


def frame(number: int, rate_hz: float = 250.0, leads: int = 1) -> bytes:
    samples = np.full((25, leads), number % 100, dtype=np.int32)
    return encode_frame(
        samples,
        rate_hz=rate_hz,
        scale_nv=1000.0,
        sequence=number * 25,
        device_time_us=number * 100_000,
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"EDGE__MQTT": "1", "EDGE__MQTT__URL": "mqtt://h"}, ("EDGE__MQTT__URL", "plain value")),
        (
            {"EDGE__SIGNAL__MAINS_HZ": "55"},
            ("signal.mains_hz", "edge config schema", "environment"),
        ),
        ({"EDGE__MQQT__URL": "mqtt://h"}, ("mqqt", "did you mean `mqtt`?", "environment")),
    ],
)
def test_the_environment_contradicts(here, variables, words):
    refused(here("config", "check", **variables), 3, *words)


@pytest.mark.parametrize(
    ("toml", "code", "words"),
    [
        ('[[sink]]\nname = "nowhere"\n', 3, ("'nowhere'", "known")),
        ('[[patient]]\nid = "a"\nsource = "sim:?leeds=1"\n', 4, ("leeds", "leads")),
        ('[[patient]]\nid = "a"\nsource = "sim:"\nbundle = "gone"\n', 5, ("gone",)),
        ('[encoder]\nbundle="none"\n' + '[[patient]]\nid="a"\nsource="sim:"\n' * 2, 3, ("'a'",)),
    ],
)
def test_config_check_finds_what_run_would_refuse(here, tmp_path, toml, code, words):
    path = tmp_path / "edge.toml"
    path.write_text(toml)
    refused(here("config", "check", str(path)), code, *words)


def test_a_demo_broker_that_is_no_url(here):
    refused(here("demo", "--mqtt", "x"), 3, "expected mqtt://")


def test_a_demo_broker_that_is_absent(edge):
    done = edge("demo", "--mqtt", NOWHERE)
    assert done.returncode == 6
    assert f"edge: broker {NOWHERE}: Connection refused" in done.stderr.splitlines()[-1]


@needs_mosquitto
def test_a_demo_broker_that_asks_for_a_password(edge):
    with Mosquitto("allow_anonymous false") as broker:
        done = edge("demo", "--mqtt", broker.url)
    assert done.returncode == 6
    assert f"edge: broker {broker.url} accepts no subscriber: Not" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "manifest.sha256"])
def test_a_bundle_with_a_file_cut_short(here, tmp_path, name):
    folder = tmp_path / "bundle"
    shutil.copytree(load_bundle("tcn-s").path, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-2])
    refused(here("models", "verify", str(folder)), 5, str(folder))


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def runs_as_nobody() -> bool:
    """Whether another user may run this interpreter and read this package."""
    if os.geteuid() != 0 or shutil.which(NOBODY[0]) is None:
        return False
    command = [*NOBODY, sys.executable, "-c", "import edge.cli"]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_port_without_permission(edge):
    if not runs_as_nobody():
        pytest.skip("needs root, setpriv, and an interpreter that other users can run")
    with port(()) as path:
        Path(path).chmod(0o600)
        refused(edge("probe", f"serial://{path}", prefix=NOBODY), 4, path, "dialout")


def test_a_device_that_sends_text_is_the_wrong_one(start):
    with port(repeat(b"ECG: 512, 513, 514\r\n" * 50)) as path:
        process = start("run", "--source", f"serial://{path}", *RULES)
        said = next(line for line in process.stdout if "no frame decodes" in line)
    assert "another device or baud rate" in said


def run_until(start, path, **wanted):
    """The last counts of a run that is ended once so many samples are counted, and its errors."""
    process = start("run", "--source", f"serial://{path}", *RULES, "--json")
    until(process, "state", lambda said: wanted.items() <= said["samples"].items())
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 143, errors
    return json.loads(rest.splitlines()[-1])["patients"][0]["samples"], errors


def test_a_device_that_changes_its_format_also_to_one_that_no_ecg_has(start):
    formats = [(250.0, 1), (500.0, 3), (0.001, 1), (1.0, 2), (100_000.0, 1), (125.0, 2)]
    frames = [frame(n, *formats[n // 10 % len(formats)]) for n in range(60)]
    with port(frames) as path:
        samples, errors = run_until(start, path, bad_frames=30, received=30 * 25)
    assert "an ECG needs 50 to 10000 Hz" in errors
    assert samples["delivered"] == samples["received"]


def test_garbage_between_frames_costs_no_intact_one(start):
    noise = np.random.default_rng(1)
    with port(noise.bytes(40) + b"\0" + frame(n) for n in range(100)) as path:
        samples, _ = run_until(start, path, received=100 * 25)
    assert samples["delivered"] == samples["span"] == 100 * 25
    assert samples["bad_frames"] >= 100


def test_a_damaged_alert_log(here, tmp_path):
    folder = tmp_path / "storage"
    folder.mkdir()
    (folder / "outbox.sqlite").write_bytes(b"no database at all" * 100)
    done = here("alerts", "list", EDGE__STORAGE__DIRECTORY=str(folder))
    refused(done, 1, str(folder), "not a database")


def test_alerts_that_wait_are_told(edge):
    done = edge("run", "--source", SIM, *RULES, "--mqtt", NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "wait on disk for the broker" in done.stdout


def test_a_full_disk_under_standard_output_does_not_end_the_monitoring(edge):
    with Path("/dev/full").open("w") as full:
        done = edge("run", "--source", SIM, *RULES, "--mqtt", NOWHERE, "--json", stdout=full)
    assert done.returncode == 0, done.stderr
    assert "standard output: No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "asystole" in edge("alerts", "list").stdout


def test_a_reader_that_goes_ends_the_run_quietly(start):
    process = start("run", "--source", "sim:", *RULES, "--json")
    until(process, "state")
    process.stdout.close()
    assert process.wait(WAIT_S) == 1
    assert process.stderr.read() == ""


def test_closed_standard_streams(environment):
    command = f"{sys.executable} -m edge run --source '{SIM}' --bundle none >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], env=environment, timeout=PROGRAM_S).returncode == 0


def test_a_terminal_without_braille_shows_no_strip(environment):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*EDGE, "demo"],
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "xterm", "PYTHONIOENCODING": "ascii"},
    )
    os.close(slave)
    seen = b""
    while b"bpm" not in seen and (part := read(master)):
        seen += part
    process.send_signal(signal.SIGTERM)
    seen += b"".join(iter(lambda: read(master), b""))
    assert process.wait(WAIT_S) == 143, seen
    assert b"bpm" in seen
    assert b"Traceback" not in seen


def read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux: the other side is closed
        return b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_whose_broker_says_nothing(start, number, code):
    with BlackHole() as broker:
        process = start("run", "--source", LIVE, *RULES, "--json", "--mqtt", broker.url)
        until(process, "state")
        process.send_signal(number)
        rest = process.communicate(timeout=WAIT_S)[0]
    assert process.returncode == code
    assert json.loads(rest.splitlines()[-1])["event"] == "end"


@needs_mosquitto
def test_a_signal_ends_a_run_whose_broker_froze(start):
    with Mosquitto() as broker:
        process = start("run", "--source", LIVE, *RULES, "--json", "--mqtt", broker.url)
        until(process, "state")
        broker.freeze()
        until(process, "alert")
        until(process, "state")
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=WAIT_S)[0]
        assert process.returncode == 143
        assert json.loads(rest.splitlines()[-1])["outbox"]["pending"] >= 1


def test_a_broker_that_hangs_up_at_once(edge):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        done = edge("run", "--source", SIM, *RULES, "--mqtt", url)
        server.shutdown(socket.SHUT_RDWR)  # ends its `accept`
    refused(done, 0, "hangs up without an answer")
