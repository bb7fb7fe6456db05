"""All runtimes and execution providers that are present, side by side."""

from __future__ import annotations

from edge.bench.assembly import Assembly
from edge.bench.cost import measure_cost
from edge.bench.distribution import distribution
from edge.bench.model_facts import provider_use
from edge.bench.recording import Recording
from edge.bench.report import ProviderRow, ProviderUse
from edge.bench.stages import StageRun
from edge.clock import Clock
from models.bundle import load_bundle
from models.devices import devices
from models.errors import ModelError
from models.registry import open_encoder

__all__ = ["provider_rows"]

NS_PER_MS = 1_000_000


def provider_rows(
    recording: Recording, bundle: str, for_s: float, clock: Clock
) -> list[ProviderRow]:
    """One row a device, each measured for `for_s`; one that cannot be used says why.

    Raises ModelError where the bundle itself cannot be trusted.
    """
    names = devices(load_bundle(bundle))
    return [_row(recording, bundle, device, for_s / len(names), clock) for device in names]


def _row(recording: Recording, bundle: str, device: str, for_s: float, clock: Clock) -> ProviderRow:
    loaded = load_bundle(bundle)
    heard = min(len(recording.form.leads), loaded.manifest.input.leads_max)
    try:
        began_ns = clock.monotonic_ns()
        encoder = open_encoder(loaded, heard, device)
        opened_ns = clock.monotonic_ns() - began_ns
        use = provider_use(loaded, encoder, device)
        assembly = Assembly.of(recording, bundle, device)
    except ModelError as error:
        return ProviderRow(
            provider=ProviderUse(asked=device, used=[], nodes=None, fallback=""), error=str(error)
        )
    cost = measure_cost(assembly, for_s / 2, clock)
    timed = StageRun(assembly, clock)
    timed.run(for_s / 2)
    steps = {stage.name: stage.time_us for stage in timed.stages}
    return ProviderRow(
        provider=use,
        open_ms=round(opened_ns / NS_PER_MS, 2),
        step_us=steps.get("encoder", distribution(())),
        cpu_s_per_signal_hour=cost.cpu_s_per_signal_hour,
        streams_a_core=cost.streams_a_core,
    )
