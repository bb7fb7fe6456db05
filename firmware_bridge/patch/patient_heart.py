"""Hearts of made-up patients: the shapes of their waves, drawn at random within plausible bounds.

Every wave is a sum of Gaussians on a dipole in space (x to the left, y to the feet, z to the
front), as in Sameni, Clifford, Jutten and Shamsollahi (EURASIP J Adv Signal Process
2007:43407); a lead sees its projection. Ranges of amplitudes, widths and intervals are those of
textbooks for adults: P 80 to 120 ms and up to 0.25 mV, PR 120 to 200 ms, QRS up to 110 ms, with
bundle branch block or from a ventricular focus 120 to 180 ms, QTc 380 to 480 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABERRANT",
    "ECTOPIC_P",
    "FOCI",
    "NORMAL",
    "RETROGRADE_P",
    "SINUS_P",
    "Heart",
    "Shape",
    "draw_heart",
    "draw_second_lead",
]

NORMAL, ABERRANT = 0, 1
FOCI = (2, 3)
SINUS_P, RETROGRADE_P = 0, 3
ECTOPIC_P = (1, 2)

_LEADS = {
    "MLII": (0.45, 0.89, 0.0),
    "I": (1.0, 0.0, 0.1),
    "III": (-0.5, 0.87, 0.0),
    "V1": (-0.35, 0.05, 0.94),
    "V2": (0.1, 0.05, 0.99),
    "V5": (0.93, 0.2, 0.3),
    "patch": (0.65, 0.65, 0.4),
}
_FIRST_LEADS, _SECOND_LEADS = ("MLII", "MLII", "patch", "I"), ("V1", "V2", "V5", "III", "I")
_TILT = 0.15
_GRID_S = np.arange(-0.12, 0.12, 0.001)
_LEAST_VIEW = 0.35
"""Least share of a dipole that the first lead sees."""
_LEAST_SECOND_VIEW = 0.3
"""Least height of sinus beats in the second lead, as a share of that in the first."""
_TIMING_S, _RIVAL = 0.020, 0.8
"""Beyond 20 ms from the main peak of a QRS, the first lead sees less than this share of it."""
_LIKE_SINUS = 0.7
"""Cosine of the angle to the axis of sinus beats below which a dipole points elsewhere."""
_DRAWS = 200
_PEAK_UV = (250.0, 3500.0)

Vector = NDArray[np.float64]
_Drawn = TypeVar("_Drawn")


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A sum of Gaussians: centre and standard deviations in seconds, shape (waves,).

    dipole_uv: peak of each in microvolts, shape (waves, 3).
    """

    centre_s: NDArray[np.float64]
    before_s: NDArray[np.float64]
    after_s: NDArray[np.float64]
    dipole_uv: NDArray[np.float64]

    def at(self, time_s: NDArray[np.float64], lead: Vector) -> NDArray[np.float64]:
        """What a lead sees of it at times from its fiducial point, in microvolts."""
        distance_s = time_s[:, None] - self.centre_s
        width_s = np.where(distance_s < 0, self.before_s, self.after_s)
        return np.asarray(np.exp(-0.5 * (distance_s / width_s) ** 2) @ (self.dipole_uv @ lead))

    def moved(self, by_s: float) -> Shape:
        """The same, later by `by_s`."""
        return replace(self, centre_s=self.centre_s + by_s)

    def scaled(self, gain: float) -> Shape:
        """The same, higher by the factor `gain`."""
        return replace(self, dipole_uv=self.dipole_uv * gain)


@dataclass(frozen=True, slots=True, eq=False)
class Heart:
    """A patient's waves and habits.

    lead: unit vector of the first lead. qrs, t: shapes by NORMAL, ABERRANT and FOCI, 0 s at the
    main peak of the QRS complex in the first lead; t for an RR interval of 1 s. p: shapes by
    SINUS_P, ECTOPIC_P and RETROGRADE_P, 0 s at their peak. pr_s: P peak to R peak. qt_exponent:
    of RR for the time of T. alternans: share by which T waves differ in turn. Others: shares of
    beats, amplitudes, frequencies.
    """

    lead: Vector
    qrs: tuple[Shape, ...]
    t: tuple[Shape, ...]
    p: tuple[Shape, ...]
    pr_s: float
    qt_exponent: float
    alternans: float
    respiration_hz: float
    respiration_gain: float
    beat_spread: float
    aberrant_share: float
    junctional_share: float
    second_focus_share: float
    retrograde: bool
    atrial_hz: float
    atrial_uv: float


def draw_heart(rng: np.random.Generator) -> Heart:
    """A patient at random; the main peak of sinus beats is 0.25 to 3.5 mV in the first lead."""
    axis = _unit(_dipole(rng.normal(52, 22), rng.normal(-0.15, 0.25)))
    lead = _draw_first_lead(rng, axis)
    normal = _draw_clear(lead, lambda: _draw_conducted(rng, axis))
    aberrant = _draw_clear(lead, lambda: _draw_bundle_block(rng, axis))
    foci = [_draw_clear(lead, lambda: _draw_focus(rng, axis, lead)) for _ in FOCI]
    t_waves = [_draw_t(rng, axis), *(_discordant_t(rng, qrs) for qrs in (aberrant, *foci))]
    peak_uv = float(np.clip(rng.lognormal(np.log(1100), 0.5), *_PEAK_UV))
    size = peak_uv / _height(normal, lead)
    aligned = [
        _aligned(qrs, t, lead, size)
        for qrs, t in zip((normal, aberrant, *foci), t_waves, strict=True)
    ]
    return Heart(
        lead=lead,
        qrs=tuple(qrs for qrs, _ in aligned),
        t=tuple(t for _, t in aligned),
        p=_draw_p_waves(rng),
        pr_s=rng.uniform(0.11, 0.20),
        qt_exponent=rng.uniform(0.28, 0.5),  # Fridericia 1/3, Bazett 1/2
        alternans=rng.uniform(0.1, 0.35) if rng.random() < 0.06 else 0.0,
        respiration_hz=rng.uniform(0.17, 0.33),
        respiration_gain=rng.uniform(0.01, 0.10),
        beat_spread=rng.uniform(0.01, 0.05),
        aberrant_share=rng.beta(0.4, 4),
        junctional_share=rng.beta(0.5, 1.5),
        second_focus_share=rng.uniform(0.1, 0.5) if rng.random() < 0.3 else 0.0,
        retrograde=rng.random() < 0.3,
        atrial_hz=rng.uniform(4.5, 8.0),
        atrial_uv=float(np.clip(rng.lognormal(np.log(40), 0.5), 8, 90)),
    )


def draw_second_lead(rng: np.random.Generator, heart: Heart) -> Vector:
    """Unit vector of a lead as V1, V2, V5, III or I that sees the sinus beats."""
    sinus = heart.qrs[NORMAL]
    least_uv = _LEAST_SECOND_VIEW * _height(sinus, heart.lead)
    return _drawn(
        lambda: _draw_lead(rng, _SECOND_LEADS), lambda lead: _height(sinus, lead), least_uv
    )


def _draw_first_lead(rng: np.random.Generator, axis: Vector) -> Vector:
    return _drawn(
        lambda: _draw_lead(rng, _FIRST_LEADS), lambda lead: abs(float(lead @ axis)), _LEAST_VIEW
    )


def _draw_lead(rng: np.random.Generator, names: Sequence[str]) -> Vector:
    direction: Vector = np.array(_LEADS[names[int(rng.integers(len(names)))]], np.float64)
    return _unit(direction + rng.normal(0, _TILT, 3))


def _draw_clear(lead: Vector, draw: Callable[[], Shape]) -> Shape:
    """A QRS with one main peak in `lead`, so that its time is without doubt."""

    def clarity(shape: Shape) -> float:
        seen = np.abs(shape.at(_GRID_S, lead))
        main = int(np.argmax(seen))
        away = np.abs(_GRID_S - _GRID_S[main]) > _TIMING_S
        return 1.0 - float(seen[away].max() / seen[main])

    return _drawn(draw, clarity, 1.0 - _RIVAL)


def _drawn(draw: Callable[[], _Drawn], merit: Callable[[_Drawn], float], enough: float) -> _Drawn:
    """The first draw of enough merit, or the best of many."""
    best = draw()
    for _ in range(_DRAWS):
        if merit(best) >= enough:
            break
        best = max(best, draw(), key=merit)
    return best


def _height(shape: Shape, lead: Vector) -> float:
    return float(np.abs(shape.at(_GRID_S, lead)).max())


def _draw_conducted(rng: np.random.Generator, axis: Vector) -> Shape:
    """QRS of a sinus beat; one patient in eight has a bundle branch block."""
    if rng.random() < 1 / 8:
        return _draw_bundle_block(rng, axis)
    width_s = rng.uniform(0.008, 0.013)
    waves = [
        (-rng.uniform(0.22, 0.3) * 0.1, 0.8 * width_s, rng.uniform(0, 0.2) * _turned(rng, -axis)),
        (0.0, width_s, axis),
        (
            rng.uniform(2.4, 3.2) * width_s,
            1.1 * width_s,
            0.7 * rng.beta(1, 2.5) * _turned(rng, -axis, 0.6),
        ),
    ]
    if rng.random() < 0.2:  # a notch in R
        waves.append((rng.uniform(0.012, 0.02), 0.006, rng.uniform(-0.3, 0.3) * axis))
    if rng.random() < 0.3:  # ST segment above or below the baseline
        waves.append((rng.uniform(0.09, 0.12), 0.035, rng.normal(0, 0.06) * axis))
    return _shape(waves)


def _draw_bundle_block(rng: np.random.Generator, axis: Vector) -> Shape:
    """Left: two slow waves along the axis. Right: a late one to the right and the front."""
    if rng.random() < 0.5:
        apart_s = rng.uniform(0.035, 0.055)
        width_s = rng.uniform(0.014, 0.020)
        return _shape(
            [(0.0, width_s, axis), (apart_s, width_s, rng.uniform(0.6, 1.1) * _turned(rng, axis))]
        )
    width_s = rng.uniform(0.009, 0.013)
    late = rng.uniform(0.3, 0.6) * _unit(np.array([-0.8, rng.normal(0, 0.3), 0.6]))
    return _shape(
        [(0.0, width_s, axis), (rng.uniform(0.05, 0.07), rng.uniform(0.013, 0.018), late)]
    )


def _draw_focus(rng: np.random.Generator, axis: Vector, lead: Vector) -> Shape:
    """QRS of 120 to 180 ms from elsewhere than the sinus beats, 0.5 to 2 times as high."""
    main = _drawn(
        lambda: _unit(rng.normal(0, 1, 3)),
        lambda way: abs(float(way @ lead)) if way @ axis < _LIKE_SINUS else 0.0,
        _LEAST_VIEW,
    )
    width_s = rng.uniform(0.12, 0.18) / 6.5
    late = _turned(rng, main if rng.random() < 0.5 else -main, 0.4)
    waves = [
        (
            -rng.uniform(1.6, 2.2) * width_s,
            0.8 * width_s,
            rng.uniform(0, 0.35) * _turned(rng, -main),
        ),
        (0.0, width_s * rng.uniform(0.8, 1.0), main),
        (rng.uniform(1.6, 2.4) * width_s, width_s, rng.uniform(0.2, 0.7) * late),
    ]
    strength = float(np.clip(rng.lognormal(np.log(1.2), 0.3), 0.5, 2.0))
    return _shape(waves).scaled(strength * float(abs(axis @ lead) / abs(main @ lead)))


def _draw_t(rng: np.random.Generator, axis: Vector) -> Shape:
    """T of a sinus beat: mostly upright, at times flat, inverted or biphasic."""
    along = _turned(rng, axis + np.array([0.0, 0.0, 0.35]), 0.35)
    size = rng.uniform(0.1, 0.45) * (1.0 if rng.random() < 0.86 else rng.uniform(-0.8, 0.3))
    peak_s = 0.27 * rng.uniform(0.38, 0.48) / 0.40
    waves = [(peak_s, rng.uniform(0.04, 0.065), size * along)]
    if rng.random() < 0.1:
        waves.append((peak_s + 0.075, 0.03, -rng.uniform(0.3, 0.7) * size * along))
    return _shape(waves, skew=0.68)


def _discordant_t(rng: np.random.Generator, qrs: Shape) -> Shape:
    """Repolarisation points away from the wide complex."""
    against = -qrs.dipole_uv.sum(axis=0)
    size = np.linalg.norm(qrs.dipole_uv, axis=1).max() * rng.uniform(0.2, 0.45)
    along = _turned(rng, against, 0.2)
    return _shape([(rng.uniform(0.27, 0.34), rng.uniform(0.06, 0.085), size * along)], skew=0.7)


def _draw_p_waves(rng: np.random.Generator) -> tuple[Shape, ...]:
    """P of the sinus node, of two atrial foci (one often low in the atrium), retrograde P."""
    size_uv = float(np.clip(rng.lognormal(np.log(130), 0.4), 40, 280))
    down = _unit(_dipole(rng.normal(58, 12), rng.normal(0.1, 0.15)))
    sinus = _draw_p(rng, size_uv * down)
    high = _draw_p(rng, size_uv * rng.uniform(0.5, 1.3) * _turned(rng, down, 0.8))
    low = _draw_p(rng, size_uv * rng.uniform(0.5, 1.2) * _turned(rng, -down, 0.4))
    retrograde = _draw_p(rng, size_uv * rng.uniform(0.4, 1.0) * _turned(rng, -down, 0.2))
    return sinus, high, low, retrograde


def _draw_p(rng: np.random.Generator, dipole_uv: Vector) -> Shape:
    width_s = rng.uniform(0.016, 0.024)
    if rng.random() < 0.75:
        return _shape([(0.0, width_s, dipole_uv)])
    apart_s = rng.uniform(0.010, 0.017)  # bifid: right atrium, then left
    return _shape([(-apart_s, 0.014, 0.9 * dipole_uv), (apart_s, 0.014, dipole_uv)])


def _aligned(qrs: Shape, t: Shape, lead: Vector, size: float) -> tuple[Shape, Shape]:
    """Both moved so that the largest deflection of the QRS in `lead` is at 0 s, and scaled."""
    fiducial_s = float(_GRID_S[np.argmax(np.abs(qrs.at(_GRID_S, lead)))])
    return qrs.moved(-fiducial_s).scaled(size), t.moved(-fiducial_s).scaled(size)


def _shape(waves: Sequence[tuple[float, float, Vector]], skew: float = 1.0) -> Shape:
    """Centre, standard deviation before it and dipole of each; after it, `skew` times that."""
    columns = zip(*waves, strict=True)
    centre_s, width_s, dipole_uv = (np.array(column, np.float64) for column in columns)
    return Shape(centre_s, width_s, width_s * skew, dipole_uv)


def _turned(rng: np.random.Generator, vector: Vector, by: float = 0.3) -> Vector:
    return _unit(_unit(vector) + rng.normal(0, by, 3))


def _dipole(axis_deg: float, front: float) -> Vector:
    """Of length 1 in the frontal plane (0 is lead I, clockwise), `front` out of it."""
    angle = np.radians(axis_deg)
    return np.array([np.cos(angle), np.sin(angle), front])


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector))
