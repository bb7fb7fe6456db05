"""What was measured, from one start to the next: kept whole, or as good as none."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import device_record
from models.device_choice import Trial
from models.device_machine import Machine, this_machine
from models.device_record import keep, measured, record_path

SHA = "ab" * 32
TRIALS = (
    Trial(device="cpu", open_ms=20.5, step_us=61.25, deviation=0.0),
    Trial(device="litert", problem="computes wrong numbers"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CACHE_DIRECTORY", f"{tmp_path / 'cache'}:/elsewhere")
    measured.cache_clear()
    yield tmp_path / "cache"
    measured.cache_clear()


def again():
    measured.cache_clear()
    return measured(SHA)


def test_what_is_kept_is_known_at_the_next_start(folder):
    assert again() is None
    path = keep(SHA, TRIALS)
    assert path.parent == folder
    assert measured(SHA).trials == TRIALS
    assert again().trials == TRIALS
    assert keep(SHA, TRIALS[:1]) == path
    assert measured(SHA).trials == TRIALS[:1]
    assert [each.name for each in folder.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "machine",
    [
        Machine("riscv64", "", 1, {}),
        Machine(*[getattr(this_machine(), name) for name in ("architecture", "cpu", "cores")], {}),
    ],
)
def test_another_machine_or_runtime_knows_nothing(machine, monkeypatch):
    keep(SHA, TRIALS)
    monkeypatch.setattr(device_record, "this_machine", lambda: machine)
    assert again() is None


def test_another_bundle_knows_nothing():
    path = keep(SHA, TRIALS)
    other = SHA[:16] + "0" * 48  # the same file name
    assert record_path(other) == path
    measured.cache_clear()
    assert measured(other) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_file_is_as_good_as_none(data):
    path = keep(SHA, TRIALS)
    whole = path.read_bytes()
    kind = data.draw(st.sampled_from(["cut", "bytes", "field"]))
    if kind == "cut":
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    elif kind == "bytes":
        path.write_bytes(data.draw(st.binary(max_size=200)))
    else:
        tree = json.loads(whole)
        name = data.draw(st.sampled_from([*tree]))
        tree[name] = data.draw(st.sampled_from([None, 2, "x", [], {}, [[]], [{"device": ""}]]))
        path.write_text(json.dumps(tree))
    found = again()
    assert found is None or found.trials == ()


@pytest.mark.parametrize("name", ["cpu:0", "cpu:128", "litert:x", "cpu:" + "9" * 4092, "toaster"])
def test_what_no_device_is_called_is_left_out(name):
    keep(SHA, (Trial(device=name, open_ms=1.0, step_us=1.0, deviation=0.0), *TRIALS))
    assert again().trials == TRIALS
    assert [each.device for each in device_record.ranking(SHA)] == ["cpu"]


def test_a_file_nested_deeply_is_as_good_as_none():
    path = keep(SHA, TRIALS)
    path.write_bytes(b'{"format":1,"machine":{"x":' + b"[" * 60_000)
    assert again() is None


def test_a_trial_of_other_fields_is_not_believed():
    path = keep(SHA, TRIALS)
    path.write_text(path.read_text().replace('"problem"', '"trouble"'))
    assert again() is None


@pytest.mark.parametrize("step_us", [-1, 0, "NaN", 1e999])
def test_times_that_are_none_are_refused(step_us):
    path = keep(SHA, TRIALS)
    path.write_text(path.read_text().replace("61.25", json.dumps(step_us)))
    assert again() is None


def test_a_pipe_or_a_folder_in_its_place_does_not_make_a_start_wait(folder):
    path = record_path(SHA)
    folder.mkdir()
    os.mkfifo(path)
    assert again() is None
    path.unlink()
    path.mkdir()
    assert again() is None


def test_a_long_file_is_not_read_to_its_end():
    path = keep(SHA, TRIALS)
    path.write_bytes(b'{"format": 1' + b" " * 10_000_000)
    assert again() is None
    assert len(device_record._read(path)) <= 64 * 1024


def test_a_write_that_fails_leaves_what_was_there(monkeypatch, folder):
    keep(SHA, TRIALS)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", fail)
    with pytest.raises(OSError, match="No space"):
        keep(SHA, TRIALS[:1])
    assert again().trials == TRIALS
    assert len([*folder.iterdir()]) == 1


def test_the_folder_is_the_services_else_the_users(monkeypatch, tmp_path):
    def parent():
        return str(record_path(SHA).parent)

    assert parent() == str(tmp_path / "cache")
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert parent() == "/x/edge"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert parent() == "/home/me/.cache/edge"


def test_a_user_without_a_home_measures_anew_each_time(monkeypatch):
    monkeypatch.setattr(device_record, "_folder", lambda: None)
    assert keep(SHA, TRIALS) is None
    assert again() is None


def test_processors_and_boards_are_told_apart(tmp_path):
    pi = tmp_path / "cpuinfo"
    core = "processor\t: {}\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
    pi.write_text(
        core.format(0) + core.format(1) + "Serial\t: 7\nModel\t: Raspberry Pi 5 Model B\n"
    )
    assert this_machine(pi).cpu == "0x41, 0xd0b, Raspberry Pi 5 Model B"
    assert isinstance(this_machine(tmp_path / "none").cpu, str)
