"""The tab of a generator: a sample, the way to another, many at once."""

import numpy as np
from PIL import Image

from kgan.latents import from_seeds
from tests.serving.page.browser import Keys, Page


def test_it_shows_the_sample_of_the_seed(page, exported):
    _, gan = exported
    # A bare seed is one of an example, as in a request.
    page.slide("seed", 2)
    latents = from_seeds(np.array([2]), 6)
    expected = np.floor(255 * np.asarray(gan.decode(latents, [0]))[0, ..., 0].ravel())
    page.until(lambda: np.abs(np.array(page.pixels("sample")) - expected).max() <= 1)
    assert "version 1" in page.get("about").text
    assert [button.text for button in page.all("#class-buttons button")] == ["a", "b", "c"]


def test_the_declared_channels_are_shown(page):
    page.choose("layers")
    page.until(lambda: page.pixels("sample") == [204] * 64)


def test_a_latent_slider_changes_the_picture(page):
    page.driver.execute_script("document.getElementById('latents').open = true")
    assert len(page.all("#sliders input")) == 6
    first = page.pixels("sample")
    page.changes("sample", lambda: page.slide("z0", 3))
    page.get("reset").click()
    page.until(lambda: page.pixels("sample") == first)


def test_a_slider_obeys_the_keyboard(page):
    slider = page.get("psi")
    page.changes("sample", lambda: slider.send_keys(*[Keys.ARROW_LEFT] * 10))
    assert page.get("psi-value").text == "0.50"


def test_classes_and_seeds_change_the_picture(page):
    page.changes("sample", page.all("#class-buttons button")[1].click)
    assert page.all("#class-buttons button")[1].get_attribute("aria-pressed") == "true"
    page.changes("sample", page.get("dice").click)


def test_the_same_latents_in_every_class(page, exported):
    """Also those that sliders changed; the class of the sample is marked."""
    _, gan = exported
    page.driver.execute_script("document.getElementById('latents').open = true")
    page.slide("z0", 3)
    latents = np.array(from_seeds(np.array([0]), 6))
    latents[0, 0] = 3
    expected = np.asarray(gan.decode(np.repeat(latents, 3, axis=0), [0, 1, 2]))[..., 0]
    expected = np.floor(255 * expected.reshape(3, -1))

    def seen():
        return page.driver.execute_script(
            """const copy = new OffscreenCanvas(8, 8);
            const context = copy.getContext('2d', {willReadFrequently: true});
            return [...document.querySelectorAll('#every canvas')].map((canvas) => {
                context.drawImage(canvas, 0, 0);
                const { data } = context.getImageData(0, 0, 8, 8);
                return [...data].filter((_, place) => place % 4 == 0);
            });"""
        )

    page.until(lambda: np.shape(seen()) == (3, 64) and np.abs(seen() - expected).max() <= 1)
    page.all("#class-buttons button")[2].click()

    def marked():
        return [one.get_attribute("aria-label") for one in page.all("#every [aria-current=true]")]

    page.until(lambda: marked() == ["class c"])
    page.until(lambda: np.abs(np.array(page.pixels("sample")) - expected[2]).max() <= 1)


def test_truncation_to_zero_shows_the_mean_whatever_the_seed(page):
    page.changes("sample", lambda: page.slide("psi", 0))
    middle = page.pixels("sample")
    page.slide("seed", 5)
    page.until(lambda: page.get("z0").get_attribute("value") != "0")
    page.until(lambda: page.pixels("sample") == middle)


def test_interpolation_starts_and_ends_where_it_says(page):
    page.until(lambda: page.pixels("between"))
    assert page.pixels("start") != page.pixels("end")
    page.changes("between", lambda: page.slide("share", 0))
    assert page.pixels("between") == page.pixels("start")
    page.changes("between", lambda: page.slide("share", 1))
    assert page.pixels("between") == page.pixels("end")
    page.slide("seed", 9)
    page.changes("end", page.get("use-end").click)


def test_the_gallery_is_walked_by_keyboard(page):
    page.driver.execute_script("document.querySelector('#grid button').focus()")
    page.changes("sample", lambda: page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT))
    assert page.get("seed").get_attribute("value") == "1"
    assert page.driver.switch_to.active_element.get_attribute("data-seed") == "1"
    page.get("more").click()
    page.until(lambda: len(page.all("#grid button")) == 48)


def test_download(page):
    page.get("download").click()
    target = page.downloads / "toy-0.png"
    page.until(target.is_file)
    with Image.open(target) as picture:
        assert picture.size == (512, 512)
        small = np.asarray(picture.convert("RGB"))[32::64, 32::64, 0]
    assert small.ravel().tolist() == page.pixels("sample")


def shown(gan, seed, label):
    """The pixels of a sample."""
    image = gan.decode(from_seeds(np.array([seed]), 6), [label])
    return np.floor(255 * np.asarray(image)[0, ..., 0].ravel())


def shows(page, name, pixels):
    found = page.pixels(name)
    return bool(found) and np.abs(np.array(found) - pixels).max() <= 1


def test_interpolation_keeps_the_class_of_its_ends(page, exported):
    _, gan = exported
    page.until(lambda: page.pixels("between"))
    page.all("#class-buttons button")[1].click()
    page.slide("seed", 5)
    page.until(lambda: shows(page, "sample", shown(gan, 5, 1)))
    page.get("use-end").click()
    page.until(lambda: shows(page, "end", shown(gan, 5, 1)))
    # Another class of the sample changes neither.
    page.changes("sample", page.all("#class-buttons button")[2].click)
    page.changes("between", lambda: page.slide("share", 0.2))
    assert shows(page, "start", shown(gan, 0, 0))
    assert shows(page, "end", shown(gan, 5, 1))
    assert page.get("start-caption").text == "class a, seed 0"
    assert page.get("end-caption").text == "class b, seed 5"
    # What lies between has the class of the nearer end.
    assert page.get("between-caption").text == "class a"
    page.slide("share", 1)
    page.until(lambda: page.get("between-caption").text == "class b")


def test_a_bad_seed_gets_a_message(page):
    before = page.pixels("sample")
    for bad in ("-1", "1.5", "", "2147483648"):
        page.slide("seed", bad)
        problem = page.get("seed-problem")
        assert problem.text == "A seed must be a whole number from 0 to 2147483647."
        assert page.get("seed").get_attribute("aria-invalid") == "true"
    page.slide("seed", "0")
    assert not problem.is_displayed()
    assert page.get("seed").get_attribute("aria-invalid") == "false"
    assert page.pixels("sample") == before


def test_all_classes_are_shown_a_row_for_each(page, exported):
    _, gan = exported
    page.all("#which-classes button")[1].click()
    page.until(lambda: len(page.all("#grid [role=group]")) == 3)
    names = [group.get_attribute("aria-label") for group in page.all("#grid [role=group]")]
    assert names == ["class a", "class b", "class c"]
    cell = page.all('#grid [data-label="1"]')[3]
    assert cell.get_attribute("aria-label") == "class b, seed 3"
    cell.click()
    page.until(lambda: shows(page, "sample", shown(gan, 3, 1)))
    assert page.all("#class-buttons button")[1].get_attribute("aria-pressed") == "true"
    assert page.get("caption").text == "class b, seed 3"
    # Down a row: the next class, the same seed.
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    page.until(lambda: shows(page, "sample", shown(gan, 3, 2)))


def test_a_link_restores_what_is_seen(page, browser, served, exported):
    _, gan = exported
    page.all("#class-buttons button")[2].click()
    page.slide("seed", 7)
    page.until(lambda: shows(page, "sample", shown(gan, 7, 2)))
    page.get("use-end").click()
    page.slide("z0", 2.5)
    page.slide("psi", 0.8)
    page.slide("share", 0.3)
    page.all("#which-classes button")[1].click()
    page.until(lambda: page.get("caption").text.endswith("latents changed, truncation 0.80"))
    page.until(lambda: page.get("between-caption").text == "class a")
    wanted = {name: page.pixels(name) for name in ("sample", "start", "between", "end")}
    # The address follows by itself.
    page.until(lambda: "show=all" in page.driver.current_url)
    again = Page(browser, page.driver.current_url)
    for name, pixels in wanted.items():
        again.until(lambda name=name, pixels=pixels: shows(again, name, np.array(pixels)))
    again.until(
        lambda: again.get("caption").text == "class c, seed 7, latents changed, truncation 0.80"
    )
    assert len(again.all("#grid [role=group]")) == 3
    assert again.get("share-value").text == "0.30"


def test_what_a_link_cannot_have_is_told(browser, served):
    page = Page(browser, served.url + "#class=12&seed=-4&model=none&z=1_2&psi=x&share=9")
    told = page.get("notice").text
    assert told.startswith("Not all of the link could be used: model must be one of toy, ")
    assert 'class must be a whole number from 0 to 2, it is "12"' in told
    assert 'seed must be a whole number from 0 to 2147483647, it is "-4"' in told
    assert 'psi must be a number from 0 to 1.5, it is "x"' in told
    assert "z must be 6 numbers" in told
    assert 'share must be a number from 0 to 1, it is "9"' in told
    assert page.complaints() == []


def test_errors_are_shown_and_go_away(browser, served, monkeypatch):
    page = Page(browser, served.url)
    servable = served.repository.model("toy").get()
    monkeypatch.setitem(servable.signatures, "decode", None)
    del servable.signatures["decode"]
    page.slide("psi", 0.5)
    page.until(lambda: page.get("error").is_displayed())
    assert '"decode" not found' in page.get("error").text
    monkeypatch.undo()
    page.slide("psi", 1)
    page.until(lambda: not page.get("error").is_displayed())
    # The browser itself notes the answer of 400; nothing else.
    assert all("400" in message for message in page.complaints())
