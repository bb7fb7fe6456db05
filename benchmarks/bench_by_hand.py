"""The whole path beside the pipeline that one would write by hand for the same work.

    python -m benchmarks.bench_by_hand [--record FOLDER/mitdb/100] [--minutes 10] [--json]

Both hear one lead of a record in packets of 25 samples, judge it once a second with the same
network, and publish a state once a second to Mosquitto on the loopback interface.

- by hand: scipy's `sosfilt` on every packet, a window of ten seconds once a second through
  neurokit2's cleaning and R peaks, through scipy's `resample_poly` and through the bundle's network
  in ONNX Runtime from silence, paho-mqtt. It is handed samples.
- edge: framed bytes to decoder, timeline, ring, filters, quality, beats with their classes, rhythm,
  thirteen alarms, the outbox on disk, the publisher.

CPU time of this process, all threads, an hour of signal at a time; the broker's is not in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_encoder import feed, onnx_bound, window_samples
from benchmarks.bench_signal_path import PACKET, found_record, recorded, synthetic
from benchmarks.machine import machine
from edge.announce import Announcer
from edge.assemble import pipeline
from edge.broker import EmbeddedBroker
from edge.bundles import Bundles
from edge.clock import SystemClock
from edge.config import Config, Patient
from edge.monitor import Monitor
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.sink import MqttSink
from firmware_bridge.native import encode_frame
from firmware_bridge.source import open_source
from firmware_bridge.stream import NS_PER_S, Packet
from models.bundle import load_bundle
from models.onnx_session import open_session

BUNDLE = "tcn-s"
WINDOW_S = 10
SCALE_UV = 1.0
Samples = NDArray[np.float32]


def by_hand(samples: Samples, rate_hz: float, url: str) -> float:
    """CPU seconds for the whole signal."""
    import neurokit2
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion
    from scipy.signal import butter, resample_poly, sosfilt

    bundle = load_bundle(BUNDLE)
    manifest = bundle.manifest
    session = open_session(bundle.model, BUNDLE, ("CPUExecutionProvider",))
    heads = [output.name for output in manifest.outputs]
    tensors = feed(manifest, window_samples(manifest))
    run = onnx_bound(session, heads, tensors)
    host, port = url.removeprefix("mqtt://").split(":")
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect(host, int(port))
    client.loop_start()
    sos = butter(4, [0.5, 40.0], "bandpass", fs=rate_hz, output="sos")
    past = np.zeros((sos.shape[0], 2))
    rate, length = round(rate_hz), round(WINDOW_S * rate_hz)
    window = np.zeros(length, np.float32)
    seen = 0
    begin = time.process_time()
    for start in range(0, len(samples), PACKET):
        filtered, past = sosfilt(sos, samples[start : start + PACKET, 0], zi=past)
        window = np.concatenate([window[len(filtered) :], filtered.astype(np.float32)])
        seen += len(filtered)
        if seen < rate:
            continue
        seen -= rate
        state: dict[str, Any] = {"time": time.time()}
        try:
            cleaned = neurokit2.ecg_clean(window, sampling_rate=rate)
            peaks = neurokit2.ecg_findpeaks(cleaned, sampling_rate=rate)["ECG_R_Peaks"]
            if len(peaks) > 1:
                state["heart_rate_bpm"] = 60 * rate / float(np.mean(np.diff(peaks)))
        except (ValueError, IndexError):
            state["heart_rate_bpm"] = None
        heard = resample_poly(window, manifest.input.rate_hz, rate)
        wanted = tensors[manifest.runtime.input]
        wanted[0, 0, :, 0] = heard[-wanted.shape[2] :] / 150.0
        run()
        client.publish("hand/state", json.dumps(state), qos=0)
    spent = time.process_time() - begin
    client.disconnect()
    client.loop_stop()
    return spent


def wire(samples: Samples, rate_hz: float) -> Iterator[Packet]:
    """The native frames of one lead."""
    digital = np.clip(np.round(samples[:, :1] / SCALE_UV), -32768, 32767).astype(np.int64)
    for start in range(0, len(digital), PACKET):
        data = encode_frame(
            digital[start : start + PACKET],
            rate_hz=rate_hz,
            scale_nv=SCALE_UV * 1000,
            sequence=start,
            device_time_us=round(start / rate_hz * 1e6),
        )
        yield Packet(data, round((start + PACKET) / rate_hz * NS_PER_S))


def by_edge(samples: Samples, rate_hz: float, url: str, folder: Path) -> float:
    """CPU seconds for the whole signal."""
    clock = SystemClock()
    source = "sim:?fs=250&leads=1"
    config = Config(patient=(Patient("bench", source),), mqtt=MqttSettings(url=url))
    packets = list(wire(samples, rate_hz))
    outbox = Outbox(folder / "outbox.sqlite", clock=clock)
    publisher = Publisher(MqttSettings(url=url), outbox, clock)
    publisher.start()
    publisher.first_connect(10.0)
    announcer = Announcer(
        [MqttSink(outbox, publisher, MqttSettings(url=url).topics)], outbox.next_seq, clock
    )
    path = pipeline(open_source(source), config.patient[0], config, Bundles("auto"))
    monitor = Monitor(config.patient[0], "wire", path, clock, announcer.stepped, lambda *_: None)
    announcer.start([monitor])
    per_second = round(rate_hz / PACKET)
    monitor.handle(packets[0])  # opens the network
    begin = time.process_time()
    for count, packet in enumerate(packets[1:], 1):
        monitor.handle(packet)
        if count % per_second == 0:
            announcer.ticked(monitor, monitor.state())
    announcer.close(10.0)
    spent = time.process_time() - begin
    outbox.close()
    return spent


def measure(samples: Samples, rate_hz: float) -> list[dict[str, Any]]:
    """CPU seconds an hour of signal, both in turn, the least of two."""
    hours = len(samples) / rate_hz / 3600
    spent: dict[str, list[float]] = {"by hand": [], "edge": []}
    with EmbeddedBroker("mosquitto") as broker:
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                spent["edge"].append(by_edge(samples, rate_hz, broker.url, Path(folder)))
            spent["by hand"].append(by_hand(samples, rate_hz, broker.url))
    own = min(spent["edge"])
    return [
        {
            "name": name,
            "cpu_s_per_signal_hour": round(min(values) / hours, 2),
            "ratio": round(min(values) / own, 1),
        }
        for name, values in spent.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="the whole path beside one written by hand")
    parser.add_argument("--record", type=Path, help="WFDB record (default: mitdb/100)")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    record = options.record or found_record()
    samples, rate_hz = (
        recorded(record, options.minutes) if record else (synthetic(options.minutes), 360.0)
    )
    report = {
        "task": "by_hand",
        "record": record.name if record else "synthetic",
        "minutes": options.minutes,
        **machine(),
        "rows": measure(np.ascontiguousarray(samples[:, :1]), rate_hz),
    }
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"record {report['record']}, {options.minutes:g} min, one lead; {report['cpu']}")
    for row in report["rows"]:
        print(f"{row['name']:10}{row['cpu_s_per_signal_hour']:>10} CPU-s/h{row['ratio']:>8}x")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
