"""Codes of alarm kinds in public nomenclatures.

`mdc`: ISO/IEEE 11073-10101 partition 3 (events) as 32-bit numbers, 196608 + term code; the term
codes agree with DICOM CID 3038 where that lists them. `snomed_ct`: concept ids only, for the
terminology itself needs a licence in some countries. A system without a verified code for a kind
is left out of its entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.alert import AlarmKind

__all__ = ["CODES", "MDC_EVENT_PARTITION"]

MDC_EVENT_PARTITION = 3 << 16


def _codes(mdc_term: int | None = None, snomed_ct: str | None = None) -> dict[str, str | int]:
    codes: dict[str, str | int] = {}
    if mdc_term is not None:
        codes["mdc"] = MDC_EVENT_PARTITION + mdc_term
    if snomed_ct is not None:
        codes["snomed_ct"] = snomed_ct
    return codes


CODES: Mapping[str, Mapping[str, str | int]] = {
    AlarmKind.ASYSTOLE: _codes(3076, "397829000"),
    # No standard MDC event code for VF could be verified; vendors use private ones.
    AlarmKind.VF: _codes(snomed_ct="71908006"),
    AlarmKind.VT: _codes(3224, "25569003"),
    AlarmKind.EXTREME_BRADY: _codes(3086, "48867003"),
    AlarmKind.EXTREME_TACHY: _codes(3122, "3424008"),
    AlarmKind.PAUSE: _codes(3108),
    AlarmKind.AF: _codes(3128, "164889003"),
    # MDC names sinus brady- and tachycardia only (3084, 3262); the runtime does not tell sinus
    # from other origins, so the plain rates carry the SNOMED CT concept alone.
    AlarmKind.BRADY: _codes(snomed_ct="48867003"),
    AlarmKind.TACHY: _codes(snomed_ct="3424008"),
    AlarmKind.PVC_RUN: _codes(3212),
    AlarmKind.LEAD_OFF: _codes(274),
    # MDC 268 is a lead that came loose, not a silent link.
    AlarmKind.SIGNAL_LOST: _codes(),
    AlarmKind.POOR_SIGNAL: _codes(384, "251143007"),
    AlarmKind.STORAGE_FAULT: _codes(),
    AlarmKind.ANALYSIS_LIMITED: _codes(),
}
