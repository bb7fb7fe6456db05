"""What the live page costs, and how soon it shows a sample: `edge run --view` and a real Chromium.

    python -m benchmarks.bench_view [--patients 8] [--for 30] [--json]

Patients are virtual patches (`sim:`), on rules alone. Frames a second and the time from the
arrival of a packet at the host to its last sample on the canvas are counted in the page;
processor time is that of the threads of `edge run`, by the kernel's account. Needs the extra
`view`, playwright and Chromium (or CHROMIUM).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from edge.config import Config, Encoder, Patient
from edge.run import RunOptions, run
from edge.runtime import Runtime
from edge.view_settings import ViewSettings

PORT = 18_765
WARM_S = 5.0
SCENARIOS = ("sinus", "af", "pvc", "bigeminy", "bradycardia", "tachycardia", "vt", "pause")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_s() -> dict[str, float]:
    """Processor time of each thread of this process so far, by its name."""
    used: dict[str, float] = {}
    for thread in threading.enumerate():
        path = Path(f"/proc/self/task/{thread.native_id}/stat")
        fields = path.read_text().rpartition(")")[2].split()
        name = thread.name
        used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
    return used


def look(seconds: float, found: dict[str, Any]) -> None:
    """Open the page, let it warm up, and count."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.wait_for_timeout(WARM_S * 1000)
        page.evaluate("edgeView.ward.patients.forEach(({tile}) => { tile.sweep.lags = []; })")
        before, frames, started_s = (
            cpu_s(),
            page.evaluate("edgeView.frames.count"),
            time.monotonic(),
        )
        page.wait_for_timeout(seconds * 1000)
        elapsed_s = time.monotonic() - started_s
        after, frames = cpu_s(), page.evaluate("edgeView.frames.count") - frames
        lags_ms = np.array(page.evaluate("edgeView.frames.lags()"))
        browser.close()
    found["frames_a_second"] = round(frames / elapsed_s, 1)
    found["sample_to_screen_ms"] = {
        "n": len(lags_ms),
        "p50": round(float(np.percentile(lags_ms, 50)), 1),
        "p99": round(float(np.percentile(lags_ms, 99)), 1),
        "max": round(float(lags_ms.max()), 1),
    }
    found["percent_of_a_core"] = {
        name: round(100 * (after[name] - used) / elapsed_s, 2)
        for name, used in before.items()
        if name in after and name in ("MainThread", "edge-view", "edge-sinks")
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--for", dest="for_s", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    patients = tuple(
        Patient(id=f"bed-{k + 1}", source=f"sim:?scenario={SCENARIOS[k % 8]}&seed={k + 1}")
        for k in range(options.patients)
    )
    view = ViewSettings(listen=str(PORT))
    config = Config(patient=patients, encoder=Encoder(bundle="none"), view=view)
    found: dict[str, Any] = {"patients": options.patients, "seconds": options.for_s}

    def ready(runtime: Runtime) -> None:
        def work() -> None:
            try:
                look(options.for_s, found)
            finally:
                runtime.stop()

        threading.Thread(target=work, name="browser").start()

    run(config, RunOptions(json=True), on_ready=ready, display=_Silent())
    found["machine"] = machine()
    found["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))


class _Silent:
    """A display that shows nothing."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


if __name__ == "__main__":
    main()
