"""What becomes of every mode that Pillow reads, and of files whose range nothing says."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.data
from tests.data.image_files import packed_12_bits, write_tiff

DEEP = np.array([[0, 1000], [30_000, 65_535]], np.uint16).repeat(4, 0).repeat(4, 1)
COLOUR = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=-1)


def loaded(tmp_path, write, suffix=".png", **options):
    """The set of two equal files."""
    for number in range(2):
        write(tmp_path / f"{number}{suffix}")
    return kgan.data.load(str(tmp_path), image_size=8, **options)


def plain(mode, colour, **options):
    def write(path):
        image = Image.new(mode, (8, 8), colour)
        if "palette" in options:
            image.putpalette(options["palette"])
        image.save(path, **{k: v for k, v in options.items() if k != "palette"})

    return write


PALETTE = [0, 0, 0, 10, 20, 30, 200, 100, 0]
# Mode: writer, suffix, and the pixel that must come out, on white where it is transparent.
EIGHT_BITS = {
    "1": (plain("1", 1), ".png", [255]),
    "L": (plain("L", 100), ".png", [100]),
    "LA": (plain("LA", (100, 51)), ".png", [0.2 * 100 + 0.8 * 255]),
    "LA tiff": (plain("LA", (100, 51)), ".tif", [0.2 * 100 + 0.8 * 255]),
    "La": (
        lambda path: write_tiff(
            path, [np.full((8, 8, 2), (20, 51), np.uint8)], photometric=1, extra=1
        ),
        ".tif",
        [20 + 0.8 * 255],
    ),
    "P": (plain("P", 1, palette=PALETTE), ".png", [10, 20, 30]),
    "P gif": (plain("P", 2, palette=PALETTE), ".gif", [200, 100, 0]),
    "P transparent": (plain("P", 1, palette=PALETTE, transparency=1), ".png", [255, 255, 255]),
    "PA": (plain("PA", (2, 51), palette=PALETTE), ".tif", [244, 224, 204]),
    "RGB": (plain("RGB", (10, 20, 30)), ".png", [10, 20, 30]),
    "RGB transparent": (
        plain("RGB", (10, 20, 30), transparency=(10, 20, 30)),
        ".png",
        [255, 255, 255],
    ),
    "RGBA": (plain("RGBA", (0, 100, 200, 51)), ".png", [204, 224, 244]),
    "RGBa": (
        lambda path: write_tiff(path, [np.full((8, 8, 4), (0, 20, 40, 51), np.uint8)], extra=1),
        ".tif",
        [204, 224, 244],
    ),
    "CMYK": (plain("CMYK", (0, 255, 255, 0)), ".tif", [255, 0, 0]),
    "YCbCr": (plain("YCbCr", (128, 128, 128)), ".tif", [128, 128, 128]),
    "LAB": (plain("LAB", (255, 128, 128)), ".tif", [255, 255, 255]),
    "PGM of 16 levels": (
        lambda path: path.write_bytes(b"P5 8 8 15\n" + bytes([5] * 64)),
        ".pgm",
        [85],
    ),
}


@pytest.mark.parametrize("mode", EIGHT_BITS)
def test_modes_of_8_bits(tmp_path, mode):
    write, suffix, pixel = EIGHT_BITS[mode]
    data = loaded(tmp_path, write, suffix)
    assert data.samples.dtype == np.uint8
    assert data.exact is None
    assert data.sample_shape == (8, 8, len(pixel))
    # Pillow computes with whole numbers.
    assert np.abs(data.samples - np.array(pixel)).max() <= 1
    assert (data.samples == data.samples[0, 0, 0]).all()


def pgm(values, most):
    def write(path):
        head = f"P5 {values.shape[1]} {values.shape[0]} {most}\n".encode()
        path.write_bytes(head + values.astype(">u2").tobytes())

    return write


def png16(values):
    return lambda path: path.write_bytes(tf.io.encode_png(values).numpy())


TWELVE = (DEEP // 16).astype(np.uint16)
# Name: writer, suffix, the values (8, 8, channels) as shares of the full range.
SIXTEEN_BITS = {
    "PNG": (lambda path: Image.fromarray(DEEP).save(path), ".png", DEEP / 65535),
    "TIFF": (lambda path: Image.fromarray(DEEP).save(path), ".tif", DEEP / 65535),
    "TIFF deflated": (
        lambda path: Image.fromarray(DEEP).save(path, compression="tiff_adobe_deflate"),
        ".tif",
        DEEP / 65535,
    ),
    "TIFF little-endian": (lambda path: write_tiff(path, [DEEP]), ".tif", DEEP / 65535),
    "TIFF big-endian": (lambda path: write_tiff(path, [DEEP], order=">"), ".tif", DEEP / 65535),
    "TIFF, white is zero": (
        lambda path: write_tiff(path, [DEEP], photometric=0),
        ".tif",
        1 - DEEP / 65535,
    ),
    "TIFF of 12 bits": (
        lambda path: write_tiff(path, [(packed_12_bits(TWELVE), 8, 8)], bits=12),
        ".tif",
        TWELVE / 4095,
    ),
    "PGM": (pgm(DEEP, 65535), ".pgm", DEEP / 65535),
    "PGM of 1,000 levels": (
        pgm(DEEP // 100, 1000),
        ".pgm",
        np.round(DEEP // 100 / 1000 * 65535) / 65535,
    ),
    "JPEG 2000": (
        lambda path: Image.fromarray(DEEP).save(path, irreversible=False),
        ".jp2",
        DEEP / 65535,
    ),
    "PNG colour": (png16(COLOUR), ".png", COLOUR / 65535),
    "TIFF colour": (lambda path: write_tiff(path, [COLOUR]), ".tif", COLOUR / 65535),
    "TIFF colour big-endian": (
        lambda path: write_tiff(path, [COLOUR], order=">"),
        ".tif",
        COLOUR / 65535,
    ),
}


@pytest.mark.parametrize("name", SIXTEEN_BITS)
def test_sixteen_bits_keep_their_levels(tmp_path, name):
    write, suffix, shares = SIXTEEN_BITS[name]
    data = loaded(tmp_path, write, suffix)
    shares = np.atleast_3d(shares)
    assert data.sample_shape == shares.shape
    np.testing.assert_allclose(data.as_float()[1], shares, atol=1e-6)
    # Where bytes are asked for they are the nearest ones.
    assert np.abs(data.samples[1] - shares * 255).max() <= 0.5 + 1e-3
    batch = next(iter(kgan.data.feed(data, 2, labels=False))).numpy()
    np.testing.assert_array_equal(batch[0], data.as_float()[0])


@pytest.mark.parametrize(("mode", "channels"), [("LA", 1), ("RGBA", 3)])
def test_sixteen_bits_with_opacity(tmp_path, mode, channels):
    values = np.full((8, 8, channels + 1), 40_000, np.uint16)
    values[..., -1] = 13_107  # A fifth.
    data = loaded(tmp_path, png16(values))
    assert data.sample_shape == (8, 8, channels)
    np.testing.assert_allclose(data.as_float(), 0.2 * 40_000 / 65535 + 0.8, atol=1e-6)
    black = kgan.data.load(str(tmp_path), image_size=8, background="black")
    np.testing.assert_allclose(black.as_float(), 0.2 * 40_000 / 65535, atol=1e-6)
    rgba = kgan.data.load(str(tmp_path), image_size=8, channels="rgba")
    np.testing.assert_allclose(rgba.as_float()[..., 3], 0.2, atol=1e-6)
    np.testing.assert_allclose(rgba.as_float()[..., :3], 40_000 / 65535, atol=1e-6)


def test_a_grey_level_of_16_bits_may_be_transparent(tmp_path):
    data = loaded(tmp_path, lambda path: Image.fromarray(DEEP).save(path, transparency=1000))
    np.testing.assert_array_equal(data.as_float()[0, ..., 0] == 1, (DEEP == 1000) | (DEEP == 65535))


def test_a_colour_of_16_bits_may_be_transparent(tmp_path):
    values = COLOUR.copy()
    values[0, :2] = (1, 2, 3)
    chunk = b"tRNS" + struct.pack(">HHH", 1, 2, 3)
    chunk = struct.pack(">I", 6) + chunk + struct.pack(">I", zlib.crc32(chunk))
    head, tail = tf.io.encode_png(values).numpy().split(b"IDAT", 1)
    # Before the length of the first chunk of data.
    content = head[:-4] + chunk + head[-4:] + b"IDAT" + tail
    data = loaded(tmp_path, lambda path: path.write_bytes(content))
    expected = values / 65535
    expected[0, :2] = 1
    np.testing.assert_allclose(data.as_float()[0], expected, atol=1e-6)
    rgba = kgan.data.load(str(tmp_path), image_size=8, channels="rgba").as_float()[0]
    np.testing.assert_array_equal(rgba[..., 3] == 0, (values == (1, 2, 3)).all(axis=-1))


def test_colour_of_16_bits_that_is_read_with_8_is_told(tmp_path):
    content = b"P6 8 8 65535\n" + COLOUR.astype(">u2").tobytes()
    data = loaded(tmp_path, lambda path: path.write_bytes(content), ".ppm")
    np.testing.assert_allclose(data.as_float()[0], COLOUR / 65535, atol=1 / 255)
    assert "2 files of 16-bit colour, compressed TIFF or PPM, were read with 8 bits" in str(
        data.notes
    )


SIGNED = np.linspace(-1000, 1000, 64).reshape(8, 8)
# Name: writer, suffix, what the values are.
UNDECLARED = {
    "I": (lambda path: Image.fromarray(SIGNED.astype(np.int32)).save(path), np.trunc(SIGNED)),
    "signed 16 bits": (
        lambda path: write_tiff(path, [SIGNED.astype(np.int16)], sample_format=2),
        np.trunc(SIGNED),
    ),
    "signed 16 bits, big-endian": (
        lambda path: write_tiff(path, [SIGNED.astype(np.int16)], order=">", sample_format=2),
        np.trunc(SIGNED),
    ),
    "signed 8 bits": (
        lambda path: write_tiff(path, [(SIGNED / 10).astype(np.int8)], sample_format=2),
        np.trunc(SIGNED / 10),
    ),
    "unsigned 32 bits": (
        lambda path: write_tiff(path, [(SIGNED + 1000).astype(np.uint32) + np.uint32(2**31)]),
        np.trunc(SIGNED + 1000) + 2**31,
    ),
    "F": (lambda path: Image.fromarray(SIGNED.astype(np.float32)).save(path), SIGNED),
    "F big-endian": (
        lambda path: write_tiff(path, [SIGNED.astype(np.float32)], order=">", sample_format=3),
        SIGNED,
    ),
    "12 bits in 16": (
        lambda path: Image.fromarray(((SIGNED + 1000) * 2).astype(np.uint16)).save(path),
        np.trunc((SIGNED + 1000) * 2),
    ),
}


@pytest.mark.parametrize("name", UNDECLARED)
def test_what_no_file_says_is_declared(tmp_path, name):
    write, values = UNDECLARED[name]
    with pytest.raises(ValueError, match="--value-range"):
        loaded(tmp_path, write, ".tif")
    low, high = values.min(), values.max()
    rough = 300 if name == "unsigned 32 bits" else 1e-3  # Resizing knows 24 bits.
    auto = loaded(tmp_path, write, ".tif", value_range="auto")
    shares = (values - low) / (high - low)
    np.testing.assert_allclose(auto.as_float()[0, ..., 0], shares, atol=rough / (high - low))
    assert auto.kind.value_range == pytest.approx((low, high), abs=rough)
    assert any("smallest and the largest" in note for note in auto.notes)
    # Half of the range: what lies above is cut, and that is said.
    middle = (low + high) / 2
    given = loaded(tmp_path, write, ".tif", value_range=(low, middle))
    np.testing.assert_allclose(
        given.as_float()[0, ..., 0], np.minimum(2 * shares, 1), atol=2 * rough / (high - low)
    )
    assert given.kind.value_range == (low, middle)
    assert any("what lies outside is cut" in note for note in given.notes)


def test_floats_in_0_to_1_are_as_they_are(tmp_path):
    ramp = np.linspace(0.2, 0.9, 64, dtype=np.float32).reshape(8, 8)
    data = loaded(tmp_path, lambda path: Image.fromarray(ramp).save(path), ".tif")
    np.testing.assert_array_equal(data.samples[0, ..., 0], ramp)
    assert data.kind.value_range is None
    broken = ramp.copy()
    broken[0, 0] = np.nan
    Image.fromarray(broken).save(tmp_path / "2.tif")
    with pytest.warns(UserWarning, match="2.tif .holds 1 values that are NaN"):
        assert len(kgan.data.load(str(tmp_path), image_size=8)) == 2


def test_one_scale_for_the_whole_set(tmp_path):
    bright, dark = np.full((8, 8), 60_000, np.uint16), np.full((8, 8), 200, np.uint16)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(dark).save(tmp_path / "dark.png")
    Image.fromarray(np.full((8, 8), 100, np.uint8)).save(tmp_path / "eight.png")
    data = kgan.data.load(str(tmp_path), image_size=8)
    np.testing.assert_allclose(
        data.as_float()[:, 0, 0, 0], [60_000 / 65535, 200 / 65535, 100 / 255], atol=1e-7
    )
    np.testing.assert_array_equal(data.samples[:, 0, 0, 0], [233, 1, 100])
    # A declared range is that of one depth.
    with pytest.raises(ValueError, match=r"bright.png and eight.png .* differ"):
        kgan.data.load(str(tmp_path), image_size=8, value_range=(0, 4095))


@pytest.mark.parametrize(("most", "bits"), [(1000, 10), (4000, 12), (16_383, 14)])
def test_fewer_bits_in_16_are_told(tmp_path, most, bits):
    values = np.linspace(0, most, 64).reshape(8, 8).astype(np.uint16)
    with pytest.raises(ValueError, match=rf"of {bits} bits.*--value-range 0 {2**bits - 1}"):
        loaded(tmp_path, lambda path: Image.fromarray(values).save(path))
    declared = kgan.data.load(str(tmp_path), image_size=8, value_range=(0, 2**bits - 1))
    np.testing.assert_allclose(declared.as_float()[0, ..., 0], values / (2**bits - 1), atol=1e-6)
    full = kgan.data.load(str(tmp_path), image_size=8, value_range=(0, 65535))
    np.testing.assert_allclose(full.as_float()[0, ..., 0], values / 65535, atol=1e-6)


def test_eight_bits_may_be_declared_too(tmp_path):
    data = loaded(tmp_path, plain("L", 120), value_range=(20, 220))
    np.testing.assert_allclose(data.as_float(), 0.5)


def test_auto_is_of_the_whole_set_whatever_the_format(tmp_path):
    low, high = np.full((8, 8), 1000, np.uint16), np.full((8, 8), 3000, np.uint16)
    Image.fromarray(low).save(tmp_path / "a.png")
    Image.fromarray(high).save(tmp_path / "b.jp2", irreversible=False)
    data = kgan.data.load(str(tmp_path), image_size=8, value_range="auto")
    assert data.kind.value_range == (1000, 3000)
    np.testing.assert_array_equal(data.as_float()[:, 0, 0, 0], [0, 1])


@pytest.mark.parametrize("bad", [(1, 1), (5, 2), "all", (1, 2, 3)])
def test_bad_ranges(bad):
    with pytest.raises(ValueError, match="value_range must be two finite values"):
        kgan.data.Reading(value_range=bad)


def test_pages_are_channels(tmp_path):
    pages = [np.full((8, 8), 40 * number, np.uint8) for number in range(5)]

    def write(path, order="<"):
        # The smaller version of a page is none.
        write_tiff(path, [*pages, pages[0][::2, ::2]], order=order, subfiles=(0,) * 5 + (1,))

    data = loaded(tmp_path, write, ".tif")
    assert data.samples.dtype == np.uint8
    np.testing.assert_array_equal(data.samples[0, 0, 0], [0, 40, 80, 120, 160])
    assert data.exact is None
    write_tiff(tmp_path / "2.tif", [pages[0], pages[1][:4]])
    with pytest.warns(UserWarning, match=r"2.tif \(its 2 pages are not one grey channel each"):
        kgan.data.load(str(tmp_path), image_size=8)
    (tmp_path / "2.tif").unlink()
    Image.fromarray(pages[0]).save(tmp_path / "2.tif")
    with pytest.raises(ValueError, match=r"differ in their channels: 5 in 0.tif and 1 in 2.tif"):
        kgan.data.load(str(tmp_path), image_size=8)


def test_pages_of_16_bits(tmp_path):
    pages = [DEEP, DEEP[::-1]]
    data = loaded(tmp_path, lambda path: write_tiff(path, pages, order=">"), ".tiff")
    np.testing.assert_allclose(data.as_float()[0], np.stack(pages, -1) / 65535, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_as_others_are(tmp_path, orientation):
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    (tmp_path / "deep").mkdir()
    (tmp_path / "byte").mkdir()
    exif = Image.Exif()
    exif[274] = orientation
    for number in range(2):
        Image.fromarray(values).save(tmp_path / "deep" / f"{number}.png", exif=exif)
        byte = Image.fromarray((values // 256).astype(np.uint8))
        byte.save(tmp_path / "byte" / f"{number}.png", exif=exif)
    size = (3, 4) if orientation < 5 else (4, 3)
    deep, byte = (
        kgan.data.load(str(tmp_path / name), image_size=size) for name in ("deep", "byte")
    )
    assert np.abs(deep.samples.astype(int) - byte.samples).max() <= 1
