"""Patches behind a network bridge: prepared frames, written to sockets when they are due.

    python -m benchmarks.bench_gateway_feeder FOLDER STREAMS ALARMED FRAMES SPEED RAMP_S

A process apart, so that feeding does not slow the gateway that is measured. Prints the port on
which patch k waits for whoever sends its token as a first line, and once all are connected the
monotonic time at which all will be streaming. When each frame was written stands in
`FOLDER/written.npy`, int64 (streams, frames), nanoseconds; 0 for what was not written. Ends with
its standard input.
"""

from __future__ import annotations

import errno
import random
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_gateway_signal import FRAME_NS, frames
from firmware_bridge.stream import NS_PER_S

__all__ = ["TOGGLING_SEED", "TOKEN", "WRITTEN", "Patch", "begins_ns", "feed"]

WRITTEN = "written.npy"
TOKEN = "patch-number-"
CALM_SIGNALS = 4
SETTLE_NS = NS_PER_S // 2
HELLO_BYTES = 64
TOGGLING_SEED = 1


@dataclass(frozen=True, slots=True)
class Patch:
    """One stream. begins_ns: when its first frame is due, counted from the start."""

    link: socket.socket
    frames: Sequence[bytes]
    begins_ns: int


def begins_ns(streams: int, ramp_s: float) -> list[int]:
    """When patches are put on: at any time within the ramp, the same at every run."""
    chance = random.Random(TOGGLING_SEED)
    return [round(chance.random() * ramp_s * NS_PER_S) for _ in range(streams)]


def feed(
    patches: Sequence[Patch],
    period_ns: int,
    start_ns: int,
    written_ns: NDArray[np.int64],
    stopping: threading.Event,
) -> None:
    """Write every frame when it is due, until all are written.

    Raises BlockingIOError where the reader is so late that its socket takes no more.
    """
    order = sorted(range(len(patches)), key=lambda k: patches[k].begins_ns % period_ns)
    rounds = max(p.begins_ns // period_ns + len(p.frames) for p in patches)
    for number in range(rounds):
        for k in order:
            patch = patches[k]
            frame = number - patch.begins_ns // period_ns
            if not 0 <= frame < len(patch.frames):
                continue
            due_ns = start_ns + patch.begins_ns + frame * period_ns
            while (wait_ns := due_ns - time.monotonic_ns()) > 0:
                time.sleep(wait_ns / NS_PER_S)
            written_ns[k, frame] = time.monotonic_ns()
            try:
                _write(patch.link, patch.frames[frame])
            except ConnectionError:  # the gateway has ended
                return
        if stopping.is_set():
            return


def _write(link: socket.socket, frame: bytes) -> None:
    """All of it; half a frame would cost the gateway the next one, too, with no word said."""
    if link.send(frame) < len(frame):
        raise BlockingIOError(errno.EAGAIN, "the gateway reads too late for its socket")


def callers(server: socket.socket, count: int) -> list[socket.socket]:
    """The connections of all patches, in their order."""
    links: dict[int, socket.socket] = {}
    while len(links) < count:
        link, _ = server.accept()
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = b""
        while not hello.endswith(b"\n") and len(hello) < HELLO_BYTES:
            hello += link.recv(1)
        link.setblocking(False)
        links[int(hello.decode().rpartition(TOKEN)[2])] = link
    return [links[k] for k in range(count)]


def main() -> None:
    """Serve until standard input ends."""
    folder = Path(sys.argv[1])
    streams, alarmed, count = map(int, sys.argv[2:5])
    speed, ramp_s = map(float, sys.argv[5:7])
    toggling = frames(count, TOGGLING_SEED, toggling=True)
    calm = [
        frames(count, TOGGLING_SEED + 1 + k, toggling=False)
        for k in range(min(CALM_SIGNALS, streams))
    ]
    shape = (streams, count)
    written_ns = np.lib.format.open_memmap(folder / WRITTEN, "w+", dtype=np.int64, shape=shape)
    with socket.create_server(("127.0.0.1", 0), backlog=streams) as server:
        print(server.getsockname()[1], flush=True)
        links = callers(server, streams)
    begins = begins_ns(streams, ramp_s)
    patches = [
        Patch(links[k], toggling if k < alarmed else calm[k % len(calm)], begins[k])
        for k in range(streams)
    ]
    stopping = threading.Event()
    start_ns = time.monotonic_ns() + SETTLE_NS
    arguments = (patches, round(FRAME_NS / speed), start_ns, written_ns, stopping)
    feeding = threading.Thread(target=feed, args=arguments)
    print(start_ns + round(ramp_s * NS_PER_S), flush=True)
    feeding.start()
    sys.stdin.read()
    stopping.set()
    feeding.join()


if __name__ == "__main__":
    main()
