"""A serial port, USB or UART, as a transport."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Mapping

import serial

from firmware_bridge.errors import (
    NotInReachError,
    SourceError,
    SourceUriError,
    TransientSourceError,
)
from firmware_bridge.protocols import Decoder, GattDevice, SerialDevice, SerialProfile
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.source_uri import SCHEMES
from firmware_bridge.stream import Packet
from firmware_bridge.transports.serial_names import about_port, lasting_name, ports_in_reach

__all__ = ["DEFAULT_BAUD", "SerialTransport", "open_serial"]

DEFAULT_BAUD = 921_600
WRITE_TIMEOUT_S = 1.0
log = logging.getLogger(__name__)

GONE = (errno.ENOENT, errno.ENXIO, errno.ENODEV)
PORT_ERRORS: tuple[type[Exception], ...] = (serial.SerialException, OSError, ValueError, TypeError)
"""What pyserial raises of a port that fails or vanishes, besides termios.error on POSIX."""
with contextlib.suppress(ImportError):  # absent on Windows
    import termios

    PORT_ERRORS += (termios.error,)


class SerialTransport:
    """Bytes of a serial port, handed on as soon as they are there.

    port: a device name (`/dev/ttyACM0`, `/dev/serial/by-id/...`, `COM3`). baud: bits a second;
    USB devices of class CDC ignore it. The port is opened for this process alone. A port that was
    open once and is gone is watched for: its opening then fails with NotInReachError.
    """

    def __init__(self, port: str, baud: int = DEFAULT_BAUD) -> None:
        self._port = port
        self._baud = baud
        self._serial: serial.Serial | None = None
        self._in_use = threading.Lock()
        self._closing = False
        self._was_open = False

    @property
    def name(self) -> str:
        """The name of the port."""
        return self._port

    def about(self) -> Mapping[str, str]:
        """What the adapter says of itself."""
        return about_port(self._port)

    def open(self) -> None:
        """Open the port. Raises SourceError that says which of its five usual faults it is."""
        self.close()
        try:
            opened = serial.Serial(
                self._port, self._baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
        except PORT_ERRORS as error:
            if self._was_open and _is_gone(error):
                raise NotInReachError(f"{self._port}: unplugged; waiting for it") from error
            raise _open_error(self._port, self._baud, error) from error
        _ask_low_latency(opened)
        with self._in_use:
            self._serial, self._closing, self._was_open = opened, False, True
        lasting = lasting_name(self._port)
        if lasting != self._port:
            log.info("%s may change its name; %s keeps it", self._port, lasting)

    def read(self, timeout_s: float) -> Packet | None:
        """What has arrived, waiting up to `timeout_s` for the first byte."""
        with self._in_use:
            port = self._serial
            if port is None or self._closing:
                raise TransientSourceError(f"{self._port} is closed; open it before reading")
            data = b""
            try:
                if port.timeout != timeout_s:
                    port.timeout = timeout_s
                data = port.read(1)
                arrived_ns = time.monotonic_ns()
                if data:
                    data += port.read(port.in_waiting)
            except PORT_ERRORS as error:
                if not data:  # else the next read reports the fault
                    raise TransientSourceError(
                        f"{self._port} went away while reading (unplugged or restarted?): {error}"
                    ) from error
        return Packet(data, arrived_ns) if data else None

    def write(self, data: bytes) -> None:
        """Send bytes; raises TransientSourceError where the port does not take them in 1 s."""
        port = self._serial
        if port is None:
            raise TransientSourceError(f"{self._port} is closed; open it before writing")
        try:
            port.write(data)
        except PORT_ERRORS as error:
            raise TransientSourceError(f"{self._port} takes no bytes: {error}") from error

    def close(self) -> None:
        """Release the port; a `read` in another thread returns at once."""
        port = self._serial
        if port is None:
            return
        self._closing = True
        _wake_reader(port)
        with self._in_use:
            self._serial = None
            with contextlib.suppress(*PORT_ERRORS):  # an unplugged port is closed already
                port.close()


def open_serial(uri: SourceUri) -> Source:
    """Source of `serial://PORT?device=native&baud=921600`; the port is not opened yet.

    Without `baud` the device's own rate is taken.
    """
    from firmware_bridge.devices import make_decoder

    if not uri.target:
        raise SourceUriError("serial: names no port; write serial:///dev/ttyACM0 or serial://COM3")
    device = uri.get("device", "native")
    decoder = make_decoder(device, **SCHEMES["serial"].of_device(uri))
    profile = _profile(device, decoder)
    baud = int(uri.get("baud", str(profile.baud)))
    return Source(
        uri=f"serial://{uri.target}?device={device}&baud={baud}",
        transport=SerialTransport(uri.target, baud),
        decoder=decoder,
        finite=False,
        description=f"{device} on {uri.target} at {baud} baud",
        settle_s=profile.settle_s,
    )


def _profile(device: str, decoder: Decoder) -> SerialProfile:
    if isinstance(decoder, SerialDevice):
        return decoder.serial
    if isinstance(decoder, GattDevice):
        raise SourceUriError(
            f"serial: device={device} has no serial port; write ble://?device={device}"
        )
    return SerialProfile(DEFAULT_BAUD)


def _ask_low_latency(port: serial.Serial) -> None:
    """FTDI adapters else hold bytes back for 16 ms; other drivers do not know the request."""
    with contextlib.suppress(AttributeError, NotImplementedError, *PORT_ERRORS):
        port.set_low_latency_mode(True)


def _wake_reader(port: serial.Serial) -> None:
    with contextlib.suppress(AttributeError, *PORT_ERRORS):
        port.cancel_read()


def _is_gone(error: Exception) -> bool:
    return getattr(error, "errno", None) in GONE or "FileNotFoundError" in str(error)


def _open_error(port: str, baud: int, error: Exception) -> SourceError:
    number = getattr(error, "errno", None)
    if isinstance(error, ValueError):
        return SourceError(f"{port} does not take {baud} baud: {error}")
    if number == errno.EACCES:
        return SourceError(
            f"{port}: no permission; add yourself to the group dialout "
            f"(sudo usermod -aG dialout $USER), then log in again"
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return SourceError(f"{port} is in use by another program; close that one first")
    if _is_gone(error):
        return SourceError(f"{port}: no such port; {ports_in_reach()}")
    if number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL) or "configure port" in str(error):
        return SourceError(f"{port} is not a serial device; {ports_in_reach()}")
    return SourceError(f"{port} cannot be opened: {error}")
