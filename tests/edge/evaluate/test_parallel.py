from __future__ import annotations

import os
from functools import partial

import pytest

from edge.errors import EdgeError
from edge.evaluate.parallel import default_jobs, each


def shout(name):
    return name.upper()


def die(fatal, name):
    if name == fatal:
        os._exit(1)
    return name


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order(jobs):
    assert list(each(shout, ["c", "a", "b"], jobs)) == ["C", "A", "B"]


def test_a_process_that_dies_is_one_clear_error():
    with pytest.raises(EdgeError, match="--jobs 1"):
        list(each(partial(die, "b"), ["a", "b"], 2))


def test_there_is_always_a_process():
    assert 1 <= default_jobs() <= (os.cpu_count() or 1)
