"""What went wrong in the Bluetooth stack, in words that tell what to do."""

from __future__ import annotations

from concurrent.futures import CancelledError

from bleak.exc import BleakBluetoothNotAvailableError, BleakGATTProtocolError

from firmware_bridge.errors import SourceError, TransientSourceError

__all__ = ["in_words", "is_busy"]

NO_BLUETOOTH = (
    "no Bluetooth on this machine: its Bluetooth service does not answer ({}); "
    "on Linux install bluez and run: sudo systemctl start bluetooth"
)
BUSY = "org.bluez.Error.InProgress"
PAIRING = (
    "it talks to paired hosts only, or has forgotten this one; "
    "run: bluetoothctl remove ADDRESS, make it ready for pairing and try again"
)
ABORTED = "the connection broke off while it was made: a weak signal, or much radio traffic"

ADVICE = {
    "InProgress": "the Bluetooth adapter is busy, perhaps with another program's scan; "
    "where it stays so, run: sudo systemctl restart bluetooth",
    "NotReady": "the Bluetooth adapter is switched off; run: bluetoothctl power on",
    "le-connection-abort": ABORTED,
    "Software caused connection abort": ABORTED,
    "Authentication": PAIRING,
    "Insufficient Encryption": PAIRING,
    "NotPermitted": "it does not allow this, perhaps because another program listens already",
    "Notify acquired": "another program on this machine listens to it already",
}
"""What to say of an error whose text holds a phrase; the first that fits."""


def is_busy(error: Exception) -> bool:
    """Whether BlueZ only asks to wait a moment."""
    return getattr(error, "dbus_error", "") == BUSY


def in_words(error: BaseException, who: str) -> SourceError:
    """An error of bleak or of what is below it as one of this package."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, TimeoutError | CancelledError):
        return TransientSourceError(f"{who}: no answer, or closed meanwhile")
    if isinstance(error, BleakBluetoothNotAvailableError):
        return SourceError(f"Bluetooth is not available: {error.args[0]}")
    is_gatt = isinstance(error, BleakGATTProtocolError)
    words = str(error.args[-1] if is_gatt else error) or type(error).__name__
    if isinstance(error, OSError) or "ServiceUnknown" in getattr(error, "dbus_error", ""):
        return SourceError(NO_BLUETOOTH.format(words))
    advice = next((each for phrase, each in ADVICE.items() if phrase in words), "")
    return TransientSourceError(f"{who}: {advice} ({words})" if advice else f"{who}: {words}")
