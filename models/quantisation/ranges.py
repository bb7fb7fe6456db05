"""In which range a tensor's values lie, leaving out the rarest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERCENTILE", "Range", "quantile_ranges", "shared"]

PERCENTILE = 99.99
"""Share of the values, in percent, below the upper end; as many lie above the lower end."""

_BINS = 4096

Range = tuple[float, float]
Tensors = Mapping[str, NDArray[np.float32]]


def quantile_ranges(run: Callable[[], Iterator[Tensors]]) -> dict[str, Range]:
    """Tensor to the range between its lower and upper `PERCENTILE`, over all that `run` yields.

    run: gives the same tensors each time it is called; it is called twice, for the extremes and
    for the histogram between them, so that nothing is kept. Tensors that are not float32 are
    left out.
    """
    extremes = _extremes(run())
    counts = {name: np.zeros(_BINS, np.int64) for name in extremes}
    for tensors in run():
        for name, count in counts.items():
            low, high = extremes[name]
            if high > low:
                values = tensors[name].astype(np.float64)  # float32 cannot tell narrow bins apart
                count += np.histogram(values, _BINS, (low, high))[0]
    return {name: _between(extremes[name], counts[name]) for name in extremes}


def _extremes(observed: Iterable[Tensors]) -> dict[str, Range]:
    extremes: dict[str, Range] = {}
    for tensors in observed:
        for name, value in tensors.items():
            if value.dtype == np.float32 and value.size:
                low, high = extremes.get(name, (np.inf, -np.inf))
                extremes[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return extremes


def _between(extremes: Range, count: NDArray[np.int64]) -> Range:
    """The quantiles of a histogram over `extremes`, outwards to the edge of their bins."""
    total = count.sum()
    if not total:
        return extremes
    edges = np.linspace(*extremes, _BINS + 1)
    share = np.cumsum(count) / total
    upper = int(np.searchsorted(share, PERCENTILE / 100))
    lower = int(np.searchsorted(share, 1 - PERCENTILE / 100, side="right"))
    return float(edges[lower]), float(edges[min(upper + 1, _BINS)])


def shared(ranges: Mapping[str, Range], groups: Iterable[frozenset[str]]) -> dict[str, Range]:
    """The ranges, with one that covers all for the tensors of each group."""
    result = dict(ranges)
    for group in groups:
        members = [ranges[name] for name in group if name in ranges]
        if members:
            covering = (min(low for low, _ in members), max(high for _, high in members))
            result |= dict.fromkeys((name for name in group if name in ranges), covering)
    return result
