"""The one event loop of a process for Bluetooth, in a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from firmware_bridge.transports.ble_radio import Radio
from firmware_bridge.transports.ble_words import in_words

__all__ = ["BleLoop", "finish", "shared_loop"]

CANCEL_S = 5.0

T = TypeVar("T")


class BleLoop:
    """An event loop running in a daemon thread. radio: what its transports share."""

    def __init__(self, radio: Radio | None = None) -> None:
        self.radio = radio or Radio()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ble", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine there; may be called from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Cancel what is under way, end the thread and release the loop."""
        with contextlib.suppress(TimeoutError):
            self.submit(_cancel_all()).result(CANCEL_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CANCEL_S)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


_shared: BleLoop | None = None
_making = threading.Lock()


def shared_loop() -> BleLoop:
    """The loop of this process; made at the first call.

    When the process ends, what is under way is cancelled: nothing stays connected.
    """
    global _shared
    with _making:
        if _shared is None:
            _shared = BleLoop()
            atexit.register(_shared.stop)
        return _shared


def finish(work: Future[T], timeout_s: float, who: str) -> T:
    """Result of work in the loop, its errors put in the words of this package."""
    try:
        return work.result(timeout_s)
    except Exception as error:  # whatever bleak, the D-Bus or the stack below raises
        work.cancel()
        raise in_words(error, who) from error
