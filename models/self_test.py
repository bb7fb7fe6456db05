"""Each session is held to the bundle's self-test before its first use, and once while in use."""

from __future__ import annotations

from collections.abc import Callable

from models.bundle import Bundle
from models.encoder import Encoder
from models.golden import check_golden, golden_leads
from models.shared import SharedRuntime, shared_by

__all__ = ["open_tested"]

OpenFor = Callable[[int], Encoder]
"""Opens an encoder for so many leads."""


def open_tested(bundle: Bundle, leads: int, open_for: OpenFor) -> Encoder:
    """An encoder for `leads` leads whose session has passed the bundle's self-test.

    Where it shares the session with others (`models.shared`), the pass is remembered there, for
    these very files. Raises what `open_for` raises, and SelfTestError.
    """
    encoder = open_for(leads)
    runtime = shared_by(encoder)
    if runtime is None:
        _test_alone(bundle, leads, encoder, open_for)
        return encoder
    test = bundle.sha256, tuple(bundle.files.values())
    if not runtime.has_passed(test):
        beside = _beat_runtimes(bundle)  # held, so that what is tested is what streams will share
        _test_shared(bundle, leads, encoder, open_for)
        for each in beside:
            each.note_passed(test)
        runtime.note_passed(test, *beside)
    return encoder


def _test_alone(bundle: Bundle, leads: int, encoder: Encoder, open_for: OpenFor) -> None:
    """Of another package's runtime nobody knows how it hears more leads than the test has."""
    heard = golden_leads(bundle)
    check_golden(bundle, encoder if heard == leads else open_for(heard))


def _test_shared(bundle: Bundle, leads: int, encoder: Encoder, open_for: OpenFor) -> None:
    """In our runtimes each lead is heard by itself: all can be tested at once."""
    copies, rest = divmod(leads, golden_leads(bundle))
    if rest:
        _test_alone(bundle, leads, encoder, open_for)
    else:
        check_golden(bundle, encoder, copies)


def _beat_runtimes(bundle: Bundle) -> tuple[SharedRuntime, ...]:
    """The session of the bundle's beat stage, where it has one."""
    if bundle.manifest.beat_stage is None:
        return ()
    from models.beat_stage import BeatStage  # Numba's compiler is loaded only for it

    return (BeatStage(bundle).shared,)
