"""Tiles: nothing is lost or doubled, and where tiles differ no seam is seen."""

import keras
import numpy as np
import pytest

from kgan.endpoints import Endpoints
from kgan.kinds import Images
from kgan.models import translating
from kgan.networks import translation_generator, unet_generator
from kgan.runs import made_of_samples
from kgan.runs.tiles import in_tiles

IMAGE = np.random.default_rng(0).random((700, 1000, 3), dtype=np.float32)


@pytest.mark.parametrize(("tile", "overlap"), [(512, 64), (300, 150), (256, 0), (0, 64), (1000, 0)])
def test_a_pointwise_translation_is_the_same_in_tiles(tile, overlap):
    sizes = set()

    def invert(images):
        sizes.add(images.shape)
        return 1 - images

    found = in_tiles(invert, IMAGE, tile=tile, overlap=overlap)
    np.testing.assert_allclose(found, 1 - IMAGE, atol=1e-6)
    assert found.dtype == np.float32
    if tile in (0, 1000):
        assert sizes == {(700, 1000, 3)}
    else:
        assert all(tile - 32 < side <= tile for size in sizes for side in size[:2])


def test_a_narrow_image_and_a_larger_result():
    def enlarge(images):
        return images.repeat(2, axis=0).repeat(2, axis=1)

    image = IMAGE[:100]
    found = in_tiles(enlarge, image, tile=256, overlap=32)
    np.testing.assert_allclose(found, enlarge(image), atol=1e-6)


def test_what_a_border_changes_is_not_taken():
    def blur(images):
        # Of three by three pixels, with zeros outside.
        padded = np.pad(images, [(1, 1), (1, 1), (0, 0)])
        rows, columns = images.shape[:2]
        parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        return sum(parts) / 9

    found = in_tiles(blur, IMAGE, tile=256, overlap=32)
    # The image's own border is as it would be, and inside nothing shows a border of a tile.
    np.testing.assert_allclose(found, blur(IMAGE), atol=1e-5)


def test_tiles_that_differ_are_blended():
    # Each tile is made of one value of its own, as if a norm saw it alone.
    flat = np.zeros((300, 600, 1), np.float32)
    values = iter(np.linspace(0, 1, 100))
    found = in_tiles(lambda images: np.full_like(images, next(values)), flat, tile=256, overlap=64)
    apart = np.abs(np.diff(found, axis=1)).max()
    # Over the inner half of the overlap a step becomes a slope.
    assert apart <= 0.12 / 32 + 1e-3


@pytest.mark.parametrize("build", [unet_generator, translation_generator])
def test_tiles_of_a_network_that_normalises_each_image(build):
    keras.utils.set_random_seed(0)
    network = build((32, 32, 3), width=4, halvings=2)
    kind = Images(32, 32, 3)
    found = translating.endpoints("translate", network, kind, kind)
    making = made_of_samples.of_model(Model(found))["translate"]
    # Dark and plain on one side, bright and rough on the other.
    image = IMAGE[:128, :256] * np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    whole = making.one(image)
    # By its own statistics, what takes them does what the network does.
    same, _ = making.one_tile(image, None)
    np.testing.assert_allclose(same, whole, atol=2e-5)
    errors = {}
    for name, by_statistics in (("own", None), ("shared", making.one_tile)):
        tiled = in_tiles(making.one, image, tile=96, overlap=32, by_statistics=by_statistics)
        errors[name] = np.abs(tiled - whole).mean()
    # What is left is of the tiles' borders.
    assert errors["shared"] < 0.2 * errors["own"], errors


class Model:
    """What has these endpoints."""

    def __init__(self, endpoints):
        self.kind = endpoints["translate"].gives
        self.asked = Endpoints("test", self.kind, endpoints, ())

    def endpoints(self):
        return self.asked
