"""The tab on which a classifier is fooled."""

import numpy as np
from PIL import Image

from kgan.serving.repository import Repository
from tests.serving.page.browser import Keys, Page, Select, webdriver
from tests.serving.page.conftest import serving


def test_drawing_and_the_attack(page):
    page.get("tab-fool").click()
    assert not page.get("gallery").is_displayed()
    paper = page.get("paper")
    strokes = webdriver.ActionChains(page.driver).move_to_element_with_offset(paper, -80, -80)
    strokes.click_and_hold().move_by_offset(160, 0).move_by_offset(0, 160).release().perform()
    page.until(lambda: page.get("answer").text.startswith("It sees"))
    clean = page.pixels("clean")
    assert max(clean) > 200
    page.changes("attacked", lambda: page.slide("epsilon", 0.5))
    assert page.pixels("clean") == clean
    assert max(page.pixels("attacked")) < max(clean)
    page.slide("epsilon", 0)
    page.until(lambda: page.pixels("attacked") == clean)


def test_drawing_by_keyboard(page):
    # Tabs that this model has nothing for are passed over.
    page.get("tab-gallery").send_keys(Keys.ARROW_RIGHT)
    assert page.get("image").is_displayed()
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.get("fool").is_displayed()
    page.get("clear").click()
    keys = webdriver.ActionChains(page.driver).key_down(" ")
    for _ in range(8):
        keys.send_keys(Keys.ARROW_DOWN)
    keys.key_up(" ").perform()
    page.until(lambda: page.pixels("clean"))


def test_uploads_and_samples(page, tmp_path):
    page.get("tab-fool").click()
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    Image.fromarray(picture).save(tmp_path / "top.png")
    page.get("upload").send_keys(str(tmp_path / "top.png"))
    page.until(lambda: page.pixels("clean"))
    seen = np.array(page.pixels("clean")).reshape(8, 8)
    assert seen[:4].min() > 240
    assert seen[4:].max() < 15
    page.changes("clean", page.get("from-gallery").click)
    np.testing.assert_allclose(page.pixels("clean"), page.pixels("sample"), atol=1)


def test_a_classifier_alone(browser):
    with serving(Repository([])) as url:
        page = Page(browser, url)
        assert [tab.text for tab in page.all("[role=tab]") if tab.is_displayed()] == ["Fool"]
        assert page.get("fool").is_displayed()
        assert not page.get("gallery").is_displayed()
        assert page.get("about").text.startswith("Classifier darkness")
        assert page.complaints() == []


def shares(page):
    """The percentages of each class, before and after."""
    rows = page.all("#bars tbody tr")
    return {row.text.split()[0]: row.text.split()[1:] for row in rows}


def test_both_images_have_their_percentages(page):
    page.get("tab-fool").click()
    # The header is about the classifier here, and about the generator there.
    assert page.get("about").text == "Classifier darkness, 8 × 8 × 1, 2 classes"
    page.get("from-gallery").click()
    page.until(lambda: shares(page))
    page.slide("epsilon", 0.5)
    page.until(lambda: page.get("attacked-answer").text != page.get("clean-answer").text)
    mean, changed = (np.mean(page.pixels(name)) / 255 for name in ("clean", "attacked"))
    for name, before, after in (("dark", 1 - mean, 1 - changed), ("bright", mean, changed)):
        told = [float(text.rstrip("%")) for text in shares(page)[name]]
        np.testing.assert_allclose(told, [100 * before, 100 * after], atol=1)
    assert page.get("clean-answer").text in page.get("clean").get_attribute("aria-label")
    page.get("tab-gallery").click()
    assert page.get("about").text.startswith("toy version 1")


def test_attack_and_norm_are_chosen(page):
    page.get("tab-fool").click()
    page.get("from-gallery").click()
    page.until(lambda: shares(page))
    # A radius of another norm is another one: a fifth of the largest.
    Select(page.get("norm")).select_by_visible_text("l2")
    assert page.get("epsilon-value").text == "0.80"
    clean = np.array(page.pixels("clean"))
    expected = np.clip(clean / 255 - 0.8 / 8, 0, 1) * 255
    page.until(lambda: np.abs(np.array(page.pixels("attacked")) - expected).max() <= 2)
    # An attack that lacks the norm takes its own; one that finds nothing says so.
    Select(page.get("attack")).select_by_visible_text("nothing")
    assert [option.text for option in Select(page.get("norm")).options] == ["linf"]
    page.until(lambda: "found no image" in page.get("attack-result").text)
    assert page.pixels("attacked") == page.pixels("clean")


def test_a_link_restores_the_attack(page, browser):
    page.get("tab-fool").click()
    page.get("from-gallery").click()
    Select(page.get("norm")).select_by_visible_text("l2")
    page.changes("attacked", lambda: page.slide("epsilon", 3.2))
    page.until(lambda: shares(page))
    wanted = shares(page)
    again = type(page)(browser, page.copied("copy-link"))
    again.until(lambda: shares(again) == wanted)
    assert again.get("epsilon-value").text == "3.20"
    assert Select(again.get("norm")).first_selected_option.text == "l2"
