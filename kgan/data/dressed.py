"""Numbers that are dressed as texts: with thousands, a currency, a unit, or zeros before them."""

import re
from collections import Counter

import numpy as np

from kgan.data.cells import MISSING, is_number, texts_of

_BARE = r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_DRESSED = re.compile(
    rf"([A-Z]{{3}}(?=\s)|[^\w\s+-])?\s*([+-]?)({_BARE})\s*([^\W\d]{{1,4}}|[^\w\s])?"
)
_PADDED = re.compile(r"[+-]?0\d+")
# So many different ones are numbers; fewer may be names of something.
_FEW = 10


def check_dressed(told: str, name: str, texts: list[str]) -> None:
    """Raises where most texts of a column are numbers that are written with something else.

    Args:
        told: What the column is called; the error begins with it.
        name: Its name.
        texts: Its texts, without missing ones.
    """
    counts = Counter(texts)
    found: dict[tuple[str, str], list[str]] = {}
    for text in counts:
        match = _DRESSED.fullmatch(text.strip())
        if match and not is_number(text):
            found.setdefault((match.group(1) or "", match.group(4) or ""), []).append(text)
    # All in one way: seats and sizes, such as 12A and 12B, are names.
    dressed = max(found.values(), key=len, default=[])
    if len(dressed) <= _FEW or 2 * sum(counts[one] for one in dressed) <= len(texts):
        return
    commas = " or read them by --decimal ','," if any("," in one for one in dressed) else ""
    raise ValueError(
        f"{told} seems to hold numbers that are written as {dressed[0]!r}: write them plain, such "
        f"as 1234.5,{commas} or declare it: --columns {name!r}=category."
    )


def is_padded(values: np.ndarray) -> bool:
    """Whether they are texts of whole numbers, some with zeros before them, as codes have."""
    if values.dtype.kind != "O":
        return False
    texts = [text.strip() for text in texts_of(values)]
    there = [text for text in texts if text.lower() not in MISSING]
    return any(_PADDED.fullmatch(text) for text in there) and all(
        text.lstrip("+-").isdecimal() for text in there
    )
