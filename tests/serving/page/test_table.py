"""The tab of a generator of rows."""

import csv

from tests.serving.page.browser import Keys, Select
from tests.serving.rows import CITIES, COLUMNS


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


def rows_of(page):
    return [row.text for row in page.all("#table-body tr")]


def test_rows_that_are_asked_for(page):
    page.choose("rows")
    page.until(lambda: len(rows_of(page)) == 10)
    field = Select(page.all("#condition-fields select")[0])
    assert [one.text for one in field.options] == ["any", *CITIES]
    field.select_by_index(2)
    page.until(lambda: all("<b>Rome</b>" in row for row in rows_of(page)))
    # The request that is copied, and the link, ask for the same.
    copied = page.copied("copy-curl")
    assert '"signature_name":"generate_where"' in copied.replace(" ", "")
    assert '"*"' not in copied
    page.until(lambda: "where=0.1" in page.driver.current_url)
    link = page.driver.current_url
    page.get("any-row").click()
    page.until(lambda: all("Zürich" in row for row in rows_of(page)))
    page.until(lambda: "where=" not in page.driver.current_url)
    page.driver.get("about:blank")
    page.driver.get(link)
    page.until(lambda: rows_of(page) and all("<b>Rome</b>" in row for row in rows_of(page)))
    page.driver.get("about:blank")
    page.driver.get(link.replace("where=0.1", "where=0.7"))
    page.until(lambda: page.get("notice").is_displayed())
    assert 'where holds "0.7", which is no category of this table' in page.get("notice").text


def test_how_often_columns_have_what(page):
    page.choose("rows")
    page.until(lambda: len(page.all("#charts figure")) == len(COLUMNS))
    size, year, city, number, key = page.all("#charts figure")
    # Rows 0 to 9 but the third, whose size is missing: a bar for each, in 16 intervals.
    heights = [float(one.get_attribute("height")) for one in size.find_elements("tag name", "rect")]
    assert (len(heights), sum(height > 0 for height in heights)) == (16, 9)
    assert size.find_element("tag name", "figcaption").text == "0.1 to 9.1, 1 missing"
    assert year.find_element("tag name", "svg").accessible_name == "2020: mean 4.5"
    assert city.text.split() == f"{COLUMNS[2]} value share {CITIES[0]} 100%".split()
    # Whole numbers beyond what JavaScript holds are texts: the five most frequent, and all others.
    assert number.text.split()[-3:] == ["5", "others", "50%"]
    assert key.text.split()[-2:] == ["/wA=", "100%"]
