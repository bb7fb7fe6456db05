"""What the runtime says of its own equipment, as distinct from the signal."""

from __future__ import annotations

from edge.events import AnalysisLimited, StorageFault

__all__ = ["EquipmentState"]


class EquipmentState:
    """Faults present now. Not part of a snapshot: a new start finds out for itself."""

    def __init__(self) -> None:
        self.storage_since_ns: int | None = None
        self.storage_reason = ""
        self.limited_since_ns: int | None = None
        self.limited_reason = ""

    def hear(self, fault: StorageFault | AnalysisLimited) -> None:
        """Note that storing fails, or works again; that the encoder is missing, or is back."""
        match fault:
            case StorageFault():
                self.storage_reason = fault.reason
                self.storage_since_ns = _since(fault, self.storage_since_ns)
            case AnalysisLimited():
                self.limited_reason = fault.reason
                self.limited_since_ns = _since(fault, self.limited_since_ns)


def _since(fault: StorageFault | AnalysisLimited, since_ns: int | None) -> int | None:
    """Start of a fault that is present, None where it is not."""
    if not fault.reason:
        return None
    return fault.time_ns if since_ns is None else since_ns
