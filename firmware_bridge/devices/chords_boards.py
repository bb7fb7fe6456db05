"""The boards that Chords firmware runs on."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.devices.options import chosen_word

__all__ = ["BOARDS", "ChordsBoard", "chosen_board"]


@dataclass(frozen=True, slots=True)
class ChordsBoard:
    """A kind of board: what it sends, and the names it answers with when asked who it is.

    bits, vref_v: of its converter. baud: of its firmware.
    """

    kind: str
    rate_hz: float
    channels: int
    bits: int
    vref_v: float
    baud: int
    answers: tuple[str, ...]


BOARDS = (
    ChordsBoard("UNO-R3", 250.0, 6, 10, 5.0, 115_200, ("UNO-R3", "UNO-CLONE", "GENUINO-UNO")),
    ChordsBoard("UNO-R4", 500.0, 6, 14, 5.0, 230_400, ("UNO-R4",)),
    ChordsBoard("PICO", 500.0, 3, 12, 3.3, 230_400, ("RPI-PICO-RP2040",)),
    ChordsBoard("NANO", 250.0, 8, 10, 5.0, 115_200, ("NANO-CLASSIC", "NANO-CLONE")),
    ChordsBoard("STM32F4", 500.0, 8, 12, 3.3, 230_400, ("STM32F4-BLACK-PILL",)),
    ChordsBoard("STM32G4", 500.0, 16, 12, 3.3, 230_400, ("STM32G4-CORE-BOARD",)),
    ChordsBoard("MEGA", 250.0, 16, 10, 5.0, 115_200, ("MEGA-2560-R3", "MEGA-2560-CLONE")),
    ChordsBoard("GIGA", 500.0, 6, 16, 3.3, 230_400, ("GIGA-R1",)),
    ChordsBoard("NPG-LITE", 500.0, 3, 12, 2.5, 230_400, ("NPG-LITE",)),
    ChordsBoard("NPG-LITE-6CH", 500.0, 6, 12, 2.5, 230_400, ("NPG-LITE",)),
)
"""Source: README of github.com/upsidedownlabs/Chords-Arduino-Firmware, "Supported boards"; names
as in `chords_serial.py` of Chords-Python."""


def chosen_board(value: object) -> ChordsBoard:
    """Option `board`: a kind, or a name that boards of one kind answer with.

    Raises ValueError that lists them.
    """
    by_name = {name: board for board in reversed(BOARDS) for name in board.answers}
    by_name |= {board.kind: board for board in BOARDS}
    kinds = [board.kind for board in BOARDS]
    return by_name[chosen_word("board", value, dict.fromkeys([*kinds, *by_name]))]
