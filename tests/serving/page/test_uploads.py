"""Pictures of the user's become samples as training reads files."""

import numpy as np
import pytest
from PIL import Image

from kgan.decoding.image import read_image
from kgan.decoding.reading import Reading


@pytest.fixture
def uploaded(page, tmp_path):
    """Function from pixels, or the path of a file, to the sample (8, 8, 4) that the page made."""

    def upload(model, picture, into="before", by="image-upload"):
        if not isinstance(picture, str):
            Image.fromarray(picture).save(tmp_path / "picture.png")
            picture = str(tmp_path / "picture.png")
        if model is not None:
            page.choose(model)
        page.get(by).send_keys(picture)
        page.until(lambda: any(values(page, into)[..., 3].ravel()))
        return values(page, into)

    return upload


def values(page, name):
    width, height, *data = page.driver.execute_script(
        "const c = document.getElementById(arguments[0]), copy = new OffscreenCanvas("
        "c.width, c.height), context = copy.getContext('2d', {willReadFrequently: true});"
        "context.drawImage(c, 0, 0);"
        "return [c.width, c.height, ...context.getImageData(0, 0, c.width, c.height).data];",
        name,
    )
    return np.array(data).reshape(height, width, 4)


def square_in_nothing():
    """A grey square of 20 x 20 in the middle of 40 x 40 transparent black pixels."""
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[10:30, 10:30] = [100, 100, 100, 255]
    return picture


def test_transparency_lies_on_white_where_nothing_else_is_told(uploaded):
    found = uploaded("pictures", square_in_nothing())
    wanted = np.full((8, 8), 255)
    wanted[2:6, 2:6] = 100
    np.testing.assert_allclose(found[..., 0], wanted, atol=20)
    np.testing.assert_allclose(found[3:5, 3:5, 0], 100, atol=1)
    np.testing.assert_allclose(found[[0, 0, -1, -1], [0, -1, 0, -1], 0], 255, atol=1)


@pytest.mark.parametrize("model", ["grey_holes", "colour_holes"])
@pytest.mark.parametrize(("side", "near"), [(8, 1), (40, 20)])
def test_transparency_is_holes_for_a_model_that_fills_them(uploaded, page, model, side, near):
    """By what its endpoint takes: what it makes has no opacity. At its own size all is exact."""
    picture = np.full((side, side, 4), [90, 90, 90, 255], np.uint8)
    picture[side // 4 : -side // 4, side // 4 : -side // 4, 3] = 0
    filled = uploaded(model, picture, into="after")
    wanted = np.full((8, 8), 90)
    wanted[2:6, 2:6] = 255
    for channel in range(3):
        np.testing.assert_allclose(filled[..., channel], wanted, atol=near)
    # All of an opaque picture is known.
    picture[..., 3] = 255
    page.changes("after", lambda: uploaded(None, picture, into="after"))
    np.testing.assert_allclose(values(page, "after")[..., :3], 90, atol=2)


def test_half_opaque_pixels_lie_on_the_background_too(uploaded):
    picture = np.full((40, 40, 4), [200, 100, 0, 51], np.uint8)
    # A fifth of the colour and four of #000080.
    found = uploaded("padded", picture)
    np.testing.assert_allclose(found[..., :3], np.full((8, 8, 3), [40, 20, 102.4]), atol=2)


def test_what_is_too_long_is_cut(uploaded):
    picture = np.zeros((100, 400), np.uint8)
    picture[:, 150:250] = 180
    picture[:, 200:250] = 60
    found = uploaded("pictures", picture)[..., 0]
    np.testing.assert_allclose(found[:, [0, 1, 2]], 180, atol=2)
    np.testing.assert_allclose(found[:, [5, 6, 7]], 60, atol=2)


def test_padding_keeps_all_on_the_background_of_the_training(uploaded):
    picture = np.full((100, 400, 4), [255, 128, 0, 255], np.uint8)
    picture[:, 200:] = 0
    found = uploaded("padded", picture)[..., :3]
    # Two rows of eight, and nothing at their right.
    wanted = np.full((8, 8, 3), [0, 0, 128])
    wanted[3:5, :4] = [255, 128, 0]
    np.testing.assert_allclose(
        np.delete(found, [3, 4], axis=1), np.delete(wanted, [3, 4], 1), atol=2
    )


def test_colours_that_are_not_seen_darken_no_edges(uploaded):
    picture = np.zeros((40, 40, 4), np.uint8)
    # Half of each cell of two columns; whatever stands where nothing is seen, it is not seen.
    picture[:, :, :3] = [0, 255, 0]
    picture[:, 8:33] = [240, 200, 160, 255]
    found = uploaded("clear", picture)
    seen = found[:, 1:7]
    np.testing.assert_allclose(seen[..., :3], np.full((8, 6, 3), [240, 200, 160]), atol=4)
    # Two fifths and three fifths of the cells at the edges.
    np.testing.assert_allclose(found[0, :, 3], [0, 102, 255, 255, 255, 255, 153, 0], atol=20)
    np.testing.assert_allclose(found[0, [0, 7], 3], 0, atol=1)


def test_a_photograph_that_says_so_is_turned(uploaded, tmp_path):
    picture = np.zeros((60, 120), np.uint8)
    picture[:30] = 220
    image = Image.fromarray(picture)
    exif = Image.Exif()
    # The right side of what is stored is the bottom of what is seen.
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    image.save(path, exif=exif, quality=95)
    wanted, _ = read_image(path, Reading(image_size=8))
    assert wanted[:, 5:].min() > 200
    assert wanted[:, :3].max() < 20
    found = uploaded("pictures", str(path))
    np.testing.assert_allclose(
        found[:, [0, 1, 2, 5, 6, 7], :1], wanted[:, [0, 1, 2, 5, 6, 7]], atol=4
    )


def test_an_image_to_fool_is_read_so_too(page, uploaded):
    page.get("tab-fool").click()
    picture = np.zeros((40, 120, 4), np.uint8)
    picture[:, :40] = [255, 0, 0, 255]
    picture[20:, 40:80] = [0, 0, 0, 255]
    found = uploaded(None, picture, into="clean", by="upload")[..., 0]
    np.testing.assert_allclose(found[[0, 1, 2]], 255, atol=8)
    np.testing.assert_allclose(found[[5, 6, 7]], 0, atol=8)
    shown = values(page, "paper")[..., 0]
    np.testing.assert_allclose(shown[[10, -10]], np.repeat([[255], [0]], 280, 1), atol=8)
