"""What the runtime says of its own equipment, as distinct from the signal."""

from __future__ import annotations

from edge.events import StorageFault

__all__ = ["EquipmentState"]


class EquipmentState:
    """Faults present now. Not part of a snapshot: a new start finds out for itself."""

    def __init__(self) -> None:
        self.storage_since_ns: int | None = None
        self.storage_reason = ""

    def hear(self, fault: StorageFault) -> None:
        """Note that storing fails, or works again."""
        self.storage_reason = fault.reason
        if not fault.reason:
            self.storage_since_ns = None
        elif self.storage_since_ns is None:
            self.storage_since_ns = fault.time_ns
