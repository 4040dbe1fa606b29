"""Folders: what is a class, a split, an image and what is none."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import kgan.data
import kgan.data.folder


def picture(path, value=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


@pytest.fixture
def pets(tmp_path):
    root = tmp_path / "pets"
    for number in range(3):
        picture(root / "cats" / f"{number}.png", number)
    for number in range(2):
        picture(root / "dogs" / f"{number}.png", 100 + number)
    return root


def load(root, split="train", **options):
    return kgan.data.load(str(root), split, image_size=8, **options)


def values(data):
    return data.samples[:, 0, 0, 0].tolist()


def test_hidden_folders_and_files_are_none(pets):
    picture(pets / ".ipynb_checkpoints" / "cats-checkpoint.png")
    picture(pets / "cats" / ".ipynb_checkpoints" / "0-checkpoint.png", 9)
    picture(pets / "cats" / "._0.png", 9)
    data = load(pets)
    assert data.class_names == ("cats", "dogs")
    assert values(data) == [0, 1, 2, 100, 101]
    assert repr(data).endswith("5 images of 8x8x1, 2 classes: cats 3, dogs 2)")


def test_folders_of_file_servers_are_none(pets):
    for name in ("@eaDir", "#recycle", "__MACOSX"):
        picture(pets / name / "0.png")
        picture(pets / "cats" / name / "0.jpg" / "thumb.jpg", 9)
    data = load(pets)
    assert data.class_names == ("cats", "dogs")
    assert values(data) == [0, 1, 2, 100, 101]


def test_a_split_of_one_image_is_named(tmp_path):
    for number in range(3):
        picture(tmp_path / "set" / "train" / f"{number}.png")
    picture(tmp_path / "set" / "test" / "9.png")
    assert len(load(tmp_path / "set")) == 3
    with pytest.raises(ValueError, match=r"set/test holds 1 image \(such as test/9.png\); .* 2"):
        load(tmp_path / "set", "test")


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("new\nline", r"be of one line, got 'new\\nline'"),
        (b"caf\xe9", r"be text in UTF-8, got 'caf\\udce9'"),
    ],
)
def test_a_class_that_no_export_could_name_is_refused_at_once(tmp_path, monkeypatch, called, said):
    monkeypatch.setattr(kgan.data.folder, "gather", None)
    for name in (called, "dogs"):
        (tmp_path / os.fsdecode(name)).mkdir()
        with open(tmp_path / os.fsdecode(name) / "1.png", "wb") as file:
            Image.new("L", (8, 8)).save(file)
    with pytest.raises(ValueError, match=f"class_names of .* must each {said}: rename it"):
        kgan.data.load(str(tmp_path))


def test_labels_that_are_counted_from_1_are_told(tmp_path):
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 8, 8), np.uint8), y=[1, 2, 3, 1])
    data = kgan.data.load(str(tmp_path / "set.npz"))
    assert data.labels.tolist() == [1, 2, 3, 1]
    [note] = data.notes
    assert note.startswith("labels go from 1 to 3, so that the classes from 0 to 0 have no sample")
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 8, 8), np.uint8), y=[0, 2, 3, 1])
    assert kgan.data.load(str(tmp_path / "set.npz")).notes == ()


@pytest.mark.parametrize(
    ("labels", "more", "said"),
    [
        ([0, 10, 20], {}, "18 of 21 classes up to the largest label have no sample, from 1 on"),
        ([0, 1, 3], {}, "1 of 4 classes"),
        ([0, 1, 2], {}, None),
        ([0, 1, 3], {"class_names": np.array(["a", "b", "c", "d"])}, None),
        (np.eye(4, dtype=int)[[0, 1, 3]], {}, None),
    ],
)
def test_gaps_in_the_numbers_of_classes_are_told(tmp_path, labels, more, said):
    images = np.zeros((3, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.asarray(labels), **more)
    notes = kgan.data.load(str(tmp_path / "a.npz")).notes
    found = [note for note in notes if "no sample" in note]
    assert len(found) == (said is not None)
    assert all(note.startswith(said) for note in found)


def test_arrays_that_nothing_reads_are_told(tmp_path):
    images = np.zeros((4, 8, 8), np.uint8)
    np.savez(tmp_path / "set.npz", x_train=images, x_test=images, weights=np.ones(4), ids=[1, 2])
    assert kgan.data.load(str(tmp_path / "set.npz")).notes == (
        "arrays that nothing reads: weights, ids",
    )


def test_pictures_of_stereo_cameras_are_read(tmp_path):
    for number in range(2):
        left, right = (Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (200, 10))
        left.save(tmp_path / f"{number}.mpo", save_all=True, append_images=[right])
    images = load(tmp_path).values
    assert abs(int(images[0, 4, 4, 0]) - 200) < 8


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_left_empty_is_not_the_folder_one_is_in(name):
    with pytest.raises(ValueError, match=r"data must be the name of a set, a folder or a file"):
        kgan.data.load(name)


def test_a_linked_folder_is_followed_once(pets, tmp_path):
    picture(tmp_path / "elsewhere" / "birds" / "0.png", 200)
    (pets / "birds").symlink_to(tmp_path / "elsewhere" / "birds")
    (pets / "felines").symlink_to(pets / "cats")  # Read already.
    (pets / "again").symlink_to(pets)
    (pets / "cats" / "up").symlink_to(tmp_path)
    (tmp_path / "elsewhere" / "birds" / "back").symlink_to(pets / "birds")
    data = load(pets)
    assert data.class_names == ("birds", "cats", "dogs")
    assert values(data) == [200, 0, 1, 2, 100, 101]
    [note] = [note for note in data.notes if "links" in note]
    for name in ("felines", "again", "cats/up", "birds/back"):
        assert name in note


def test_a_link_to_itself_is_no_folder(pets):
    (pets / "cats" / "self").symlink_to("self")
    (pets / "cats" / "self.png").symlink_to("self.png")
    with pytest.warns(UserWarning, match=r"skipped 1 unreadable.*self.png"):
        data = load(pets)
    assert values(data) == [0, 1, 2, 100, 101]


def test_no_class_is_lost_with_its_files(pets):
    for path in (pets / "cats").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"no image of the class 'cats' in .*pets can be read"):
        load(pets)


def test_a_linked_folder_as_the_data(pets, tmp_path):
    (tmp_path / "link").symlink_to(pets)
    assert load(tmp_path / "link").class_names == ("cats", "dogs")


def test_runs_and_exports_inside_are_no_data(pets):
    for folder, file, text in (
        ("runs/pets", "config.json", json.dumps({"format": 2, "config": {"data": "."}})),
        ("saved_models/pets/1", "saved_model.pb", ""),
    ):
        picture(pets / folder / "samples" / "epoch-0001.png", 9)
        (pets / folder / file).write_text(text)
    # Another program's file of that name is no reason to leave images out.
    (pets / "dogs" / "config.json").write_text('{"width": 8}')
    data = load(pets)
    assert data.class_names == ("cats", "dogs")
    assert len(data) == 5
    assert any("runs/pets, saved_models/pets/1" in note for note in data.notes)
    # A run's pictures are data where they are named.
    picture(pets / "runs" / "pets" / "samples" / "epoch-0002.png", 8)
    assert values(load(pets / "runs" / "pets" / "samples")) == [9, 8]


def test_every_suffix_that_pillow_reads(tmp_path):
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    suffixes = ("jfif", "JPG", "jp2", "avif", "tga", "pcx", "ico", "pnm", "qoi", "dib")
    names = [f"{letter}.{suffix}" for letter, suffix in zip("abcdefghij", suffixes, strict=True)]
    for name in names:
        form = {"jfif": "JPEG", "pnm": "PPM"}.get(name.split(".")[1])
        image.save(tmp_path / name, **({"format": form} if form else {}))
    for name in ("k.heic", "l.svg", "m.heic", "notes.txt", "LICENSE"):
        (tmp_path / name).write_bytes(b"x")
    data = load(tmp_path)
    assert len(data) == len(names)
    assert np.abs(data.samples.astype(int) - [200, 100, 50]).max() < 6
    told, _, counts = data.notes[-1].partition(": ")
    assert told == "files that are not read as images"
    assert sorted(counts.split(", ")) == ["1 .svg", "1 .txt", "1 no suffix", "2 .heic"]
    for name in names:
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"no image in .*2 .heic"):
        load(tmp_path)


def test_the_summary_counts_and_names(pets):
    (pets / "cats" / "half.png").write_bytes(b"\x89PNG")
    (pets / "empty").mkdir()
    (pets / "cats" / "gone.png").symlink_to(pets / "nowhere.png")
    with pytest.warns(UserWarning, match="skipped 2 unreadable of 7"):
        data = load(pets)
    assert data.summary() == (
        "5 images of 8x8x1, 2 unreadable (cats/gone.png, cats/half.png), 2 classes: cats 3, dogs 2"
    )
    assert "folders without images are no classes: empty" in data.notes


@pytest.fixture
def split(tmp_path):
    root = tmp_path / "split"
    for number, (place, count) in enumerate((("train", 4), ("test", 2), ("validation", 3))):
        for name in ("cats", "dogs"):
            for index in range(count):
                picture(root / place / name / f"{index}.png", 10 * number + index)
    return root


def test_folders_at_the_top_are_splits(split):
    assert kgan.data.folder_splits(split) == ("test", "train", "val")
    assert values(load(split)) == [0, 1, 2, 3] * 2
    assert values(load(split, "test")) == [10, 11] * 2
    assert values(load(split, "val")) == values(load(split, "validation")) == [20, 21, 22] * 2
    for one in ("train", "test", "val"):
        assert load(split, one).class_names == ("cats", "dogs")
    train, test = kgan.data.train_and_test(str(split), image_size=8)
    assert (values(train), values(test)) == ([0, 1, 2, 3] * 2, [10, 11] * 2)


def test_splits_share_the_classes_of_training(split):
    for path in (split / "test" / "cats").iterdir():
        path.unlink()
    data = load(split, "test")
    assert data.class_names == ("cats", "dogs")
    assert data.labels.tolist() == [1, 1]
    picture(split / "test" / "birds" / "0.png")
    with pytest.raises(
        ValueError, match=r"class 'birds', which the training split has not: .*cats, dogs"
    ):
        load(split, "test")


def test_splits_without_classes(tmp_path):
    for number in range(2):
        picture(tmp_path / "Train" / f"{number}.png")
        picture(tmp_path / "val" / f"{number}.png", 9)
    assert load(tmp_path).labels is None
    assert values(load(tmp_path, "val")) == [9, 9]
    with pytest.raises(ValueError, match=r"cannot be 'test': its splits are train, val"):
        load(tmp_path, "test")


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train", "bus"):
        picture(tmp_path / name / "0.png")
    assert load(tmp_path).class_names == ("bus", "train")
    with pytest.raises(ValueError, match=r"cannot be 'test': it has no folders train, test or val"):
        load(tmp_path, "test")


def test_splits_that_are_read_as_classes_are_told(tmp_path):
    for name in ("train", "test", "extra"):
        picture(tmp_path / name / "a" / "0.png")
    data = load(tmp_path)
    assert data.class_names == ("extra", "test", "train")
    assert "test, train are classes and no splits here, as extra lie beside them" in data.notes[0]


def test_one_hot_rows_tell_how_many_classes_there_are(tmp_path):
    # Of the last of five classes there is no sample.
    images = np.zeros((4, 8, 8), np.uint8)
    names = np.array([b"cat", b"dog"])
    np.savez(tmp_path / "few.npz", images=images, labels=np.eye(5)[[0, 1, 2, 3]])
    np.savez(tmp_path / "named.npz", images=images, labels=[0, 1, 0, 1], class_names=names)
    assert kgan.data.load(str(tmp_path / "few.npz")).num_classes == 5
    assert kgan.data.load(str(tmp_path / "named.npz")).class_names == ("cat", "dog")


def test_held_out_images_are_scaled_as_the_training_images(tmp_path):
    for place, top in (("train", 3000), ("test", 1500)):
        for number in range(2):
            path = tmp_path / place / "all" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), top * number, np.uint16)).save(path)
    train, test = kgan.data.train_and_test(str(tmp_path), image_size=8, value_range="auto")
    assert train.as_float()[1, 0, 0, 0] == 1
    assert test.as_float()[1, 0, 0, 0] == 0.5


def test_files_with_arrays_of_both_splits(tmp_path):
    images, labels = np.zeros((6, 8, 8), np.uint8), np.arange(6) % 2
    np.savez(
        tmp_path / "a.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:2] + 9,
        y_test=labels[:2],
        class_names=["cats", "dogs"],
    )
    train, test = kgan.data.train_and_test(str(tmp_path / "a.npz"))
    assert (len(train), values(test)) == (6, [9, 9])
    assert test.class_names == ("cats", "dogs")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pets/catz", r"no such folder or file: '.*catz'.*Did you mean '.*cats'"),
        ("pets\\cats", r"no such folder: '.*pets\\\\cats'. Did you mean '.*pets/cats'"),
        ("C:\\photos\\cats", r"no such folder or file"),
        ("photos.zip", r"no such folder or file"),
        ("pets/cats/0.png", r"must be a folder of images, or a .npy"),
    ],
)
def test_what_is_no_folder(pets, monkeypatch, name, message):
    monkeypatch.chdir(pets.parent)
    with pytest.raises(FileNotFoundError, match=message):
        load(name)


def test_a_mistyped_folder_beside_the_right_one(pets, monkeypatch, tmp_path):
    monkeypatch.chdir(pets.parent)
    with pytest.raises(ValueError, match=r"no such folder or file.*Did you mean 'pets'"):
        kgan.data.load("pest", data_dir=tmp_path)
