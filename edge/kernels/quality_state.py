"""What the quality kernels carry from sample to sample (STATE), and what they tell of a second
(MEASURES)."""

from __future__ import annotations

import numba
import numpy as np

MEMORY_S = 4  # seconds that the noise measures look back: one beat at least at 15 bpm

SUMS = 11
COUNT = 0  # samples
OFF = 1  # samples without skin contact
STILL = 2  # longest run of equal raw samples
RAIL = 3  # longest such run at the highest or lowest value of the stream
BASE, BASE2 = 4, 5  # raw below 1 Hz: sum, sum of squares
BAND, BAND2 = 6, 7  # conditioned: the same
QRS2, QRS4 = 8, 9  # conditioned, 5 to 20 Hz: squares and fourth powers
HIGH2 = 10  # raw above 40 Hz: squares

MEASURES = 6  # of a second: the first four sums, and
SPAN = 4  # between the highest and the lowest raw sample of the stream
NOISE = 5  # share of noise in the last seconds

STATE = np.dtype(
    [
        ("origin", "f8"),  # first raw sample: keeps the sums small under an electrode offset
        ("previous", "f8"),  # last raw sample
        ("run", "i8"),  # equal raw samples up to now
        ("top", "f8"),  # highest and lowest raw sample of the stream
        ("bottom", "f8"),
        ("primed", "i8"),
        ("filters", "f8", (5, 7)),  # cascades below 1 Hz (1), 5 to 20 Hz (2), above 40 Hz (2)
        ("seconds", "f8", (MEMORY_S, SUMS)),  # the one that has begun, and those before it
        ("recent", "f8", (SUMS,)),
    ]
)

STATE_TYPE = numba.from_dtype(STATE)
