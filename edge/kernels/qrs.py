"""QRS detection, one sample at a time, in the manner of Hamilton and Tompkins.

P. S. Hamilton, W. J. Tompkins, "Quantitative investigation of QRS detection rules using the
MIT/BIH arrhythmia database", IEEE TBME 33 (1986) 1157; P. S. Hamilton, "Open source ECG
analysis", Computers in Cardiology 29 (2002) 101. Band-pass, slope, moving mean of its size
("energy" here), peaks of that, and rules that tell QRS from the rest.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from edge.kernels import kernel, part
from edge.kernels.filters import filtered
from edge.kernels.qrs_state import (
    BAND,
    CONFIG_TYPE,
    EARLY,
    KNOWN_AT,
    LEAD,
    MEMORY,
    PEAK_TYPE,
    R_AT,
    R_UV,
    SIGNAL,
    SIZES,
    STATE_TYPE,
)

_f8 = numba.float64
_i8 = numba.int64
_ring = numba.float64[::1]


@kernel(numba.void(PEAK_TYPE, PEAK_TYPE))
def copy_peak(to, source):  # type: ignore[no-untyped-def]
    to.energy = source.energy
    to.at = source.at
    to.slope = source.slope
    to.one_sided = source.one_sided
    to.r_at = source.r_at
    to.r_uv = source.r_uv


@kernel(_f8(_ring))
def middle(values):  # type: ignore[no-untyped-def]
    """Median of a handful of values."""
    ordered = np.sort(values)
    half = ordered.size // 2
    if ordered.size % 2:
        return ordered[half]
    return 0.5 * (ordered[half - 1] + ordered[half])


@part
def energy_of(x, s, c, history):  # type: ignore[no-untyped-def]
    """Band-pass one sample, keep it, and give the moving mean of the slope's size."""
    mask = history.shape[1] - 1
    y = filtered(x, s.filter)
    history[SIGNAL, s.n & mask] = x
    history[BAND, s.n & mask] = y
    size = abs(y - history[BAND, (s.n - c.step) & mask]) * c.scale
    s.sum += size - history[SIZES, s.slot]
    s.fresh += size
    history[SIZES, s.slot] = size
    s.slot += 1
    if s.slot == c.width:  # start the sum anew: rounding cannot pile up over days
        s.slot = 0
        s.sum = s.fresh
        s.fresh = 0.0
    return s.sum / c.width


@part
def summit_passed(energy, s, c):  # type: ignore[no-untyped-def]
    """Whether the peak at `s.top`, `s.top_at` is over: halved, or a plateau since long."""
    rising = energy > s.previous
    s.previous = energy
    if rising and energy > s.top:
        s.top = energy
        s.top_at = s.n
        return False
    return s.top > 0.0 and (energy < 0.5 * s.top or s.n - s.top_at > c.summit)


@kernel(numba.void(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE, _f8[:, ::1]))
def measure(peak, s, c, history):  # type: ignore[no-untyped-def]
    """Slopes and R peak of the complex whose energy peaked at `s.top_at`."""
    signal = history[SIGNAL]
    band = history[BAND]
    mask = signal.size - 1
    centre = s.top_at - c.lag
    first = max(centre - c.reach, c.step)
    last = min(centre + c.reach, s.n - c.delay)
    up = 0.0
    down = 0.0
    peak.slope = 0.0
    mean = 0.0
    for i in range(first, last + 1):
        slope = signal[i & mask] - signal[(i - c.step) & mask]
        up = max(up, slope)
        down = max(down, -slope)
        k = i + c.delay
        peak.slope = max(peak.slope, abs(band[k & mask] - band[(k - c.step) & mask]))
        mean += signal[i & mask] / (last + 1 - first)
    strongest = -1.0
    for i in range(first, last + 1):
        if abs(signal[i & mask] - mean) > strongest:
            strongest = abs(signal[i & mask] - mean)
            peak.r_at = i
    peak.energy = s.top
    peak.at = s.top_at
    peak.r_uv = signal[peak.r_at & mask]
    peak.one_sided = max(up, down) / max(min(up, down), 1e-9)


@kernel(_f8(STATE_TYPE, CONFIG_TYPE))
def sinking(s, c):  # type: ignore[no-untyped-def]
    """Factor on the QRS level: 1, and less the longer no QRS has come.

    It sinks fast at first, for ventricular tachycardia and lower amplitudes, then slowly, so
    that the P waves and the noise of asystole do not become beats within seconds.
    """
    overdue = s.n - s.last_at - max(c.patience, int(c.back_rr * s.rr_level))
    if overdue <= 0:
        return 1.0
    halvings = overdue / c.half_life
    if halvings > c.fast_halvings:
        halvings = c.fast_halvings + (halvings - c.fast_halvings) / c.slowdown
    return math.pow(2.0, -halvings)


@kernel(_f8(STATE_TYPE, CONFIG_TYPE, _f8))
def threshold(s, c, factor):  # type: ignore[no-untyped-def]
    """Energy from which a peak is a QRS, with the QRS level times `factor`."""
    return max(c.floor, s.noise_level + c.level * (s.qrs_level * factor - s.noise_level))


@kernel(numba.void(STATE_TYPE, _f8))
def learn_interval(s, interval):  # type: ignore[no-untyped-def]
    """Learn an RR interval; the first one stands for all."""
    if s.rr_count == 0:
        s.rr[:] = interval
    s.rr[s.rr_count % MEMORY] = interval
    s.rr_count += 1
    s.rr_level = middle(s.rr.copy())


@kernel(numba.void(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE))
def accept(peak, s, c):  # type: ignore[no-untyped-def]
    """Learn from a QRS."""
    factor = sinking(s, c)
    if factor < 1.0 and peak.energy < threshold(s, c, 1.0):  # the signal has become smaller
        for i in range(MEMORY):
            s.qrs[i] *= factor
    s.qrs[s.qrs_count % MEMORY] = min(peak.energy, c.clip * max(s.qrs_level, c.floor))
    s.qrs_count += 1
    s.qrs_level = middle(s.qrs.copy())
    if s.last_at >= 0 and peak.at - s.last_at <= c.longest:
        learn_interval(s, peak.at - s.last_at)
    s.last_at = peak.at
    s.last_slope = peak.slope
    s.last_energy = peak.energy
    s.back.energy = 0.0


@kernel(numba.void(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE))
def refuse(peak, s, c):  # type: ignore[no-untyped-def]
    """Learn from a peak that is no QRS, and keep it for the search back."""
    if peak.energy < threshold(s, c, sinking(s, c)):  # a T wave is no noise
        s.noise[s.noise_count % MEMORY] = peak.energy
        s.noise_count += 1
        s.noise_level = np.mean(s.noise)
    if peak.energy > s.back.energy and peak.at - s.last_at >= c.t_window:
        copy_peak(s.back, peak)


@kernel(numba.boolean(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE))
def is_qrs(peak, s, c):  # type: ignore[no-untyped-def]
    """The verdict on one peak."""
    if peak.energy < threshold(s, c, sinking(s, c)) or peak.one_sided > c.one_sided:
        return False
    since = peak.at - s.last_at
    if s.last_at < 0 or since >= c.t_window:
        return True
    if since < c.blank and peak.energy * c.alike < s.last_energy:
        return False
    return peak.slope >= c.t_slope * s.last_slope


@kernel(numba.void(STATE_TYPE))
def learn(s):  # type: ignore[no-untyped-def]
    """First levels, from the peaks of the learning time.

    The largest peak is taken for a QRS, up to three times the second: a lone larger one is
    an artefact of contact.
    """
    first = 0.0
    second = 0.0
    for i in range(s.early_count):
        energy = s.early[i].energy
        if energy > first:
            first, second = energy, first
        elif energy > second:
            second = energy
    level = min(first, 3.0 * second) if second > 0.0 else first
    for i in range(MEMORY):
        s.qrs[i] = level
        s.noise[i] = 0.1 * level
    s.qrs_level = level
    s.noise_level = 0.1 * level
    s.learned = 1


@part
def candidate_due(s, c):  # type: ignore[no-untyped-def]
    """Whether no larger peak can still come within the blanking time of the candidate."""
    if s.candidate.energy == 0.0 or s.n < s.candidate.at + c.blank:
        return False
    return s.top <= s.candidate.energy or s.top_at >= s.candidate.at + c.blank


@part
def back_due(s, c):  # type: ignore[no-untyped-def]
    """Whether a beat is overdue and a refused peak can have been it."""
    if s.back.energy == 0.0 or s.rr_level == 0.0:
        return False
    if s.n - s.last_at <= c.back_rr * s.rr_level:
        return False
    return s.back.energy >= max(c.back_level * threshold(s, c, sinking(s, c)), c.floor)


@kernel(numba.boolean(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE))
def judge(peak, s, c):  # type: ignore[no-untyped-def]
    """Whether the peak is a QRS; learns from it either way."""
    if is_qrs(peak, s, c):
        accept(peak, s, c)
        return True
    refuse(peak, s, c)
    return False


@kernel(_i8(PEAK_TYPE, STATE_TYPE, CONFIG_TYPE, _i8, _i8[::1], _f8[:, ::1], _i8))
def report(peak, s, c, lead, last_r, beats, count):  # type: ignore[no-untyped-def]
    """Write a beat as (lead, R peak, sample at which it is known, signal at the R peak), unless
    another lead has reported it already."""
    if lead != last_r[0] or (last_r[1] >= 0 and peak.r_at - last_r[1] < c.closest):
        return count
    last_r[1] = peak.r_at
    beats[count, LEAD] = lead
    beats[count, R_AT] = peak.r_at
    beats[count, KNOWN_AT] = s.n
    beats[count, R_UV] = peak.r_uv
    return count + 1


@part
def rivals(s, c):  # type: ignore[no-untyped-def]
    """Whether the peak just passed and the candidate cannot both be a QRS."""
    apart = s.top_at - s.candidate.at
    if s.candidate.energy == 0.0 or apart >= c.blank:
        return False
    larger = max(s.top, s.candidate.energy)
    smaller = min(s.top, s.candidate.energy)
    return apart < c.closest or larger > c.alike * smaller


@kernel(_i8(STATE_TYPE, CONFIG_TYPE, _i8, _i8[::1], _f8[:, ::1], _i8))
def settle(s, c, lead, last_r, beats, count):  # type: ignore[no-untyped-def]
    """Judge the candidate, or keep it for the first levels while learning."""
    if s.learned == 0:
        if s.early_count < EARLY:
            copy_peak(s.early[s.early_count], s.candidate)
            s.early_count += 1
    elif judge(s.candidate, s, c):
        count = report(s.candidate, s, c, lead, last_r, beats, count)
    s.candidate.energy = 0.0
    return count


@kernel(_i8(STATE_TYPE, CONFIG_TYPE, _i8, _i8[::1], _f8[:, ::1], _i8))
def overdue(s, c, lead, last_r, beats, count):  # type: ignore[no-untyped-def]
    """What the passing of time decides: the first levels, and the search back."""
    if s.learned == 0 and s.n >= c.learn:
        learn(s)
        for k in range(s.early_count):
            if judge(s.early[k], s, c):
                count = report(s.early[k], s, c, lead, last_r, beats, count)
    if back_due(s, c):
        count = report(s.back, s, c, lead, last_r, beats, count)
        accept(s.back, s, c)
    return count


@part
def time_decides(s, c):  # type: ignore[no-untyped-def]
    """Whether the passing of time decides something now: see `overdue`."""
    return (s.learned == 0 and s.n >= c.learn) or back_due(s, c)


@kernel(
    _i8(
        numba.float32[:, ::1],
        CONFIG_TYPE[::1],
        STATE_TYPE[::1],
        _f8[:, :, ::1],
        _i8[::1],
        _f8[:, ::1],
    )
)
def detect(samples, config, states, histories, last_r, beats):  # type: ignore[no-untyped-def]
    """Detect on every lead of `samples`, report from lead `last_r[0]`; gives the count.

    histories: (leads, HISTORY_ROWS, a power of two). last_r: lead of choice, its last R peak.
    """
    c = config[0]
    count = 0
    for lead in range(states.size):
        s = states[lead]
        history = histories[lead]
        for i in range(samples.shape[0]):
            x = float(samples[i, lead])
            if not math.isfinite(x):
                x = 0.0
            if summit_passed(energy_of(x, s, c, history), s, c):
                if not rivals(s, c):
                    if s.candidate.energy > 0.0:
                        count = settle(s, c, lead, last_r, beats, count)
                    measure(s.candidate, s, c, history)
                elif s.top > s.candidate.energy:
                    measure(s.candidate, s, c, history)
                s.top = 0.0
            if candidate_due(s, c):
                count = settle(s, c, lead, last_r, beats, count)
            if time_decides(s, c):
                count = overdue(s, c, lead, last_r, beats, count)
            s.n += 1
    return count
