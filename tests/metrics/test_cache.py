"""Features of reference sets on disk."""

import numpy as np
import pytest

from kgan.metrics.cache import cache_dir, cached_features


class Counting:
    """An extractor whose features are the samples themselves; it counts its calls."""

    label, preprocessing = "counting@00000000", "none"

    def __init__(self):
        self.calls = 0

    def features(self, samples):
        self.calls += 1
        return samples.reshape(len(samples), -1).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def samples():
    return np.random.default_rng(0).random((5, 2, 2, 1), dtype=np.float32)


def get(extractor, samples, data="digits", split="train"):
    return cached_features(extractor, samples, data=data, split=split)


def test_the_second_time_is_read(samples, folder):
    found = Counting()
    first = get(found, samples)
    np.testing.assert_array_equal(get(found, samples), first)
    assert found.calls == 1
    assert len(list((folder / "features").iterdir())) == 1


@pytest.mark.parametrize("what", ["data", "split", "label", "preprocessing", "samples", "n"])
def test_anything_else_is_computed(samples, what):
    found = Counting()
    get(found, samples)
    options = {}
    if what in ("data", "split"):
        options[what] = "other"
    elif what == "samples":
        samples = samples + 1e-6
    elif what == "n":
        samples = samples[:4]
    else:
        setattr(found, what, "other")
    np.testing.assert_array_equal(get(found, samples, **options), samples.reshape(-1, 4))
    assert found.calls == 2


@pytest.mark.parametrize("damage", ["cut", "bytes", "values"])
def test_a_damaged_file_is_computed_again(samples, folder, damage):
    found = Counting()
    first = get(found, samples)
    (path,) = (folder / "features").iterdir()
    content = path.read_bytes()
    if damage == "values":
        np.savez(path, features=first + 1, digest="0" * 16)
    else:
        path.write_bytes(content[:40] if damage == "cut" else b"x" * len(content))
    np.testing.assert_array_equal(get(found, samples), first)
    np.testing.assert_array_equal(get(found, samples), first)
    assert found.calls == 2


def test_where_nothing_can_be_written_nothing_is_kept(samples, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "file"))
    assert get(Counting(), samples).shape == (5, 4)


def test_the_default_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("KGAN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "kgan"
