"""What is drawn, and to which scale."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from edge.alert import Priority
from edge.errors import UsageError
from edge.messages import StripBeat
from edge.strips import render_png, render_svg
from edge.strips.band import displayed
from edge.strips.drawing import Box, Curve, Grid, Label, Rule
from edge.strips.in_terminal import terminal_lines
from edge.strips.layout import laid_out
from edge.strips.words import evidence_words, moment_words
from tests.edge.strips.cutting import a_strip, ecg_uv, its_alert

SVG = "{http://www.w3.org/2000/svg}"
LEADS = ("I", "II", "V1")


def texts(drawing):
    return [item.text for item in drawing.items if isinstance(item, Label)]


def of(kind, drawing):
    return [item for item in drawing.items if isinstance(item, kind)]


def traces(drawing):
    """Curves but those of the calibration pulse, which has six corners."""
    return [curve for curve in of(Curve, drawing) if len(curve.points) > 6]


def test_the_scale_is_25_mm_a_second_and_10_mm_a_millivolt():
    samples = ecg_uv(20 * 250, 1)
    drawing = laid_out(a_strip(samples), its_alert())
    first, second = traces(drawing)
    x, y = first.points[:, 0], first.points[:, 1]
    assert np.allclose(np.diff(x), 0.1)
    assert len(first.points) == len(second.points) + 1 == 2501
    peaks = y.reshape(-1)[:2500].reshape(10, 250).min(axis=1)
    feet = np.median(y)
    assert feet - peaks == pytest.approx(np.full(10, 10.0), abs=0.8)
    (pulse, _) = (curve.points for curve in of(Curve, drawing) if len(curve.points) == 6)
    assert np.ptp(pulse[:, 1]) == pytest.approx(10.0)
    assert pulse[3, 0] - pulse[1, 0] == pytest.approx(5.0)
    assert all(grid.height % 5 == 0 for grid in of(Grid, drawing))
    assert "25 mm/s · 10 mm/mV · 0.5 to 40 Hz" in texts(drawing)[-2]


def test_a_large_signal_takes_a_smaller_gain_and_says_so():
    drawing = laid_out(a_strip(ecg_uv(2500, 1) * 5), None)
    assert "5 mm/mV" in texts(drawing)[-2]
    (pulse,) = (curve.points for curve in of(Curve, drawing) if len(curve.points) == 6)
    assert np.ptp(pulse[:, 1]) == pytest.approx(5.0)


def test_a_spike_is_cut_off_rather_than_all_made_small():
    samples = ecg_uv(2500, 1)
    samples[1000:1003] += 50_000
    drawing = laid_out(a_strip(samples), None)
    assert "10 mm/mV · cut off where beyond its band" in texts(drawing)[-2]
    assert all(np.ptp(curve.points[:, 1]) <= 60.001 for curve in of(Curve, drawing))


def test_every_lead_has_its_name_in_every_row_and_stays_in_its_band():
    drawing = laid_out(a_strip(ecg_uv(20 * 250, 3), leads=LEADS), None)
    words = texts(drawing)
    assert [words.count(name) for name in LEADS] == [2, 2, 2]
    assert len(traces(drawing)) == 6
    grids = of(Grid, drawing)
    for number, curve in enumerate(traces(drawing)):
        grid = grids[number // 3]
        assert (
            grid.y <= curve.points[:, 1].min() <= curve.points[:, 1].max() <= (grid.y + grid.height)
        )


def test_the_header_says_whose_alarm_when_and_why():
    words = "\n".join(texts(laid_out(a_strip(ecg_uv(2500, 1)), its_alert())))
    for part in (
        "HIGH",
        "Ventricular tachycardia",
        "171 /min",
        "Patient p1 · device patch-17 · bundle tcn-s (abababababab)",
        "onset 2.0 s before",
        "Because: rate 171.4/min, limit 100/min",
        "Not a medical device",
    ):
        assert part in words


@pytest.mark.parametrize("priority", Priority)
def test_the_colour_tells_the_priority(priority):
    drawing = laid_out(a_strip(ecg_uv(2500, 1), priority=priority), None)
    red, green, blue = (int(of(Box, drawing)[0].fill[k : k + 2], 16) for k in (1, 3, 5))
    is_red, is_yellow = red > 150 and green < 100, red > 200 and green > 180 and blue < 100
    assert (is_red, is_yellow) == (priority is Priority.HIGH, priority is Priority.MEDIUM)


def test_one_that_was_asked_for_has_no_alarm_in_it():
    asked = {"kind": "", "priority": None, "onset_ms": None, "decided_ms": None}
    words = texts(laid_out(a_strip(ecg_uv(2500, 1), **asked, heart_rate_bpm=None), None))
    assert {"STRIP", "Strip on request", "-- /min"} <= set(words)
    assert "alarm" not in words


def test_beats_onset_and_alarm_are_marked_in_their_place():
    beats = (StripBeat(offset_ms=2400.0, label="V"), StripBeat(offset_ms=11_000.0, label="U"))
    drawing = laid_out(a_strip(ecg_uv(16 * 250, 1), beats=beats), None)
    (letter,) = [each for each in of(Label, drawing) if each.text == "V"]
    assert letter.x == pytest.approx(21 + 2.4 * 25)
    marks = {each.text: each.x for each in of(Label, drawing) if each.text in ("onset", "alarm")}
    assert marks == {"onset": pytest.approx(21 + 2 * 25), "alarm": pytest.approx(21 + 4 * 25)}
    (dashed,) = [each for each in of(Rule, drawing) if each.dashed]
    assert dashed.x1 == marks["onset"]


def test_a_gap_is_no_line():
    valid = np.ones(2500, np.uint8)
    valid[1000:1500] = 0
    drawing = laid_out(a_strip(ecg_uv(2500, 1), valid=valid), None)
    left, right = (curve.points[:, 0] for curve in traces(drawing))
    assert (left[-1], right[0]) == (pytest.approx(21 + 999 / 10), pytest.approx(21 + 150))
    assert "no signal" in texts(drawing)
    (gap,) = of(Box, drawing)[1:]
    assert (gap.x, gap.width) == (pytest.approx(121), pytest.approx(50))


def test_waves_stay_in_place_and_what_is_no_ecg_goes():
    t = np.arange(5000) / 250
    wave, wander, mains = (
        np.sin(2 * np.pi * 8 * t),
        np.sin(2 * np.pi * 0.05 * t),
        np.sin(2 * np.pi * 60 * t),
    )
    shown = displayed((500 * (wave + 4 * wander + mains))[:, None].astype(np.float32), 250.0)[:, 0]
    middle = slice(1000, 4000)
    assert np.abs(shown - 500 * wave)[middle].max() < 40


def test_the_svg_is_well_formed_and_takes_nothing_from_outside():
    hostile = '<script>alert("x")</script>&\x00\x1b[31m'
    strip = msgspec.structs.replace(
        a_strip(ecg_uv(2500, 1), leads=(hostile,)), device=hostile, id=hostile
    )
    text = render_svg(strip, msgspec.structs.replace(its_alert(), bundle=hostile))
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "rect", "path", "text"}
    assert "href" not in text
    assert "id=" not in text
    width = float(root.get("width").removesuffix("mm"))
    assert width == 6 + 15 + 250 + 6
    assert width < 297


def test_the_path_of_the_svg_is_the_curve():
    drawing = laid_out(a_strip(ecg_uv(2500, 1)), None)
    root = ElementTree.fromstring(render_svg(a_strip(ecg_uv(2500, 1))))
    longest = max(
        (path.get("d") for path in root.iter(f"{SVG}path") if path.get("transform")), key=len
    )
    numbers = np.array([int(each) for each in re.findall(r"-?\d+", longest)])
    points = np.cumsum(numbers.reshape(-1, 2), axis=0) * 0.05
    (curve,) = traces(drawing)
    assert points[-1] == pytest.approx(curve.points[-1], abs=0.05)
    assert points[:, 1].min() == pytest.approx(curve.points[:, 1].min(), abs=0.05)


def test_the_png_has_the_grid_the_colour_and_its_bound():
    image = pytest.importorskip("PIL.Image")
    strip = a_strip(ecg_uv(25 * 250, 3), leads=LEADS)
    data = render_png(strip, its_alert(), 200_000)
    assert len(data) <= 200_000
    picture = image.open(BytesIO(data))
    assert picture.format == "PNG"
    drawing = laid_out(strip, its_alert())
    assert picture.width / picture.height == pytest.approx(drawing.width / drawing.height, rel=0.01)
    red, green, blue = picture.convert("RGB").getpixel((10 * 6, 7 * 6))
    assert red > 150 > 60 > max(green, blue)


def test_a_png_that_may_not_be_so_large_is_coarser():
    image = pytest.importorskip("PIL.Image")
    strip = a_strip(ecg_uv(2500, 1))
    large, small = render_png(strip), render_png(strip, None, 9_000)
    assert len(small) <= 9_000 < len(large)
    assert image.open(BytesIO(small)).width < image.open(BytesIO(large)).width
    with pytest.raises(ValueError, match="more than 100 bytes"):
        render_png(strip, None, 100)


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(UsageError, match=r"edge\[strips\]"):
        render_png(a_strip(ecg_uv(2500, 1)))


def test_what_is_too_long_or_too_slow_to_draw_is_refused():
    with pytest.raises(ValueError, match="at most 120 s are drawn"):
        render_svg(a_strip(np.zeros((130 * 100, 1)), 100.0))
    with pytest.raises(ValueError, match="1 Hz"):
        render_svg(a_strip(np.zeros((100, 1)), 1.0))


def test_a_terminal_shows_every_lead_and_the_beats():
    lines = list(terminal_lines(a_strip(ecg_uv(2500, 2), leads=("I", "II")), columns=100))
    assert lines[0].index("N") == 14
    assert lines[0].index("V") == 24
    assert [line.split("  ")[0] for line in lines if line.startswith("I")] == ["I", "II"]
    assert all(len(line) <= 100 for line in lines)
    assert any(chr(0x2801) <= char <= chr(0x28FF) for line in lines for char in line)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"no_qrs_s": 5.4, "limit_s": 4.0}, "no QRS for 5.4 s, limit 4 s"),
        ({"rr_ms": 3316, "limit_s": 3.0}, "RR interval 3316 ms, limit 3 s"),
        ({"af_probability": 0.6534, "af_seconds": 24}, "AF probability 0.6534, AF seconds 24"),
        ({"held": "lead_off", "gone": None}, "held by lead_off"),
        ({}, ""),
    ],
)
def test_evidence_in_words(evidence, words):
    assert evidence_words(evidence) == words


def test_times_are_local_and_utc():
    noon = datetime(2026, 1, 31, 12, 0, 3, tzinfo=UTC)
    zone = timezone(timedelta(hours=1), "CET")
    assert moment_words(noon, zone) == "2026-01-31 13:00:03 CET (12:00:03 UTC)"
    assert moment_words(noon, UTC) == "2026-01-31 12:00:03 UTC"
