"""The tab of a generator of rows."""

import csv

from tests.serving.page.browser import Keys, Select
from tests.serving.rows import COLUMNS


def test_rows_of_a_table(page):
    page.choose("rows")
    assert page.get("tab-table").get_attribute("aria-selected") == "true"

    def cells():
        return page.driver.execute_script(
            "return [...document.querySelectorAll('#table-body tr')].map("
            "(row) => [...row.children].map((cell) => cell.innerText));"
        )

    page.until(lambda: len(cells()) == 10)
    assert [cell.text for cell in page.all("#table-head th")] == list(COLUMNS)
    # No number is rounded, a string is no markup, and what is missing is empty.
    assert cells()[0] == ["0.1", "0", 'Zürich, "CH"', str(2**60), "/wA="]
    assert cells()[3] == ["", "3", 'Zürich, "CH"', str(2**60 + 3), "/wA="]
    page.get("rows").clear()
    page.get("rows").send_keys("5")
    page.get("table-seed").clear()
    page.get("table-seed").send_keys("7", Keys.ENTER)
    page.until(lambda: len(cells()) == 5)
    Select(page.get("table-class")).select_by_visible_text("Rome")
    page.until(lambda: cells()[0][2] == "<b>Rome</b>")
    assert cells()[4] == ["11.1", "11", "<b>Rome</b>", str(2**60 + 11), "/wA="]
    page.get("table-download").click()
    target = page.downloads / "rows-7.csv"
    page.until(target.is_file)
    with open(target, newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [list(COLUMNS), *cells()]
