"""Common corruptions against their closed forms, and the figures made of them."""

import colorsys
import io

import keras
import numpy as np
import pytest
from PIL import Image

from kgan.attacks import TopK, Victim
from kgan.certificates import SmoothedClassifier
from kgan.robustness import CORRUPTIONS, clever, corrupt, corruption_report
from kgan.robustness.corruptions import blur, digital, noise, weather
from kgan.robustness.corruptions.motion import trailed
from kgan.robustness.corruptions.plasma import plasma
from kgan.robustness.corruptions.zoom import enlarged


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Smooth colours with an edge, (1, 32, 32, 3)."""
    down, right = np.mgrid[0:32, 0:32] / 31.0
    image = np.stack([0.2 + 0.6 * down, 0.8 - 0.5 * right, 0.5 * down * right], axis=2)
    image[8:20, 10:16] = (0.9, 0.1, 0.3)
    return image[None].astype(np.float32)


def grey(value: float, side: int = 200) -> np.ndarray:
    return np.full((side, side, 1), value)


def test_gaussian_noise_has_its_deviation(draw):
    found = noise.gaussian_noise(grey(0.5), draw, 0.08)
    assert found.mean() == pytest.approx(0.5, abs=0.002)
    assert found.std() == pytest.approx(0.08, rel=0.03)


def test_shot_noise_has_the_variance_of_counted_photons(draw):
    found = noise.shot_noise(grey(0.4), draw, 60.0)
    assert found.mean() == pytest.approx(0.4, abs=0.002)
    assert found.var() == pytest.approx(0.4 / 60, rel=0.05)


def test_impulse_noise_turns_its_share_black_or_white(draw):
    found = noise.impulse_noise(grey(0.5), draw, 0.17)
    assert (found == 0).mean() == pytest.approx(0.085, abs=0.005)
    assert (found == 1).mean() == pytest.approx(0.085, abs=0.005)
    assert (found == 0.5).mean() == pytest.approx(0.83, abs=0.01)


def test_a_disk_smaller_than_a_pixel_leaves_the_softening(draw):
    image = np.zeros((31, 31, 1))
    image[15, 15] = 1.0
    found = blur.defocus_blur(image, draw, 0.3, 0.4)
    bell = np.exp(-np.array([1.0, 0.0, 1.0]) / (2 * 0.4**2))
    bell /= bell.sum()
    np.testing.assert_allclose(found[14:17, 14:17, 0], np.outer(bell, bell), atol=1e-12)


def test_a_disk_of_radius_3_has_29_pixels(draw):
    image = np.zeros((31, 31, 1))
    image[15, 15] = 1.0
    found = blur.defocus_blur(image, draw, 3, 1e-3)
    assert np.count_nonzero(found > 1e-6) == 29
    np.testing.assert_allclose(found.max(), 1 / 29)


def test_a_trail_has_the_weights_of_half_a_gaussian():
    image = np.zeros((9, 21, 1))
    image[4, 15] = 1.0
    found = trailed(image, radius=3, sigma=1.5, angle=0.0)
    weights = np.exp(-(np.arange(7) ** 2) / (2 * 1.5**2))
    np.testing.assert_allclose(found[4, 15:8:-1, 0], weights / weights.sum())
    assert found.sum() == pytest.approx(1.0)
    upright = trailed(np.swapaxes(image, 0, 1), radius=3, sigma=1.5, angle=90.0)
    np.testing.assert_allclose(np.swapaxes(upright, 0, 1), found, atol=1e-12)


def test_glass_moves_pixels_no_farther_than_its_reach(draw):
    image = np.repeat(np.arange(32.0)[None, :, None], 32, axis=0)
    found = blur.glass_blur(image, draw, 0.05, 1, 1)
    moves = found - image
    assert set(np.unique(moves).round(6)) == {-1.0, 0.0}
    assert not moves[:2].any()
    assert (moves[3:30, 3:30] == 0).mean() == pytest.approx(0.5, abs=0.06)


def test_enlarging_keeps_the_middle_of_a_ramp():
    image = np.repeat(np.linspace(0, 1, 224)[None, :, None], 224, axis=0)
    found = enlarged(image, 1.25)
    assert found.shape == image.shape
    assert found[0, 0, 0] == pytest.approx(0.1, abs=0.01)
    assert found.mean() == pytest.approx(0.5, abs=3e-3)
    assert np.ptp(found) == pytest.approx(0.8, abs=0.01)


def test_brightness_raises_the_value_of_hsv(draw, photo):
    found = weather.brightness(photo[0].astype(float), draw, 0.15)
    for row, column in ((0, 0), (10, 12), (31, 31)):
        hue, saturation, value = colorsys.rgb_to_hsv(*photo[0, row, column].tolist())
        wanted = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.15, 1.0))
        np.testing.assert_allclose(found[row, column], wanted, atol=1e-6)
    np.testing.assert_allclose(weather.brightness(grey(0.3, 8), draw, 0.2), 0.5)
    np.testing.assert_allclose(weather.brightness(grey(0.0, 8), draw, 0.2), 0.2)


def test_fog_adds_plasma_and_scales(draw):
    found = weather.fog(grey(0.6, 32), draw, 1.5, 2.0)
    # Where plasma is 0 and 1: (.6 + 1.5 p) * .6 / (.6 + 1.5).
    assert found.min() == pytest.approx(0.6 * 0.6 / 2.1)
    assert found.max() == pytest.approx(0.6)


def test_plasma_is_rougher_the_slower_its_noise_decays():
    def roughness(decay: float) -> float:
        maps = [plasma(32, np.random.default_rng(seed), decay) for seed in range(5)]
        assert all(one.min() == 0 and one.max() == 1 for one in maps)
        return float(np.mean([np.abs(np.diff(one, axis=0)).mean() for one in maps]))

    assert roughness(3.0) < roughness(2.0) < roughness(1.4)


def test_snow_without_flakes_only_makes_paler(draw):
    found = weather.snow(grey(0.4, 16), draw, 0.0, 0.0, 1.0, 0.5, 3, 1, 0.8)
    np.testing.assert_allclose(found, 0.8 * 0.4 + 0.2 * (1.5 * 0.4 + 0.5))


def test_contrast_scales_the_deviation_of_each_channel(draw, photo):
    image = photo[0].astype(float)
    found = digital.contrast(image, draw, 0.3)
    np.testing.assert_allclose(found.std(axis=(0, 1)), 0.3 * image.std(axis=(0, 1)))
    np.testing.assert_allclose(found.mean(axis=(0, 1)), image.mean(axis=(0, 1)))


def test_pixels_are_the_means_of_their_blocks(draw):
    image = np.random.default_rng(1).uniform(size=(32, 32, 3))
    found = digital.pixelate(image, draw, 0.25)
    means = image.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, np.kron(means, np.ones((4, 4, 1))), atol=1e-6)


def test_elastic_moves_nothing_with_no_strength(draw, photo):
    image = photo[0].astype(float)
    np.testing.assert_allclose(digital.elastic_transform(image, draw, 0, 0, 0), image, atol=1e-9)


def test_an_affine_map_keeps_a_plane_a_plane(draw):
    down, right = np.mgrid[0:41, 0:41].astype(float)
    plane = (0.01 * down + 0.005 * right)[..., None]
    found = digital._affine(plane, draw, 2.0)[12:29, 12:29, 0]
    # Second differences of a plane vanish.
    np.testing.assert_allclose(np.diff(found, n=2, axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(found, n=2, axis=1), 0, atol=1e-9)
    assert not np.allclose(found, plane[12:29, 12:29, 0])


def test_jpeg_is_that_of_pil(photo):
    pixels = np.round(photo * 255).astype(np.uint8)
    found = corrupt(pixels, "jpeg_compression", 4)
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, "JPEG", quality=50)
    np.testing.assert_allclose(found[0] * 255, np.asarray(Image.open(file)), atol=1e-4)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_a_function_of_image_seed_and_severity(name, photo):
    images = np.concatenate([photo, photo[:, ::-1], photo])
    once = corrupt(images, name, 3, seed=5)
    assert once.dtype == np.float32
    assert once.min() >= 0
    assert once.max() <= 1
    np.testing.assert_array_equal(once, corrupt(images, name, 3, seed=5))
    np.testing.assert_array_equal(once[1:2], corrupt(images[1:2], name, 3, seed=5, indices=[1]))
    is_random = not np.array_equal(once, corrupt(images, name, 3, seed=6))
    fixed = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert is_random == (name not in fixed)
    assert is_random == (not np.array_equal(once[0], once[2]))
    assert corrupt(images[:1, ..., :1], name, 5).shape == (1, 32, 32, 1)
    assert corrupt(images[:1, :8, :9], name, 5).shape == (1, 8, 9, 3)


MONOTONE = ["gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "zoom_blur",
            "brightness", "contrast"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "side"), [(name, side) for name in MONOTONE for side in (32, 128)]
    + [("snow", 32), ("fog", 32), ("motion_blur", 32), ("jpeg_compression", 128)],
)  # fmt: skip
def test_severities_change_images_more_and_more(name, side, photo):
    image = np.kron(photo, np.ones((1, side // 32, side // 32, 1), np.float32))
    images = np.repeat(image, 6 if side == 32 else 2, axis=0)
    changes = [float(np.abs(corrupt(images, name, s) - images).mean()) for s in range(1, 6)]
    assert changes[0] > 0
    assert changes == sorted(changes)


def test_what_cannot_be_corrupted_is_refused(photo):
    for images, message in (
        (np.zeros((1, 16, 16, 4), np.float32), "4 channels"),
        (np.zeros((1, 20), np.float32), "height, width, channels"),
        (np.zeros((1, 4, 16, 1), np.float32), "8x8"),
        (photo * 255, "in .0, 1."),
    ):
        with pytest.raises(ValueError, match=message):
            corrupt(images, "fog", 1)
    with pytest.raises(ValueError, match="severity must be in 1 to 5, got 6"):
        corrupt(photo, "fog", 6)
    with pytest.raises(ValueError, match="Did you mean 'gaussian_noise'"):
        corrupt(photo, "gausian_noise", 1)
    whole = np.round(photo * 255).astype(np.uint8)
    np.testing.assert_array_equal(
        corrupt(whole, "contrast", 2), corrupt(whole.astype(np.float32) / 255, "contrast", 2)
    )


def thresholds(at: float) -> keras.Model:
    """Class 1 where the mean of an image is above a value."""
    images = keras.Input((16, 16, 1))
    mean = keras.layers.GlobalAveragePooling2D()(images)
    logits = keras.layers.Dense(2, kernel_initializer="zeros")(mean)
    model = keras.Model(images, logits, name="thresholds")
    model.layers[-1].set_weights([np.array([[0.0, 10.0]]), np.array([0.0, -10.0 * at])])
    return model


def test_errors_are_those_of_a_known_classifier_and_the_mce_its_share_of_the_baselines():
    # A quarter of the images each at .2, .4, .6 and .8; brightness adds .05, .1, .15, .2, .3.
    values = np.repeat([0.2, 0.4, 0.6, 0.8], 3)
    images = np.ones((12, 16, 16, 1), np.float32) * values[:, None, None, None].astype(np.float32)
    labels = (values > 0.5).astype(int)
    report = corruption_report(
        thresholds(0.56),
        images,
        labels,
        baseline=thresholds(0.48),
        names=["brightness", "contrast"],
        batch_size=2,
    )
    assert [row.accuracy for row in report.of("brightness")] == [1, 1, 1, 0.75, 0.75]
    assert [row.baseline for row in report.of("brightness")] == [1, 0.75, 0.75, 0.75, 0.5]
    assert report.corruption_error("brightness") == pytest.approx(0.5 / 1.25)
    # Nobody errs under contrast, so no share of it is defined, nor a mean.
    assert [row.accuracy for row in report.of("contrast")] == [1] * 5
    assert report.corruption_error("contrast") is None
    assert report.mce is None
    assert report.mean_accuracy == pytest.approx(0.95)
    assert "mCE not defined" in str(report)
    alone = corruption_report(thresholds(0.56), images, labels, names=["brightness"])
    assert alone.mce is None
    assert alone.mean_accuracy == pytest.approx(0.9)
    of_itself = corruption_report(
        thresholds(0.56), images, labels, names=["brightness"], baseline=thresholds(0.56)
    )
    assert of_itself.mce == of_itself.relative_mce == pytest.approx(1.0)


def test_the_declared_criterion_judges_the_baseline_too():
    # The label is the second of three classes everywhere: among the first two, never the first.
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer="zeros")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    layers[1].bias.assign([2.0, 1.0, 0.0])
    images, labels = np.full((4, 8, 8, 1), 0.5, np.float32), [1, 1, 1, 1]
    plain = corruption_report(model, images, labels, names=["fog"])
    assert (plain.clean, plain.mean_accuracy) == (0, 0)
    two = corruption_report(
        Victim(model, criterion=TopK(2)), images, labels, names=["fog"], baseline=model
    )
    assert (two.clean, two.mean_accuracy, two.baseline_clean) == (1, 1, 1)
    assert all(row.baseline == 1 for row in two.rows)
    with pytest.raises(ValueError, match=r"CLEVER judges by .* TopK\(k=2\) was declared"):
        clever(Victim(model, criterion=TopK(2)), images, labels)
    with pytest.raises(ValueError, match="a smoothed classifier judges by"):
        SmoothedClassifier(Victim(model, criterion=TopK(2)), 0.1).certify(images)


def test_every_corruption_has_its_row():
    public = {
        name
        for module in (noise, blur, weather, digital)
        for name, one in vars(module).items()
        if getattr(one, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    assert public == set(CORRUPTIONS)
