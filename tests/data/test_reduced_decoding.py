"""JPEG files much larger than asked for are decoded at a fraction of their size."""

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

import kgan.decoding.image
from kgan.decoding.image import read_image
from kgan.decoding.reading import Reading
from kgan.decoding.resize import reduction, resized


@pytest.fixture
def reduced_by(monkeypatch):
    """By how much each file was reduced."""
    factors = []
    draft = JpegImageFile.draft

    def noted(self, mode, size):
        before = self.size
        found = draft(self, mode, size)
        factors.append(before[0] / self.size[0])
        return found

    monkeypatch.setattr(JpegImageFile, "draft", noted)
    return factors


def photograph(height, width, seed=0):
    """A spectrum that falls with the frequency, as photographs' does; uint8 colour."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(down, across), 1 / max(height, width))[..., None]
    noise = np.fft.rfft2(rng.normal(size=(height, width, 3)), axes=(0, 1))
    values = np.fft.irfft2(noise / frequency, s=(height, width), axes=(0, 1))
    values = 128 + 45 * (values - values.mean()) / values.std()
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def fully_decoded(path, size, how):
    """Decoded at full size, then resized."""
    with Image.open(path) as image:
        turned = {6: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180}
        turn = turned.get(image.getexif().get(274))
        upright = image if turn is None else image.transpose(turn)
        picture = upright if upright.mode == "L" else upright.convert("RGB")
        fill = 255 if picture.mode == "L" else (255, 255, 255)
        return np.asarray(resized(picture, size, how, fill))


@pytest.mark.parametrize(
    ("size", "image_size", "how", "factor"),
    [
        ((512, 512), 32, "crop", 8),
        ((512, 512), 64, "crop", 4),
        ((512, 512), 65, "crop", 2),
        ((512, 512), 128, "crop", 2),
        ((512, 512), 129, "crop", 1),
        ((512, 768), 32, "crop", 8),
        ((512, 768), 33, "pad", 8),  # The longer side gives the scale.
        ((512, 768), 33, "crop", 4),
        ((512, 768), (32, 64), "stretch", 4),
        ((512, 768), (16, 48), "stretch", 8),
        ((516, 768), 16, "crop", 4),  # 8 does not divide 516.
        ((513, 768), 16, "crop", 1),
        ((8, 8), 1, "crop", 4),
        ((1, 1), 64, "crop", 1),
    ],
)
def test_the_reduction_leaves_twice_what_is_asked_for(size, image_size, how, factor):
    assert reduction(size, image_size, how) == factor


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"quality": 92}),
        ("RGB", {"quality": 75, "progressive": True}),
        ("L", {"quality": 90}),
        ("CMYK", {"quality": 90}),
        ("RGB", {"quality": 90, "orientation": 6}),
        ("RGB", {"quality": 90, "orientation": 3}),
        ("RGB", {"quality": 90, "format": "MPO"}),
    ],
)
def test_a_photograph_reads_as_if_decoded_whole(tmp_path, reduced_by, mode, options, how):
    image = photograph(384, 512).convert(mode)
    path, options = tmp_path / "a.jpg", {"format": "JPEG", **options}
    orientation = options.pop("orientation", 1)
    exif = Image.Exif()
    exif[274] = orientation
    image.save(path, exif=exif, **options)
    wanted = fully_decoded(path, (48, 40), how)
    got, facts = read_image(path, Reading(image_size=(48, 40), resize=how))
    got = got[..., 0] if mode == "L" else got
    assert len(reduced_by) == 1
    assert reduced_by[0] >= 2
    error = got.astype(int) - wanted
    assert np.abs(error).max() <= 12
    assert np.sqrt(np.mean(error**2)) < 1.5  # 44.6 dB.
    height, width = (512, 384) if orientation == 6 else (384, 512)
    # The whole picture's proportions, not the reduced one's.
    cut = 1 - min(height / 48, width / 40) ** 2 * 48 * 40 / (height * width)
    assert facts.cut == pytest.approx(cut if how == "crop" else 0)


def test_nothing_moves_at_the_edges(tmp_path):
    """A step at three quarters of the width lies where it lay, and so does the last column."""
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, 384:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    got, _ = read_image(tmp_path / "a.jpg", Reading(image_size=(16, 32)))
    assert got[..., 0].mean(axis=0)[:23].max() <= 12
    assert got[..., 0].mean(axis=0)[25:].min() >= 243
    assert got.mean() == pytest.approx(255 / 4, abs=1)


@pytest.mark.parametrize("value_range", [(0.0, 255.0), "auto"])
def test_where_the_values_are_measured_they_are_read_as_they_are(tmp_path, reduced_by, value_range):
    pixels = np.full((256, 256), 128, np.uint8)
    pixels[100:108, 100:108] = 255  # One block, which a reduction would average away.
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=100)
    _, facts = read_image(tmp_path / "a.jpg", Reading(image_size=16, value_range=value_range))
    assert reduced_by == []
    assert facts.high >= 250


def test_a_damaged_file_is_refused_as_before(tmp_path):
    path = tmp_path / "a.jpg"
    photograph(512, 512).save(path, quality=90)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(kgan.decoding.image.UNREADABLE):
        read_image(path, Reading(image_size=32))
