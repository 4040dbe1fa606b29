"""Pairs from folders and arrays: who belongs to whom, one crop and one flip for both."""

import numpy as np
import pytest
from PIL import Image

import kgan.data
from kgan.data import Dataset, Domains, Pairs, load_pairs


def save(path, value, shape=(8, 8), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = () if mode == "L" else (3,)
    pixels = np.full((*shape, *channels), value, np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    """Twelve pairs of which B is a grey of A's number plus 100."""
    for number in range(12):
        save(tmp_path / "pairs" / "a" / f"{number}.png", number, mode="RGB")
        save(tmp_path / "pairs" / "b" / f"{number}.png", number + 100)
    return tmp_path / "pairs"


def together(pairs):
    a, b = (one.samples[:, 0, 0, 0].astype(int) for one in (pairs.a, pairs.b))
    return a.tolist(), (b - a).tolist()


def test_files_of_equal_names_belong_together(folder):
    train, held_out = load_pairs(folder, image_size=8)
    assert (len(train), len(held_out), train.paired) == (10, 2, True)
    (known, steps), (unknown, others) = together(train), together(held_out)
    assert set(known) | set(unknown) == set(range(12))
    assert set(steps) | set(others) == {100}
    assert [kind.channels for kind in train.kinds] == [3, 1]
    # The choice is the seed's alone; the suffix of a file is no part of its name.
    again, _ = load_pairs(str(folder / "a"), folder / "b", image_size=8)
    assert together(again) == (known, steps)
    other, _ = load_pairs(folder, image_size=8, seed=1)
    assert together(other)[0] != known


def test_files_without_a_partner_are_named(folder):
    (folder / "b" / "3.png").unlink()
    save(folder / "b" / "extra.png", 1)
    with pytest.raises(ValueError, match=r"without a partner: \S+a/3.png, \S+b/extra.png. Remove"):
        load_pairs(folder)
    (folder / "a" / "3.png").unlink()
    (folder / "b" / "extra.png").rename(folder / "b" / "1.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg and \S+1\.png have one name"):
        load_pairs(folder)


def test_splits_are_kept(folder, tmp_path):
    for split, numbers in (("train", range(5)), ("val", (7, 9))):
        for number in numbers:
            save(tmp_path / "split" / split / "A" / f"{number}.png", number)
            save(tmp_path / "split" / split / "B" / f"{number}.png", number + 100)
    train, held_out = load_pairs(tmp_path / "split", image_size=8)
    assert together(train) == ([0, 1, 2, 3, 4], [100] * 5)
    assert together(held_out) == ([7, 9], [100] * 2)


def test_images_side_by_side(tmp_path):
    for number in range(5):
        pixels = np.full((6, 12), number, np.uint8)
        pixels[:, 6:] += 50
        (tmp_path / "both").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "both" / f"{number}.png")
    train, held_out = load_pairs(tmp_path / "both", image_size=6)
    assert together(train)[1] == [50] * 3
    assert sorted(together(train)[0] + together(held_out)[0]) == list(range(5))
    save(tmp_path / "both" / "odd.png", 1, (6, 11))
    with pytest.raises(ValueError, match=r"must have an even width, got 11 in \S+odd.png"):
        load_pairs(tmp_path / "both")


def test_arrays(tmp_path):
    a = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 4, 6, 1), np.uint8)
    b = (a + 10).repeat(2, axis=1).repeat(2, axis=2)
    np.savez(tmp_path / "both.npz", a=a, b=b)
    np.savez(tmp_path / "a.npz", images=a)
    np.save(tmp_path / "b.npy", b)
    for paths in ((tmp_path / "both.npz",), (tmp_path / "a.npz", tmp_path / "b.npy")):
        train, _ = load_pairs(*paths)
        assert train.factor == 2
        assert together(train)[1] == [10] * 4
    with pytest.raises(ValueError, match="must hold the arrays a and b, it holds images"):
        load_pairs(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="two folders or two files"):
        load_pairs(tmp_path, tmp_path / "b.npy")


def test_an_unreadable_file_takes_its_partner_with_it(folder):
    (folder / "a" / "4.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"left out 1 of 12 pairs, .*a/4.png"):
        train, held_out = load_pairs(folder, image_size=8)
    assert 4 not in together(train)[0] + together(held_out)[0]
    assert train.a.summary().endswith("1 unreadable (" + str(folder / "a" / "4.png") + ")")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "no such folder or file of pairs"),
        (("a/0.png",), "has a folder a and none called b"),
        (("a/0.png", "b/x.png"), "none are among 1 images in"),
        (("test/0.png",), "holds the splits test and none called train"),
        (("a/0.png", "b/0.png"), "pairs must be at least 4, of which two are held out, got 1"),
    ],
)
def test_what_are_no_pairs(tmp_path, files, message):
    for file in files:
        save(tmp_path / "some" / file, 1)
    single = "holds 1 sample" if len(files) == 2 and files[1] == "b/0.png" else message
    with pytest.raises((ValueError, FileNotFoundError), match=f"{message}|{single}"):
        load_pairs(tmp_path / "some")


def coordinates(height, width, factor=1):
    """Images whose two channels are the row and the column of each pixel, in A's pixels."""
    rows, columns = np.mgrid[: height * factor, : width * factor] // factor
    return np.stack([rows, columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 2])
def test_both_of_a_pair_are_cut_and_mirrored_alike(factor):
    a, b = (
        Dataset("some", np.broadcast_to(one, (6, *one.shape)).copy())
        for one in (coordinates(9, 12), coordinates(9, 12, factor))
    )
    feed = kgan.data.feed_pairs(Pairs(a, b), 3, seed=1, flip=True, crop=(4, 5))
    places, mirrored = set(), set()
    for one, other in feed.take(30).as_numpy_iterator():
        assert one.shape == (3, 4, 5, 2)
        assert other.shape == (3, 4 * factor, 5 * factor, 2)
        np.testing.assert_array_equal(other[:, ::factor, ::factor], one)
        for image in np.round(one * 255).astype(int):
            first = image[0, 0, 1], image[0, -1, 1]
            places.add((image[0, 0, 0], min(first)))
            mirrored.add(first[0] > first[1])
    # 6 x 8 places, of which 90 draws find most.
    assert {row for row, _ in places} == set(range(6))
    assert {column for _, column in places} == set(range(8))
    assert mirrored == {False, True}
    later = kgan.data.feed_pairs(Pairs(a, b), 3, seed=1, flip=True, crop=(4, 5), start=7)
    for one, other in zip(feed.skip(7).take(2), later.take(2), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_crops_of_two_domains_are_apart():
    one = coordinates(9, 9)
    data = Dataset("some", np.broadcast_to(one, (5, *one.shape)).copy())
    small = data.take(np.arange(3))
    feed = kgan.data.feed_apart(Domains(data, small), 2, crop=(3, 3)).take(20)
    same = [np.array_equal(a, b) for a, b in feed.as_numpy_iterator()]
    assert not all(same)
    with pytest.raises(ValueError, match="crop must be at most the size of the images, 9x9 in som"):
        kgan.data.feed_apart(Domains(data, small), 2, crop=(3, 10))
    assert kgan.data.middle(data, (3, 5)).samples[0, 0, 0].tolist() == [3, 2]
    assert kgan.data.middle(data, None) is data


def test_larger_sides_are_whole_multiples():
    data = Dataset("a", np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match="samples of one size"):
        Pairs(data, Dataset("b", np.zeros((3, 8, 4, 1), np.uint8)))
    assert Pairs(data, Dataset("b", np.zeros((3, 12, 12, 3), np.uint8))).factor == 3
