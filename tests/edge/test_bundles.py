"""Streams of one bundle: the first is opened before the engine begins, the others cost no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bundles import NO_BUNDLE, Bundles
from firmware_bridge.stream import StreamFormat
from models import self_test
from models.bundle import Bundle
from models.encoder import Encoder
from models.golden import check_golden
from models.shared import shared_by
from tests.models.rebundle import copy_to, edit_manifest

FORMAT = StreamFormat(250.0, ("II",))
THREE_LEADS = StreamFormat(500.0, ("I", "II", "V1"))


@pytest.fixture(name="tested")
def _tested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the bundles, a self-test."""
    held: list[str] = []

    def check(bundle: Bundle, encoder: Encoder, copies: int = 1) -> float:
        held.append(bundle.manifest.name)
        return check_golden(bundle, encoder, copies)

    monkeypatch.setattr(self_test, "check_golden", check)
    return held


def named(folder: Path, name: str) -> None:
    facts = {"name": name, "description": str(folder)}  # which no other test has
    edit_manifest(folder, lambda manifest: manifest.update(facts))


def test_only_the_first_opening_is_tested(tmp_path: Path, tested: list[str]) -> None:
    folder = copy_to(tmp_path)
    named(folder, "first")
    make = Bundles("cpu").encoder_for(str(folder))
    assert tested == ["first"]
    opened = [make(form) for form in (FORMAT, THREE_LEADS, FORMAT)]
    assert tested == ["first"]
    assert len({id(each.encoder) for each in opened if each}) == 3
    assert len({id(each.beat_stage) for each in opened if each}) == 3
    assert len({shared_by(each.beat_stage) for each in opened if each}) == 1


def test_a_bundle_that_takes_over_is_tested_once_for_all_streams(
    tmp_path: Path, tested: list[str]
) -> None:
    folder = copy_to(tmp_path)
    named(folder, "first")
    bundles = Bundles("cpu")
    make = bundles.encoder_for(str(folder))
    old = make(FORMAT)
    named(folder, "second")
    fresh = bundles.replace(str(folder), [FORMAT, THREE_LEADS])
    assert fresh
    make(FORMAT)
    assert tested == ["first", "second"]
    assert old


def test_a_bundle_is_read_whoever_has_it_in_use_already(tmp_path: Path, tested: list[str]) -> None:
    folder = copy_to(tmp_path)
    named(folder, "first")
    kept = [Bundles("cpu").encoder_for(str(folder))(FORMAT)]
    kept.append(Bundles("cpu").encoder_for(str(folder))(FORMAT))
    assert tested == ["first"]
    named(folder, "second")
    kept.append(Bundles("cpu").encoder_for(str(folder))(FORMAT))
    assert tested == ["first", "second"]


def test_rules_alone_open_nothing() -> None:
    assert Bundles("cpu").encoder_for(NO_BUNDLE)(FORMAT) is None
