"""Records that the QRS kernels read (CONFIG) and carry from sample to sample (STATE)."""

from __future__ import annotations

import numba
import numpy as np

MEMORY = 8  # beats, and noise peaks, that the thresholds remember
EARLY = 16  # peaks kept while learning: 2 s hold at most 10, 200 ms apart

SIGNAL, BAND, SIZES = 0, 1, 2  # rows of a lead's history: conditioned, band-passed, slopes' sizes
HISTORY_ROWS = 3

LEAD, R_AT, KNOWN_AT, R_UV = 0, 1, 2, 3  # columns of the beats found
BEAT_COLUMNS = 4

PEAK = np.dtype(
    [
        ("energy", "f8"),  # height, microvolts in 10 ms; 0 where there is no peak
        ("at", "i8"),  # sample of the energy peak
        ("slope", "f8"),  # steepest slope of the band around it
        ("one_sided", "f8"),  # its steeper unfiltered flank, up or down, over the flatter
        ("r_at", "i8"),  # sample of the R peak
        ("r_uv", "f8"),  # conditioned signal there
    ]
)

CONFIG = np.dtype(
    [
        ("step", "i8"),  # samples between the two ends of a slope
        ("width", "i8"),  # samples of the moving mean
        ("lag", "i8"),  # samples from the QRS centre to its energy peak
        ("delay", "i8"),  # samples by which the band-pass lags the conditioned signal
        ("reach", "i8"),  # samples searched for the R peak on either side of the centre
        ("summit", "i8"),  # samples after which a plateau counts as a peak
        ("closest", "i8"),  # samples within which the larger of two peaks wins
        ("blank", "i8"),  # samples within which a clearly larger one does
        ("t_window", "i8"),  # samples after a QRS in which a T wave may come
        ("learn", "i8"),  # samples of the first learning
        ("patience", "i8"),  # samples without a QRS after which the threshold sinks
        ("longest", "i8"),  # samples above which an interval is a pause, not a rhythm
        ("half_life", "i8"),  # samples in which it then halves
        ("fast_halvings", "f8"),  # how often, before that takes
        ("slowdown", "f8"),  # this many times longer
        ("scale", "f8"),  # slope over `step` samples to slope over 10 ms
        ("alike", "f8"),  # ratio above which one peak is clearly larger than another
        ("level", "f8"),  # threshold between noise (0) and QRS (1)
        ("t_slope", "f8"),  # slope, relative to the last QRS, below which a peak is a T wave
        ("one_sided", "f8"),  # ratio of up to down slope that makes a baseline step
        ("back_rr", "f8"),  # RR intervals without a QRS that start the search back
        ("back_level", "f8"),  # fraction of the threshold that it asks
        ("clip", "f8"),  # most by which one peak may exceed the QRS level in memory
        ("floor", "f8"),  # threshold never below this, microvolts in 10 ms
    ]
)

STATE = np.dtype(
    [
        ("n", "i8"),
        ("filter", "f8", (2, 7)),  # cascade of the band-pass
        ("slot", "i8"),
        ("sum", "f8"),
        ("fresh", "f8"),
        ("top", "f8"),
        ("top_at", "i8"),
        ("previous", "f8"),
        ("candidate", PEAK),
        ("back", PEAK),
        ("last_at", "i8"),
        ("last_slope", "f8"),
        ("last_energy", "f8"),
        ("learned", "i8"),
        ("early_count", "i8"),
        ("early", PEAK, (EARLY,)),
        ("qrs", "f8", (MEMORY,)),
        ("noise", "f8", (MEMORY,)),
        ("rr", "f8", (MEMORY,)),
        ("qrs_count", "i8"),
        ("noise_count", "i8"),
        ("rr_count", "i8"),
        ("qrs_level", "f8"),
        ("noise_level", "f8"),
        ("rr_level", "f8"),
    ]
)

PEAK_TYPE = numba.from_dtype(PEAK)
CONFIG_TYPE = numba.from_dtype(CONFIG)
STATE_TYPE = numba.from_dtype(STATE)
