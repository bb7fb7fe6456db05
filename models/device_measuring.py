"""Try every device that is here with a bundle, one after another, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO

import msgspec
from msgspec.structs import replace

from models.bundle import Bundle
from models.device_choice import Trial, ranked, refusal
from models.device_name import parse_device
from models.devices import devices

__all__ = ["MEASURE_S", "TRIAL_MOST_S", "measure", "tried_apart"]

MEASURE_S = 1.0
"""How long the steps of one device are timed."""
TRIAL_MOST_S = 120.0
"""After which a device is given up, opening and self-test included."""
BUSY = 0.1
"""Share of the hop from which a step is long enough for more threads to be tried."""
MORE_THREADS = (2, 4)

PROBLEM_MOST = 1000
"""Characters of a problem that are kept: a driver may write pages."""
_ANSWER_MOST = 1 << 20

Tried = Callable[[Bundle, str, float], Trial]


def tried_apart(bundle: Bundle, device: str, for_s: float) -> Trial:
    """The trial of one device; one that crashes or hangs has a problem, and does no other harm."""
    folder = str(bundle.path.resolve())
    command = [sys.executable, "-P", "-m", "models.device_trial", folder, bundle.sha256, device]
    try:
        code, answer, said = _ended([*command, str(for_s)], TRIAL_MOST_S + for_s)
    except subprocess.TimeoutExpired:
        return Trial(device=device, problem=f"was not ready within {TRIAL_MOST_S:g} s")
    except OSError as error:
        return Trial(device=device, problem=f"no process for it could be started: {error}")
    trial = _answered(device, answer) or _failed(device, code, said)
    return replace(trial, problem=trial.problem[:PROBLEM_MOST])


def measure(
    bundle: Bundle,
    for_s: float = MEASURE_S,
    on_device: Callable[[str], None] = lambda _: None,
    tried: Tried = tried_apart,
) -> tuple[Trial, ...]:
    """All devices of a bundle, each measured for `for_s`, with one thread; the simplest first.

    Those among which there is a choice are tried in two rounds, and the quieter counts: another
    program may hold up one of them all the while.
    More threads cost processor time that other streams could use, so they are tried only where
    a step on the best device takes more than a tenth of the hop. on_device: told each name
    before it is tried.
    """

    def trial(name: str) -> Trial:
        on_device(name)
        return tried(bundle, name, for_s)

    names = dict.fromkeys(str(parse_device(each) or each) for each in devices(bundle))
    trials = [trial(name) for name in sorted(names, key=_complexity)]
    trials += [trial(name) for name in _threaded(bundle, trials)]
    rivals = [each for each in trials if not refusal(each)]
    if len(rivals) < 2:
        return tuple(trials)
    return tuple(_quieter(each, trial(each.device)) if each in rivals else each for each in trials)


def _quieter(first: Trial, second: Trial) -> Trial:
    """The second where it has a problem: a device has to pass each time."""
    if second.step_us is None or first.step_us is None:
        return second
    return min(second, first, key=lambda each: each.step_us or 0.0)


def _threaded(bundle: Bundle, trials: list[Trial]) -> list[str]:
    best = next(iter(ranked(trials)), None)
    device = parse_device(best.device) if best else None
    if best is None or best.step_us is None or device is None or not device.on_processor:
        return []
    if best.step_us <= BUSY * bundle.manifest.hop_s * 1e6:
        return []
    return [f"{device}:{threads}" for threads in MORE_THREADS if threads <= _cores()]


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ended(command: list[str], most_s: float) -> tuple[int, bytes, bytes]:
    """What a process returned, and wrote on standard output and error."""
    # Files, not pipes, which a process that a driver leaves behind would hold open.
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=said,
            timeout=most_s,
        )
        return done.returncode, _newest(answer), _newest(said)


def _newest(file: IO[bytes]) -> bytes:
    """The last bytes of what a process has written."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _ANSWER_MOST))
    return file.read(_ANSWER_MOST)


def _answered(device: str, answer: bytes) -> Trial | None:
    """The trial of this device, where that is what the process told."""
    try:
        trial = msgspec.json.decode(answer, type=Trial)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    return trial if trial.device == device else None


def _failed(device: str, code: int, said: bytes) -> Trial:
    if code < 0:
        return Trial(device=device, problem=f"its process died of {signal.strsignal(-code)}")
    lines = said.decode(errors="replace").strip().splitlines()
    why = lines[-1] if lines else f"exit code {code}"
    return Trial(device=device, problem=f"its process failed: {why}")


def _complexity(name: str) -> int:
    return {"cpu": 0, "litert": 1}.get(name, 2)
