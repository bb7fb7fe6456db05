"""Which recordings may be used for what; the labels; nothing else decides it."""

from __future__ import annotations

import zlib

__all__ = [
    "BEAT_CLASSES",
    "BEAT_OF_SYMBOL",
    "CINC_LABELS",
    "IGNORE",
    "LEAVE_OUT",
    "MITDB_DS1",
    "MITDB_DS2",
    "MITDB_TRAIN",
    "QUALITIES",
    "RHYTHMS",
    "RHYTHM_OF_AUX",
    "VENTRICULAR",
    "VENTRICULAR_OF_AUX",
    "VFDB_FOLDS",
    "VFDB_TEST",
    "VFDB_TRAIN",
    "is_cinc_dev",
    "is_cinc_trial",
    "is_left_out",
    "vfdb_fold",
]

# de Chazal et al. 2004; the paced records 102, 104, 107, 217 belong to neither half.
MITDB_DS1 = tuple(
    "101 106 108 109 112 114 115 116 118 119 122 124"
    " 201 203 205 207 208 209 215 220 223 230".split()
)
MITDB_DS2 = tuple(
    "100 103 105 111 113 117 121 123 200 202 210 212"
    " 213 214 219 221 222 228 231 232 233 234".split()
)
# 207 holds the only ventricular flutter of mitdb, kept unseen for end-to-end demonstrations.
MITDB_TRAIN = tuple(r for r in MITDB_DS1 if r != "207")

# Chosen by annotation alone, so that each side has VT, VF, flutter, noise and asystole.
VFDB_TEST = tuple("419 420 422 424 427 614".split())
VFDB_TRAIN = tuple("418 421 423 425 426 428 429 430 602 605 607 609 610 611 612 615".split())

# Fold 0 is VFDB_TEST, for which the shipped bundle answers; the others are left out in turn.
VFDB_FOLDS = 4
LEAVE_OUT = ("nothing", "trial", "vfdb", *(f"vfdb-{k}" for k in range(1, VFDB_FOLDS)))

IGNORE = -100
RHYTHMS = ("normal", "af", "other", "noise")
VENTRICULAR = ("vt", "vf", "other")
BEAT_CLASSES = ("N", "S", "V", "F", "Q")
QUALITIES = ("good", "fair", "poor")
CINC_LABELS = {"N": 0, "A": 1, "O": 2, "~": 3}

# ANSI/AAMI EC57 table of beat symbols.
BEAT_OF_SYMBOL = {
    symbol: BEAT_CLASSES.index(cls)
    for cls, symbols in {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}.items()
    for symbol in symbols
}

# "(N" of mitdb and vfdb says sinus rhythm, not that there are no ectopic beats: not used.
_OTHER = "(AFL (B (BI (T (VT (IVR (SVTA (BII (NOD (HGEA (VER (VFL (VF (VFIB (SBR".split()
RHYTHM_OF_AUX = {"(AFIB": 1, "(NOISE": 3} | dict.fromkeys(_OTHER, 2)
# High-grade ectopy and escape rhythm border on VT: neither taught nor scored.
VENTRICULAR_OF_AUX = {"(VT": 0, "(VFL": 1, "(VF": 1, "(VFIB": 1, "(HGEA": IGNORE, "(VER": IGNORE}


def is_cinc_dev(recording: str) -> bool:
    """True for the 15 % of the CinC 2017 recordings that are set aside for measuring."""
    return zlib.crc32(recording.encode()) % 100 < 15


def is_cinc_trial(recording: str) -> bool:
    """True for the 10 % on which variants of pre-training are compared, before the training that
    counts: there they are trained on like the rest."""
    return 15 <= zlib.crc32(recording.encode()) % 100 < 25


def vfdb_fold(recording: str) -> int:
    """The fold of a vfdb record in cross-validation."""
    if recording in VFDB_TEST:
        return 0
    return 1 + VFDB_TRAIN.index(recording) % (VFDB_FOLDS - 1)


def is_left_out(what: str, source: str, recording: str) -> bool:
    """Whether training does without a recording, besides those it never hears.

    what: one of LEAVE_OUT: "trial", the CinC recordings that variants are judged on; "vfdb", all
    of vfdb; "vfdb-1", a fold of it.
    """
    if source == "cinc2017":
        return what == "trial" and is_cinc_trial(recording)
    if source == "vfdb":
        return what == "vfdb" or what == f"vfdb-{vfdb_fold(recording)}"
    return False
