"""Dates and times as texts: the formats that are known, told from the texts, read and written."""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np

DTYPE = np.dtype("datetime64[us]")
"""Of dates in memory: microseconds since 1970 without a time zone; NaT is a missing one."""

DAY = 86_400_000_000
"""Microseconds in a day."""

_DIRECTIVES = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2, "%f": 6}
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
FORMATS = tuple(f"{date}{time}{zone}" for date in _DATES for time in _TIMES for zone in ("", "Z"))
"""What texts are tried for where no format is declared."""

_TIMED = tuple(f"{date}{time}" for date in _DATES for time in _TIMES if time)
_ZONE = re.compile(r":\d\d(?:\.\d+)?([+-]\d\d:?\d\d)$")

# So many texts tell which formats are worth trying on all.
_PROBE = 50


def check_format(format: str) -> str:
    """The format, or `ValueError` where it has other parts than dates here can be written with."""
    parts = re.findall(r"%.", format)
    unknown = [one for one in parts if one not in _DIRECTIVES]
    if unknown or "%Y" not in parts or len(set(parts)) < len(parts):
        raise ValueError(
            f"a format of dates must be made of {', '.join(_DIRECTIVES)}, each at most once and "
            f"%Y among them, got {format!r}."
        )
    return format


def parse(texts: Sequence[str], format: str) -> np.ndarray:
    """Dates of texts, datetime64[us] (n,).

    Raises:
        ValueError: For the first text that is no date of that format.
    """
    known: dict[str, datetime] = {}
    for text in texts:
        if text not in known:
            known[text] = datetime.strptime(text, format)
    return np.array([known[text] for text in texts], DTYPE)


def spell(dates: np.ndarray, format: str) -> list[str]:
    """Texts of dates datetime64 (n,), a missing one as ""."""
    known: dict[datetime | None, str] = {None: ""}
    found = []
    for date in dates.astype(DTYPE).tolist():
        if date not in known:
            known[date] = _spelled(date, format)
        found.append(known[date])
    return found


def formats_of(texts: Sequence[str]) -> list[str]:
    """The formats of `FORMATS` by which all texts are dates; several where they do not tell.

    Where each text ends in the same distance to UTC, such as +02:00, that is part of the format.
    """
    distinct = list(dict.fromkeys(texts))
    found = []
    zone = _ZONE.search(distinct[0]) if distinct else None
    formats = FORMATS if zone is None else [f"{one}{zone.group(1)}" for one in _TIMED]
    for format in formats:
        try:
            parse(distinct[:_PROBE], format)
            parse(distinct, format)
        except ValueError:
            continue
        found.append(format)
    return found


def step_of(dates: np.ndarray) -> int:
    """Microseconds of the coarsest unit in which all dates are whole: a day, a second, or one."""
    counts = dates[~np.isnat(dates)].astype(DTYPE).astype(np.int64)
    for step in (DAY, 1_000_000):
        if not (counts % step).any():
            return step
    return 1


def usual_format(step: int) -> str:
    """How dates of that step are written where nothing says it (ISO 8601)."""
    if step == DAY:
        return "%Y-%m-%d"
    return "%Y-%m-%d %H:%M:%S" if step == 1_000_000 else "%Y-%m-%d %H:%M:%S.%f"


def parts_of(format: str) -> list[str]:
    """The directives and the literal texts between them, in order."""
    return [one for one in re.split(r"(%.)", format) if one]


def _spelled(date: datetime, format: str) -> str:
    fields = {
        "%Y": date.year,
        "%m": date.month,
        "%d": date.day,
        "%H": date.hour,
        "%M": date.minute,
        "%S": date.second,
        "%f": date.microsecond,
    }
    # Not strftime, which leaves a year before 1000 without its zeros.
    return "".join(
        f"{fields[one]:0{_DIRECTIVES[one]}d}" if one in fields else one for one in parts_of(format)
    )
