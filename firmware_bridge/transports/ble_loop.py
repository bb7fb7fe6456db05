"""The one event loop of a process for Bluetooth, in a thread of its own.

All BLE transports share it: BlueZ refuses a scan or a connection while another is in progress,
so both wait here for their turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from bleak.exc import BleakBluetoothNotAvailableError

from firmware_bridge.errors import SourceError, TransientSourceError

__all__ = ["BleLoop", "finish", "shared_loop"]

CANCEL_S = 5.0
NO_BLUETOOTH = (
    "no Bluetooth on this machine: its Bluetooth service does not answer ({}); "
    "on Linux install bluez and run: sudo systemctl start bluetooth"
)

T = TypeVar("T")


class BleLoop:
    """An event loop running in a daemon thread. radio: held while scanning or connecting."""

    def __init__(self) -> None:
        self.radio = asyncio.Lock()
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
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


_shared: BleLoop | None = None
_making = threading.Lock()


def shared_loop() -> BleLoop:
    """The loop of this process; made at the first call and kept until the process ends."""
    global _shared
    with _making:
        if _shared is None:
            _shared = BleLoop()
        return _shared


def finish(work: Future[T], timeout_s: float, who: str) -> T:
    """Result of work in the loop, its errors put in the words of this package."""
    try:
        return work.result(timeout_s)
    except SourceError:
        raise
    except (TimeoutError, CancelledError) as error:
        work.cancel()
        raise TransientSourceError(f"{who}: no answer, or closed meanwhile") from error
    except BleakBluetoothNotAvailableError as error:
        raise SourceError(f"Bluetooth is not available: {error.args[0]}") from error
    except OSError as error:
        raise SourceError(NO_BLUETOOTH.format(error)) from error
    except Exception as error:  # BleakError, and whatever the D-Bus or the stack below raises
        words = str(error) or type(error).__name__
        if "ServiceUnknown" in getattr(error, "dbus_error", ""):
            raise SourceError(NO_BLUETOOTH.format(words)) from error
        raise TransientSourceError(f"{who}: {words}") from error
