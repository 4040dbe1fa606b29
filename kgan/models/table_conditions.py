"""What rows of a table are asked for: categories by the names of their columns."""

from collections.abc import Mapping

import kgan.names
from kgan.kinds import Table
from kgan.rows import Category

ANY = "*"
"""What stands in a request for a column of which nothing is asked."""


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


def words_of(table: Table, where: Mapping[str, str | int]) -> list[str]:
    """What the endpoint `generate_where` takes for a row: the texts of categories, or
    `any_word`.

    Args:
        table: The kind of the rows.
        where: Categories by column.
    """
    columns = {column.name: column for column in table.conditions}
    words = {name: any_word(column) for name, column in columns.items()}
    for name, value in where.items():
        column = kgan.names.look_up("column of categories", name, columns)
        words[name] = str(column.values[code_of(column, value)])
    return list(words.values())
