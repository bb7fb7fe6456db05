"""Reports that nobody measured, for tests of what is done with reports."""

from __future__ import annotations

from edge.bench.distribution import distribution, histogram
from edge.bench.report import (
    Alerts,
    ColdStart,
    Condition,
    DecisionDelay,
    Delays,
    Environment,
    Memory,
    Model,
    Paced,
    Part,
    ProviderRow,
    ProviderUse,
    Report,
    Second,
    Signal,
    Stage,
    Unpaced,
)

USE = ProviderUse(asked="auto", used=["XNNPACK"], nodes={"XNNPACK": 61}, fallback="")


def spread(n=1000, scale=1.0):
    """A distribution of n values around `scale`."""
    return distribution([scale * (1 + k / n) for k in range(n)])


def environment(**changed):
    """A Raspberry Pi."""
    facts = {
        "board": "Raspberry Pi 5 Model B",
        "cpu": "Cortex-A76",
        "architecture": "aarch64",
        "cores": 4,
        "cores_usable": 4,
        "governor": "performance",
        "clock_max_mhz": 2400.0,
        "kernel": "6.12",
        "python": "3.11.2",
        "libraries": {"edge": "0.1.0", "numpy": "2.4.6"},
        "load_1min": 0.1,
        "before": Condition(temperature_c=45.0, clock_mhz=2400.0, throttled=[]),
        "after": Condition(temperature_c=52.0, clock_mhz=2400.0, throttled=[]),
    }
    return Environment(**facts | changed)


def paced(scale=1.0, **changed):
    """One stream, on time."""
    facts = {
        "seconds": 10.0,
        "warm_up_s": 0.6,
        "streams": 1,
        "packets": 1000,
        "lateness_ms": spread(scale=0.2),
        "wait_ms": spread(scale=0.1),
        "response_ms": spread(scale=0.7 * scale),
        "response_histogram_ms": histogram([0.5, 0.7, 3.0]),
        "deadline_ms": 100.0,
        "deadline_misses": 0,
        "busy_percent": 1.0,
        "cpu_percent": 2.0 * scale,
        "cpu_s_per_signal_hour": 70.0 * scale,
        "kept_up": True,
        "memory": Memory(
            start_mb=170.0, peak_mb=180.0, end_mb=175.0, slope_mb_per_h=None, mb_per_stream=None
        ),
        "energy": None,
        "timeline": [
            Second(at_s=k, memory_mb=170.0 + k, cpu_percent=2.0, response_max_ms=1.0 + k)
            for k in range(1, 5)
        ],
    }
    return Paced(**facts | changed)


def alerts(scale=1.0):
    """A thousand alerts."""
    return Alerts(
        broker="mosquitto on the loopback interface",
        filesystem="ext4",
        seconds=10.0,
        raised=1000,
        undelivered=0,
        decide_ms=spread(scale=0.7),
        announce_ms=spread(scale=0.2),
        commit_ms=spread(scale=2.0 * scale),
        publish_ms=spread(scale=0.5),
        end_to_end_ms=spread(scale=3.4 * scale),
        end_to_end_histogram_ms=histogram([3.0, 3.5, 9.0]),
    )


def report(scale=1.0, **changed):
    """A whole report; `scale` makes its times longer."""
    facts = {
        "schema": 1,
        "task": "bench",
        "time": "2026-01-31T12:00:00.000Z",
        "version": "0.1.0",
        "commit": "abc",
        "command": "edge bench",
        "environment": environment(),
        "signal": Signal(
            uri="sim:",
            description="virtual patch",
            rate_hz=250.0,
            leads=1,
            packets=1200,
            packet_interval_ms=100.0,
            seconds=120.0,
        ),
        "model": Model(
            name="tcn-s", version="1", sha256="0" * 64, parameters=1, hop_ms=1000.0, provider=USE
        ),
        "cold_start": ColdStart(
            rounds=3,
            parts=[Part(name="kernels", median_ms=300.0 * scale, first_ms=310.0)],
            total_median_ms=900.0 * scale,
            total_first_ms=1000.0,
            memory_mb=150.0,
        ),
        "unpaced": Unpaced(
            signal_s=120.0,
            wall_s=0.5,
            real_time_factor=0.004 * scale,
            cpu_s_per_signal_hour=9.0 * scale,
            streams_a_core=int(400 / scale),
            packet_us=spread(scale=200.0 * scale),
            stages=[
                Stage(
                    name="decode",
                    per="packet",
                    share_percent=20.0,
                    time_us=spread(scale=30 * scale),
                )
            ],
            timer_us=0.15,
        ),
        "delays": Delays(
            beat_ms=spread(scale=1000.0),
            alerts=[DecisionDelay(kind="vf", n=1, median_s=4.0, max_s=4.0)],
        ),
        "paced": paced(scale),
        "alerts": alerts(scale),
        "providers": [
            ProviderRow(
                provider=USE,
                open_ms=25.0,
                step_us=spread(scale=150.0 * scale),
                cpu_s_per_signal_hour=9.0 * scale,
                streams_a_core=int(400 / scale),
            )
        ],
        "notes": [],
    }
    return Report(**facts | changed)
