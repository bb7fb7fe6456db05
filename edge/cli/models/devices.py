"""`edge models devices`: what can run a bundle here, how quickly, and what `auto` takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edge.cli.models.named import bundle_argument, named_bundle
from edge.errors import Exit, UsageError

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.device_choice import Trial


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bundle_argument(parser)
    parser.add_argument(
        "--measure", action="store_true", help="try each device now, and keep what was measured"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print it. ModelError where the bundle cannot be trusted."""
    import msgspec

    from models.device_record import measured

    bundle = named_bundle(options, "devices")
    fresh = measure_and_keep(bundle) if options.measure else ()
    known = measured(bundle.sha256)
    trials = fresh or (known.trials if known else ())
    if options.json:
        told = {
            "bundle": bundle.manifest.name,
            "sha256": bundle.sha256,
            "present": _present(bundle),
            "auto": _auto(bundle),
            "trials": trials,
        }
        print(msgspec.json.encode(told).decode())
        return Exit.OK
    for line in _lines(bundle, trials):
        print(line)
    return Exit.OK


def measure_and_keep(
    bundle: Bundle, on_device: Callable[[str], None] = lambda _: None
) -> tuple[Trial, ...]:
    """Try every device and write down what came of it; what cannot be kept is said.

    Raises UsageError for a bundle whose runtime is another package's.
    """
    from edge.cli.warmup import load_kernels
    from models.device_measuring import measure
    from models.device_name import ONNX_RUNTIME
    from models.device_record import keep

    runtime = bundle.manifest.runtime.name
    if runtime != ONNX_RUNTIME:
        raise UsageError(
            f"bundle {bundle.manifest.name!r} runs in {runtime}, which alone knows its devices"
        )
    load_kernels()  # else each device's process might compile them, and be given up meanwhile
    trials = measure(bundle, on_device=on_device)
    try:
        kept = keep(bundle.sha256, trials) is not None
        why = "no home folder and no CACHE_DIRECTORY"
    except OSError as error:
        kept, why = False, f"{error.filename}: {error.strerror}"
    if not kept:
        print(f"edge: what was measured cannot be kept: {why}", file=sys.stderr)
    return trials


def told(trial: Trial) -> str:
    """One line of a device: its times, or why `auto` does not take it."""
    from models.device_choice import refusal

    if trial.step_us is None or trial.open_ms is None or trial.deviation is None:
        return f"{trial.device:<12} {refusal(trial)}"
    times = f"{trial.step_us:>9,.1f} us a hop, opened in {trial.open_ms:,.0f} ms"
    why = f"; {refusal(trial)}" if refusal(trial) else ""
    exact = f"answers differ from those expected by at most {trial.deviation:.2g}"
    return f"{trial.device:<12} {times}, {exact}{why}"


def _present(bundle: Bundle) -> tuple[str, ...]:
    """By the shortest names that the configuration takes."""
    from models.device_name import parse_device
    from models.devices import devices

    return tuple(str(parse_device(name) or name) for name in devices(bundle))


def _auto(bundle: Bundle) -> tuple[str, ...]:
    """In which order `auto` takes the devices of a runtime of ours."""
    from models.auto_device import auto_order
    from models.device_name import ONNX_RUNTIME

    return auto_order(bundle) if bundle.manifest.runtime.name == ONNX_RUNTIME else ()


def _lines(bundle: Bundle, trials: tuple[Trial, ...]) -> Iterator[str]:
    yield f"{bundle.manifest.name} {bundle.manifest.version}"
    yield f"present   {', '.join(_present(bundle))}"
    if order := _auto(bundle):
        yield f"auto      {order[0]}" + "".join(f", else {each}" for each in order[1:])
    for trial in trials:
        yield f"measured  {told(trial)}"
    if not trials:
        yield "measured  nothing yet on this machine: --measure, or `edge warmup`"
