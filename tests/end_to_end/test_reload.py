"""`edge run` under SIGHUP: another bundle while it runs, and what a refused one changes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager

import pytest

from models.bundle import load_bundle
from tests.models.rebundle import copy_to, edit_manifest
from tests.patience import WAIT_S

FOR_S = "500"


@contextmanager
def running(tmp_path, *arguments, attach=lambda: None, **options):
    """A run whose log and JSON lines come through one pipe.

    attach: called in its process before it begins.
    """

    def prepare():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup`, which may run us, ignores it
        attach()

    homes = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", *arguments, "--json", "--for", FOR_S],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **homes},
        start_new_session=True,
        preexec_fn=prepare,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process, wanted):
    """The first line that is wanted: events as objects, what is logged as text."""
    for line in process.stdout:
        said = json.loads(line) if line.startswith("{") else line
        if wanted(said):
            return said
    raise AssertionError("the run ended early")


def logged(*words):
    return lambda said: isinstance(said, str) and all(word in said for word in words)


def state(patient, bundle):
    """Of a patient who is being heard by the bundle of that name."""

    def wanted(said):
        if not isinstance(said, dict) or said["event"] != "state":
            return False
        heard = said["bundle"] == bundle and said["heart_rate_bpm"] is not None
        return said["patient"] == patient and said["link"] == "streaming" and heard

    return wanted


@pytest.fixture
def configured(tmp_path):
    """A configuration of two patients with one bundle, and the bundle's folder."""
    folder = copy_to(tmp_path)
    path = tmp_path / "edge.toml"
    patients = "".join(
        f'[[patient]]\nid = "{name}"\nsource = "sim:?scenario=sinus&speed=2&seed={k}"\n'
        for k, name in enumerate(("a", "b"))
    )
    path.write_text(f'[encoder]\nbundle = "{folder}"\n{patients}')
    return path, folder


def test_a_bad_bundle_is_refused_and_a_good_one_takes_over(tmp_path, configured):
    path, folder = configured
    old = load_bundle(folder)
    with running(tmp_path, str(path)) as process:
        until(process, state("b", "tcn-s"))
        model = (folder / "model.onnx").read_bytes()
        (folder / "model.onnx").write_bytes(model[:-1] + bytes([model[-1] ^ 1]))
        process.send_signal(signal.SIGHUP)
        until(process, logged("refused", old.sha256[:12], "model.onnx", "sha256"))
        until(process, state("a", "tcn-s"))
        (folder / "model.onnx").write_bytes(model)
        process.send_signal(signal.SIGHUP)
        until(process, logged("has not changed", old.sha256[:12]))
        edit_manifest(folder, lambda manifest: manifest.update(name="tcn-s-next"))
        process.send_signal(signal.SIGHUP)
        until(process, logged(load_bundle(folder).sha256[:12], "replaces", old.sha256[:12]))
        until(process, state("a", "tcn-s-next"))
        until(process, state("b", "tcn-s-next"))
        process.send_signal(signal.SIGTERM)
        end = until(process, lambda said: isinstance(said, dict) and said["event"] == "end")
        assert process.wait(WAIT_S) == 143
    assert [patient["alerts"] for patient in end["patients"]] == [{}, {}]


def test_a_terminal_that_is_gone_ends_the_run(tmp_path):
    master, slave = pty.openpty()

    def attach():
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    arguments = ("--source", "sim:", "--bundle", "none")
    with running(tmp_path, *arguments, pass_fds=(slave,), attach=attach) as process:
        os.close(slave)
        until(process, lambda said: isinstance(said, dict) and said["event"] == "state")
        os.close(master)
        until(process, lambda said: isinstance(said, dict) and said["event"] == "end")
        assert process.wait(WAIT_S) == 129
