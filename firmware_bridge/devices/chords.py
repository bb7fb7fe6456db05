"""Boards with the Chords firmware of Upside Down Labs, over a serial port."""

from __future__ import annotations

import re
from collections import deque

from firmware_bridge.devices.chords_boards import BOARDS, ChordsBoard, chosen_board
from firmware_bridge.devices.counted_rows import CountedRows, chosen_channels
from firmware_bridge.devices.resync import NO_FRAME, UNDECIDED, Resync
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import SerialProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet

__all__ = ["ChordsDecoder"]

SETTLE_S = 2.0
GAIN = 1000.0
"""Of no specification: the makers publish none, and users' programs calculate with it."""

SYNC, END = b"\xc7\x7c", b"\x01"
HEADER_BYTES = 3
LINE = re.compile(rb"[A-Z][A-Z0-9 -]{2,22}\r\n")
LINE_BEGUN = re.compile(rb"[A-Z][A-Z0-9 -]{0,22}\r?")
LINE_MAX_BYTES = 25
STATES = ("START", "STOP", "RUNNING", "STOPPED")
REPLIES_MAX = 8

ASK, START, STOP = b"WHORU\n", b"START\n", b"STOP\n"


class ChordsDecoder:
    """Bytes of a Chords board to frames of microvolts, one lead a channel.

    The board is asked who it is and started when it answers: older ones read commands with a
    pause of a second and take two at once for an unknown one; most stop at any byte, so nothing
    is sent while they stream. A board that says that it is another kind is not started, and what
    it sends is not believed.

    A packet is one sample a channel with a counter of one byte, which tells loss up to 255
    samples; packets that arrive together make one frame. No checksum: a packet is intact where
    its begin, its end and the range of every value are right. It does not tell contact.

    Options: board (default UNO-R3), as kind or as the name it answers with. leads: which
    channels, such as 1 or 1,2; all by default. vref: range of the converter in volts, by default
    that of the board. gain: of the amplifier; the makers publish none, so 1000 is a guess:
    calibrate where amplitudes matter.

    Sources: github.com/upsidedownlabs/Chords-Arduino-Firmware (README, UNO-R3.ino, UNO-R4.ino,
    NPG-LITE-Serial.ino) and `chords_serial.py` of Chords-Python. Spec-tested, not capture-tested.
    """

    keep_alive_s = 60.0

    def __init__(
        self,
        board: object = "UNO-R3",
        leads: object = "all",
        vref: object = None,
        gain: object = GAIN,
    ) -> None:
        self._board: ChordsBoard = chosen_board(board)
        channels = self._board.channels
        self._rows = CountedRows(
            rate_hz=self._board.rate_hz,
            channels=channels,
            chosen=chosen_channels(leads, channels),
            bits=self._board.bits,
            vref=self._board.vref_v if vref is None else vref,
            gain=gain,
            counter_at=len(SYNC),
            digital_at=HEADER_BYTES,
            row_bytes=HEADER_BYTES + 2 * channels + len(END),
        )
        self._size = self._rows.row_bytes
        self._tally = Tally()
        self._resync = Resync(b"", self._measure, max(self._size, LINE_MAX_BYTES), self._tally)
        self._replies: deque[bytes] = deque(maxlen=REPLIES_MAX)
        self._is_other = False
        self._about: dict[str, str] = {}
        self._refusals = 0
        self._last_refusal = ""

    @property
    def serial(self) -> SerialProfile:
        """As the firmware's table says; its first versions for the Uno spoke at 230,400."""
        return SerialProfile(self._board.baud, SETTLE_S)

    def push(self, packet: Packet) -> list[Frame]:
        """The frames completed by these bytes; how many packets one has is left to chunking."""
        found = self._resync.push(packet.data)
        packets = [piece for piece in found if piece[0] == SYNC[0]]
        if len(packets) < len(found):
            for line in (piece for piece in found if piece[0] != SYNC[0]):
                self._answered(line.decode("ascii").strip())
        if self._is_other:
            for piece in packets:
                self._tally.bad(len(piece))
        if self._is_other or not packets:
            return []
        self._tally.frames += len(packets)
        return self._rows.frames(b"".join(packets))

    def start_commands(self) -> tuple[bytes, ...]:
        """Ask who it is; `replies` starts it."""
        return (ASK,)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop."""
        return (STOP,)

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """None: any byte would stop it."""
        return ()

    def replies(self) -> tuple[bytes, ...]:
        """The start command, once the board has said that it is the one we expect."""
        return tuple(self._replies.popleft() for _ in range(len(self._replies)))

    def about(self) -> dict[str, str]:
        """What the board says of itself: its name."""
        return self._about

    def reset(self) -> None:
        """Forget a packet half received, and what the board said and was to be told."""
        self._resync.reset()
        self._replies.clear()
        self._is_other = False
        self._about = {}

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are packets."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How often the board turned out to be another or refused a command."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """Why it was not started, in words; empty if it always was."""
        return self._last_refusal

    def _measure(self, data: bytes) -> int:
        """Length of the packet or of the line of text that begins here."""
        if data[0] != SYNC[0]:
            line = LINE.match(data)
            if line:
                return line.end()
            return UNDECIDED if LINE_BEGUN.fullmatch(data) else NO_FRAME
        if data[1:2] != SYNC[1:]:
            return NO_FRAME if len(data) > 1 else UNDECIDED
        if len(data) < self._size:
            return UNDECIDED
        high_bytes = data[HEADER_BYTES : self._size - 1 : 2]
        is_intact = data[self._size - 1] == END[0] and max(high_bytes) <= self._rows.high_byte_max
        return self._size if is_intact else NO_FRAME

    def _answered(self, text: str) -> None:
        if text in STATES:
            return
        self._about = {"board": text}
        if text in self._board.answers:
            self._is_other = False
            self._replies.append(START)
            return
        others = [board.kind for board in BOARDS if text in board.answers]
        self._is_other = bool(others)
        self._refusals += 1
        self._last_refusal = f"the board says that it is {text}; " + (
            f"the source must say board={others[0]}, not board={self._board.kind}"
            if others
            else "no board of that name is known"
        )
