import subprocess
import sys

import numpy as np
import pytest

import edge
from firmware_bridge.errors import SourceError, SourceUriError
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.scenarios import scenario_named
from models.errors import ModelError


def samples(scenario, seconds, rate_hz=250):
    return EcgModel(scenario_named(scenario), rate_hz=rate_hz).read(seconds * rate_hz)[0]


def without_ids(events):
    return [repr(e) for e in events if not isinstance(e, edge.Alert)] + [
        (e.kind, e.phase, e.onset_ns, e.time_ns) for e in events if isinstance(e, edge.Alert)
    ]


def chunkless(events):
    return [e for e in events if hasattr(e, "time_ns")]


def test_pushed_samples_give_beats_and_alerts_the_same_for_any_chunking():
    signal = samples("asystole", 30)
    whole = edge.Session(250.0)
    together = whole.push(signal)
    apart = edge.Session(250.0)
    pieces = [e for part in np.array_split(signal, 41) for e in apart.push(part)]
    assert without_ids(chunkless(pieces)) == without_ids(chunkless(together))
    alerts = [e for e in together if isinstance(e, edge.Alert)]
    assert edge.AlarmKind.ASYSTOLE in {alert.kind for alert in alerts}
    assert whole.counts.received == whole.counts.delivered == len(signal)


def test_callback_gets_every_event_in_order():
    heard = []
    session = edge.Session(250.0, on_event=heard.append, bundle="none")
    returned = session.push(samples("sinus", 5))
    assert returned == heard
    assert any(isinstance(event, edge.Beat) for event in heard)


def test_one_dimension_is_one_lead_and_wrong_shapes_are_refused():
    session = edge.Session(250.0, bundle="none")
    session.push([1.0, 2.0, 3.0])
    assert session.push([]) == []
    with pytest.raises(ValueError, match=r"expected \(samples, 1\)"):
        session.push(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="skip of -1"):
        session.skip(-1)


def test_skipped_samples_are_a_gap():
    session = edge.Session(250.0, bundle="none")
    session.push(samples("sinus", 2))
    session.skip(500)
    session.push(samples("sinus", 2))
    assert (session.counts.gap, session.counts.span) == (500, 1500)


def test_watch_runs_a_source_to_its_end():
    events = list(edge.watch("sim:?scenario=sinus&speed=max&duration_s=10", bundle="none"))
    assert sum(isinstance(event, edge.Beat) for event in events) > 5
    assert len([event for event in events if isinstance(event, edge.Quality)]) >= 9


def test_watch_ends_after_the_time_asked_for():
    events = edge.watch("sim:?speed=max", bundle="none", for_s=5)
    times = [event.time_ns for event in events if isinstance(event, edge.Quality)]
    assert 4 <= len(times) <= 6


def test_what_cannot_be_had_is_named():
    with pytest.raises(SourceUriError, match="no scheme"):
        list(edge.watch("nonsense", bundle="none"))
    with pytest.raises(SourceError, match="/dev/no-such-port"):
        list(edge.watch("serial:///dev/no-such-port", bundle="none"))
    with pytest.raises(ModelError, match="no-such-bundle"):
        edge.Session(250.0, bundle="no-such-bundle")


def test_importing_the_package_is_light():
    code = "import edge, sys; print(sorted({'numpy', 'numba', 'rich', 'paho'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_offered_are_there_and_no_others():
    assert all(getattr(edge, name) is not None for name in edge.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Sessions'"):
        _ = edge.Sessions
