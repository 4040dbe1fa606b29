"""The tab of an image of the user's: before and after, classes and scores."""

import numpy as np
import pytest
from PIL import Image

from tests.serving.page.browser import Keys, Select


@pytest.fixture
def top(tmp_path):
    """A picture of 40 x 40 pixels: white above, black below, a stripe at the left."""
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    picture[:, :5] = 255
    Image.fromarray(picture).save(tmp_path / "top.png")
    # Cells of five pixels.
    return str(tmp_path / "top.png"), picture[::5, ::5].ravel() / 255


def test_a_picture_is_translated(page, top):
    page.choose("pictures")
    # It generates nothing, so another tab is open.
    assert not page.get("gallery").is_displayed()
    assert page.get("tab-image").get_attribute("aria-selected") == "true"
    assert [button.text for button in page.all("#changes button")] == [
        *("invert", "mirror", "reconstruct", "encode")
    ]
    path, picture = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.pixels("after"))
    before = np.array(page.pixels("before"))
    np.testing.assert_allclose(before, 255 * picture, atol=20)
    np.testing.assert_allclose(page.pixels("after"), 255 - before, atol=1)
    page.changes("after", page.all("#changes button")[1].click)
    mirrored = before.reshape(8, 8)[:, ::-1].ravel()
    np.testing.assert_allclose(page.pixels("after"), mirrored, atol=1)


def test_a_slider_moves_between_before_and_after(page, top):
    page.choose("pictures")
    path, _ = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.pixels("after"))
    before, after = (page.get(name) for name in ("before", "after"))

    def places():
        return [(box.x, box.y, box.width, box.height) for box in map(page.box, (before, after))]

    def shown(share):
        """What lies over each other a share of the way across, the uppermost first."""
        box = page.box(after)
        script = "return document.elementsFromPoint(...arguments).map((one) => one.id)"
        found = page.driver.execute_script(script, box.x + share * box.width, box.y + 9)
        return [name for name in found if name in ("before", "after")]

    # One lies over the other: before at the left of the middle, after at the right.
    assert places()[0] == places()[1]
    assert (shown(0.4)[0], shown(0.6)[0]) == ("before", "after")
    page.slide("wipe", "80")
    assert (shown(0.6)[0], shown(0.9)[0]) == ("before", "after")
    # By the keyboard too.
    page.get("wipe").send_keys(Keys.END)
    assert shown(0.95) == ["before"]
    page.get("wipe").send_keys(Keys.HOME)
    assert shown(0.05)[0] == "after"
    page.get("apart").click()
    assert places()[0][0] + places()[0][2] < places()[1][0]
    assert not page.get("wipe").is_displayed()
    assert shown(0.05) == ["after"]
    # A reconstruction has no slider.
    page.get("apart").click()
    page.changes("after", page.all("#changes button")[2].click)
    assert not page.get("wipe-row").is_displayed()
    assert places()[0][0] < places()[1][0]


def test_a_picture_is_reconstructed_and_encoded(page, top):
    page.choose("pictures")
    path, picture = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.pixels("after"))
    page.changes("after", page.all("#changes button")[2].click)
    before = np.array(page.pixels("before"))
    np.testing.assert_allclose(page.pixels("after"), before / 2, atol=1)
    page.changes("after", page.all("#changes button")[3].click)
    np.testing.assert_allclose(page.pixels("after"), before.mean(), atol=1)
    latent, zero = page.get("code").text.removeprefix("latents: ").split(", ")
    assert float(latent) == pytest.approx(picture.mean(), abs=0.02)
    assert zero == "0.00"


def test_a_picture_is_classified_and_scored(page, top):
    page.choose("pictures")
    path, picture = top
    page.get("image-upload").send_keys(path)
    bright = round(100 * picture.mean())
    page.until(lambda: page.get("image-answer").text.startswith("It sees bright ("))
    said = [row.text.split() for row in page.all("#image-bars tbody tr")]
    assert [name for name, _ in said] == ["dark", "bright"]
    assert float(said[1][1].rstrip("%")) == pytest.approx(bright, abs=2)
    assert said[1][1] in page.get("image-answer").text
    page.until(lambda: page.get("image-score").text)
    name, score = page.get("image-score").text.split(": ")
    assert name == "log likelihood"
    assert float(score) == pytest.approx(2 * picture.mean(), abs=0.04)


def test_a_generated_image_is_scored(page, exported):
    _, gan = exported
    page.get("tab-image").click()
    page.get("take-sample").click()
    page.until(lambda: page.get("image-score").text)
    np.testing.assert_allclose(page.pixels("before"), page.pixels("sample"), atol=1)
    from kgan.latents import from_seeds

    def wanted(label):
        image = gan.decode(from_seeds(np.array([0]), 6), [0])
        return 1 / (1 + np.exp(-float(gan.judge(image, np.array([label]))[0])))

    assert f"probability {wanted(0):.2f}" in page.get("image-score").text
    # As another class.
    Select(page.get("image-class")).select_by_visible_text("c")
    page.until(lambda: f"probability {wanted(2):.2f}" in page.get("image-score").text)


def test_a_link_restores_what_is_done_to_the_sample(page, browser, served):
    page.get("tab-image").click()
    Select(page.get("image-class")).select_by_visible_text("b")
    page.get("take-sample").click()
    page.until(lambda: page.get("image-score").text)
    link = page.copied("copy-link")
    again = type(page)(browser, link)
    again.until(lambda: again.get("image-score").text == page.get("image-score").text)
    assert Select(again.get("image-class")).first_selected_option.text == "b"
    assert again.pixels("before") == again.pixels("sample")
