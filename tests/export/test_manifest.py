"""What a version says of itself: written and read again, and as earlier versions wrote it."""

import json

import pytest
import tensorflow as tf

from kgan.endpoints import Endpoint, Endpoints
from kgan.export import manifest
from kgan.kinds import Images, from_config


@pytest.fixture
def endpoints():
    images = {"images": tf.TensorSpec([None, 8, 8, 1], tf.float32)}
    return Endpoints(
        family="pictures",
        kind=Images(8, 8, 1),
        endpoints={"to_night": Endpoint(lambda request: request, images, "translate")},
        tracked=(),
        details={"num_classes": 2},
    )


def read_as(tmp_path, content):
    (tmp_path / "assets.extra").mkdir()
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "assets.extra" / "manifest.json").write_text(text)
    return manifest.read(tmp_path)


def test_what_was_written_is_read(tmp_path, endpoints):
    names = ("猫", "dog")
    path = manifest.write(
        tmp_path,
        endpoints,
        row_wise={"to_night": True, "mean": False},
        class_names=names,
        origin={"preset": "mine"},
    )
    # Where TensorFlow Serving's own further files lie.
    assert path == tmp_path / "assets.extra" / "manifest.json"
    assert json.loads(path.read_text())["format"] == 3
    found = manifest.read(tmp_path)
    assert found.family == "pictures"
    assert from_config(found.kind) == Images(8, 8, 1)
    assert found.roles == {"to_night": "translate"}
    assert found.class_names == names
    assert [found.is_row_wise(name) for name in ("to_night", "mean", "absent")] == [
        True,
        False,
        False,
    ]
    assert (found["preset"], found["num_classes"], found["absent"]) == ("mine", 2, None)


def test_origin_cannot_say_otherwise(tmp_path, endpoints):
    manifest.write(tmp_path, endpoints, row_wise={}, origin={"family": "pictures"})
    with pytest.raises(ValueError, match="the manifest's 'family' is 'pictures', got 'gan'"):
        manifest.write(tmp_path, endpoints, row_wise={}, origin={"family": "gan"})


@pytest.mark.parametrize(
    ("keys", "family", "roles"),
    [
        (
            {"latent_dim": 6, "sample_shape": [8, 8, 1], "num_classes": None},
            "gan",
            {"generate", "latents", "decode", "interpolate", "score"},
        ),
        ({"image_shape": [8, 8, 1], "epsilon": 0.3}, "advgan", {"perturb"}),
        ({"image_shape": [8, 8, 1]}, "classifier", {"classify"}),
    ],
)
def test_manifests_of_the_first_format(tmp_path, keys, family, roles):
    found = read_as(tmp_path, {"kgan": "0.1.0", "class_names": None, **keys})
    assert found.family == family
    assert from_config(found.kind) == Images(8, 8, 1)
    assert dict(found.roles) == {role: role for role in roles}
    # Then every signature answered row by row, those without a role too.
    assert all(found.is_row_wise(name) for name in (*roles, "serving_default", "class_names"))
    assert all(found[key] == value for key, value in keys.items())


@pytest.mark.parametrize(
    ("config", "resize", "colour"),
    [
        ({"resize": "pad", "background": "navy"}, "pad", (0, 0, 128)),
        ({"resize": "stretch", "latent_dim": 6}, "stretch", (255, 255, 255)),
        # Of an export that does not tell, or tells what there is not.
        (None, "crop", (255, 255, 255)),
        ({"resize": "bend", "background": "navy"}, "crop", (255, 255, 255)),
        ({"background": 3}, "crop", (255, 255, 255)),
    ],
)
def test_pictures_are_read_as_the_training_read_them(tmp_path, config, resize, colour):
    content = {"kgan": "0.1.0", "image_shape": [8, 8, 1], "config": config}
    reading = read_as(tmp_path, content).reading
    assert (reading.resize, reading.colour) == (resize, colour)


def test_points_of_the_first_format(tmp_path):
    found = read_as(tmp_path, {"kgan": "0.1.0", "latent_dim": 2, "sample_shape": [2]})
    assert found.kind == {"kind": "points", "dimensions": 2}


@pytest.mark.parametrize("content", [{"name": "of another tool"}, [1, 2], "null"])
def test_what_kgan_did_not_write_says_nothing(tmp_path, content):
    assert manifest.read(tmp_path) == manifest.Manifest()
    found = read_as(tmp_path, content)
    assert found == manifest.Manifest()
    assert not found.is_row_wise("serving_default")


@pytest.mark.parametrize(
    ("row_wise", "expected"), [(True, True), (False, False), (None, False), ("yes", False)]
)
def test_the_second_format_had_one_declaration_for_all(tmp_path, row_wise, expected):
    content = {"format": 2, "kgan": "0.2", "endpoints": {}, "row_wise": row_wise}
    assert read_as(tmp_path, content).is_row_wise("generate") is expected


def test_a_damaged_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"manifest\.json is damaged: .* Export the model again"):
        read_as(tmp_path, '{"kgan": "0.1')
