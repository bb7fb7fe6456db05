"""A report as one picture, for `edge evaluate --plot FILE`."""

from __future__ import annotations

from edge.evaluate.plots.picture import check_target, draw

__all__ = ["check_target", "draw"]
