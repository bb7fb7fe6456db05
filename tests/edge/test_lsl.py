"""The Lab Streaming Layer: real streams heard by real inlets, gaps, clocks, a starved thread."""

from __future__ import annotations

import contextlib
import sys
import threading
import uuid
from types import SimpleNamespace

import numpy as np
import pytest

from edge.alert import AlarmType, Alert, Phase, Priority
from edge.clock import SystemClock
from edge.config import check
from edge.errors import ConfigError
from edge.events import Beat, BeatClass, BeatLabel
from edge.lsl_feed import WAITING, LslFeed, open_lsl
from edge.lsl_outlets import Outlets
from edge.lsl_settings import LslSettings
from edge.pipeline import Anchor, Step
from firmware_bridge.stream import NS_PER_S, Chunk, FormatChange, Gap, StreamFormat
from tests.patience import WAIT_S

FORM = StreamFormat(250.0, ("I", "II"))


def monitor(patient, anchor):
    return SimpleNamespace(
        patient=SimpleNamespace(id=patient),
        device="patch-1",
        pipeline=SimpleNamespace(anchor=anchor),
    )


def chunk(start, samples, host_ns, form=FORM):
    return Chunk(form, start, np.asarray(samples, np.float32), host_ns)


@pytest.fixture(scope="module")
def lsl():
    """The library; skips where it is not installed or does not load."""
    pytest.importorskip("mne_lsl")
    try:
        import mne_lsl.lsl as module
    except (OSError, RuntimeError) as error:
        pytest.skip(f"liblsl does not load: {error}")
    return module


@pytest.fixture
def heard(lsl):
    """A function that finds a stream of a patient and opens an inlet to it."""
    with contextlib.ExitStack() as stack:

        def opened(name):
            for _ in range(round(WAIT_S)):
                found = lsl.resolve_streams(timeout=1.0, name=name)
                if found:
                    inlet = lsl.StreamInlet(found[0])
                    inlet.open_stream(timeout=WAIT_S)
                    stack.callback(inlet.close_stream)
                    return inlet
            pytest.skip("streams cannot be found on this machine: no multicast")

        yield opened


def pulled(inlet, count):
    """So many samples and their times."""
    samples, times = [], []
    while sum(map(len, samples)) < count:
        data, at = inlet.pull_chunk(timeout=WAIT_S, max_samples=count)
        assert len(at), "nothing more comes"
        samples.append(data)
        times.append(at)
    return np.concatenate(samples), np.concatenate(times)


def test_what_was_pushed_is_heard_with_its_times(lsl, heard):
    patient = f"p{uuid.uuid4().hex[:8]}"
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        feed = open_lsl(LslSettings(enabled=True), clock, stack)
        begun_ns = clock.monotonic_ns()
        watched = monitor(patient, Anchor(0, begun_ns, None))
        rows = np.arange(40, dtype=np.float32).reshape(20, 2)
        feed.stepped(
            watched, Step((chunk(0, rows[:1], begun_ns - 4_000_000),))
        )  # makes the streams
        ecg, markers = heard(f"edge {patient}"), heard(f"edge {patient} markers")
        gap = Gap(FORM, 21, 5, "loss")
        beat = Beat(3, NS_PER_S, NS_PER_S, 0, None, 900.0)
        label = BeatLabel(NS_PER_S, 2 * NS_PER_S, BeatClass.V, 0.9)
        about = (AlarmType.PHYSIOLOGICAL, Priority.HIGH, Phase.START, 2 * NS_PER_S, 3 * NS_PER_S)
        alert = Alert("1", "vt", *about)
        events = (chunk(1, rows, begun_ns), gap, chunk(26, rows, begun_ns + 100_000_000))
        feed.stepped(watched, Step(events, (beat, label), (alert,)))
        samples, times = pulled(ecg, 45)
        words, told = pulled(markers, 3)
        info = ecg.get_sinfo(timeout=WAIT_S)
    truth = np.concatenate([rows, np.full((5, 2), np.nan), rows])
    assert np.array_equal(samples, truth, equal_nan=True)
    offset_s = lsl.local_clock() - clock.monotonic_ns() / NS_PER_S
    assert times - begun_ns / NS_PER_S - offset_s == pytest.approx(np.arange(45) / 250, abs=0.01)
    assert [str(row[0]) for row in words] == ["beat", "class V", "alert vt start high"]
    assert told - begun_ns / NS_PER_S - offset_s == pytest.approx([1, 1, 2], abs=0.01)
    assert (info.stype, info.sfreq, info.get_channel_names()) == ("ECG", 250.0, ["I", "II"])
    assert set(info.get_channel_units()) == {"microvolts"}


class Silent:
    """Stands for the library: keeps what would be sent."""

    def __init__(self):
        self.made = []

    def StreamInfo(self, name, stype, channels, *about):  # noqa: N802
        return SimpleNamespace(
            name=name,
            stype=stype,
            channels=channels,
            set_channel_names=lambda names: None,
            set_channel_types=lambda types: None,
            set_channel_units=lambda units: None,
        )

    def StreamOutlet(self, info):  # noqa: N802
        sent = []
        outlet = SimpleNamespace(
            info=info,
            sent=sent,
            push_chunk=lambda samples, times: sent.append((samples, times)),
            push_sample=lambda words, at: sent.append((words[0], at)),
        )
        self.made.append(outlet)
        return outlet


def test_a_long_gap_is_not_filled_for_ever():
    library = Silent()
    outlets = Outlets(library, "edge", "p", "d")
    outlets.gap(FORM, 1000)
    outlets.samples(FORM, np.zeros((250, 2), np.float32), 10.0)
    outlets.gap(FORM, 250 * 3600)
    _, ecg = library.made
    filled, times = ecg.sent[-1]
    assert filled.shape == (2500, 2)
    assert np.isnan(filled).all()
    assert (times[0], len(ecg.sent)) == (11.0, 2)


def test_another_format_is_another_stream():
    library, anchor = Silent(), Anchor(0, 0, None)
    feed = LslFeed(lambda patient, device: Outlets(library, "edge", patient, device), 0.0)
    other = StreamFormat(500.0, ("I",))
    feed.stepped(monitor("p", anchor), Step((chunk(0, np.zeros((5, 2)), 0),)))
    events = (FormatChange(5, other), Gap(FORM, 5, 9, "loss"), chunk(5, np.zeros((5, 1)), 0, other))
    feed.stepped(monitor("p", anchor), Step(events))
    feed.start()
    feed.close(WAIT_S)
    assert [(each.info.stype, each.info.channels) for each in library.made] == [
        ("Markers", 1),
        ("ECG", 2),
        ("ECG", 1),
    ]


def test_a_thread_that_hangs_costs_the_engine_nothing(caplog):
    going = threading.Event()

    def hanging(patient, device):
        going.wait(WAIT_S)
        return Outlets(Silent(), "edge", patient, device)

    feed = LslFeed(hanging, 0.0)
    feed.start()
    for number in range(WAITING + 10):
        feed.stepped(monitor("p", None), Step((chunk(number, np.zeros((1, 2)), 0),)))
    assert 9 <= feed.left_out <= 10
    assert [record.getMessage() for record in caplog.records].count(
        "lsl: sending is too slow; what cannot be sent is left out"
    ) == 1
    going.set()
    feed.close(WAIT_S)


def test_a_defect_in_a_step_ends_no_stream(caplog):
    library = Silent()
    feed = LslFeed(lambda patient, device: Outlets(library, "edge", patient, device), 0.0)
    broken = SimpleNamespace(events=None, observations=(), alerts=())
    for step in (broken, Step((chunk(0, np.zeros((5, 2)), 0),))):
        feed.stepped(monitor("p", None), step)
    feed.start()
    feed.close(WAIT_S)
    assert len(library.made[-1].sent) == 1
    assert "lsl: p" in caplog.text


def test_it_is_off_unless_asked_for():
    with contextlib.ExitStack() as stack:
        assert open_lsl(check({}).lsl, SystemClock(), stack) is None


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne_lsl", None)
    monkeypatch.setitem(sys.modules, "mne_lsl.lsl", None)
    with contextlib.ExitStack() as stack, pytest.raises(ConfigError, match=r"edge\[lsl\]"):
        open_lsl(check({"lsl": {"enabled": True}}).lsl, SystemClock(), stack)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="lsl"):
        check({"lsl": {"enabled": True, "name": ""}})
