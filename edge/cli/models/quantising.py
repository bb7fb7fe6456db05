"""Calibrate, quantise, compare and judge: what `edge models quantize` finds out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.cli.models.calibration import Calibration, calibration
from edge.cli.models.change import Change, changes
from edge.cli.models.judgement import Judgement, check_apart
from edge.evaluate.figures import Row, rounded
from models.bundle import Bundle
from models.manifest import Figure
from models.quantisation import Comparison, Quantised, compare, quantise, write_quantised

__all__ = ["Outcome", "Request", "quantised"]

SAME_SPEED = 1.02
"""Two runs of the same model differ by so much: below it, nothing got slower."""

WEIGHTS = "int8 a channel, 7 of 8 bits: the same integers where the processor has no VNNI"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. data: folder to calibrate on. records: names in it, None to choose.

    judge: evaluations to compare. bound_points: a figure may become worse by so much.
    """

    bundle: Bundle
    data: Path
    records: str | None
    judge: tuple[Judgement, ...]
    bound_points: float
    jobs: int
    command: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A candidate beside its source. sizes: of the model files, in bytes."""

    request: Request
    calibrated: Calibration
    model: Quantised
    sizes: tuple[int, int]
    comparison: Comparison
    changes: tuple[Change, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """Reasons not to use it, none where it is a gain."""
        before, after = self.comparison.step_us
        bound = self.request.bound_points
        slower = [f"a step takes {after:.1f} us instead of {before:.1f} us"]
        worse = [
            f"{c.judgement.task} {c.figure} on {c.judgement.data}: {c.before:g} became {c.after}"
            for c in self.changes
            if c.is_worse(bound)
        ]
        return (*(slower if after > before * SAME_SPEED else ()), *worse)

    def write(self, folder: Path) -> Bundle:
        """The candidate as a bundle, its figures and limits told."""
        return write_quantised(
            folder, self.request.bundle, self.model, tuple(self._figures()), tuple(self._limits())
        )

    def report(self) -> Row:
        """For `--json`."""
        states = [state.dtype for state in self.model.states]
        return {
            "bundle": self.request.bundle.manifest.name,
            "sha256": self.request.bundle.sha256,
            "refused": list(self.refused),
            "bound_points": self.request.bound_points,
            "calibration": self._calibration(),
            "weights": WEIGHTS,
            "nodes": {"quantised": self.model.nodes, "of": self.model.nodes_before},
            "states": {"integer": len(states) - states.count("float32"), "of": len(states)},
            "size_bytes": dict(zip(("before", "after"), self.sizes, strict=True)),
            "step_us": dict(zip(("before", "after"), self.comparison.step_us, strict=True))
            | {"speed_up": self.comparison.speed_up},
            "agreement": {
                "hops": self.comparison.hops,
                "outputs": [rounded(asdict(each)) for each in self.comparison.agreement],
            },
            "changes": [change.fields() for change in self.changes],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        before, after = self.sizes
        step_before, step_after = self.comparison.step_us
        faster = self.comparison.speed_up
        heard = self.calibrated
        yield f"calibrated {heard.hops} hops of {len(heard.records)} recordings in {heard.folder}"
        yield f"weights   {WEIGHTS}"
        yield f"nodes     {self.model.nodes} of {self.model.nodes_before} in int8"
        yield f"size      {before / 1000:,.1f} kB -> {after / 1000:,.1f} kB"
        yield f"step      {step_before:.1f} us -> {step_after:.1f} us ({faster:.2f} times as fast)"
        for each in self.comparison.agreement:
            same = "" if each.decisions is None else f"{each.decisions:.2%} of the labels, "
            yield f"agrees    {each.output}: {same}cosine {each.cosine:.5f}"
        yield from (change.line() for change in self.changes)
        if not self.changes:
            yield "judged    by no clinical figures; name some with --judge"
        yield from (f"slower or worse: {reason}" for reason in self.refused)

    def _calibration(self) -> Row:
        heard = self.calibrated
        return {
            "folder": heard.folder.name,
            "records": list(heard.records),
            "set_aside": list(heard.set_aside),
            "hops": heard.hops,
        }

    def _figures(self) -> Iterator[Figure]:
        for change in self.changes:
            if change.after is not None:
                yield Figure(
                    name=f"{change.judgement.task} {change.figure}",
                    value=change.after,
                    unit=change.unit,
                    precision="int8",
                    split=f"{change.judgement.data}; {change.before:g}{change.unit} in float32",
                    command=self.request.command,
                )

    def _limits(self) -> Iterator[str]:
        heard = self.calibrated
        yield f"Calibrated on {heard.hops} hops of {heard.folder.name}: {', '.join(heard.records)}."
        if heard.set_aside:
            yield f"{', '.join(heard.set_aside)} are set aside for judging, but were calibrated on."
        if not self.changes:
            yield "Its clinical figures were not compared with those of the float bundle."
        for reason in self.refused:
            yield f"Written although {reason}."


def quantised(request: Request, scratch: Path) -> Outcome:
    """All there is to know of the request's candidate. scratch: a folder to write it to.

    Raises UsageError, SourceError and ModelError.
    """
    source = request.bundle
    calibrated = calibration(source.manifest, request.data, request.records)
    check_apart(request.judge, request.data, calibrated.records)
    model = quantise(source, calibrated.stretches)
    candidate = write_quantised(scratch, source, model)
    comparison = compare(source, candidate, calibrated.stretches)
    found = changes(str(source.path), str(candidate.path), request.judge, request.jobs)
    sizes = len(source.model), len(candidate.model)
    return Outcome(request, calibrated, model, sizes, comparison, tuple(found))
