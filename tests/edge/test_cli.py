"""The command line as a user meets it: help, errors and exit codes."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from edge.cli import COMMANDS
from tests.command_line import here
from tests.patience import PROGRAM_S, WAIT_S

HEAVY = ("numpy", "numba", "onnxruntime", "rich", "paho", "serial", "bleak", "msgspec")


def edge(*arguments, timeout=PROGRAM_S, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        **kwargs,
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from edge.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = here(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: edge {command}")


def test_version_is_one_line():
    done = edge("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "edge")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, ""),
        (("dance",), 2, "dance"),
        (("run", "--for", "-3", "--source", "sim:"), 2, "not a number above 0"),
        (("run", "--sorce", "sim:"), 2, "arguments: --sorce (see `edge run --help`)"),
        (("run",), 2, "nothing to run"),
        (("run", "--patient", "p1"), 2, "--source"),
        (("run", "no-such.toml"), 3, "no-such.toml does not exist"),
        (("run", "--source", "sim:", "--patient", "a/b"), 3, "patient[0].id"),
        (("run", "--source", "sim:", "--mqtt", "ftp://x"), 3, "expected mqtt://"),
        (("run", "--source", "nonsense"), 4, "no scheme"),
        (("run", "--source", "sim:?scenario=dance"), 4, "dance"),
        (("run", "--source", "serial:///dev/no-such-port"), 4, "/dev/no-such-port"),
        (("run", "--source", "replay:/no/such/record"), 4, "/no/such/record"),
        (("run", "--source", "sim:", "--bundle", "no-such-bundle"), 5, "no-such-bundle"),
        (("models", "show", "no-such-bundle"), 5, "no-such-bundle"),
        (("models", "show"), 2, "name a bundle"),
    ],
)
def test_what_is_wrong_gets_one_clear_line_and_its_exit_code(arguments, code, said, tmp_path):
    done = here(*arguments, XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("dance",), 2), (("run", "no-such.toml"), 3), (("run", "--source", "nonsense"), 4)],
)
def test_the_exit_code_is_that_of_the_process(arguments, code):
    done = edge(*arguments)
    assert done.returncode == code
    assert len(done.stderr.strip().splitlines()) == 1


def test_run_prints_ndjson_and_nothing_else():
    source = "sim:?scenario=asystole&speed=max&duration_s=30"
    done = edge("run", "--source", source, "--json", "--bundle", "none")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("start", "end")
    alerts = [event for event in events if event["event"] == "alert"]
    assert ("asystole", "start") in [(each["kind"], each["phase"]) for each in alerts]
    assert events[-1]["patients"][0]["alerts"]["asystole"] == 1
    samples = events[-1]["patients"][0]["samples"]
    assert samples["received"] == samples["delivered"] == samples["span"] > 7000


def test_run_tells_people_what_happens():
    source = "sim:?scenario=asystole&speed=max&duration_s=30"
    done = edge("run", "--source", source, "--bundle", "none", "--patient", "anna")
    assert done.returncode == 0, done.stderr
    for part in ("anna: 250 Hz, 1 lead(s)", "asystole", "HIGH", "alerts: 1 asystole", "broker"):
        assert part in done.stdout
    assert "\x1b" not in done.stdout


def test_run_on_a_terminal_shows_a_live_line():
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge",
            *["run", "--source", "sim:", "--bundle", "none"],
        ],
        stdout=slave,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(slave)
    seen = b""
    while not (b"bpm" in seen and b"quality" in seen):
        seen += os.read(master, 65536)
    process.send_signal(signal.SIGTERM)
    drain = threading.Thread(target=read_to_the_end, args=(master,), daemon=True)
    drain.start()
    assert process.wait(WAIT_S) == 143
    drain.join(WAIT_S)
    process.stderr.close()
    os.close(master)


def read_to_the_end(master):
    with contextlib.suppress(OSError):
        while os.read(master, 65536):
            pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_cleanly(number, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--source", "sim:", "--json", "--bundle", "none"],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if json.loads(line)["event"] == "state":
            break
    process.send_signal(number)
    rest = process.communicate(timeout=WAIT_S)[0]
    assert process.returncode == code
    assert json.loads(rest.splitlines()[-1])["event"] == "end"


def test_config_commands(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text('[[patient]]\nid = "p1"\nsource = "sim:"\n')
    assert json.loads(here("config", "check", str(path), "--json").stdout)["ok"] is True
    shown = json.loads(here("config", "show", str(path)).stdout)
    assert shown["patient"][0]["limits"]["asystole_s"] == 4.0
    assert "patient" in json.loads(here("config", "schema").stdout)["$defs"]["Config"]["properties"]
    path.write_text('[[patient]]\nid = "p1"\nsource = "simm:"\n')
    done = here("config", "check", str(path))
    assert done.returncode == 4
    assert "simm" in done.stderr


def test_models_commands():
    listed = json.loads(here("models", "list", "--json").stdout)["bundles"]
    assert "tcn-s" in [bundle["name"] for bundle in listed]
    shown = json.loads(here("models", "show", "tcn-s", "--json").stdout)
    assert shown["figures"]
    verified = here("models", "verify", "tcn-s", "--json")
    assert json.loads(verified.stdout)["ok"] is True
