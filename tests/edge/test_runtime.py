import threading
from collections import Counter

import pytest

from edge.actions import Acknowledge
from edge.events import Silence
from edge.rounds import FEW, Rounds
from firmware_bridge.errors import SourceError
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder
from firmware_bridge.stream import NS_PER_S
from tests.edge.running import Recorder, monitor, runtime_of
from tests.patience import WAIT_S


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now_ns = 10**12

    def monotonic_ns(self):
        return self.now_ns

    def utc_ns(self):
        return 1_700_000_000 * 10**9 + self.now_ns


def in_thread(runtime, **kwargs):
    thread = threading.Thread(target=runtime.run, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


def test_several_sources_run_to_their_ends_side_by_side():
    recorder = Recorder()
    runtime = runtime_of(
        recorder,
        "sim:?scenario=asystole&speed=max&duration_s=30",
        "sim:?scenario=sinus&speed=max&duration_s=20&fs=500&leads=3",
    )
    runtime.run()
    assert recorder.samples == {"p0": 30 * 250, "p1": 20 * 500}
    assert ("p0", "asystole") in {(who, alert.kind) for who, alert in recorder.alerts}
    assert {who for who, _ in recorder.alerts} == {"p0"}
    assert [word for who, word, _ in recorder.links if who == "p0"] == [
        "connecting",
        "streaming",
        "ended",
    ]
    assert all(each.finished and each.error is None for each in runtime.monitors)


def test_an_endless_source_does_not_crowd_out_a_live_one():
    """A replay that is as fast as it can be, beside a patch in real time."""
    recorder = Recorder()
    runtime = runtime_of(recorder, "sim:?speed=max", "sim:?speed=1")
    recorder.ticked = lambda *_: recorder.samples.get("p1", 0) >= 2 * 250 and runtime.stop()
    runtime.run(for_s=WAIT_S)
    assert recorder.samples["p1"] >= 2 * 250
    assert recorder.samples["p0"] > recorder.samples["p1"]


def test_stop_ends_a_run_from_another_thread():
    recorder = Recorder(until=100)
    runtime = runtime_of(recorder, "sim:")
    thread = in_thread(runtime)
    assert recorder.seen.wait(WAIT_S)
    runtime.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    count = runtime.monitors[0].pipeline.counts[1]
    assert count.pending == 0
    assert count.received == count.delivered + count.duplicate + count.late + count.bad


def test_a_source_that_cannot_be_opened_fails_with_its_error():
    runtime = runtime_of(Recorder(), "serial:///dev/no-such-port")
    runtime.run(for_s=10)
    (watched,) = runtime.monitors
    assert watched.finished
    assert isinstance(watched.error, SourceError)
    assert watched.link == "lost"


def test_a_patch_on_a_serial_port_is_unplugged_and_plugged_in_again(tmp_path):
    port = tmp_path / "patch"
    recorder = Recorder(
        until=8 * 250
    )  # all of the first plug: what is unread at unplugging is lost
    runtime = None
    with PseudoTerminal(port) as terminal:
        runtime = runtime_of(recorder, f"serial://{port}?device=native")
        thread = in_thread(runtime)
        assert terminal.wait_for_reader(WAIT_S)
        feeder = PseudoTerminalFeeder(terminal)
        feeder.feed(VirtualPatch(PatchConfig(duration_s=8.0)).frames(), None)
        assert recorder.seen.wait(WAIT_S)
        assert feeder.wait(WAIT_S)
    recorder.until, seen = sum(recorder.samples.values()) + 250, recorder.seen
    seen.clear()
    with PseudoTerminal(port) as terminal:
        assert terminal.wait_for_reader(WAIT_S)
        feeder = PseudoTerminalFeeder(terminal)
        feeder.feed(VirtualPatch(PatchConfig(duration_s=3.0, seed=2)).frames(), None)
        assert seen.wait(WAIT_S)
        runtime.stop()
        thread.join(WAIT_S)
    words = [word for _, word, _ in recorder.links]
    assert words[:2] == ["connecting", "streaming"]
    assert "lost" in words
    assert words.count("streaming") == 2
    assert runtime.monitors[0].pipeline.counts[1].gap > 0


@pytest.mark.parametrize("silent_s", [0, 2, 30])
def test_silence_is_told_to_the_alarms_by_the_host_clock(silent_s):
    recorder = Recorder()
    runtime = runtime_of(recorder)
    from firmware_bridge.source import open_source

    clock = ManualClock()
    watched = monitor(open_source("sim:"), "p0", runtime, clock)
    steps = []
    watched._on_step = lambda _, step: steps.append(step)
    clock.now_ns += silent_s * 10**9
    watched.tick()
    told = [each for step in steps for each in step.observations]
    assert told == (
        [] if silent_s == 0 else [Silence(silent_s * 10**9, silent_s * 10**9, "connecting")]
    )
    kinds = [(alert.kind, alert.phase) for step in steps for alert in step.alerts]
    assert kinds == ([("signal_lost", "start")] if silent_s == 30 else [])


def test_observers_are_told_of_each_patient_once_a_second_and_never_of_many_at_once():
    class Told(Recorder):
        def ticked(self, monitor, state):
            told.append((monitor.patient.id, state))

    told, clock = [], ManualClock()
    runtime = runtime_of(Told(), *["sim:"] * 100)
    runtime.observe(Told())
    rounds, most = Rounds(100, clock.now_ns), 0
    runtime._clock = clock
    while rounds.due_ns <= 10**12 + 3 * NS_PER_S:
        before, clock.now_ns = len(told), rounds.due_ns
        runtime._go(rounds)
        most = max(most, len(told) - before)
    counts = Counter(patient for patient, _ in told)
    assert counts == {f"p{number}": 2 * 3 for number in range(100)}
    assert most <= 2 * 2 * FEW
    assert all(one[1] is other[1] for one, other in zip(told[::2], told[1::2], strict=True))
    assert runtime.late_ns == 0


def test_a_defect_in_one_patient_ends_no_other(monkeypatch):
    recorder = Recorder()
    runtime = runtime_of(recorder, "sim:?speed=max&duration_s=20", "sim:?speed=max&duration_s=20")
    broken, whole = runtime.monitors

    def push(packet):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(broken.pipeline, "push", push)
    runtime.run()
    assert "p0 is no longer monitored: ZeroDivisionError: of ours" in str(broken.error)
    assert [link for link in recorder.links if link[0] == "p0"][-1][1] == "lost"
    assert [(who, alert.kind) for who, alert in recorder.alerts] == [("p0", "signal_lost")]
    assert whole.error is None
    assert recorder.samples["p1"] == 20 * 250


def test_what_is_asked_when_the_run_ends_is_cancelled():
    runtime = runtime_of(Recorder(), "sim:?speed=max&duration_s=1")
    asked = []
    runtime.call(lambda: (runtime.stop(), asked.append(runtime.ask(Acknowledge("p0")))))
    runtime.run()
    assert asked[0].cancelled()
    assert runtime.ask(Acknowledge("p0")).cancelled()
