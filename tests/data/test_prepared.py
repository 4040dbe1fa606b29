"""Sets that are prepared on disk: the same samples as in memory, made once, whatever happens."""

import errno
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from PIL import Image

import kgan.cache
import kgan.data
import kgan.data.array_source
import kgan.data.folder
import kgan.data.image_files
import kgan.data.prepared
import kgan.data.stored
from kgan.cli import main
from kgan.data.stored import StoredImages
from kgan.decoding.array_file import ArrayFile

random = np.random.default_rng(0)


def on_disk(monkeypatch):
    """From here on every set is prepared, in pieces of two files, and stays on disk."""
    monkeypatch.setattr(kgan.data.folder, "FEW_FILE_BYTES", 0)
    monkeypatch.setattr(kgan.data.stored, "IN_MEMORY", 0)
    monkeypatch.setattr(kgan.data.image_files, "_ROWS", 2)
    monkeypatch.setattr(kgan.data.image_files, "_PROBES", 1)
    monkeypatch.setattr(kgan.data.image_files, "_CHUNK", 3)
    monkeypatch.setattr(kgan.data.array_source, "_BYTES", 500)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(path, mode="RGB", size=(10, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size[::-1] + ((3,) if mode == "RGB" else (4,) if mode == "RGBA" else ())
    if mode == "I;16":
        values = random.integers(0, 65536, shape).astype(np.uint16)
        values[0, 0] = 65535
    elif mode == "F":
        values = random.random(shape, np.float32)
    else:
        values = random.integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(values).save(path)


# The modes of the files of a folder, in the order of their names, and how they are read.
FOLDERS = {
    "colour": (["RGB"] * 5, {}),
    "grey": (["L"] * 5, {}),
    "grey before colour": (["L", "L", "L", "RGB", "L"], {}),
    "transparency": (["RGB", "RGBA", "RGBA"], {"resize": "pad"}),
    "16 bits": (["I;16"] * 4, {}),
    "bytes before 16 bits": (["L", "L", "L", "I;16", "RGB"], {}),
    "floats": (["F"] * 4, {"resize": "pad", "background": "black"}),
    "a declared range": (["L"] * 4, {"value_range": (0, 300)}),
    "the set's own range": (["I;16"] * 4, {"value_range": "auto"}),
}


@pytest.fixture(params=FOLDERS)
def folder(request, tmp_path):
    modes, reading = FOLDERS[request.param]
    root = tmp_path / "set"
    for number, mode in enumerate(modes):
        name = f"{'ab'[number % 2]}/{number}"
        picture(root / (f"{name}.tif" if mode == "F" else f"{name}.png"), mode)
    return root, reading


@pytest.fixture
def pets(tmp_path):
    root = tmp_path / "pets"
    for number in range(7):
        picture(root / ("cats", "dogs")[number % 2] / f"{number}.png")
    return root


def load(root, **reading):
    return kgan.data.load(str(root), **{"image_size": 6, **reading})


def assert_same(stored, memory):
    assert isinstance(stored.samples, StoredImages)
    assert isinstance(memory.samples, np.ndarray)
    np.testing.assert_array_equal(np.asarray(stored.samples), memory.samples)
    assert stored.samples.dtype == memory.samples.dtype
    assert (stored.exact is None) == (memory.exact is None)
    if memory.exact is not None:
        np.testing.assert_array_equal(np.asarray(stored.exact), memory.exact)
    for name in ("class_names", "kind", "unreadable", "notes", "name"):
        assert getattr(stored, name) == getattr(memory, name), name
    assert stored.kind.get_config() == memory.kind.get_config()
    assert (stored.labels is None) == (memory.labels is None)
    if memory.labels is not None:
        np.testing.assert_array_equal(stored.labels, memory.labels)
    assert stored.fingerprint() == memory.fingerprint()


def test_a_folder_is_prepared_as_it_is_read_into_memory(folder, monkeypatch):
    root, reading = folder
    memory = load(root, **reading)
    on_disk(monkeypatch)
    assert_same(load(root, **reading), memory)
    # Nothing is decoded again.
    monkeypatch.setattr(kgan.data.image_files, "read_images", None)
    assert_same(load(root, **reading), memory)


def test_several_processes_decode_alike(pets, monkeypatch):
    memory = load(pets)
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.image_files, "_FEW", 0)
    assert_same(load(pets), memory)


def test_what_cannot_be_read_is_told_each_time(pets, monkeypatch):
    (pets / "cats" / "2.png").write_bytes(b"none")
    (pets / "dogs" / "1.png").write_bytes(b"none")
    with pytest.warns(UserWarning, match="skipped 2 unreadable of 7"):
        memory = load(pets)
    on_disk(monkeypatch)
    for _ in range(2):
        with pytest.warns(UserWarning, match="skipped 2 unreadable of 7"):
            assert_same(load(pets), memory)


def test_images_that_cannot_be_made_alike_are_told_before_all_are_decoded(tmp_path, monkeypatch):
    for number in range(9):
        picture(tmp_path / "set" / f"{number}.png", "RGBA" if number < 2 else "L")
    on_disk(monkeypatch)
    Image.new("L", (8, 8)).save(
        tmp_path / "set" / "9.tif", save_all=True, append_images=[Image.new("L", (8, 8))]
    )
    (tmp_path / "set" / "9.tif").rename(tmp_path / "set" / "00.tif")
    done = []
    real = kgan.data.image_files.decode_rows
    monkeypatch.setattr(
        kgan.data.image_files, "decode_rows", lambda *job: done.append(job) or real(*job)
    )
    with pytest.raises(ValueError, match="differ in their channels"):
        load(tmp_path / "set")
    assert len(done) < 5


@pytest.mark.parametrize("change", ["bytes", "name", "less", "more"])
def test_a_changed_folder_is_noticed(pets, monkeypatch, change):
    on_disk(monkeypatch)
    before = np.asarray(load(pets).samples)
    path = pets / "cats" / "2.png"
    if change == "bytes":
        # Neither the size nor the date shows it.
        old, times = path.read_bytes(), os.stat(path)
        other = Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        Image.Image.save(other, path)
        padded = path.read_bytes()
        size = max(len(old), len(padded))
        path.write_bytes(old.ljust(size, b"\0"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        before = np.asarray(load(pets).samples)
        path.write_bytes(padded.ljust(size, b"\0"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "name":
        path.rename(pets / "dogs" / "2.png")
    elif change == "less":
        path.unlink()
    else:
        picture(pets / "cats" / "x.png")
    after = load(pets)
    monkeypatch.undo()
    memory = load(pets)
    np.testing.assert_array_equal(np.asarray(after.samples), memory.samples)
    assert len(before) != len(after) or not np.array_equal(before, memory.samples)


def test_a_killed_preparation_is_gone_on_with(pets, monkeypatch):
    memory = load(pets)
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.image_files, "_SECONDS", -1.0)
    real, done = kgan.data.image_files.decode_rows, []

    def counted(*job):
        if len(done) == 2 and os.getpid() == child:
            os.kill(child, signal.SIGKILL)
        done.append(job)
        return real(*job)

    monkeypatch.setattr(kgan.data.image_files, "decode_rows", counted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = os.fork()
    child = process or os.getpid()
    if process == 0:
        load(pets)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL
    [entry] = kgan.cache.entries()
    assert not entry.is_whole
    child = None
    assert_same(load(pets), memory)
    # Two pieces of four were done.
    assert [job[2] for job in done] == [4, 6]


@pytest.mark.parametrize("cut", [lambda text: text[:-9], lambda text: text[:3], lambda text: ""])
def test_a_journal_that_was_cut_off_is_gone_on_with(pets, monkeypatch, cut):
    memory = load(pets)
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.image_files, "_SECONDS", -1.0)
    real = kgan.data.image_files.decode_rows

    def stopping(*job):
        if done:
            raise KeyboardInterrupt
        done.append(job[2])
        return real(*job)

    monkeypatch.setattr(kgan.data.image_files, "decode_rows", stopping)
    for number in range(2):
        done: list[int] = []
        with pytest.raises(KeyboardInterrupt):
            load(pets)
        [entry] = kgan.cache.entries()
        journal = entry.folder / "journal.jsonl"
        if not number:
            journal.write_text(cut(journal.read_text()))
    # What the second wrote behind the cut is known to the third.
    done = []
    monkeypatch.setattr(
        kgan.data.image_files, "decode_rows", lambda *job: done.append(job[2]) or real(*job)
    )
    assert_same(load(pets), memory)
    assert done == [2, 4, 6]


def test_a_second_process_waits_for_the_first(pets, monkeypatch, capsys):
    memory = load(pets)
    on_disk(monkeypatch)
    load(pets)
    [entry] = kgan.cache.entries()
    (entry.folder / kgan.cache.META).rename(entry.folder / "later")
    found = []
    with kgan.cache.in_use(entry.folder, alone=True):
        thread = threading.Thread(target=lambda: found.append(load(pets)))
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        (entry.folder / "later").rename(entry.folder / kgan.cache.META)
    monkeypatch.setattr(kgan.data.image_files, "read_images", None)
    thread.join()
    assert_same(found[0], memory)
    assert "another process prepares this set" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_told(pets, monkeypatch, cache):
    memory = load(pets)
    on_disk(monkeypatch)
    cache.write_text("a file")
    with pytest.warns(UserWarning, match="cannot be written to .* KGAN_CACHE. They are read into"):
        data = load(pets)
    np.testing.assert_array_equal(data.samples, memory.samples)
    monkeypatch.setattr(kgan.data.prepared, "_fits_in_memory", lambda size: False)
    with pytest.raises(OSError, match="name another one with KGAN_CACHE"):
        load(pets)


def test_a_disk_that_is_too_small_is_told_before_the_work(pets, monkeypatch):
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.prepared, "_fits_in_memory", lambda size: False)
    monkeypatch.setattr(
        kgan.data.prepared.shutil, "disk_usage", lambda path: os.statvfs_result and _Free()
    )
    monkeypatch.setattr(kgan.data.image_files, "decode_rows", None)
    # Seven images of 6x6 in colour, a byte each value.
    with pytest.raises(OSError, match=r"need 756 bytes in .* has 0 bytes free: make room"):
        load(pets)
    assert kgan.cache.entries() == []


class _Free:
    free = 0


def test_a_disk_that_fills_up_keeps_what_is_done(pets, monkeypatch):
    memory = load(pets)
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.prepared, "_fits_in_memory", lambda size: False)
    real = kgan.data.image_files.decode_rows
    done = []

    def decode(*job):
        if len(done) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(job)
        return real(*job)

    monkeypatch.setattr(kgan.data.image_files, "decode_rows", decode)
    with pytest.raises(OSError, match="What is done is kept: make room and start again"):
        load(pets)
    done.clear()
    monkeypatch.setattr(kgan.data.image_files, "decode_rows", lambda *job: real(*job))
    assert_same(load(pets), memory)


def test_a_cut_off_file_is_told(pets, monkeypatch):
    on_disk(monkeypatch)
    data = load(pets)
    [entry] = kgan.cache.entries()
    os.truncate(entry.folder / "images-uint8-3.npy", 200)
    with pytest.raises(OSError, match="was cut off"):
        data.samples[5]


def test_the_least_recently_used_set_is_dropped(tmp_path, pets, monkeypatch):
    on_disk(monkeypatch)
    monkeypatch.setenv("KGAN_CACHE_LIMIT", "0")
    used = load(pets)
    # What is in use stays.
    load(pets, image_size=4)
    assert len(kgan.cache.entries()) == 2
    np.testing.assert_array_equal(used.samples[:2].shape, (2, 6, 6, 3))
    del used
    load(pets, image_size=5)
    [entry] = kgan.cache.entries()
    assert "5x5" in entry.what
    monkeypatch.setenv("KGAN_CACHE_LIMIT", "much")
    with pytest.raises(ValueError, match="KGAN_CACHE_LIMIT must be a number of GB"):
        load(pets, image_size=7)


def _read_only(*arguments, **options):
    raise OSError(errno.EROFS, "Read-only file system")


def test_the_command_lists_and_clears(pets, monkeypatch, capsys, cache):
    on_disk(monkeypatch)
    data = load(pets)
    assert main(["cache"]) == 0
    said = capsys.readouterr().out
    assert "1 prepared sets" in said
    assert f"{pets}, train, 6x6: 7 samples" in said
    assert main(["cache", "--clear"]) == 0
    assert "kept, as a process uses it" in capsys.readouterr().out
    del data
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", _read_only)
        assert main(["cache", "--clear"]) == 2
    assert "Read-only file system" in capsys.readouterr().err
    load(pets)
    assert main(["cache", "zz", "--clear"]) == 2
    name = kgan.cache.entries()[0].folder.name[:8]
    assert main(["cache", name]) == 2
    assert f"kgan cache {name} --clear" in capsys.readouterr().err
    assert main(["cache", name, "--clear"]) == 0
    assert kgan.cache.entries() == []


def test_rows_are_chosen_as_of_an_array(pets, monkeypatch):
    on_disk(monkeypatch)
    stored = load(pets).samples
    array = np.asarray(stored)
    keys = [3, -1, slice(1, 6, 2), slice(None, None, -1), [5, 0, 0], np.array([-1, 2])]
    keys += [np.arange(7) > 3, [], (2, 0), ([1, 2], slice(None), 0), (..., 0), (slice(2), ..., 1)]
    for key in keys:
        np.testing.assert_array_equal(stored[key], array[key], err_msg=str(key))
        if not isinstance(key, (int, tuple)):
            part = stored.part(key)
            np.testing.assert_array_equal(np.asarray(part), array[key])
    np.testing.assert_array_equal(stored.part([5, 4, 3]).part([2, 0])[:], array[[3, 5]])
    for key in (7, [-8], np.array([[1]]), [0.5], np.ones(3, bool)):
        with pytest.raises(IndexError):
            stored[key]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("dtype", ["L", "I;16"])
def test_the_batches_are_those_of_memory(tmp_path, monkeypatch, flip, dtype):
    for number in range(7):
        picture(tmp_path / "set" / "ab"[number % 2] / f"{number}.png", dtype)
    memory = load(tmp_path / "set")
    on_disk(monkeypatch)
    stored = load(tmp_path / "set")
    fed = [
        list(kgan.data.feed(one, 3, seed=1, start=1, flip=flip).take(4).as_numpy_iterator())
        for one in (memory, stored)
    ]
    for ours, theirs in zip(*fed, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_part_stays_on_disk_and_has_the_fingerprint_of_memory(pets, monkeypatch):
    memory = load(pets).take([4, 2, 6])
    on_disk(monkeypatch)
    part = load(pets).take([4, 2, 6])
    assert_same(part, memory)
    # The hash of all data is computed once.
    expected = memory.fingerprint()
    monkeypatch.setattr(kgan.data.Dataset, "_computed_sha256", None)
    assert part.fingerprint() == expected


ARRAYS = {
    "bytes": lambda: random.integers(0, 256, (9, 8, 10, 3)).astype(np.uint8),
    "grey bytes": lambda: random.integers(0, 256, (9, 8, 10)).astype(np.uint8),
    "bools": lambda: random.random((9, 8, 10, 1)) > 0.5,
    "16 bits": lambda: np.linspace(0, 65535, 9 * 80).reshape(9, 8, 10, 1).astype(">u2"),
    "whole numbers": lambda: random.integers(0, 256, (9, 8, 10, 1)),
    "floats": lambda: random.random((9, 8, 10, 3), np.float32),
    "float64, in Fortran's order": lambda: np.asfortranarray(random.random((9, 8, 10, 3))),
}


@pytest.mark.parametrize("form", ["npy", "npz", "compressed"])
@pytest.mark.parametrize("reading", [{}, {"image_size": (5, 4), "value_range": "auto"}])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_prepared_as_it_is_read(tmp_path, monkeypatch, name, form, reading):
    path, array = tmp_path / f"set.{form[:3]}", ARRAYS[name]()
    path = path.with_suffix(".npz") if form == "compressed" else path
    if form == "npy":
        np.save(path, array)
    else:
        save = np.savez if form == "npz" else np.savez_compressed
        save(path, images=array, labels=np.arange(9) % 2)
    memory = kgan.data.load(str(path), **reading)
    on_disk(monkeypatch)
    assert_same(kgan.data.load(str(path), **reading), memory)
    monkeypatch.setattr(kgan.data.array_source, "images_of", None)
    assert_same(kgan.data.load(str(path), **reading), memory)


def test_bytes_of_a_file_are_read_where_they_lie(tmp_path, monkeypatch):
    np.save(tmp_path / "set.npy", ARRAYS["bytes"]())
    on_disk(monkeypatch)
    data = kgan.data.load(str(tmp_path / "set.npy"))
    assert data.samples._file.path == tmp_path / "set.npy"
    [entry] = kgan.cache.entries()
    assert entry.size < 20_000


def test_wrong_values_of_an_array_are_told(tmp_path, monkeypatch):
    array = ARRAYS["floats"]()
    array[8, 3, 3, 1] = np.nan
    np.save(tmp_path / "set.npy", array)
    on_disk(monkeypatch)
    with pytest.raises(ValueError, match="hold 1 values that are NaN"):
        kgan.data.load(str(tmp_path / "set.npy"))
    np.save(tmp_path / "set.npy", ARRAYS["floats"]() * 300)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got 0\..* to 29"):
        kgan.data.load(str(tmp_path / "set.npy"))


def test_a_stopped_array_is_gone_on_with(tmp_path, monkeypatch):
    np.savez(tmp_path / "set.npz", x=ARRAYS["floats"](), y=np.arange(9) % 3)
    memory = kgan.data.load(str(tmp_path / "set.npz"))
    on_disk(monkeypatch)
    monkeypatch.setattr(kgan.data.array_source, "_SECONDS", -1.0)
    real, written = ArrayFile.write, []

    def write(self, first, values):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(first)
        real(self, first, values)

    monkeypatch.setattr(ArrayFile, "write", write)
    with pytest.raises(KeyboardInterrupt):
        kgan.data.load(str(tmp_path / "set.npz"))
    monkeypatch.setattr(ArrayFile, "write", lambda *job: written.append(job[1]) or real(*job))
    assert_same(kgan.data.load(str(tmp_path / "set.npz")), memory)
    assert written == list(range(9))


def test_a_set_of_tensorflow_datasets_is_prepared_as_it_is_read(monkeypatch, tfds_data_dir):
    memory = kgan.data.load("mnist", "test[:40]")
    on_disk(monkeypatch)
    assert_same(kgan.data.load("mnist", "test[:40]"), memory)
    monkeypatch.setattr(kgan.data.array_source, "images_of", None)
    assert_same(kgan.data.load("mnist", "test[:40]"), memory)
