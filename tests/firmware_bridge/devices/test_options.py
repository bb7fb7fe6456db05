"""Options of decoders: what is taken, and that a refusal names what would be right."""

from __future__ import annotations

import pytest

from firmware_bridge.devices.options import (
    chosen_number,
    chosen_word,
    positive,
    switch,
    whole_number,
)


def test_text_and_values_mean_the_same() -> None:
    assert positive("gain", "1100") == positive("gain", 1100) == 1100.0
    assert whole_number("bits", "12", 8, 24) == whole_number("bits", 12, 8, 24) == 12
    assert chosen_number("rate", "125", (125, 250)) == chosen_number("rate", 125.0, (125, 250))
    assert chosen_word("unit", "MV", ("raw", "mv")) == "mv"
    assert switch("hr", "1") is switch("hr", True) is True
    assert switch("hr", "off") is switch("hr", 0) is False


@pytest.mark.parametrize("value", ["", "x", "0", "-1", "nan", "inf", None])
def test_a_number_must_be_above_0(value: object) -> None:
    with pytest.raises(ValueError, match="gain must be a number above 0"):
        positive("gain", value)


@pytest.mark.parametrize("value", ["7", "25", "12.5", "twelve", "9" * 5000, "²"])
def test_a_whole_number_must_lie_within_its_limits(value: object) -> None:
    with pytest.raises(ValueError, match="bits must be a whole number from 8 to 24"):
        whole_number("bits", value, 8, 24)


def test_a_choice_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="rate must be one of 125, 250, but is '130'"):
        chosen_number("rate", "130", (125, 250))
    with pytest.raises(ValueError, match="unit must be one of raw, mv, but is 'volts'"):
        chosen_word("unit", "volts", ("raw", "mv"))
    with pytest.raises(ValueError, match="hr must be 1 or 0, but is 'maybe'"):
        switch("hr", "maybe")
