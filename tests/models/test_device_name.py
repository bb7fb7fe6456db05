"""What may be written as a device, and what is said of everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import load_bundle
from models.device_name import CPU, PROVIDERS, Device, parse_device
from models.devices import known_device
from models.errors import ModelError, RuntimeMissingError


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", Device("onnxruntime", CPU)),
        ("onnxruntime", Device("onnxruntime", CPU)),
        ("CPUExecutionProvider", Device("onnxruntime", CPU)),
        ("cpu:4", Device("onnxruntime", CPU, threads=4)),
        ("litert", Device("litert")),
        ("litert:2", Device("litert", threads=2)),
        ("openvino", Device("onnxruntime", "OpenVINOExecutionProvider")),
        ("OpenVINOExecutionProvider", Device("onnxruntime", "OpenVINOExecutionProvider")),
        ("SomeDayExecutionProvider", Device("onnxruntime", "SomeDayExecutionProvider")),
        ("edgetpu", Device("litert", delegate="libedgetpu.so.1")),
        ("delegate:libedgetpu.so.1", Device("litert", delegate="libedgetpu.so.1")),
        ("delegate:/opt/a:b.so", Device("litert", delegate="/opt/a:b.so")),
        ("auto", None),
        ("", None),
        ("delegate:", None),
        ("delegate:a\0b", None),
        ("tensorrt:2", None),
        ("ExecutionProvider", None),
        ("CPUExecutionProvider\n", None),
    ],
)
def test_names_mean_devices(text, device):
    assert parse_device(text) == device


@given(
    st.sampled_from(["cpu", "litert", "cpu:3", "litert:64", "edgetpu", "delegate:x.so", *PROVIDERS])
)
def test_a_device_is_called_by_a_name_that_means_it(text):
    device = parse_device(text)
    assert parse_device(str(device)) == device
    assert len(str(device)) <= len(text) or text == "onnxruntime"


@given(st.text())
def test_any_text_is_a_device_or_none_or_has_wrong_threads(text):
    try:
        device = parse_device(text)
    except ModelError:
        assert text.startswith(("cpu:", "litert:", "onnxruntime:", f"{CPU}:"))
    else:
        assert device is None or parse_device(str(device)) == device


@pytest.mark.parametrize("text", ["cpu:0", "cpu:", "litert:x", "cpu:65", "cpu:-1", "litert:²"])
def test_threads_are_a_number(text):
    with pytest.raises(ModelError, match="threads are a whole number from 1 to 64"):
        parse_device(text)


def test_only_what_needs_no_compiler_is_the_processor():
    near = {name for name in (*PROVIDERS, "litert", "edgetpu") if parse_device(name).on_processor}
    assert near == {"cpu", "onnxruntime", "litert"}


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            "litret",
            ModelError,
            r"'litret' \(did you mean 'litert'\?\); here there are: auto, .*cpu",
        ),
        ("q", ModelError, r"no device is called 'q'; here there are: auto"),
        ("tensorrt", RuntimeMissingError, r"no TensorrtExecutionProvider.*choose one of: auto, "),
        ("qnn", RuntimeMissingError, "no QNNExecutionProvider"),
    ],
)
def test_a_device_that_is_not_here_is_refused_with_those_that_are(text, kind, said, monkeypatch):
    monkeypatch.setattr("models.devices._available", lambda: (CPU,))
    with pytest.raises(kind, match=said):
        known_device(load_bundle("tcn-s"), text)
