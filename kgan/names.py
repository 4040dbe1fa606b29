"""Names: looking one up, with an error that names the nearest one, and showing one safely."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

_Value = TypeVar("_Value")


_CONTROL = re.compile(
    # Controls, marks of direction, halves of pairs (a file name that is no UTF-8), no characters.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
    r"\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""A text for a terminal: control characters but newline and tab become `\x1b` and so on.

    What a file or a client chose, such as a class's name, must not move the cursor, change colours
    or turn the direction of writing. What is left can be written as UTF-8 and as XML.
    """
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""As `printable`, with newline and tab as `\n` and `\t` too.

    A name that a file or a client chose must not begin a line of its own, such as a verdict.
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def look_up(what: str, name: str, rows: Mapping[str, _Value], *, remedy: str = "") -> _Value:
    """The row of that name.

    Args:
        what: What is looked up, such as "preset"; the error begins with it.
        name: The name.
        rows: All rows, by name.
        remedy: What else could be done; the error ends with it.

    Returns:
        The row's value.

    Raises:
        ValueError: For an unknown name; it lists the known ones and suggests the nearest.
    """
    check(what, name, rows, remedy=remedy)
    return rows[name]


def check(what: str, name: str, known: Iterable[str], *, remedy: str = "") -> None:
    """Raises `ValueError` for a name that is not known; arguments as for `look_up`."""
    names = list(known)
    if name not in names:
        hint = suggestion(name, names)
        end = f" {remedy}" if remedy else ""
        raise ValueError(f"{what} must be one of {', '.join(names)}, got {name!r}.{hint}{end}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'x'?" where a known name is near, else nothing."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1)
    return f" Did you mean {by_lower[near[0]]!r}?" if near and by_lower[near[0]] != name else ""
