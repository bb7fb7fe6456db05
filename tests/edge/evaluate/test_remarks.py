from __future__ import annotations

import numpy as np
import pytest

from edge.evaluate.remarks import signal_remarks

NAN = float("nan")


@pytest.mark.parametrize(
    ("lead_uv", "said"),
    [
        ([1, 2, 3, 4], []),
        ([7, 7, 7, 7], ["lead II is constant"]),
        ([7, NAN, 7, 7], ["lead II is constant"]),
        ([1, NAN, 3, 4], ["lead II has 25 % invalid samples"]),
        ([NAN, NAN, NAN, NAN], ["lead II has no valid sample"]),
    ],
)
def test_a_defect_is_named_with_its_lead(lead_uv, said):
    two = np.array([lead_uv, [1, 2, 3, 5]], np.float32).T
    assert signal_remarks(two, ("II", "V1")) == said
