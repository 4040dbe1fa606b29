"""Damaged images and models are read, or refused by a stated error: never by another one."""

import contextlib
import io
import json
import warnings
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import kgan.hdf5
import kgan.models
from kgan.decoding.image import UNREADABLE
from kgan.decoding.image_file import decode
from kgan.models.saving import restore
from kgan.runs.classifier_file import load_classifier

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FEWER = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

ODD = st.sampled_from([b"", b"\x00", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00"])
# Where, as a share of the file; how many bytes go; what comes in their place.
changes = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from([0, 1, 1, 2, 4, 10**6]), ODD | st.binary(max_size=3)
    ),
    max_size=3,
)


def changed(content, edits):
    for share, count, new in edits:
        at = int(share * len(content))
        content = content[:at] + new + content[at + count :]
    return content


def image(mode, kind, **options):
    values = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    made = Image.fromarray(values, "RGBA").convert(mode)
    if mode == "I;16":
        made = Image.fromarray(257 * values[..., 0].astype(np.uint16))
    file = io.BytesIO()
    made.save(file, kind, **options)
    return file.getvalue()


IMAGES = {
    "rgb.png": lambda: image("RGB", "PNG"),
    "deep.png": lambda: image("I;16", "PNG"),
    "palette.png": lambda: image("P", "PNG"),
    "rgb.jpg": lambda: image("RGB", "JPEG"),
    "palette.gif": lambda: image("P", "GIF"),
    "rgb.tif": lambda: image("RGB", "TIFF"),
    "deep.tif": lambda: image("I;16", "TIFF"),
    "packed.tif": lambda: image("RGB", "TIFF", compression="tiff_lzw"),
    "rgb.bmp": lambda: image("RGB", "BMP"),
    "rgba.webp": lambda: image("RGBA", "WEBP"),
    "rgb.dds": lambda: image("RGBA", "DDS"),
    "deep.pgm": lambda: b"P5 3 2 300\n" + bytes(12),
    "text.ppm": lambda: b"P3 2 1 255\n1 2 3 4 5 6\n",
}


@pytest.fixture(scope="module")
def images():
    return {name: make() for name, make in IMAGES.items()}


@FEW
@given(st.sampled_from(sorted(IMAGES)), changes)
def test_images(images, tmp_path_factory, name, edits):
    path = tmp_path_factory.getbasetemp() / f"fuzz-{name}"
    path.write_bytes(changed(images[name], edits))
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        # What Pillow warns of is read all the same; a size that a header claims is not taken.
        warnings.simplefilter("ignore")
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
        with contextlib.suppress(*UNREADABLE):
            decode(path)


def test_what_pillow_stumbles_on(images, tmp_path):
    """Flags of pixels that it does not know: it says so with an error of Python's own."""
    path = tmp_path / "x.dds"
    content = images["rgb.dds"]
    path.write_bytes(content[:80] + bytes(4) + content[84:])
    with pytest.raises(ValueError, match="is damaged: NotImplementedError"):
        decode(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model, and its file in either format."""
    folder = tmp_path_factory.mktemp("saved")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
    model.save(folder / "m.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "m.h5")
    with pytest.MonkeyPatch.context() as patch:
        # Changed bytes now and then are such that HDF5 never ends, which takes each reader so long.
        patch.setattr(kgan.hdf5, "SECONDS", 5.0)
        yield model, {path.suffix: path.read_bytes() for path in folder.iterdir()}


def check_models(saved, path):
    """Every reader of model files; the file may be whole."""
    model, _ = saved
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for read in (load_classifier, kgan.models.load, lambda path: restore(model, path)):
            with contextlib.suppress(ValueError):
                read(path)


@FEWER
@given(st.sampled_from([".keras", ".h5"]), changes)
def test_models_of_changed_bytes(saved, tmp_path_factory, suffix, edits):
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(changed(saved[1][suffix], edits))
    check_models(saved, path)


def packed(content, change):
    """A `.keras` file whose members are changed; a member of `None` is left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            member = change(name, old.read(name))
            if member is not None:
                new.writestr(name, member)
    return file.getvalue()


values = st.sampled_from([None, 0, -1, 1e9, "x", [], {}, [1], {"a": 1}, True, 2**70])


def replaced(node, steps, value):
    """JSON with another value at the end of a way through it."""
    if not steps or not node or not isinstance(node, (dict, list)):
        return value
    node = node.copy()
    keys = list(node) if isinstance(node, dict) else range(len(node))
    key = keys[steps[0] % len(keys)]
    node[key] = replaced(node[key], steps[1:], value)
    return node


@FEWER
@given(st.lists(st.integers(0, 20), min_size=1, max_size=7), values)
def test_models_of_other_configurations(saved, tmp_path_factory, steps, value):
    def change(name, member):
        if name != "config.json":
            return member
        return json.dumps(replaced(json.loads(member), steps, value)).encode()

    path = tmp_path_factory.getbasetemp() / "fuzz-config.keras"
    path.write_bytes(packed(saved[1][".keras"], change))
    check_models(saved, path)


@FEWER
@given(changes)
def test_models_of_changed_weights(saved, tmp_path_factory, edits):
    """The archive is whole, so that Keras gets as far as the weights in it."""
    path = tmp_path_factory.getbasetemp() / "fuzz-weights.keras"
    path.write_bytes(
        packed(
            saved[1][".keras"],
            lambda name, member: changed(member, edits) if name.endswith(".h5") else member,
        )
    )
    check_models(saved, path)


def endless(content):
    """HDF5 whose heap has an object of 2^64 - 16 bytes: its library goes on from where it is."""
    at = content.index(b"GCOL") + 24
    return content[:at] + (2**64 - 16).to_bytes(8, "little") + content[at + 8 :]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_models_that_hdf5_never_comes_back_from(saved, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(kgan.hdf5, "SECONDS", 3.0)
    content, path = saved[1][suffix], tmp_path / f"m{suffix}"

    def change(name, member):
        return endless(member) if name.endswith(".h5") else member

    path.write_bytes(endless(content) if suffix == ".h5" else packed(content, change))
    with pytest.raises(ValueError, match="it is damaged, HDF5 does not come to an end"):
        load_classifier(path)


@pytest.mark.parametrize("absent", ["config.json", "model.weights.h5"])
def test_models_without_a_member(saved, tmp_path, absent):
    path = tmp_path / "m.keras"
    path.write_bytes(
        packed(saved[1][".keras"], lambda name, member: None if name == absent else member)
    )
    check_models(saved, path)
    with pytest.raises(ValueError, match=r"m\.keras"):
        kgan.models.load(path)
