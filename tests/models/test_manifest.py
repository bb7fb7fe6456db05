"""The manifest: round trips, and one clear error for everything else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BundleError
from models.manifest import Manifest, Output, decode_manifest, encode_manifest
from tests.models.rebundle import SHIPPED

RAW = (SHIPPED / "manifest.json").read_bytes()


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, child in inside if isinstance(value, (dict, list)) else ():
        found.append((*path, key))
        if isinstance(child, (dict, list)):
            found.extend(paths_of(child, (*path, key)))
    return found


PATHS = paths_of(json.loads(RAW))


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    document = json.loads(RAW)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return json.dumps(document).encode()


def test_what_is_encoded_is_decoded() -> None:
    manifest = decode_manifest(RAW)
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_a_misspelt_field_is_named() -> None:
    with pytest.raises(BundleError, match=r"bundle/manifest\.json.*unknown field `rate`.*input"):
        decode_manifest(changed(("input", "rate"), 128), "bundle/manifest.json")


@settings(deadline=None)
@given(st.sampled_from([p for p in PATHS if isinstance(p[-1], str)]))
def test_no_field_takes_a_value_of_another_kind(path: tuple[Any, ...]) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        decode_manifest(changed(path, {"surprise": True}))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        decode_manifest(data)


@settings(deadline=None)
@given(st.integers(0, len(RAW) - 2))
def test_a_cut_manifest_is_refused(length: int) -> None:
    with pytest.raises(BundleError):
        decode_manifest(RAW[:length])


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BundleError):
        decode_manifest(b'{"name":' + b"[" * 100_000)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("schema",), 2, "schema"),
        (("input", "leads_min"), 13, "leads_min"),
        (("input", "rate_hz"), -1, "rate_hz"),
        (("golden", "file"), "other.json", "golden.file"),
        (("outputs", 1, "labels"), ["af"], "shape"),
        (("outputs", 0, "name"), "rhythm", "same name twice"),
        (("outputs", 2, "kind"), "rhythm", "twice|shape"),
        (("outputs", 1, "kind"), "beats", "only a beat stage"),
        (("outputs", 0, "frame_rate_hz"), 25, "frame rate"),
        (("files", 0, "name"), "../model.onnx", "regex"),
        (("files", 0, "name"), "model.onnx\n", "regex"),
        (("files", 0, "role"), "card", "role 'model'"),
        (("files", 2, "role"), "card", "role 'beat-stage'"),
        (("beat_stage", "outputs", 0, "kind"), "qrs", "expected beats or rhythm"),
        (("outputs", 0, "kind"), "features", "needs an output of kind 'qrs'|shape"),
        (("states", 0, "shape"), [1000, 1000, 1000], "elements"),
    ],
)
def test_contradictions_are_named(path: tuple[Any, ...], value: Any, complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint):
        decode_manifest(changed(path, value))


def test_the_manifest_cannot_be_changed() -> None:
    manifest = decode_manifest(RAW)
    with pytest.raises(AttributeError):
        manifest.name = "other"  # type: ignore[misc]


@settings(deadline=None)
@given(st.floats(0, 1e5), st.sampled_from([16.0, 25.0, 32.0]), st.floats(0, 1000))
def test_the_frame_of_a_peak_holds_the_delayed_instant(
    peak_s: float, rate_hz: float, delay_ms: float
) -> None:
    output = Output(
        name="qrs",
        kind="qrs",
        shape=(int(rate_hz),),
        frame_rate_hz=rate_hz,
        delay_ms=delay_ms,
    )
    frame = output.frame_of(peak_s)
    instant = peak_s + delay_ms / 1000
    assert frame / rate_hz <= instant + 1e-6
    assert instant < (frame + 1) / rate_hz + 1e-6


def test_figures_name_their_command_and_split() -> None:
    manifest: Manifest = msgspec.json.decode(RAW, type=Manifest)
    assert manifest.figures
    assert all(f.command and f.split for f in manifest.figures)
    assert {f.precision for f in manifest.figures} == {"float32", "int8"}
