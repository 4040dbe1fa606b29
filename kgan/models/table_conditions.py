"""What rows of a table are asked for: categories by the names of their columns."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.names
import kgan.random
from kgan.constraints import Together
from kgan.kinds import Table
from kgan.rows import Category, Rows

ANY = "*"
"""What stands in a request for a column of which nothing is asked."""

# Draws of a row before a condition counts as one that is never met.
_TRIES = 10_000
# Draws in one call, where rows are drawn until they meet a condition.
_AT_ONCE = 4096
# Another request's seeds, so that a row that is drawn again is another one.
_NEXT = 7919


def any_word(column: Category) -> str:
    """`ANY`, or more stars where that is one of the column's categories."""
    word = ANY
    while word in map(str, column.values):
        word += ANY
    return word


def code_of(column: Category, value: str | int) -> int:
    """The number of a category that a user names.

    Args:
        column: The column.
        value: The category, or its text; blanks around it are passed over where that is one.

    Raises:
        ValueError: Names the categories that are alike.
    """
    texts = [str(one) for one in column.values]
    if str(value) in texts:
        return texts.index(str(value))
    near = [number for number, one in enumerate(texts) if one.strip() == str(value).strip()]
    if len(near) == 1:
        return near[0]
    raise ValueError(
        f"where must ask for one of the {len(texts)} categories of {column.name!r}, got "
        f"{value!r}.{kgan.names.suggestion(str(value), texts)}"
    )


def codes_of(table: Table, where: Mapping[str, str | int]) -> np.ndarray:
    """Numbers of the categories that are asked for, int32 (columns of categories,); -1: none.

    Args:
        table: The kind of the rows.
        where: Categories by column.

    Raises:
        ValueError: For a column or category that the table has not, or a combination of which a
            constraint says that there is none.
    """
    columns = table.conditions
    numbers = {column.name: number for number, column in enumerate(columns)}
    codes = np.full(len(numbers), -1, np.int32)
    for name, value in where.items():
        if name in {one.name for one in table.columns} - set(numbers):
            raise ValueError(
                f"where must ask for a category, and {name!r} holds {table.column(name).type} "
                f"values, or one alone: categories are those of "
                f"{', '.join(numbers) or 'no column'}."
            )
        kgan.names.check("column of categories", name, numbers)
        codes[numbers[name]] = code_of(columns[numbers[name]], value)
    for one in table.constraints:
        if isinstance(one, Together):
            left = np.ones(len(one.seen), bool)
            for number, name in enumerate(one.columns):
                code = codes[numbers[name]] if name in numbers else -1
                left &= (code < 0) | (np.array(one.seen)[:, number] == code)
            if not left.any():
                raise ValueError(
                    f"where={dict(where)} asks for a combination that the constraint "
                    f"{one.describe()!r} forbids: it is in no row of the data."
                )
    return codes


def words_of(table: Table, where: Mapping[str, str | int]) -> list[str]:
    """What the endpoint `generate_where` takes for a row: the texts of categories, or
    `any_word`.

    Args:
        table: The kind of the rows.
        where: Categories by column, as for `codes_of`.
    """
    return [
        any_word(column) if code < 0 else str(column.values[code])
        for column, code in zip(table.conditions, codes_of(table, where), strict=True)
    ]


def rows_until_met(
    draw: Callable[[tf.Tensor], Rows],
    n: int,
    *,
    table: Table,
    where: Mapping[str, str | int],
    seed: int = 0,
) -> Rows:
    """Rows of a model that is not told conditions, each drawn until it meets them.

    Args:
        draw: Function of seeds int64 (m,) that makes their rows.
        n: How many.
        table: The kind of the rows.
        where: Categories by column, as for `codes_of`.
        seed: Seed of the request: row i depends on (seed, i, where) alone.

    Raises:
        ValueError: Where some row met them in none of 10,000 draws.
    """
    wanted = {
        column.name: column.values[code]
        for column, code in zip(table.conditions, codes_of(table, where), strict=True)
        if code >= 0
    }
    missing, tried, parts, places = np.arange(n), 0, [], []
    while len(missing) and tried < _TRIES:
        times = int(np.clip(_AT_ONCE // len(missing), 1, _TRIES - tried))
        seeds = np.concatenate(
            [
                kgan.latents.example_seeds((seed + _NEXT * k) % kgan.random.MAX_SEED, n).numpy()[
                    missing
                ]
                for k in range(tried, tried + times)
            ]
        )
        rows = draw(tf.constant(seeds))
        met = np.ones(len(rows), bool)
        for name, value in wanted.items():
            met &= rows[name] == value
        tries = met.reshape(times, len(missing))
        found = tries.any(axis=0)
        first = tries.argmax(axis=0)[found] * len(missing) + np.flatnonzero(found)
        parts.append(rows[first])
        places.append(missing[found])
        missing, tried = missing[~found], tried + times
    if len(missing):
        raise ValueError(
            f"where={dict(where)} was met by {n - len(missing)} of {n} rows, each drawn "
            f"{_TRIES:,} times: the model makes such rows rarely or never. Ask for less, train "
            "longer, or train a model that is told conditions (--model gan)."
        )
    if not parts:
        return draw(tf.zeros([0], tf.int64))
    return Rows.joined(parts)[np.argsort(np.concatenate(places))]
