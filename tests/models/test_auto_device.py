"""`auto`: the best that was measured, and the next where it fails, said once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import auto_device, registry
from models.auto_device import auto_order, open_automatically
from models.bundle import Bundle, load_bundle
from models.device_choice import Trial
from models.device_record import keep, measured
from models.encoder import Encoder, Outputs
from models.errors import BundleError, ModelError, RuntimeMissingError, StepError
from tests.models.rebundle import NAME, hops

BUNDLE = load_bundle(NAME)
HOPS = hops(6)


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(auto_device, "_failed", set())
    monkeypatch.setattr(auto_device, "runs_in_litert", lambda _: True)
    measured.cache_clear()
    yield
    measured.cache_clear()


def remember(**times_us: float) -> None:
    trials = [Trial(device=n, step_us=t, open_ms=1.0, deviation=0.0) for n, t in times_us.items()]
    keep(BUNDLE.sha256, tuple(trials))


class Double:
    """A provider that computes as the processor does, until it does not."""

    def __init__(self, device: str, fails_after: int, error: Exception | None) -> None:
        self.real = registry.open_encoder(BUNDLE, 1, "cpu")
        self.manifest, self.providers = self.real.manifest, (device,)
        self.left, self.error = fails_after, error
        self.reset = self.real.reset

    def step(
        self, samples: np.ndarray[Any, Any], lead_weights: Sequence[float] | None = None
    ) -> Outputs:
        self.left -= 1
        if self.left >= 0:
            return self.real.step(samples, lead_weights)
        if self.error:
            raise self.error
        outputs = self.real.step(samples, lead_weights)
        return {name: np.full_like(value, np.nan) for name, value in outputs.items()}


class Devices:
    """Opens doubles. broken: device to what opening it raises; failing: to what a step raises."""

    def __init__(
        self,
        broken: dict[str, Exception] | None = None,
        failing: dict[str, Exception | None] | None = None,
        after: int = 2,
    ) -> None:
        self.broken, self.failing, self.after = broken or {}, failing or {}, after
        self.opened: list[str] = []

    def __call__(self, _: Bundle, __: int, device: str) -> Encoder:
        self.opened.append(device)
        if device in self.broken:
            raise self.broken[device]
        left = self.after if device in self.failing else 10**9
        return Double(device, left, self.failing.get(device))

    def open(self) -> Encoder:
        return open_automatically(BUNDLE, 1, self)


def answers(encoder: Encoder, heard: np.ndarray[Any, Any]) -> list[dict[str, np.ndarray[Any, Any]]]:
    return [{n: np.array(v) for n, v in encoder.step(hop).items()} for hop in heard]


def assert_same(left: Sequence[dict[str, Any]], right: Sequence[dict[str, Any]]) -> None:
    for one, other in zip(left, right, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_without_a_measurement_it_is_the_processor_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert auto_order(BUNDLE) == ("litert", "cpu")
    monkeypatch.setattr(auto_device, "runs_in_litert", lambda _: False)
    assert auto_order(BUNDLE) == ("cpu",)


def test_the_best_that_was_measured_comes_first_and_the_processor_is_always_there() -> None:
    remember(cpu=100.0, litert=90.0)
    assert auto_order(BUNDLE) == ("cpu", "litert")
    remember(cpu=100.0, litert=50.0, openvino=20.0)
    assert auto_order(BUNDLE) == ("openvino", "litert", "cpu")
    keep(BUNDLE.sha256, (Trial(device="cpu", problem="ONNX Runtime is broken"),))
    assert auto_order(BUNDLE) == ("litert", "cpu")


def test_no_file_can_have_a_library_opened() -> None:
    remember(**{"delegate:/home/me/evil.so": 1.0, "edgetpu": 2.0, "no such name": 0.5})
    assert auto_order(BUNDLE) == ("edgetpu", "litert", "cpu")


def test_a_measured_choice_is_what_runs() -> None:
    pytest.importorskip("ai_edge_litert")
    remember(cpu=10.0, litert=90.0)
    assert registry.open_encoder(BUNDLE, 1).providers == ("CPUExecutionProvider",)
    remember(cpu=90.0, litert=10.0)
    assert registry.open_encoder(BUNDLE, 1).providers == ("XNNPACK",)


@pytest.mark.parametrize(
    "error", [BundleError("fails its self-test"), RuntimeMissingError("gone"), ModelError("hot")]
)
def test_what_fails_at_opening_is_left_alone_and_said_once(
    error: ModelError, caplog: pytest.LogCaptureFixture
) -> None:
    remember(openvino=10.0, litert=50.0, cpu=100.0)
    devices = Devices(broken={"openvino": error})
    for _ in range(3):
        assert devices.open().providers == ("litert",)
    assert devices.opened == ["openvino", "litert", "litert", "litert"]
    assert [each.message for each in caplog.records] == [
        f"encoder {NAME}: device openvino is left alone until the next start, "
        f"trying litert: {error}"
    ]


def test_where_nothing_opens_the_last_reason_is_raised_each_time() -> None:
    devices = Devices(broken={"litert": BundleError("first"), "cpu": RuntimeMissingError("last")})
    for _ in range(2):
        with pytest.raises(RuntimeMissingError, match="last"):
            devices.open()


@pytest.mark.parametrize("error", [ModelError("the device is gone"), None])
def test_what_fails_in_a_step_is_replaced_by_the_processor(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """None: it answers, with what is no number. The other hears the hops before again."""
    remember(tensorrt=10.0, openvino=20.0, cpu=100.0)
    devices = Devices(failing={"tensorrt": error})
    encoder = devices.open()
    heard = answers(encoder, HOPS)
    assert encoder.providers == ("cpu",)
    assert devices.opened == ["tensorrt", "cpu"]  # openvino might compile for minutes
    plain = registry.open_encoder(BUNDLE, 1, "cpu")
    assert_same(heard, answers(plain, HOPS))
    assert len(caplog.records) == 1
    assert "device tensorrt is left alone until the next start, trying cpu" in caplog.text


@pytest.mark.parametrize("began", [0, 7])
def test_only_the_last_seconds_are_heard_again(began: int) -> None:
    """Of a delay of 0.3 s, 4 s before it and hops of 1 s: five; and none from before a reset."""
    long = hops(12)
    encoder = Devices(failing={"litert": ModelError("gone")}, after=9).open()
    answers(encoder, long[:began])
    encoder.reset()
    heard = answers(encoder, long[began:])
    plain = registry.open_encoder(BUNDLE, 1, "cpu")
    answers(plain, long[max(began, 4) : 9])
    assert_same(heard[9 - began :], answers(plain, long[9:]))


def test_streams_opened_later_do_not_try_what_failed(caplog: pytest.LogCaptureFixture) -> None:
    remember(tensorrt=10.0, cpu=100.0)
    devices = Devices(failing={"tensorrt": ModelError("gone")})
    encoders = [devices.open(), devices.open()]
    for encoder in encoders:
        answers(encoder, HOPS)
    assert devices.open().providers == ("cpu",)
    assert devices.opened == ["tensorrt", "tensorrt", "cpu", "cpu", "cpu"]
    assert len(caplog.records) == 1


def test_where_every_processor_fails_the_step_does() -> None:
    errors: dict[str, Exception | None] = {"litert": ModelError("one"), "cpu": ModelError("other")}
    encoder = Devices(failing=errors, after=0).open()
    with pytest.raises(ModelError, match="other"):
        encoder.step(HOPS[0])


def test_a_callers_mistake_is_no_failure_of_the_device() -> None:
    devices = Devices()
    encoder = devices.open()
    with pytest.raises(StepError, match="shape"):
        encoder.step(np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="leads, not 99"):
        open_automatically(BUNDLE, 99, devices)
    assert devices.opened == ["litert"]
    assert not auto_device._failed


def test_reset_forgets_the_past_and_the_manifest_is_the_bundles() -> None:
    encoder = registry.open_encoder(BUNDLE, 1)
    assert isinstance(encoder, Encoder)
    assert encoder.manifest is BUNDLE.manifest
    first = answers(encoder, HOPS)
    encoder.reset()
    assert_same(answers(encoder, HOPS), first)
