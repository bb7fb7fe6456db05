"""Devices as a user meets them: `edge models devices`, `edge warmup`, and what a run says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.bench.model_facts import model_facts
from edge.cli import main, warmup
from edge.config import Config, Encoder, Patient
from edge.run_facts import facts
from models import auto_device, device_measuring
from models.bundle import load_bundle
from models.device_choice import Trial
from models.device_record import keep, measured, record_path
from models.device_trial import try_device
from tests.models.rebundle import NAME

BUNDLE = load_bundle(NAME)
TRIALS = (
    Trial(device="cpu", open_ms=20.0, step_us=40.0, deviation=0.0),
    Trial(device="litert", open_ms=30.0, step_us=90.0, deviation=0.01),
    Trial(device="openvino", problem="computes wrong numbers: output 'qrs' deviates by 0.4"),
    Trial(device="tensorrt", open_ms=140_000.0, step_us=2.0, deviation=0.0),
)

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(auto_device, "_failed", set())
    measured.cache_clear()
    yield
    measured.cache_clear()


@pytest.fixture(name="measuring")
def _measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Counts what is measured, and lets it be these trials."""
    names: list[str] = []

    def measure(bundle: object, on_device: object = None) -> tuple[Trial, ...]:
        names.append(bundle.manifest.name)  # type: ignore[attr-defined]
        return TRIALS

    monkeypatch.setattr(device_measuring, "measure", measure)
    return lambda: names


def shown(capsys: Capture, *arguments: str) -> str:
    assert main(["models", "devices", NAME, *arguments]) == 0
    return capsys.readouterr().out


def test_before_and_after_a_real_measurement(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads(shown(capsys, "--json"))
    assert (before["bundle"], before["sha256"], before["trials"]) == (NAME, BUNDLE.sha256, [])
    assert "cpu" in before["present"]
    assert "nothing yet on this machine" in shown(capsys)
    quick = partial(device_measuring.measure, for_s=0.02, tried=try_device)
    monkeypatch.setattr(device_measuring, "measure", quick)
    after = json.loads(shown(capsys, "--measure", "--json"))
    assert {each["device"] for each in after["trials"]} == set(after["present"])
    assert after["auto"][0] in after["present"]
    assert after == json.loads(shown(capsys, "--json"))


def test_why_a_device_is_not_taken_is_said(capsys: Capture) -> None:
    keep(BUNDLE.sha256, TRIALS)
    text = shown(capsys)
    assert "auto      cpu, else litert\n" in text
    assert "opened in 30 ms, answers differ from those expected by at most 0.01\n" in text
    assert "openvino     computes wrong numbers: output 'qrs' deviates by 0.4\n" in text
    assert "takes 140 s to open, too long for a start" in text


def test_kernels_are_compiled_before_anything_is_measured(
    measuring: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmup, "load_kernels", lambda: measuring().append("kernels"))
    assert main(["models", "devices", NAME, "--measure"]) == 0
    assert measuring() == ["kernels", NAME]


def test_a_file_in_the_place_of_the_folder_is_said(
    capsys: Capture, measuring: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    assert main(["models", "devices", NAME, "--measure"]) == 0
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert "cannot be kept" in err
    assert "40.0 us a hop" in out


def test_a_bundle_of_another_runtime_is_not_ours_to_measure(
    capsys: Capture, tmp_path: Path
) -> None:
    from tests.models.rebundle import copy_to, edit_manifest

    folder = copy_to(tmp_path)
    edit_manifest(folder, lambda manifest: manifest["runtime"].update(name="abacus"))
    assert main(["models", "devices", str(folder), "--measure"]) == 2
    assert "runs in abacus, which alone knows its devices" in capsys.readouterr().err
    assert main(["models", "devices", str(folder)]) == 0
    assert "auto\n" in capsys.readouterr().out


def test_warmup_measures_once_and_again_when_asked(
    capsys: Capture, measuring: Callable[[], list[str]]
) -> None:
    for arguments, times in (([], 1), ([], 1), (["--again"], 2), (["--bundle", NAME], 2)):
        assert main(["warmup", *arguments]) == 0
        assert "auto takes cpu" in capsys.readouterr().out
        assert measuring() == [NAME] * times


def test_a_damaged_record_is_measured_anew(measuring: Callable[[], list[str]]) -> None:
    assert main(["warmup"]) == 0
    path = record_path(BUNDLE.sha256)
    assert path is not None
    path.write_bytes(path.read_bytes()[:100])
    measured.cache_clear()
    assert main(["warmup"]) == 0
    assert measuring() == [NAME, NAME]


@pytest.mark.parametrize(
    ("encoder", "names"),
    [('device = "cpu"', []), ('bundle = "none"', []), ('device = "auto"', [NAME])],
)
def test_warmup_measures_what_the_configuration_leaves_open(
    encoder: str, names: list[str], measuring: Callable[[], list[str]], tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text(f"[encoder]\n{encoder}\n")
    assert main(["warmup", str(config)]) == 0
    assert measuring() == names


def test_warmup_of_a_bundle_that_is_none(capsys: Capture) -> None:
    assert main(["warmup", "--bundle", "nope"]) == 5
    assert "no bundle 'nope'" in capsys.readouterr().err


def test_run_and_bench_tell_what_was_chosen_by() -> None:
    keep(BUNDLE.sha256, TRIALS)

    def told(device: str) -> str:
        patient = Patient(id="p", source="sim:")
        return str(
            facts(Config(patient=(patient,), encoder=Encoder(device=device)), None)["encoder"]
        )

    times = "(measured, us a hop: cpu 40, litert 90)"
    assert told("auto").endswith(f"on CPUExecutionProvider {times}")
    assert told("cpu").endswith("on CPUExecutionProvider")
    model = model_facts(NAME, "auto", 1)
    assert model is not None
    assert model.provider.used == ["CPUExecutionProvider"]
    assert model.provider.measured_us == {"cpu": 40.0, "litert": 90.0}


def test_a_wrong_device_in_the_configuration_is_one_clear_line(
    capsys: Capture, tmp_path: Path
) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('[encoder]\ndevice = "litret"\n[[patient]]\nid = "p"\nsource = "sim:"\n')
    assert main(["run", str(config), "--for", "1"]) == 5
    err = capsys.readouterr().err
    assert "did you mean 'litert'?" in err
    assert len(err.strip().splitlines()) == 1
