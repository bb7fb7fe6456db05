"""Replacing the bundle in use: a bad one is refused with its reason, and the old one stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.activation import Activation
from models.bundle import Bundle
from models.errors import BundleError, ModelError
from tests.models.rebundle import NAME, copy_to, edit_manifest, hops


def test_a_good_bundle_takes_over(tmp_path: Path) -> None:
    activation = Activation(NAME)
    first = activation.bundle
    folder = copy_to(tmp_path)
    edit_manifest(folder, lambda manifest: manifest.update(version="9.9.9"))
    assert activation.replace(folder) is first
    assert activation.bundle.manifest.version == "9.9.9"
    assert activation.open_encoder(2).manifest.version == "9.9.9"


def wrong_start(manifest: dict[str, Any]) -> None:
    for state in manifest["states"]:
        state["initial"] = 0


def test_a_bundle_that_fails_its_self_test_leaves_the_old_one_running(tmp_path: Path) -> None:
    activation = Activation(NAME)
    old, encoder = activation.bundle, activation.open_encoder(1)
    folder = copy_to(tmp_path)
    edit_manifest(folder, wrong_start)
    with pytest.raises(BundleError, match="fails its self-test"):
        activation.replace(folder)
    assert activation.bundle is old
    again = activation.open_encoder(1)
    for hop in hops(3):
        one, other = encoder.step(hop), again.step(hop)
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_damage_and_other_digests_leave_the_old_one_running(tmp_path: Path) -> None:
    activation = Activation(NAME)
    old = activation.bundle
    with pytest.raises(BundleError, match="is required"):
        activation.replace(NAME, sha256="0" * 64)
    folder = copy_to(tmp_path)
    (folder / "model.onnx").write_bytes(b"evil")
    with pytest.raises(BundleError, match="truncated"):
        activation.replace(folder)
    with pytest.raises(ModelError, match="no bundle"):
        activation.replace("nothing-here")
    assert activation.bundle is old


def test_a_trial_that_fails_leaves_the_old_one_running(tmp_path: Path) -> None:
    activation = Activation(NAME)
    old, tried = activation.bundle, []

    def trial(bundle: Bundle) -> None:
        tried.append(bundle.manifest.version)
        assert activation.bundle is old
        raise ValueError("does not fit")

    folder = copy_to(tmp_path)
    edit_manifest(folder, lambda manifest: manifest.update(version="9.9.9"))
    with pytest.raises(ValueError, match="does not fit"):
        activation.replace(folder, trial=trial)
    assert tried == ["9.9.9"]
    assert activation.bundle is old


def test_nothing_is_in_use_where_the_first_bundle_is_bad() -> None:
    with pytest.raises(ModelError, match="no bundle"):
        Activation("nothing-here")
