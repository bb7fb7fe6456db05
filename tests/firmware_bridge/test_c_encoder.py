"""The C encoder for devices gives the bytes that the Python encoder gives."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.native import NativeDecoder, encode_frame
from firmware_bridge.stream import Packet

HERE = Path(__file__).parent / "firmware_host"
FIRMWARE = Path(__file__).parents[2] / "firmware_bridge" / "firmware"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
SKETCHES = sorted(FIRMWARE.glob("examples/*/*.ino"))


def compiler(*names: str) -> str:
    """The first of these programs that is installed; skips the test where none is."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no compiler: none of {', '.join(names)} is installed")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("firmware") / "encode_frames"
    source = HERE / "encode_frames.c"
    command = [compiler("cc", "gcc", "clang"), "-std=c99", *STRICT, "-I", str(FIRMWARE)]
    subprocess.run([*command, "-o", str(program), str(source)], check=True)
    return program


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    leads, samples, wide = (
        draw(st.integers(1, 12)),
        draw(st.integers(1, 255)),
        draw(st.booleans()),
    )
    bits = 23 if wide else 15
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Small values put zeros into the high bytes, large ones make long runs without zeros.
    spread = draw(st.sampled_from([1, 200, 2**bits]))
    return {
        "digital": rng.integers(-spread, spread, (samples, leads)),
        "int24": wide,
        "rate_mhz": draw(st.integers(1, 100_000_000)),
        "scale_pv": draw(st.integers(1, 2**32 - 1)),
        "sequence": draw(st.integers(0, 2**32 - 1)),
        "device_time_us": draw(st.integers(0, 2**64 - 1)),
        "lead_off": draw(st.integers(0, 2**leads - 1)),
        "battery": draw(st.one_of(st.just(255), st.integers(0, 100))),
        "boot_id": draw(st.integers(0, 255)),
    }


def line(request: dict) -> str:
    samples, leads = request["digital"].shape
    keys = ("rate_mhz", "scale_pv", "sequence", "device_time_us", "lead_off", "battery", "boot_id")
    head = [leads, samples, int(request["int24"]), *(request[key] for key in keys)]
    return " ".join(map(str, [*head, *request["digital"].ravel()]))


def in_python(request: dict) -> bytes:
    battery = request["battery"]
    return encode_frame(
        request["digital"],
        rate_hz=request["rate_mhz"] / 1000,
        scale_nv=request["scale_pv"] / 1000,
        sequence=request["sequence"],
        device_time_us=request["device_time_us"],
        lead_off=request["lead_off"],
        battery_percent=None if battery == 255 else battery,
        boot_id=request["boot_id"],
        int24=request["int24"],
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests(), min_size=1, max_size=8))
def test_frames_equal_pythons_byte_for_byte(encoder: Path, asked: list[dict]) -> None:
    text = "\n".join(map(line, asked)).encode()
    by_firmware = subprocess.run([encoder], input=text, capture_output=True, check=True).stdout
    assert by_firmware == b"".join(map(in_python, asked))
    assert len(NativeDecoder().push(Packet(by_firmware, 0))) == len(asked)


def test_the_state_is_under_300_bytes(encoder: Path) -> None:
    size = int(subprocess.run([encoder, "sizeof"], capture_output=True, check=True).stdout)
    assert 254 < size < 300


def test_the_header_also_compiles_as_cpp(tmp_path: Path) -> None:
    source = tmp_path / "use.cpp"
    source.write_text('#include "edge_frame.h"\nint main() { return EDGE_VERSION != 1; }\n')
    command = [compiler("c++", "g++", "clang++"), "-std=c++11", *STRICT, "-Wno-unused-function"]
    subprocess.run([*command, "-I", FIRMWARE, "-o", tmp_path / "use", source], check=True)
    assert subprocess.run([tmp_path / "use"], check=False).returncode == 0


@pytest.mark.parametrize("board", ["AVR", "ESP32", "SAMD"])
@pytest.mark.parametrize("sketch", SKETCHES, ids=lambda path: path.stem)
def test_the_example_sketches_compile(sketch: Path, board: str) -> None:
    command = [compiler("c++", "g++", "clang++"), "-std=gnu++11", "-Wall", "-Wextra", "-Werror"]
    includes = ["-I", HERE / "arduino", "-I", FIRMWARE, "-include", "Arduino.h"]
    command.append(f"-DARDUINO_ARCH_{board}")
    subprocess.run([*command, *includes, "-fsyntax-only", "-x", "c++", sketch], check=True)


def test_both_example_sketches_are_there() -> None:
    assert [path.stem for path in SKETCHES] == ["ad8232", "ads1292r"]
