"""What decoding costs, for every device, on the session that its tests decode.

    python -m benchmarks.bench_devices [--device NAME] [--seconds 0.3] [--json]

A packet is one notification, or one frame of a byte stream; a sample is one value of one lead or
of one channel of a waveform. The budget is 2 us a packet and 50 ns a sample. Each session is
decoded again and again for a while by decoders that have been through the opening; the quickest
fifth of the turns counts.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.machine import machine
from firmware_bridge.protocols import Telling
from firmware_bridge.stream import Packet, Waveform
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.specimens import specimens, started, title

PACKET_US, SAMPLE_US = 2.0, 0.05
QUICKEST = 0.2
REPEATED = 20
"""Sessions are short: so often in a row, what a decoder does once does not count."""


@dataclass(frozen=True)
class Cost:
    """Of one session. budget: cost over what it may be; 1 is just within."""

    device: str
    packets: int
    samples: int
    us_a_packet: float
    ns_a_sample: float
    budget: float


def measure(specimen: Specimen, seconds: float) -> Cost:
    """Decode the session until `seconds` have been spent on it."""
    session = specimen.packets * REPEATED
    packets, samples = _contents(specimen, session)
    turns_s: list[float] = []
    while sum(turns_s) < seconds:
        decoder = started(specimen)
        begin_s = time.perf_counter()
        for packet in session:
            decoder.push(packet)
        turns_s.append(time.perf_counter() - begin_s)
    quick_us = float(np.quantile(turns_s, QUICKEST)) * 1e6
    return Cost(
        device=title(specimen),
        packets=packets,
        samples=samples,
        us_a_packet=round(quick_us / packets, 2),
        ns_a_sample=round(quick_us * 1e3 / max(1, samples), 1),
        budget=round(quick_us / (PACKET_US * packets + SAMPLE_US * samples), 2),
    )


def _contents(specimen: Specimen, session: tuple[Packet, ...]) -> tuple[int, int]:
    decoder = started(specimen)
    before = decoder.count.frames
    values = 0
    for packet in session:
        values += sum(frame.samples_uv.size for frame in decoder.push(packet))
        told = decoder.readings() if isinstance(decoder, Telling) else ()
        values += sum(each.samples.size for each in told if isinstance(each, Waveform))
    frames = decoder.count.frames - before
    return max(frames, 0 if specimen.byte_stream else len(session)), values


def main() -> None:
    """Print the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="this one alone")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each session")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = [each for each in specimens() if options.device in (None, each.device)]
    costs = [measure(each, options.seconds) for each in chosen]
    if options.json:
        print(json.dumps({"machine": machine(), "rows": [asdict(each) for each in costs]}))
        return
    print(f"{'session':<58}{'packets':>8}{'samples':>8}{'us/packet':>11}{'ns/sample':>11}  budget")
    for each in costs:
        print(
            f"{each.device:<58}{each.packets:>8}{each.samples:>8}{each.us_a_packet:>11}"
            f"{each.ns_a_sample:>11}{each.budget:>8}"
        )


if __name__ == "__main__":
    main()
