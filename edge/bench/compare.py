"""Two reports beside each other: the ratio of each figure, and whether one got worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from edge.bench.figures import Better, Figure, figures
from edge.bench.report import SCHEMA, Report
from edge.errors import UsageError

__all__ = ["Compared", "Comparison", "compare", "load_report"]

MOST_BYTES = 16 << 20

Verdict = Literal["same", "better", "worse", "absent"]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure in both reports. ratio: b / a, None where either is missing or a is 0.

    verdict: `absent` where either report lacks it.
    """

    figure: str
    unit: str
    better: Better
    a: float | None
    b: float | None
    ratio: float | None
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """differences: what else is not alike, in words. ok: nothing is worse beyond the threshold."""

    task: Literal["bench compare"] = "bench compare"
    a: str
    b: str
    threshold_percent: float
    differences: list[str]
    figures: list[Compared]
    ok: bool


class _Head(msgspec.Struct):
    schema: int
    task: str


def load_report(path: Path) -> Report:
    """A report of `edge bench --json`. Raises UsageError that says why a file is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path}: larger than any report of `edge bench --json`")
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.task == "bench" and head.schema != SCHEMA:
            raise UsageError(
                f"{path}: a report of version {head.schema}, and this edge compares version "
                f"{SCHEMA}: measure again with this edge"
            )
        return msgspec.json.decode(data, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: is no report of `edge bench --json`: {error}") from None


def compare(
    a: Report,
    b: Report,
    threshold_percent: float,
    names: tuple[str, str] = ("A", "B"),
    anyway: bool = False,
) -> Comparison:
    """Figure by figure. Raises UsageError where machine or load differ, but not with `anyway`."""
    apart = list(_apart(a, b))
    if apart and not anyway:
        raise UsageError(
            f"the reports cannot be compared: {'; '.join(apart)}; --anyway compares them still"
        )
    before, after = figures(a), figures(b)
    named = list(dict.fromkeys([*before, *after]))
    rows = [_compared(name, before.get(name), after.get(name), threshold_percent) for name in named]
    return Comparison(
        a=names[0],
        b=names[1],
        threshold_percent=threshold_percent,
        differences=[*apart, *_changed(a, b)],
        figures=[row for row in rows if row.a is not None or row.b is not None],
        ok=all(row.verdict != "worse" for row in rows),
    )


def verdict(a: float, b: float, better: Better, threshold_percent: float) -> Verdict:
    """What a figure's way from a to b is, both 0 or more. A change is one beyond the threshold,
    which is of the better of the two."""
    good, bad = (a, b) if better == "lower" else (b, a)
    factor = 1 + threshold_percent / 100
    if bad > good * factor:
        return "worse"
    return "better" if good > bad * factor else "same"


def _compared(name: str, a: Figure | None, b: Figure | None, threshold_percent: float) -> Compared:
    known = a or b
    assert known is not None
    before = a.value if a else None
    after = b.value if b else None
    ratio: float | None = None
    told: Verdict = "absent"
    if before is not None and after is not None:
        ratio = round(after / before, 4) if before else None
        told = verdict(before, after, known.better, threshold_percent)
    return Compared(
        figure=name,
        unit=known.unit,
        better=known.better,
        a=before,
        b=after,
        ratio=ratio,
        verdict=told,
    )


def _apart(a: Report, b: Report) -> Iterator[str]:
    """What makes figures incomparable: another machine, another signal, another load."""
    for field in ("board", "cpu", "architecture", "cores_usable"):
        yield from _differs(
            field.replace("_", " "), getattr(a.environment, field), getattr(b.environment, field)
        )
    for field in ("uri", "rate_hz", "leads"):
        yield from _differs(f"signal {field}", getattr(a.signal, field), getattr(b.signal, field))
    yield from _differs("streams", a.paced.streams, b.paced.streams)


def _changed(a: Report, b: Report) -> Iterator[str]:
    """What a comparison is often made for."""
    yield from _differs("edge", a.commit, b.commit)
    yield from _differs("bundle", _bundle(a), _bundle(b))
    yield from _differs("provider", _provider(a), _provider(b))
    yield from _differs("governor", a.environment.governor, b.environment.governor)
    yield from _differs("python", a.environment.python, b.environment.python)
    yield from _differs("broker", a.alerts and a.alerts.broker, b.alerts and b.alerts.broker)
    before, after = a.environment.libraries, b.environment.libraries
    for name in sorted({*before, *after}):
        yield from _differs(name, before.get(name), after.get(name))


def _differs(name: str, a: object, b: object) -> Iterator[str]:
    if a != b:
        yield f"{name}: {a} and {b}"


def _bundle(report: Report) -> str:
    model = report.model
    return f"{model.name} {model.version} {model.sha256[:12]}" if model else "none"


def _provider(report: Report) -> str:
    return ", ".join(report.model.provider.used) if report.model else "none"
