"""Loading: what comes out, and what is said of bad input."""

import io

import numpy as np
import pytest
from PIL import Image

import kgan.data


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    everything = kgan.data.load("digits", "all")
    assert everything.samples.shape == (1797, 8, 8, 1)
    assert everything.samples.dtype == np.uint8
    np.testing.assert_allclose(everything.as_float()[..., 0] * 16, load_digits().images, atol=0.04)
    train, test = kgan.data.load("digits"), kgan.data.load("digits", "test")
    assert (len(train), len(test)) == (1442, 355)
    assert np.bincount(test.labels).min() >= 34
    assert not {image.tobytes() for image in train.samples} & {
        image.tobytes() for image in test.samples
    }


@pytest.mark.parametrize(("name", "modes", "deviation"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_mixtures(name, modes, deviation):
    data = kgan.data.load(name)
    assert data.samples.shape == (100_000, 2)
    assert data.num_classes == modes
    for mode in range(modes):
        points = data.samples[data.labels == mode]
        assert points.std(axis=0) == pytest.approx(deviation, rel=0.05)
        centre = kgan.data.MIXTURES[name].centres[mode]
        np.testing.assert_allclose(points.mean(axis=0), centre, atol=5 * deviation / 60)


def test_folder_with_classes_of_any_size_and_mode(tmp_path, colours):
    write(tmp_path / "a" / "1.png", colours[0])
    write(tmp_path / "a" / "deep" / "2.JPG", colours[1], format="JPEG")
    write(tmp_path / "b" / "grey.png", colours[2, ..., 0])
    write(tmp_path / "b" / "clear.png", np.zeros((40, 40, 4), np.uint8))
    data = kgan.data.load(str(tmp_path), image_size=16)
    assert data.samples.shape == (4, 16, 16, 3)
    assert data.class_names == ("a", "b")
    np.testing.assert_array_equal(data.labels, [0, 0, 1, 1])
    # Transparency is laid over white; a grey file has three equal channels.
    assert (data.samples[2] == 255).all()
    assert (data.samples[3].min(axis=-1) == data.samples[3].max(axis=-1)).all()


def test_folder_of_grey_images_is_grey_and_unlabelled(tmp_path, colours):
    for index in range(3):
        write(tmp_path / f"{index}.png", colours[index, ..., 0])
    data = kgan.data.load(str(tmp_path), image_size=(8, 12))
    assert data.samples.shape == (3, 8, 12, 1)
    assert data.labels is None


def test_sixteen_bit_grey_keeps_its_levels(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    for name in "ab":
        write(tmp_path / f"{name}.png", ramp)
    data = kgan.data.load(str(tmp_path), image_size=64)
    np.testing.assert_allclose(data.samples[0, ..., 0], np.round(ramp / 257.0), atol=1)


def test_resizing_is_antialiased_and_does_not_stretch(tmp_path):
    stripes = np.zeros((64, 128), np.uint8)
    stripes[:, ::2] = 255
    for name in "ab":
        write(tmp_path / f"{name}.png", stripes)
    data = kgan.data.load(str(tmp_path), image_size=16)
    # Without antialiasing stripes of one pixel come out black or white.
    assert abs(data.samples.astype(int) - 128).max() < 8
    circle = np.hypot(*np.mgrid[-32:32, -64:64]) < 20
    write(tmp_path / "a.png", circle.astype(np.uint8) * 255)
    round_ = kgan.data.load(str(tmp_path), image_size=32).samples[0, ..., 0] > 127
    assert round_.any(axis=0).sum() == pytest.approx(round_.any(axis=1).sum(), abs=1)


def test_unreadable_files_are_listed_and_skipped(tmp_path, colours):
    for index in range(2):
        write(tmp_path / f"{index}.png", colours[index])
    (tmp_path / "broken.png").write_bytes(b"not an image")
    buffer = io.BytesIO()
    Image.fromarray(colours[0]).save(buffer, "PNG")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[:300])
    with pytest.warns(UserWarning, match=r"skipped 2 unreadable of 4 .*broken.png.*half.png"):
        data = kgan.data.load(str(tmp_path))
    assert data.samples.shape == (2, 64, 64, 3)


def test_arrays(tmp_path, colours):
    np.savez(tmp_path / "a.npz", images=colours, labels=np.eye(3)[[0, 2, 1, 0, 1]])
    data = kgan.data.load(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(data.samples, colours)
    np.testing.assert_array_equal(data.labels, [0, 2, 1, 0, 1])
    np.save(tmp_path / "b.npy", colours[..., 0] / 255.0)
    floats = kgan.data.load(str(tmp_path / "b.npy"))
    assert floats.samples.shape == (5, 20, 30, 1)
    assert floats.samples.dtype == np.float32
    np.savez(tmp_path / "c.npz", x_train=colours, y_train=np.zeros((5, 1), int), x_test=colours[:2])
    assert len(kgan.data.load(str(tmp_path / "c.npz"), "test")) == 2
    np.save(tmp_path / "d.npy", np.ones((4, 7)))
    assert kgan.data.load(str(tmp_path / "d.npy")).sample_shape == (7,)
    small = kgan.data.load(str(tmp_path / "a.npz"), image_size=8)
    assert small.sample_shape == (8, 8, 3)


BAD_ARRAYS = {
    "samples of .* hold 1 values that are NaN": {"images": np.full((2, 8, 8), [[0.0] * 7 + [0.5]])},
    r"must be in \[0, 1\], got -1 to 1: rescale with \(x \+ 1\) / 2": {
        "images": np.linspace(-1, 1, 128).reshape(2, 8, 8)
    },
    r"must be in \[0, 1\], got 0 to 255: divide by 255": {
        "images": np.linspace(0, 255, 128).reshape(2, 8, 8)
    },
    r"must be in \[0, 255\], got 0 to 256": {"images": np.full((2, 8, 8), 256)},
    "must be images .* or points .* got shape": {"images": np.zeros((2, 8, 8, 3, 1))},
    r"must have their channels last, .* got shape \(2, 3, 8, 8\)": {
        "images": np.zeros((2, 3, 8, 8), np.uint8)
    },
    "holds 1 sample": {"images": np.zeros((1, 8, 8))},
    "labels of .* must be whole numbers": {"images": np.zeros((2, 8, 8)), "labels": [0.5, 1]},
    r"labels of .* must be int32 of shape \(2,\), one a sample": {
        "images": np.zeros((2, 8, 8)),
        "labels": [0, 1, 2],
    },
    r"labels of .* must be in \[0, 1\] for 2 classes, got -1 to 1": {
        "images": np.zeros((2, 8, 8)),
        "labels": [-1, 1],
    },
    "must hold one of images, .*; it holds pictures": {"pictures": np.zeros((2, 8, 8))},
    "must be numbers, got <U1": {"images": np.array([["a"] * 4] * 3)},
}


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_bad_arrays(tmp_path, message):
    arrays = {name: np.array(value) for name, value in BAD_ARRAYS[message].items()}
    if "NaN" in message:
        arrays["images"][0, 0, 0] = np.nan
    if "got 0 to 256" in message:
        arrays["images"][0] = 0
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        kgan.data.load(str(tmp_path / "bad.npz"))


def test_damaged_array_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match=r"is not a readable \.npy or \.npz file"):
        kgan.data.load(str(tmp_path / "a.npz"))
    np.save(tmp_path / "cut.npy", np.zeros((3, 8, 8), np.uint8))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:90])
    (tmp_path / "text.npy").write_text("hello")
    np.savez(tmp_path / "ragged.npz", images=np.array([np.zeros(2), np.zeros(3)], dtype=object))
    for name in ("cut.npy", "text.npy", "ragged.npz"):
        with pytest.raises(ValueError, match=rf"{name} is not a readable") as error:
            kgan.data.load(str(tmp_path / name))
        assert "If you trust" not in str(error.value)


@pytest.mark.parametrize("declared", [(1, 0), (1, 1), (0, float("inf")), (0,), (0, 1, 2), 5, "a"])
def test_no_range_of_values(tmp_path, declared):
    np.save(tmp_path / "a.npy", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match="value_range must be two finite values, the lower"):
        kgan.data.load(str(tmp_path / "a.npy"), value_range=declared)


def test_suffixes_of_arrays_in_capitals(tmp_path):
    with open(tmp_path / "A.NPY", "wb") as file:
        np.save(file, np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    assert kgan.data.load(str(tmp_path / "A.NPY")).samples.ravel().tolist() == list(range(12))


def test_bad_folders(tmp_path, colours):
    with pytest.raises(FileNotFoundError, match="no image in"):
        kgan.data.load(str(tmp_path))
    write(tmp_path / "only.png", colours[0])
    with pytest.raises(ValueError, match="holds 1 image"):
        kgan.data.load(str(tmp_path))
    write(tmp_path / "class" / "b.png", colours[0])
    with pytest.raises(ValueError, match=r"1 images in class folders and 1 beside them .*only.png"):
        kgan.data.load(str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"no such folder.*must be a folder of images, or a \.npy"
    ):
        kgan.data.load(str(tmp_path / "nowhere"))


def test_unprepared_and_unknown_sets(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'mnist' is not prepared in .*--download"):
        kgan.data.load("mnist", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"'mnits' is neither .*Did you mean 'mnist'"):
        kgan.data.load("mnits", data_dir=tmp_path)
    with pytest.raises(ValueError, match="split of digits must be train, test or all, got 'tset'"):
        kgan.data.load("digits", "tset")


def test_mnist(tfds_data_dir):
    data = kgan.data.load("mnist", "test", data_dir=tfds_data_dir)
    assert data.samples.shape == (10_000, 28, 28, 1)
    assert data.samples.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(data.labels)[:3], [980, 1135, 1032])
    with pytest.raises(ValueError, match="split of mnist must be one of"):
        kgan.data.load("mnist", "validation", data_dir=tfds_data_dir)
    small = kgan.data.load("mnist", "test[:1%]", data_dir=tfds_data_dir, image_size=16)
    assert small.samples.shape == (100, 16, 16, 1)
