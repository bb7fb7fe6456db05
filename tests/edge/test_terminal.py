import numpy as np
import pytest

from edge.terminal import BLANK, strip


def dots(lines: list[str]) -> int:
    return sum((ord(cell) - BLANK).bit_count() for line in lines for cell in line)


def test_strip_has_the_size_asked_for():
    lines = strip(np.zeros(500, np.float32), np.ones(500, np.uint8), 40, 5, 3000.0)
    assert [len(line) for line in lines] == [40] * 5


def test_flat_signal_draws_one_line_in_the_middle():
    lines = strip(np.full(800, 250, np.float32), np.ones(800, np.uint8), 40, 5, 3000.0)
    assert dots(lines) == 80
    assert dots([lines[2]]) == 80


def test_tall_wave_reaches_the_top_and_stays_inside():
    samples = np.zeros(800, np.float32)
    samples[400:404] = 1e6
    lines = strip(samples, np.ones(800, np.uint8), 40, 5, 3000.0)
    assert dots([lines[0]]) > 0


def test_gap_is_drawn_as_a_dotted_floor_not_as_signal():
    valid = np.zeros(800, np.uint8)
    lines = strip(np.zeros(800, np.float32), valid, 40, 5, 3000.0)
    assert dots(lines[:-1]) == 0
    assert dots([lines[-1]]) == 40


@pytest.mark.parametrize("count", [0, 1, 7, 79])
def test_fewer_samples_than_columns_are_no_problem(count):
    lines = strip(np.zeros(count, np.float32), np.ones(count, np.uint8), 40, 3, 3000.0)
    assert len(lines) == 3
