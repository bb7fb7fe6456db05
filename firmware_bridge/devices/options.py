"""Options of decoders: they come as text from a source URI, or as Python values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite

__all__ = ["chosen_number", "chosen_numbers", "chosen_word", "positive", "switch", "whole_number"]

ON, OFF = ("1", "yes", "on", "true"), ("0", "no", "off", "false")


def positive(name: str, value: object) -> float:
    """A finite number above 0. Raises ValueError that names the option."""
    try:
        number = float(str(value))
    except ValueError:
        number = 0.0
    if not isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above 0, but is {value!r}")
    return number


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`. Raises ValueError that names the option."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, but is {value!r}")
    return int(text)


def chosen_number(name: str, value: object, allowed: Collection[int]) -> int:
    """One of these numbers. Raises ValueError that lists them."""
    for number in allowed:
        if str(value) in (str(number), str(float(number))):
            return number
    raise ValueError(f"{name} must be {_listed(allowed)}, but is {value!r}")


def chosen_numbers(
    name: str, value: str | int | Sequence[int], low: int, high: int
) -> tuple[int, ...]:
    """Different whole numbers from `low` to `high`, such as "1,3", in the order given.

    Raises ValueError that names the option.
    """
    items = str(value).split(",") if isinstance(value, str | int) else list(value)
    numbers = tuple(whole_number(name, str(item).strip(), low, high) for item in items)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} must be different numbers, such as {low},{high}: {value!r}")
    return numbers


def chosen_word(name: str, value: object, allowed: Collection[str]) -> str:
    """One of these words, in any case. Raises ValueError that lists them."""
    by_lower = {word.lower(): word for word in allowed}
    word = by_lower.get(str(value).lower())
    if word is None:
        raise ValueError(f"{name} must be {_listed(allowed)}, but is {value!r}")
    return word


def switch(name: str, value: object) -> bool:
    """On or off: 1 or 0, and the usual words. Raises ValueError that names the option."""
    text = str(value).lower()
    if text not in (*ON, *OFF):
        raise ValueError(f"{name} must be 1 or 0, but is {value!r}")
    return text in ON


def _listed(allowed: Collection[object]) -> str:
    words = [str(item) for item in allowed]
    return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
