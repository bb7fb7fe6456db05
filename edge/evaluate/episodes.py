"""Episode-by-episode comparison of ANSI/AAMI EC57, with the rules of WFDB's `epicmp`.

Sensitivity looks at the reference's episodes, positive predictivity at the test's. An episode
counts as matched where the other side overlaps it at all; durations count the time in common.
What ends before the learning period of 5 minutes does is left out, what spans its end is cut
there. Reference atrial flutter is left out of the positive predictivity of AF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.evaluate.ec57 import LEARNING_S
from edge.evaluate.figures import Row, percent
from edge.evaluate.spans import Span, clipped, common, merged, overlaps, total, without

__all__ = ["EpisodeScore", "compare_episodes"]


@dataclass(frozen=True, slots=True)
class EpisodeScore:
    """Episodes and seconds of the reference and of the test, and how many the other side shares.

    Scores of records add up to the gross score.
    """

    reference: int = 0
    found: int = 0
    test: int = 0
    true: int = 0
    reference_s: float = 0.0
    found_s: float = 0.0
    test_s: float = 0.0
    true_s: float = 0.0

    def __add__(self, other: EpisodeScore) -> EpisodeScore:
        return EpisodeScore(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__slots__}
        )

    @property
    def fields(self) -> Row:
        """Counts and percentages by the names that reports use."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        return {
            **counts,
            "episode_se": percent(self.found, self.reference),
            "episode_ppv": percent(self.true, self.test),
            "duration_se": percent(self.found_s, self.reference_s),
            "duration_ppv": percent(self.true_s, self.test_s),
        }


def compare_episodes(
    reference: Sequence[Span],
    test: Sequence[Span],
    end_s: float,
    *,
    excluded: Sequence[Span] = (),
    start_s: float = LEARNING_S,
) -> EpisodeScore:
    """Compare the episodes of one record, in seconds.

    excluded: spans of which the test's claims are not judged.
    """
    known = clipped(merged(reference), start_s, end_s)
    said = clipped(merged(test), start_s, end_s)
    judged = [part for span in said if (part := without([span], excluded))]
    return EpisodeScore(
        reference=len(known),
        found=sum(overlaps(span, said) for span in known),
        test=len(judged),
        true=sum(any(overlaps(piece, known) for piece in part) for part in judged),
        reference_s=total(known),
        found_s=sum(common(span, said) for span in known),
        test_s=sum(total(part) for part in judged),
        true_s=sum(common(piece, known) for part in judged for piece in part),
    )
