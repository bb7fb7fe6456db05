"""Other detectors: asked about what has a signal, named where they fail."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import EdgeError
from edge.evaluate import peers
from edge.evaluate.peers import peer_beats

NAN = float("nan")


@pytest.fixture
def asked(monkeypatch):
    """One peer in the place of all others, and the signals it was asked about."""
    heard = []

    def detect(lead_mv, rate_hz):
        heard.append((lead_mv.tolist(), rate_hz))
        if lead_mv.max() > 9:
            raise IndexError("no peaks")
        return [3, 1]

    monkeypatch.setattr(peers, "PEERS", {"one": ("json", detect), "absent": ("no_such", detect)})
    return heard


def test_an_installed_peer_hears_millivolts_with_holes_bridged(asked):
    found = peer_beats(np.array([0, NAN, 2000, 3000], np.float32), 250.0)
    assert {name: beats.tolist() for name, beats in found.items()} == {"one": [1, 3]}
    assert asked == [([0.0, 1.0, 2.0, 3.0], 250.0)]


@pytest.mark.parametrize("lead_uv", [[7, 7, 7], [7, NAN, 7], [NAN, NAN, NAN]])
def test_a_lead_that_never_changes_has_no_beats(lead_uv, asked):
    found = peer_beats(np.array(lead_uv, np.float32), 250.0)
    assert {name: beats.tolist() for name, beats in found.items()} == {"one": []}
    assert asked == []


def test_a_peer_that_fails_is_named(asked):
    with pytest.raises(EdgeError, match="--peers: one fails on this recording: no peaks"):
        peer_beats(np.array([0, 10_000], np.float32), 250.0)
