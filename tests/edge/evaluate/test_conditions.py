"""Reference conditions: what the annotations ask an alarm for."""

from __future__ import annotations

import numpy as np
import pytest

from edge.alarm.limits import AlarmLimits
from edge.alert import AlarmKind as K
from edge.evaluate.conditions import reference_conditions
from tests.edge.evaluate.annotated import reference


def found(**given):
    return reference_conditions(reference(**given), AlarmLimits())


def required(**given):
    return {kind: list(c.required) for kind, c in found(**given).items() if c.required}


def at_rate(bpm, count, start_s=0.0):
    return start_s + np.arange(count) * 60.0 / bpm


def test_a_normal_rhythm_asks_for_nothing():
    assert required(beats_s=at_rate(72, 400)) == {}


@pytest.mark.parametrize(
    ("bpm", "count", "kinds"),
    [
        (35, 5, {K.EXTREME_BRADY}),
        (35, 4, set()),
        (45, 5, {K.BRADY}),
        (150, 17, {K.EXTREME_TACHY}),
        (150, 15, set()),
        (130, 17, {K.TACHY}),
    ],
)
def test_rates_need_their_number_of_beats(bpm, count, kinds):
    assert set(required(beats_s=at_rate(bpm, count))) == kinds


@pytest.mark.parametrize(("rr_s", "kinds"), [(2.9, set()), (3.1, {K.PAUSE}), (4.1, {K.ASYSTOLE})])
def test_one_long_interval_is_a_pause_or_an_asystole(rr_s, kinds):
    beats_s = [*at_rate(72, 20), *at_rate(72, 20, 19 * 60 / 72 + rr_s)]
    assert set(required(beats_s=beats_s)) == kinds


def test_no_interval_spans_fibrillation():
    beats_s = [*at_rate(72, 20), *at_rate(72, 20, 60.0)]
    assert required(beats_s=beats_s, fibrillation=[(20, 55)]) == {K.VF: [(20, 55)]}


@pytest.mark.parametrize(
    ("count", "bpm", "kinds"),
    [(2, 150, set()), (3, 150, {K.PVC_RUN}), (5, 150, {K.VT}), (8, 80, {K.PVC_RUN})],
)
def test_runs_of_ventricular_beats(count, bpm, kinds):
    run_s = at_rate(bpm, count, 16.6)
    beats_s = [*at_rate(72, 20), *run_s, *at_rate(72, 20, run_s[-1] + 0.8)]
    classes = ["N"] * 20 + ["V"] * count + ["N"] * 20
    assert set(required(beats_s=beats_s, classes=classes)) == kinds


def test_rhythms_must_last_as_the_definitions_say():
    rhythms = [("AFIB", 0, 29), ("N", 29, 100), ("AFIB", 100, 131), ("N", 131, 200)]
    rhythms += [("VT", 200, 202), ("N", 202, 300), ("VT", 300, 303), ("ASYS", 400, 405)]
    assert required(rhythms=rhythms, fibrillation=[(500, 503), (600, 604)]) == {
        K.AF: [(100, 131)],
        K.VT: [(300, 303)],
        K.ASYSTOLE: [(400, 405)],
        K.VF: [(600, 604)],
    }


def test_what_is_too_short_is_excused():
    conditions = found(rhythms=[("VT", 200, 202)])
    assert conditions[K.VT].excused == ((200, 202),)
    assert conditions[K.VT].required == ()


def test_without_beats_rates_cannot_be_judged():
    assert set(found(rhythms=[("N", 0, 100)])) == {K.VF, K.ASYSTOLE, K.VT, K.AF}


def test_atrial_fibrillation_goes_on_after_ventricular_fibrillation():
    conditions = found(rhythms=[("AFIB", 0, 300)], fibrillation=[(100, 150)])
    assert conditions[K.AF].required == ((0, 100), (150, 300))
    assert conditions[K.VT].excused == ((100, 150),)


def test_an_alarm_in_annotated_noise_is_not_asked_for():
    rhythms = [("NOISE", 0, 100), ("VT", 100, 160)]
    assert required(rhythms=rhythms, fibrillation=[(50, 60)]) == {K.VT: [(100, 160)]}


def test_conditions_that_one_alarm_covers_are_one():
    rhythms = [("VT", 0, 10), ("N", 10, 15), ("VT", 15, 25), ("N", 25, 40), ("VT", 40, 50)]
    assert required(rhythms=rhythms)[K.VT] == [(0, 25), (40, 50)]
