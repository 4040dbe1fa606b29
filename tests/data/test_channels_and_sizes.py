"""Channels, sizes and the types of arrays: what comes out, with values known beforehand."""

import numpy as np
import pytest
from PIL import Image

import kgan.data
from kgan.decoding.resize import resize_and_crop
from kgan.kinds import Images, from_config
from kgan.pixels import visible


def as_before(image, size):
    """Eight-bit pictures, as they have always been read: grey or colour, on white, cut."""
    grey = image.mode in ("1", "L", "LA")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if grey else "RGB")
    scale = max(size / image.height, size / image.width)
    across, down = size / scale, size / scale
    left, top = (image.width - across) / 2, (image.height - down) / 2
    return image.resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down)
    )


def test_eight_bit_pictures_keep_their_bits(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (23, 31, 4), dtype=np.uint8)
    colour = Image.fromarray(pixels[..., :3])
    colour.save(tmp_path / "a.png")
    colour.save(tmp_path / "b.jpg", quality=80)
    Image.fromarray(pixels).save(tmp_path / "c.png")
    colour.quantize(16).save(tmp_path / "d.png")
    colour.convert("L").save(tmp_path / "e.png")
    colour.convert("LA").save(tmp_path / "f.png")
    colour.convert("1").save(tmp_path / "g.png")
    colour.convert("CMYK").save(tmp_path / "h.tif")
    wanted = []
    for path in sorted(tmp_path.iterdir()):
        with Image.open(path) as image:
            wanted.append(np.asarray(as_before(image, 12).convert("RGB")))
    data = kgan.data.load(str(tmp_path), image_size=12)
    np.testing.assert_array_equal(data.samples, np.stack(wanted))


PIXEL = (200, 100, 50, 51)  # A fifth opaque.


@pytest.fixture
def translucent(tmp_path):
    for number in range(2):
        Image.new("RGBA", (8, 8), PIXEL).save(tmp_path / f"{number}.png")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("options", "pixel"),
    [
        ({}, [244, 224, 214]),
        ({"background": "black"}, [40, 20, 10]),
        ({"background": "#00ff00"}, [40, 224, 10]),
        ({"channels": "rgb"}, [244, 224, 214]),
        ({"channels": "rgba"}, PIXEL),
        ({"channels": "grey"}, [0.299 * 244 + 0.587 * 224 + 0.114 * 214]),
    ],
)
def test_transparency(translucent, options, pixel):
    data = kgan.data.load(translucent, image_size=8, **options)
    assert data.sample_shape == (8, 8, len(pixel))
    assert np.abs(data.samples[0, 0, 0] - np.array(pixel)).max() <= 1
    said = any("laid on " + options.get("background", "white") in note for note in data.notes)
    assert said == (options.get("channels") != "rgba")
    assert data.kind.has_opacity == (options.get("channels") == "rgba")


def test_grey_on_a_coloured_background_is_colour(tmp_path):
    for number in range(2):
        Image.new("LA", (8, 8), (0, 0)).save(tmp_path / f"{number}.png")
    data = kgan.data.load(str(tmp_path), image_size=8, background="red")
    np.testing.assert_array_equal(data.samples[0, 0, 0], [255, 0, 0])


def test_opacity_is_resized_with_its_colour(tmp_path):
    """Colour that nobody sees must not bleed: red beside transparent green stays red."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    pixels[:, 4:] = (0, 255, 0, 0)
    for number in range(2):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    data = kgan.data.load(str(tmp_path), image_size=4, channels="rgba")
    seen = data.samples[0][data.samples[0, ..., 3] > 20]
    assert (seen[:, 1] <= 3).all()
    assert (seen[:, 0] >= 250).all()


@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
def test_channels_of_arrays(tmp_path, channels):
    colour = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", colour)
    np.save(tmp_path / "b.npy", colour[..., 0])
    one, other = (
        kgan.data.load(str(tmp_path / f"{name}.npy"), channels=channels).samples for name in "ab"
    )
    if channels == "grey":
        luma = colour @ np.array([0.299, 0.587, 0.114])
        assert np.abs(one[..., 0] - luma).max() <= 0.5 + 1e-9
        np.testing.assert_array_equal(other[..., 0], colour[..., 0])
        return
    np.testing.assert_array_equal(one[..., :3], colour)
    np.testing.assert_array_equal(other[..., :3], colour[..., :1].repeat(3, -1))
    assert channels == "rgb" or (one[..., 3] == 255).all()


def test_many_channels(tmp_path):
    many = np.random.default_rng(0).random((4, 9, 10, 7), np.float32)
    np.save(tmp_path / "many.npy", many)
    data = kgan.data.load(str(tmp_path / "many.npy"), shown_channels=(5, 1, 0))
    np.testing.assert_array_equal(data.samples, many)
    assert data.kind == Images(9, 10, 7)
    assert from_config(data.kind.get_config()).shown == (5, 1, 0)
    np.testing.assert_array_equal(visible(many, data.kind.shown), many[..., [5, 1, 0]])
    np.testing.assert_array_equal(visible(many), many[..., :3])
    half = kgan.data.load(str(tmp_path / "many.npy"), image_size=8)
    assert half.sample_shape == (8, 8, 7)
    with pytest.raises(ValueError, match=r"shown_channels must be one or three .* 0 to 6"):
        kgan.data.load(str(tmp_path / "many.npy"), shown_channels=(7,))
    with pytest.raises(ValueError, match=r"channels must be left out .* 7 channels"):
        kgan.data.load(str(tmp_path / "many.npy"), channels="rgb")


def test_what_pictures_show():
    image = np.array([0.2, 0.4, 0.6, 0.5], np.float32).reshape(1, 1, 1, 4)
    np.testing.assert_allclose(visible(image)[0, 0, 0], [0.2, 0.4, 0.6])
    np.testing.assert_allclose(visible(image, (0, 1, 2, 3))[0, 0, 0], [0.6, 0.7, 0.8])
    np.testing.assert_allclose(visible(image[..., :2])[0, 0, 0], [0.2])
    assert visible(image[..., :3]) is not None


LEVELS = np.array([[0, 64], [128, 255]])
# Type: values, shares of the full range, the type of samples.
ARRAY_TYPES = {
    "bool": (LEVELS > 100, (LEVELS > 100) * 1.0, np.uint8),
    "uint8": (LEVELS.astype(np.uint8), LEVELS / 255, np.uint8),
    "int64": (LEVELS, LEVELS / 255, np.uint8),
    "uint16": (LEVELS.astype(np.uint16) * 257, LEVELS / 255, np.uint8),
    "float16": ((LEVELS / 256).astype(np.float16), LEVELS / 256, np.float32),
    "float32": ((LEVELS / 255).astype(np.float32), LEVELS / 255, np.float32),
    "float64": (LEVELS / 255, LEVELS / 255, np.float32),
    "float64 a little above 1": (LEVELS / 255 * (1 + 1e-12), LEVELS / 255, np.float32),
}


@pytest.mark.parametrize("name", ARRAY_TYPES)
def test_types_of_arrays(tmp_path, name):
    values, shares, dtype = ARRAY_TYPES[name]
    np.save(tmp_path / "a.npy", np.stack([np.kron(values, np.ones((4, 4), values.dtype))] * 2))
    data = kgan.data.load(str(tmp_path / "a.npy"))
    assert data.samples.dtype == dtype
    np.testing.assert_allclose(
        data.as_float()[0, ..., 0], np.kron(shares, np.ones((4, 4))), atol=1e-7
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([-1000, 1000], np.int16), r"\[0, 255\], got -1,000 to 1,000: .*--value-range"),
        (np.array([0, 300], np.int64), r"\[0, 255\], got 0 to 300: .*--value-range auto"),
        (np.array([0, 4000], np.uint16), "of 12 bits: .*--value-range 0 4095"),
        (np.array([0, 255], np.uint32) * 2**20, "--value-range"),
        (np.array([-1.0, 1.0]), r"\[0, 1\], got -1 to 1: rescale with \(x \+ 1\) / 2, or declare"),
        (np.array([0.0, 255.0]), r"got 0 to 255: divide by 255, or declare"),
    ],
)
def test_arrays_whose_range_is_declared(tmp_path, values, message):
    images = np.zeros((3, 8, 8), values.dtype)
    images[0], images[1] = values
    np.save(tmp_path / "a.npy", images)
    with pytest.raises(ValueError, match=message):
        kgan.data.load(str(tmp_path / "a.npy"))
    low, high = map(float, values)
    for declared in ("auto", (low, high)):
        data = kgan.data.load(str(tmp_path / "a.npy"), value_range=declared)
        wanted = (images.astype(np.float64) - low) / (high - low)
        np.testing.assert_allclose(data.as_float()[..., 0], wanted, atol=1e-7)
        assert data.fingerprint()["value_range"] == [low, high]


RAMP = np.tile(np.arange(32, dtype=np.uint8) * 8, (16, 1))  # Twice as wide as high.
RESIZES = {
    # What the leftmost and the rightmost column of 8x8 pixels are, about.
    "crop": (8 * 8 + 8, 23 * 8 - 8),
    "stretch": (12, 236),
}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
def test_resizes(tmp_path, how, deep):
    image = RAMP.astype(np.uint16) * 257 if deep else RAMP
    np.save(tmp_path / "a.npy", np.stack([image] * 2))
    (tmp_path / "files").mkdir()
    for number in range(2):
        Image.fromarray(image).save(tmp_path / "files" / f"{number}.png")
    of_files = kgan.data.load(str(tmp_path / "files"), image_size=8, resize=how, background="gray")
    of_array = kgan.data.load(str(tmp_path / "a.npy"), image_size=8, resize=how, background="gray")
    assert np.abs(of_files.samples.astype(int) - of_array.samples).max() <= 1
    row = of_files.samples[0, 4, :, 0]
    assert of_files.samples.shape == (2, 8, 8, 1)
    if how == "pad":
        # The whole image is four pixels high, in the middle.
        np.testing.assert_array_equal(of_files.samples[0, [0, 1, 6, 7]], 128)
        row = of_files.samples[0, 3, :, 0]
    left, right = RESIZES.get(how, RESIZES["stretch"])
    assert int(row[0]) == pytest.approx(left, abs=8)
    assert int(row[-1]) == pytest.approx(right, abs=8)
    cut = [note for note in of_files.notes if "lost their edges" in note]
    assert [("2 of 2" in note, "50%" in note) for note in cut] == [(True, True)] * (how == "crop")


def test_padding_of_opacity_is_transparent(tmp_path):
    for number in range(2):
        Image.new("RGBA", (16, 8), (255, 0, 0, 255)).save(tmp_path / f"{number}.png")
    data = kgan.data.load(str(tmp_path), image_size=8, resize="pad", channels="rgba")
    np.testing.assert_array_equal(data.samples[0, [0, 1, 6, 7]], 0)
    np.testing.assert_array_equal(data.samples[0, 3, 3], [255, 0, 0, 255])
    colour = kgan.data.load(str(tmp_path), image_size=8, resize="pad", background="blue")
    np.testing.assert_array_equal(colour.samples[0, 0, 0], [0, 0, 255])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "squeeze"}, "resize must be one of crop, pad, stretch, got 'squeeze'"),
        ({"channels": "rgbb"}, "channels must be one of grey, rgb, rgba, got 'rgbb'. Did you"),
        ({"background": "whiet"}, "background must be a colour such as white, .* got 'whiet'"),
        ({"image_size": 0}, "image_size must be a side or"),
        ({"image_size": 8.5}, r"image_size must be a side or .* got 8\.5"),
        ({"image_size": "8"}, "image_size must be a side or .* got '8'"),
        ({"image_size": True}, "image_size must be a side or .* got True"),
    ],
)
def test_bad_readings(options, message):
    with pytest.raises(ValueError, match=message):
        kgan.data.Reading(**options)


def test_sets_of_one_form_take_no_declaration():
    with pytest.raises(ValueError, match="value_range must be left out for digits"):
        kgan.data.load("digits", value_range=(0, 16))
    with pytest.raises(ValueError, match="channels must be left out for digits"):
        kgan.data.load("digits", channels="rgb")


def test_no_size_is_beyond_rounding():
    """Cutting 49 to 64 rounds to an edge of -4e-15, which PIL refuses."""
    for size in ((23, 49), (49, 50), (50, 49), (41, 67), (55, 83)):
        for side in (12, 32, 48, 64, 100):
            assert resize_and_crop(Image.new("L", size), side).size == (side, side)
