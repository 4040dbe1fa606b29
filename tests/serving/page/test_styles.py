"""What a generator with styles has besides: truncation by its styles, directions, mixing."""

import pytest
from PIL import Image


@pytest.fixture
def styled(page):
    page.choose("styled")
    page.until(lambda: mixed(page))
    page.until(lambda: sample(page) == [0, 0, 0, 0])
    return page


def sample(page):
    """The grey of each style of the sample, in tenths; pixels are whole numbers up to 255."""
    return [round(value / 25.5) for value in page.pixels("sample")[::16]]


def mixed(page):
    """The grey of each style of all mixed samples, in tenths, by the name of its picture."""
    found = page.driver.execute_script(
        """const context = new OffscreenCanvas(8, 8).getContext('2d', {willReadFrequently: true});
        return [...document.querySelectorAll('#mixed canvas')].map((canvas) => {
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, 8, 8);
            return [canvas.ariaLabel, [0, 2, 4, 6].map((row) => data[4 * 8 * row])];
        });"""
    )
    return {name: [round(value / 25.5) for value in values] for name, values in found}


def test_a_logit_without_probability_is_told_as_such(styled):
    styled.slide("seed", 7)
    styled.until(lambda: "logit is -2.30:" in styled.get("verdict").text)
    assert "probability" not in styled.get("verdict").text


def test_rows_give_the_first_layers_and_columns_the_others(styled):
    styled.slide("seed", 1)
    styled.until(lambda: "shape of seed 4, style of seed 10" in mixed(styled))
    # Half of the four layers at first.
    assert styled.get("layer-value").text == "2"
    found = mixed(styled)
    assert len(found) == 6 + 4 * 7
    assert found["seed 1"] == [1, 1, 1, 1]
    assert found["shape of seed 1, style of seed 6"] == [1, 1, 6, 6]
    assert found["shape of seed 4, style of seed 10"] == [4, 4, 10, 10]
    styled.slide("layer", 3)
    styled.until(lambda: mixed(styled)["shape of seed 1, style of seed 6"] == [1, 1, 1, 6])
    styled.slide("layer", 0)
    styled.until(lambda: mixed(styled)["shape of seed 1, style of seed 6"] == [6, 6, 6, 6])


def test_a_sample_is_truncated_in_its_styles_and_moved_from_there(styled):
    styled.slide("seed", 1)
    styled.until(lambda: sample(styled) == [1, 1, 1, 1])
    # Half way to the mean, 5, and not to the latents' zero.
    styled.slide("psi", 0.5)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    styled.driver.execute_script("document.getElementById('directions').open = true")
    assert len(styled.all("#moves input")) == 2
    styled.slide("d0", 2)
    styled.until(lambda: sample(styled) == [5, 5, 5, 5])
    styled.slide("d1", -1)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    assert styled.get("caption").text == "seed 1, moved, truncation 0.50"
    assert '"signature_name": "move"' in styled.copied("copy-python").replace('":"', '": "')
    styled.get("stay").click()
    styled.until(lambda: styled.get("caption").text == "seed 1, truncation 0.50")


def test_only_the_first_layers_are_truncated(styled):
    styled.slide("seed", 1)
    styled.slide("psi", 0.5)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    assert styled.get("cutoff-value").text == "4"
    styled.slide("cutoff", 1)
    styled.until(lambda: sample(styled) == [3, 1, 1, 1])
    assert styled.get("caption").text == "seed 1, truncation 0.50 of 1 of 4 layers"
    # Both ends of a way, and what is between.
    styled.get("use-end").click()
    styled.slide("share", 1)
    greys = lambda: [round(value / 25.5) for value in styled.pixels("between")[::16]]  # noqa: E731
    styled.until(lambda: greys() == [3, 1, 1, 1])
    styled.slide("cutoff", 3)
    styled.until(lambda: greys() == [3, 3, 3, 1])
    follow(styled, styled.copied("copy-link"))
    styled.until(lambda: sample(styled) == greys() == [3, 3, 3, 1])


def test_a_way_starts_and_ends_as_its_samples_are_truncated_and_moved(styled):
    styled.slide("seed", 1)
    styled.slide("psi", 0.5)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    styled.get("use-start").click()
    greys = lambda where: [round(value / 25.5) for value in styled.pixels(where)[::16]]  # noqa: E731
    styled.until(lambda: greys("start") == [3, 3, 3, 3])
    styled.slide("seed", 5)
    styled.slide("psi", 1)
    styled.driver.execute_script("document.getElementById('directions').open = true")
    styled.slide("d1", 1)
    styled.until(lambda: sample(styled) == [7, 7, 7, 7])
    styled.get("use-end").click()
    styled.until(lambda: greys("end") == [7, 7, 7, 7])
    # A quarter of the way: latents of .2, a truncation of .63 from the mean of .5, a move by .05.
    styled.slide("share", 0.26)
    styled.until(lambda: greys("between") == [round(10 * (0.5 - 0.63 * 0.3 + 0.05))] * 4)
    link = styled.copied("copy-link")
    follow(styled, link)
    styled.until(lambda: greys("end") == [7, 7, 7, 7] and greys("start") == [3, 3, 3, 3])


def test_the_nearest_sample_of_a_picture_is_gone_on_from(styled, tmp_path):
    Image.new("L", (40, 40), 153).save(tmp_path / "grey.png")
    styled.get("tab-image").click()
    assert not styled.get("take-nearest").is_displayed()
    styled.slide("image-steps", 50)
    styled.get("image-upload").send_keys(str(tmp_path / "grey.png"))
    told = lambda: styled.get("code").text  # noqa: E731
    # Half of 0.6, by 0.3 off.
    styled.until(lambda: told() == "mean squared error 0.0900, PSNR 10.5 dB")
    assert set(styled.pixels("before")) == {153}
    assert styled.pixels("after")[0] == pytest.approx(76.5, abs=1)
    assert '"signature_name": "project"' in styled.copied("copy-python").replace('":"', '": "')
    styled.slide("image-steps", 100)
    styled.until(lambda: told().startswith("mean squared error 0.0000"))
    # In the other tab, with its latents in the sliders.
    styled.get("take-nearest").click()
    styled.until(lambda: sample(styled) == [6, 6, 6, 6])
    assert styled.get("caption").text == "seed 0, latents changed"
    assert [slider.get_attribute("value") for slider in styled.all("#sliders input")] == ["0.6"] * 2
    styled.slide("z0", 0.2)
    styled.until(lambda: sample(styled) == [2, 2, 2, 2])
    # A link has them too, and the number of steps.
    link = styled.copied("copy-link")
    follow(styled, link)
    styled.until(lambda: sample(styled) == [2, 2, 2, 2])
    assert styled.get("image-steps").get_attribute("value") == "100"


def test_a_link_keeps_moves_and_layer(styled):
    styled.slide("d1", 1.5)
    styled.slide("layer", 1)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    link = styled.copied("copy-link")
    follow(styled, link)
    styled.until(lambda: sample(styled) == [3, 3, 3, 3])
    styled.until(lambda: mixed(styled).get("shape of seed 0, style of seed 4") == [0, 4, 4, 4])
    assert styled.get("directions").get_attribute("open")
    follow(styled, link.replace("moves=0_1.5", "moves=1").replace("layer=1", "layer=9"))
    styled.until(lambda: styled.get("notice").text)
    assert "moves must be 2 numbers" in styled.get("notice").text
    assert "layer must be a whole number from 0 to 4" in styled.get("notice").text


def follow(page, link):
    page.driver.get("about:blank")
    page.driver.get(link)
    page.until(lambda: page.get("about").text.startswith("styled"))


def test_other_generators_have_no_such_panels(page):
    assert not page.get("mixing").is_displayed()
    assert not page.get("directions").is_displayed()
