"""Which values of a set stand for 0 and 1: a fact of its files, or declared, never guessed."""

from typing import Any, NamedTuple

import numpy as np

from kgan.decoding.reading import ValueRange

# Largest values of scanners, cameras and tomographs that store fewer bits in 16.
_FEWER_BITS = {2**bits - 1: bits for bits in (10, 12, 14)}
_REMEDY = "(in Python value_range=(low, high) or 'auto')"


class Span(NamedTuple):
    """The values that become 0 and 1."""

    low: float
    high: float

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """The values as float32 in [0, 1]; what lies outside is cut, NaN stays."""
        wide = np.asarray(values).dtype.itemsize > 2
        numbers: Any = values.astype(np.float64 if wide else np.float32)
        share = (numbers - self.low) / (self.high - self.low)
        return np.clip(share, 0.0, 1.0).astype(np.float32)


def span_of(
    what: str,
    low: float,
    high: float,
    *,
    full: tuple[float, float] | None,
    has_spare_bits: bool = False,
    whole: bool = True,
    declared: ValueRange = None,
) -> Span:
    """The span of a whole set.

    Args:
        what: The set; an error names it.
        low: Its smallest value.
        high: Its largest value.
        full: The values that stand for 0 and 1 as the files say; `None` where they do not.
        has_spare_bits: Whether the values may use fewer bits than their type has.
        whole: Whether the values are whole numbers.
        declared: What the user declared.

    Raises:
        ValueError: Where the range has to be declared, or "auto" finds one value alone.
    """
    if declared == "auto":
        if not low < high:
            raise ValueError(
                f"value_range auto needs two values at least; {what} has {low:g} alone."
            )
        return Span(float(low), float(high))
    if declared is not None:
        return Span(float(declared[0]), float(declared[1]))
    if full is None:
        if not whole and low >= 0.0 and high <= 1.0:
            return Span(0.0, 1.0)
        raise ValueError(_undeclared(what, low, high, whole))
    if has_spare_bits and high <= max(_FEWER_BITS):
        most, bits = next((most, bits) for most, bits in _FEWER_BITS.items() if high <= most)
        raise ValueError(
            f"images of {what} have 16 bits and no value above {high:,.10g}, as if they were of "
            f"{bits} bits: declare their range with --value-range 0 {most}, --value-range 0 65535 "
            f"if they are dark, or --value-range auto {_REMEDY}."
        )
    return Span(*full)


def told(span: Span, declared: ValueRange, low: float, high: float) -> list[str]:
    """Lines that say what a declared range did to the values between `low` and `high`."""
    if declared is None:
        return []
    if declared == "auto":
        return [
            f"values from {span.low:,.10g} to {span.high:,.10g}, the smallest and the largest of "
            "the whole set, become 0 to 1"
        ]
    lines = [f"values from {span.low:,.10g} to {span.high:,.10g} become 0 to 1"]
    if low < span.low or high > span.high:
        lines[0] += f"; the set's go from {low:,.10g} to {high:,.10g}, what lies outside is cut"
    return lines


def _undeclared(what: str, low: float, high: float, whole: bool) -> str:
    have = f"got {low:,.10g} to {high:,.10g}"
    declare = (
        "declare which values are black and white with --value-range LOW HIGH, or with "
        f"--value-range auto for these two {_REMEDY}."
    )
    if whole:
        return f"whole-number images of {what} must be in [0, 255], {have}: {declare}"
    remedy = "divide by 255" if high > 2 else "rescale with (x + 1) / 2" if low < 0 else "clip"
    return f"float images of {what} must be in [0, 1], {have}: {remedy}, or {declare}"
