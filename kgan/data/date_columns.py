"""Columns of dates: told from texts, or as they are declared."""

import re
from collections import Counter

import numpy as np

import kgan.dates
from kgan.data.cells import MISSING, texts_of
from kgan.rows import Date

# A column is dirty, rather than of texts, where so many of its rows are dates.
_MOSTLY = 0.5
# What looks like a date, with the name of a month or two digits of a year, or with a zone.
_LIKE = re.compile(r"(\d{1,2}|\d{4})[-/. ]+(\d{1,2}|[^\W\d]{3,9})[-/., ]+\d{2,4}(\D.*)?")
# So many different ones are dates; fewer may be names of something.
_FEW = 10


def date_column(told: str, name: str, values: np.ndarray, format: str) -> tuple[Date, np.ndarray]:
    """A column of dates, and its values datetime64[us].

    Args:
        told: What the column is called; an error begins with it.
        name: Its name.
        values: datetime64, or an object array of texts.
        format: How they are written; "" where their texts shall tell.
    """
    if values.dtype.kind == "M":
        dates = values.astype(kgan.dates.DTYPE)
        if format:
            kgan.dates.check_format(format)
    else:
        texts = [text.strip() for text in texts_of(values)]
        gone = np.array([text.lower() in MISSING for text in texts])
        there = [text for text, missing in zip(texts, gone, strict=True) if not missing]
        if not there:
            raise ValueError(f"{told} is declared a date, but holds none at all: drop it.")
        format = kgan.dates.check_format(format) if format else _format_of(told, name, there)
        dates = np.full(len(texts), "NaT", kgan.dates.DTYPE)
        try:
            dates[~gone] = kgan.dates.parse(there, format)
        except ValueError:
            odd = next(text for text in there if not _fits(text, format))
            raise ValueError(
                f"{told} is declared a date as {format}, but {odd!r} is none."
            ) from None
    seen = dates[~np.isnat(dates)]
    if not len(seen):
        raise ValueError(f"{told} holds no date at all: drop it.")
    step = kgan.dates.step_of(dates)
    counts = seen.astype(np.int64) // step
    column = Date(
        name,
        int(counts.min()),
        int(counts.max()),
        step,
        format or kgan.dates.usual_format(step),
        bool(len(seen) < len(dates)),
    )
    return column, dates


def _fits(text: str, format: str) -> bool:
    try:
        kgan.dates.parse([text], format)
    except ValueError:
        return False
    return True


def are_dates(told: str, name: str, texts: list[str]) -> bool:
    """Whether all are dates; raises where most are and some are not."""
    if kgan.dates.formats_of(texts):
        return True
    counts = Counter(texts)
    for format in kgan.dates.formats_of([counts.most_common(1)[0][0]]):
        good = {text for text in counts if _fits(text, format)}
        if sum(counts[one] for one in good) > _MOSTLY * len(texts):
            odd = next(text for text in texts if text not in good)
            raise ValueError(
                f"{told} holds dates as {format} and other texts, such as {odd!r}: mend or empty "
                f"these cells, or declare it: --columns {name!r}=category."
            )
    return False


def check_unknown_dates(told: str, name: str, texts: list[str]) -> None:
    """Raises where most texts look like dates, and are written in no known way, or in several."""
    counts = Counter(texts)
    like = [text for text in counts if _LIKE.fullmatch(text.strip())]
    if len(like) > _FEW and sum(counts[one] for one in like) > _MOSTLY * len(texts):
        raise ValueError(
            f"{told} seems to hold dates, but those such as {like[0]!r} are written in no known "
            "way, or not all in one: write them as 2020-12-31, or 2020-12-31T23:59:59 in one time "
            f"zone, or declare it: --columns {name!r}=category."
        )


def _format_of(told: str, name: str, texts: list[str]) -> str:
    formats = kgan.dates.formats_of(texts)
    if not formats:
        raise ValueError(
            f"{told} is declared a date, but {next(iter(texts), '')!r} is written in none of the "
            f"known ways: say which, such as --columns {name!r}=date:%d.%m.%Y."
        )
    if len(formats) > 1:
        raise ValueError(
            f"{told} holds dates that may be {' or '.join(formats)}, such as {texts[0]!r}: say "
            f"which, --columns {name!r}=date:{formats[0]}."
        )
    return formats[0]
