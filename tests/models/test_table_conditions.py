"""What a request says of columns of which nothing is asked."""

from kgan.kinds import Table
from kgan.models import words_of
from kgan.models.table_conditions import any_word
from kgan.rows import Category, Integer

TABLE = Table(
    (
        Category("plain", ("a", "b")),
        Category("stars", ("", "*", "**")),
        Integer("age", 0, 9),
        Category("number", (0, 1)),
    )
)


def test_any_is_no_category_of_its_own():
    assert [any_word(one) for one in TABLE.conditions] == ["*", "***", "*"]
    assert words_of(TABLE, {}) == ["*", "***", "*"]
    assert words_of(TABLE, {"stars": "*", "number": 1}) == ["*", "*", "1"]
