"""Energy and memory counters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.energy import PmicMeter, RaplMeter, find_meter, power_w
from edge.bench.memory import resident_mb, slope_mb_per_h
from edge.clock import SystemClock

ANSWER = """\
   3V7_WL_SW_A current(0)=0.10000000A
   VDD_CORE_A current(7)=2.00000000A
   3V7_WL_SW_V volt(8)=3.70000000V
   VDD_CORE_V volt(15)=0.80000000V
   EXT5V_V volt(24)=5.10000000V
"""


class Watch:
    """A clock that is set."""

    now_ns = 0

    def monotonic_ns(self):
        return self.now_ns


def rapl(root, number, energy_uj, range_uj=1000):
    folder = root / f"sys/class/powercap/intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return folder


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 999), max_size=8))
def test_rapl_counts_on_over_its_range(tmp_path_factory, steps):
    folder = rapl(tmp_path_factory.mktemp("rapl"), 0, 500)
    meter, at, joules = RaplMeter([folder]), 500, 0.0
    for step in steps:
        at = (at + step) % 1000
        (folder / "energy_uj").write_text(f"{at}\n")
        joules = meter.joules()
    assert joules == pytest.approx(sum(steps) / 1e6)


def test_packages_are_added_up_and_their_parts_are_not(tmp_path):
    for name in ("0", "1", "0:0"):
        rapl(tmp_path, name, 0)
    meter = find_meter(SystemClock(), tmp_path)
    for name in ("0", "1", "0:0"):
        rapl(tmp_path, name, 100)
    assert meter.counter == "rapl"
    assert meter.joules() == pytest.approx(200e-6)


def test_no_counter_is_no_meter(tmp_path):
    assert find_meter(SystemClock(), tmp_path) is None
    (rapl(tmp_path, 0, 0) / "energy_uj").write_text("secret")
    assert find_meter(SystemClock(), tmp_path) is None


def test_the_rails_of_a_raspberry_pi_5():
    assert power_w(ANSWER) == pytest.approx(0.1 * 3.7 + 2.0 * 0.8)
    assert power_w("command not registered") == 0.0


def test_power_becomes_energy_by_the_trapezoidal_rule():
    answers = iter(["A_A x(0)=1A\nA_V x(1)=2V\n", "A_A x(0)=1A\nA_V x(1)=4V\n"])
    clock = Watch()
    meter = PmicMeter(clock, lambda: next(answers))
    clock.now_ns = 2_000_000_000
    assert meter.joules() == pytest.approx(6.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(-100, 100), st.integers(61, 120), st.floats(-1e4, 1e4))
def test_one_jump_does_not_move_the_slope(slope, seconds, jump):
    points = [(float(t), 100 + slope * t / 3600) for t in range(seconds + 1)]
    points[seconds // 2] = (points[seconds // 2][0], points[seconds // 2][1] + jump)
    assert slope_mb_per_h(points) == pytest.approx(slope, abs=2e-3)


def test_no_slope_is_told_below_a_minute():
    assert slope_mb_per_h([(0.0, 1.0), (59.9, 2.0)]) is None
    assert slope_mb_per_h([]) is None


def test_memory_of_this_process(tmp_path):
    assert 1 < resident_mb() < 1e5
    assert resident_mb(tmp_path) is None
