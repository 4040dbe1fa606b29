"""Texts of dates in a graph."""

import tensorflow as tf

import kgan.dates

NAT = tf.int64.min
"""Numpy's NaT: what stands for a missing date among microseconds."""


def spelled(microseconds: tf.Tensor, format: str) -> tf.Tensor:
    """Texts of dates, "" for what is missing, after Hinnant's algorithm.

    Args:
        microseconds: int64 (n,), since 1970; `NAT` is what is missing.
        format: As for `kgan.dates.check_format`.
    """
    gone = tf.equal(microseconds, NAT)
    given = tf.where(gone, tf.zeros_like(microseconds), microseconds)
    days = tf.math.floordiv(given, kgan.dates.DAY)
    within = given - days * kgan.dates.DAY
    # Years that begin in March, in eras of 400 years: a leap day is then a year's last day.
    shifted = days + 719_468
    era = tf.math.floordiv(shifted, 146_097)
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    fields = {
        "%d": of_year - (153 * month + 2) // 5 + 1,
        "%m": tf.where(month < 10, month + 3, month - 9),
        "%Y": year + era * 400 + tf.cast(month >= 10, tf.int64),
        "%H": within // 3_600_000_000,
        "%M": within // 60_000_000 % 60,
        "%S": within // 1_000_000 % 60,
        "%f": within % 1_000_000,
    }
    widths = {"%Y": 4, "%f": 6}
    parts = [
        tf.strings.as_string(fields[one], width=widths.get(one, 2), fill="0")
        if one in fields
        else tf.fill(tf.shape(given), one)
        for one in kgan.dates.parts_of(format)
    ]
    return tf.where(gone, "", tf.strings.join(parts))
