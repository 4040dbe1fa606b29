"""`kgan latents` on a tiny generator with styles that was never trained."""

import re
import shutil
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.cli
import kgan.latents
import kgan.models
import kgan.pictures
import kgan.runs.source
from kgan.cli.latent_view import View
from kgan.cli.latents import DRAWINGS
from kgan.metrics.feature_extractor import weights_hash
from kgan.networks import LinearImages, biggan_generator, dcgan_generator, with_class_latents
from kgan.settings.latents import LatentsSettings
from tests.conftest import build_gan
from tests.models.style_gan import style_gan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("latents")
    keras.utils.set_random_seed(1)
    style_gan(augmentation=None, generator_penalties=[]).save(found / "styles.keras")
    style_gan(num_classes=3, augmentation=None, generator_penalties=[]).save(
        found / "classes.keras"
    )
    build_gan(num_classes=3).save(found / "plain.keras")
    (found / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(found / "images" / f"{number}.png")
    return found


def run(folder, source, show, *options):
    out = folder / f"{source}-{show}.png"
    return out, kgan.cli.main(
        ["latents", str(folder / source), "--show", show, "--out", str(out), *map(str, options)]
    )


@pytest.mark.parametrize(
    ("show", "rows", "columns", "options"),
    [
        ("truncate", 5, 3, ["--n", 3]),
        ("interpolate", 3, 4, ["--n", 3, "--steps", 4]),
        ("mix", 4, 4, ["--n", 3, "--layer", 2]),
        ("directions", 3, 4, ["--n", 3, "--steps", 4]),
        ("directions", 2, 2, ["--n", 2, "--steps", 2, "--find", "closed-form"]),
    ],
)
def test_pictures(folder, capsys, show, rows, columns, options):
    out, code = run(folder, "styles.keras", show, *options)
    assert code == 0
    assert f"{rows} rows of {columns} images" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.width / picture.height == pytest.approx(columns / rows, rel=0.15)


def test_closed_form_directions_of_more_values_than_styles_are_looked_at(folder, monkeypatch):
    """A style has 16 values here."""
    monkeypatch.setattr("kgan.models.styles._STYLES", 10)
    for source in ("styles.keras", "classes.keras"):
        options = ["--n", 2, "--steps", 2, "--find", "closed-form"]
        assert run(folder, source, "directions", *options)[1] == 0


@pytest.mark.parametrize("source", ["classes.keras", "plain.keras"])
def test_a_way_from_one_class_to_another(folder, source):
    """Its ends are the samples themselves: the second latents, of the other class."""
    out, code = run(folder, source, "interpolate", "--n", 1, "--steps", 3, "--labels", 1, "--to", 2)
    assert code == 0
    gan = kgan.models.load(folder / source)
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(0, 2), 6)
    ends = kgan.pictures.grid(gan.decode(latents, [1, 2]), 2)
    with Image.open(out) as picture:
        way = np.asarray(picture.convert("L"), float)
    expected = np.asarray(ends.convert("L"), float)
    width = expected.shape[1] // 2
    assert np.abs(way[:, :width] - expected[:, :width]).max() <= 1
    assert np.abs(way[:, -width:] - expected[:, -width:]).max() <= 1


def test_half_way_between_classes_are_the_middles_of_latents_and_of_embeddings(folder):
    source = kgan.runs.source.open_source(folder / "plain.keras")
    settings = LatentsSettings(
        source=folder / "plain.keras", n=2, steps=3, labels=("0", "2"), to=("1", "0")
    )
    made = DRAWINGS["interpolate"](View(source, settings))
    assert made.shape == (2, 3, 8, 8, 1)
    gan = source.model
    start, end = (
        kgan.latents.from_seeds(kgan.latents.example_seeds(0, 4), 6).numpy().reshape(2, 2, 6)
    )
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (start, end)]
    between = start / lengths[0] + end / lengths[1]
    between *= np.mean(lengths, axis=0) / np.linalg.norm(between, axis=1, keepdims=True)
    # A class more, which lies in the middle of two.
    table = gan.ema_generator.get_layer("label_embedding").embeddings
    table.assign(tf.tensor_scatter_nd_update(table, [[2]], [0.5 * (table[0] + table[1])]))
    np.testing.assert_allclose(made[:1, 1], gan.decode(between[:1], [2]), atol=1e-5)


@pytest.mark.parametrize("source", ["classes.keras", "plain.keras"])
def test_a_style_in_every_class(folder, source):
    """A row is one sample's latents, a column a class: the chosen ones, or all."""
    out, code = run(folder, source, "classes", "--n", 2, "--to", 2, 0)
    assert code == 0
    gan = kgan.models.load(folder / source)
    seeds = kgan.latents.example_seeds(0, 2)
    latents = np.repeat(kgan.latents.from_seeds(seeds, gan.latent_dim), 2, axis=0)
    expected = kgan.pictures.grid(gan.decode(latents, [2, 0, 2, 0]), 2)
    with Image.open(out) as picture:
        seen = np.asarray(picture.convert("L"), float)
    np.testing.assert_allclose(seen, np.asarray(expected.convert("L"), float), atol=1)
    out, code = run(folder, source, "classes", "--n", 2)
    assert code == 0
    with Image.open(out) as picture:
        assert picture.width / picture.height == pytest.approx(3 / 2, rel=0.15)


def test_the_style_of_an_image_in_every_class(folder, tmp_path, capsys):
    """A sample of class 1, given as a picture, is found again, and so are its other classes."""
    gan = kgan.models.load(folder / "plain.keras")
    latents = kgan.latents.from_seeds(kgan.latents.example_seeds(5, 1), gan.latent_dim)
    wanted = gan.decode(np.repeat(latents, 3, axis=0), [0, 1, 2])
    pixels = np.round(255 * wanted[..., 0]).astype(np.uint8)
    Image.fromarray(pixels[1]).save(tmp_path / "one.png")
    options = ["--images", tmp_path / "one.png", "--labels", 1, "--n", 1, "--steps", 3]
    out, code = run(folder, "plain.keras", "classes", *options)
    assert code == 0
    assert "one.png: found to a PSNR of" in capsys.readouterr().out
    expected = kgan.pictures.grid(np.concatenate([wanted[1:2], wanted]), 4)
    with Image.open(out) as picture:
        seen = np.asarray(picture.convert("L"), float)
    assert np.abs(seen - np.asarray(expected.convert("L"), float)).mean() < 3
    out, code = run(folder, "classes.keras", "classes", *options, "--to", 2)
    assert code == 0
    with Image.open(out) as picture:
        assert picture.width / picture.height == pytest.approx(2, rel=0.15)


def test_projection_starts_from_an_encoder(folder, tmp_path, capsys, monkeypatch):
    """It is trained once; it and the search from it are then the same again."""
    encoder = tmp_path / "encoder.keras"
    images = ["--images", folder / "images", "--labels", 0, 1]
    options = ["--n", 2, "--steps", 1, *images, "--encoder", encoder]
    learnt = []
    train = kgan.latents.train_encoder
    monkeypatch.setattr(
        "kgan.latents.train_encoder",
        lambda *given, images, **more: learnt.append(images) or train(*given, **more),
    )
    assert run(folder, "classes.keras", "project", *options, "--encoder-steps", 2)[1] == 0
    first = capsys.readouterr().out
    # What is projected is not what it learns from.
    assert learnt == [None]
    head, first = first.split("\n", 1)
    assert head == "the encoder learns from generated images alone"
    assert f"an encoder in {encoder}" in first
    assert "a search of 100 steps from 1 start\n" in first
    assert "two rows each" in first
    assert run(folder, "classes.keras", "project", *options)[1] == 0
    again = capsys.readouterr().out
    assert f"encoder {encoder} taken as it is; remove it to train one" in again
    assert again.splitlines()[1:] == first.splitlines()[1:]
    assert run(folder, "plain.keras", "project", *options)[1] == 2
    said = capsys.readouterr().err
    assert (
        f"the generator must have styles for this, as those of stylegan2 have, and {folder}" in said
    )
    assert "project without --encoder" in said


def test_images_have_the_classes_that_their_folders_name(folder, tmp_path, capsys):
    for name in ("2", "7"):
        shutil.copytree(folder / "images", tmp_path / name / name)
    options = ["--n", 2, "--steps", 1, "--restarts", 1, "--images", tmp_path / "2"]
    said = []
    for labels in ([], ["--labels", 2], ["--labels", 0]):
        assert run(folder, "classes.keras", "project", *options, *labels)[1] == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2]
    assert run(folder, "classes.keras", "project", "--images", tmp_path / "7")[1] == 2
    said = capsys.readouterr().err
    assert "labels must be in [0, 2], got 7. Rename the folder, or say which: --labels" in said


def test_classes_that_nothing_tells_are_asked_for(folder, tmp_path, capsys):
    """A file knows no names of classes, and the order of a folder's classes is its own."""
    shutil.copytree(folder / "images", tmp_path / "named" / "b")
    for images, told in (
        (tmp_path / "named", "labels must be numbers in [0, 2], as the classes have no names here"),
        (folder / "images", f"labels must be given for {folder / 'images'}, whose images have no"),
    ):
        assert run(folder, "classes.keras", "project", "--images", images)[1] == 2
        said = capsys.readouterr().err
        assert told in said
        assert "--labels" in said
        options = ["--n", 2, "--steps", 1, "--restarts", 1, "--images", images, "--labels", 1]
        assert run(folder, "classes.keras", "project", *options)[1] == 0
        capsys.readouterr()


def test_an_encoder_is_of_one_generator_and_its_images(folder, tmp_path, capsys):
    """That of other weights, of other images or of no encoder is told; of an old file, a line."""
    gan = kgan.models.load(folder / "styles.keras")
    styles, path = gan.styles().shape, tmp_path / "encoder.keras"
    options = ["--images", folder / "images", "--encoder", path, "--n", 2, "--steps", 1]

    def told(of, shape=(8, 8, 1)):
        network = kgan.networks.style_encoder(shape, *styles, width=4)
        zeros = np.zeros(styles[1])
        kgan.latents.Encoder(network, zeros, zeros + 1, trained_for=of).save(path)
        code = run(folder, "styles.keras", "project", *options)[1]
        return code, "".join(capsys.readouterr())

    code, said = told(weights_hash(gan.ema_generator))
    assert code == 0
    assert "taken as it is; remove it to train one" in said
    code, said = told(None)
    assert code == 0
    assert "taken as it is, and for which model it was trained is not known" in said
    code, said = told("00000000")
    assert code == 2
    assert f"{path} holds an encoder for another generator" in said
    assert "Remove it to train one" in said
    code, said = told(None, (8, 8, 3))
    assert code == 2
    assert f"{path} must hold an encoder of images (8, 8, 1), as the model makes" in said
    gan.generator.save(path)
    assert run(folder, "styles.keras", "project", *options)[1] == 2
    assert "must hold an encoder, got a Functional" in capsys.readouterr().err


def test_a_cutoff_leaves_the_last_styles(folder, capsys):
    """With no style pulled all rows are the first one; with some, the picture is another."""
    cells = lambda: drawn.call_args.args[0]  # noqa: E731
    with mock.patch("kgan.pictures.grid", wraps=kgan.pictures.grid) as drawn:
        assert run(folder, "classes.keras", "truncate", "--n", 3, "--cutoff", 0)[1] == 0
        rows = cells().reshape(5, 3, -1)
        np.testing.assert_allclose(rows, np.repeat(rows[:1], 5, axis=0), atol=1e-5)
        assert run(folder, "classes.keras", "truncate", "--n", 3)[1] == 0
        whole = cells().reshape(5, 3, -1)
        assert run(folder, "classes.keras", "truncate", "--n", 3, "--cutoff", 2)[1] == 0
        part = cells().reshape(5, 3, -1)
    for one in (whole, part):
        np.testing.assert_allclose(one[0], rows[0], atol=1e-5)
        assert abs(one[4] - rows[0]).max() > 1e-3
    assert abs(part[4] - whole[4]).max() > 1e-3
    assert run(folder, "classes.keras", "truncate", "--cutoff", 7)[1] == 2
    assert "cutoff must be in [0, 6], as many styles as the" in capsys.readouterr().err


def test_a_damaged_encoder_is_named(folder, tmp_path, capsys):
    encoder = tmp_path / "encoder.keras"
    encoder.write_bytes(b"half")
    options = ["--images", folder / "images", "--encoder", encoder, "--labels", 0]
    assert run(folder, "classes.keras", "project", *options)[1] == 2
    assert f"{encoder} cannot be loaded as an encoder" in capsys.readouterr().err


def test_a_generator_without_styles(folder, capsys):
    assert run(folder, "plain.keras", "truncate", "--n", 3)[1] == 0
    assert run(folder, "plain.keras", "directions", "--n", 2, "--steps", 2)[1] == 0
    assert run(folder, "plain.keras", "truncate", "--cutoff", 2)[1] == 2
    assert "cutoff must be left out: the generator has no styles" in capsys.readouterr().err
    assert run(folder, "plain.keras", "mix")[1] == 2
    assert "the generator must have styles" in capsys.readouterr().err


@pytest.mark.parametrize(
    "generator",
    [
        lambda: biggan_generator((8, 8, 1), 12, num_classes=3, width=4),
        lambda: with_class_latents(dcgan_generator((8, 8, 1), 6, num_classes=3, width=4), 3),
    ],
)
def test_directions_of_latents_that_no_single_layer_takes(tmp_path, generator):
    discriminator = build_gan(num_classes=3).discriminator
    gan = kgan.models.GAN(generator(), discriminator, num_classes=3)
    gan.compile("adam")
    gan.save(tmp_path / "gan.keras")
    out, code = run(tmp_path, "gan.keras", "directions", "--n", 3, "--steps", 4)
    assert code == 0
    with Image.open(out) as picture:
        assert picture.width / picture.height == pytest.approx(4 / 3, rel=0.15)


def test_projection_tells_both_errors(folder, capsys):
    images = folder / "images"
    options = ["--n", 3, "--steps", 2, "--restarts", 1, "--images", images]
    assert run(folder, "styles.keras", "project", *options)[1] == 0
    said = capsys.readouterr().out
    assert f"{images}: 2 images, all that there are (--n 3)" in said
    assert f"{images}: PSNR " in said
    assert "the model's own samples: PSNR " in said
    assert "no held-out images beside: a .keras file does not tell its data" in said


def test_features_are_made_alike_and_told(folder, tmp_path, capsys):
    images = ["--images", folder / "images", "--n", 2]
    options = ["--steps", 1, "--restarts", 1, *images, "--features", "lenet-digits"]
    apart = []
    for weight in (0, 1):
        more = [*options, "--feature-weight", weight]
        assert run(folder, "styles.keras", "project", *more)[1] == 0
        said = capsys.readouterr().out
        apart.append([float(one) for one in re.findall("lenet-digits (.+) apart\n", said)])
    # Of the images that are given, and of the model's own.
    assert len(apart[0]) == len(apart[1]) == 2
    assert apart[1][0] < 0.95 * apart[0][0]
    more = [*options, "--labels", 1, "--to", 0]
    assert run(folder, "plain.keras", "classes", *more)[1] == 0
    assert "dB, features of lenet-digits" in capsys.readouterr().out


def test_features_that_are_none_are_refused(folder, tmp_path, capsys):
    gan = kgan.models.load(folder / "styles.keras")
    gan.generator.save(tmp_path / "generator.keras")
    (tmp_path / "half.keras").write_bytes(b"half")
    for features, told in (
        ("lenet-mnist", "takes images of (8, 8, 1), as the model makes, got lenet-mnist, which"),
        (tmp_path / "generator.keras", "generator.keras, which takes (6,)"),
        (tmp_path / "half.keras", "half.keras cannot be loaded as a Keras model"),
        ("inception", "features must be those of a Keras network, got inception"),
        ("lenet", "features must be one of lenet-mnist, lenet-digits"),
        (folder / "plain.keras", "must be a built functional or Sequential Keras model"),
    ):
        options = ["--images", folder / "images", "--features", features]
        assert run(folder, "styles.keras", "project", *options)[1] == 2
        assert told in capsys.readouterr().err


def test_images_to_project_have_the_channels_of_the_model(folder, tmp_path, capsys):
    """Grey ones in colour are the same images; two channels are no image of this model."""
    told = []
    for mode in ("L", "RGB"):
        (tmp_path / mode).mkdir()
        for path in (folder / "images").iterdir():
            Image.open(path).convert(mode).save(tmp_path / mode / path.name)
        options = ["--n", 2, "--steps", 1, "--restarts", 1, "--images", tmp_path / mode]
        assert run(folder, "styles.keras", "project", *options)[1] == 0
        told.append(capsys.readouterr().out.partition(": PSNR")[2].partition(" in ")[0])
    assert told[0] == told[1]
    np.save(tmp_path / "two.npy", np.zeros((3, 8, 8, 2), np.uint8))
    assert run(folder, "styles.keras", "project", "--images", tmp_path / "two.npy")[1] == 2
    assert "two.npy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "options", "match"),
    [
        ("styles.keras", ["directions", "--n", 99], "n must be at most 16, the number of dire"),
        ("plain.keras", ["directions", "--n", 99], "n must be at most 6, the number of direct"),
        ("styles.keras", ["interpolate", "--to", 1], "to must be left out: the generator is uncon"),
        ("classes.keras", ["interpolate", "--to", 7], "to must be in [0, 2], got 7"),
        ("plain.keras", ["interpolate", "--to", 7], "to must be in [0, 2], got 7"),
        ("classes.keras", ["mix", "--n", 1, "--labels", 0, 2], "labels must be at most 1, as many"),
        ("styles.keras", ["classes"], "show must not be classes for this model, which has none"),
        ("plain.keras", ["classes", "--to", 7], "to must be in [0, 2], got 7"),
    ],
)
def test_errors_name_what_was_given(folder, capsys, source, options, match):
    assert run(folder, source, *options)[1] == 2
    assert match in capsys.readouterr().err


def test_one_picture_is_projected(folder, capsys):
    picture = folder / "images" / "1.png"
    options = ["--images", picture, "--n", 1, "--steps", 1, "--restarts", 1]
    assert run(folder, "styles.keras", "project", *options)[1] == 0
    assert f"{picture}: PSNR" in capsys.readouterr().out


def test_a_picture_that_cannot_be_written_is_told_before_the_work(folder, capsys, monkeypatch):
    monkeypatch.setattr("kgan.cli.latents.View", None)
    out = folder / "images" / "0.png" / "l.png"
    words = ["latents", str(folder / "styles.keras"), "--show", "mix", "--out", str(out)]
    assert kgan.cli.main(words) == 2
    assert f"out must be a folder, and {out.parent} is a file" in capsys.readouterr().err


@pytest.mark.parametrize("wrapped", [False, True])
def test_projection_goes_by_pixels_that_the_last_layer_clips(tmp_path, capsys, wrapped):
    """From black, of 8 below 0 and more, to what is asked for; the errors are of clipped images."""
    latents, labels = keras.Input((6,)), keras.Input((), dtype="int32")
    dark = keras.initializers.Constant(-9.0)
    made = keras.layers.Dense(64, kernel_initializer="ones", bias_initializer=dark)(latents)
    images = LinearImages()(keras.layers.Reshape((8, 8, 1))(made))
    gan = build_gan(num_classes=2 if wrapped else None)
    generator = keras.Model([latents, labels] if wrapped else latents, images)
    if wrapped:
        generator = with_class_latents(generator, 2)
    again = type(gan)(generator, gan.discriminator, num_classes=gan.num_classes)
    again.compile("adam")
    again.save(tmp_path / "dark.keras")
    for number in range(2):
        Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / f"{number}.png")
    options = ["--n", 2, "--steps", 3, "--images", tmp_path, *(["--labels", 0] if wrapped else [])]
    assert run(tmp_path, "dark.keras", "project", *options)[1] == 0
    said = re.findall(r"mean squared error (\S+)", capsys.readouterr().out)
    assert float(said[0]) < 1e-3


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--out", "a.jpg"], "out must end in .png"),
        (["--steps", "1"], "steps must be at least 2"),
        (["--images", "a"], "images must be left out with --show interpolate"),
        (["--layer", "3"], "layer must be left out with --show interpolate"),
        (["--restarts", "2"], "restarts must be left out with --show interpolate"),
        (["--show", "project", "--encoder-steps", "9"], "encoder_steps must go with encoder"),
        (
            ["--show", "project", "--encoder", "e.keras", "--restarts", "2"],
            "restarts must be left out with encoder",
        ),
        (
            ["--steps", "5", "--show", "mix"],
            "steps must be left out with --show mix: interpolate, directions, project and classes",
        ),
        (["--steps", "5", "--show", "truncate"], "steps must be left out with --show truncate"),
        (
            ["--show", "directions", "--labels", "b", "a"],
            "labels must be one with --show directions",
        ),
        (["--cutoff", "1", "--show", "mix"], "cutoff must be left out with --show mix"),
        (["--to", "1", "--show", "mix"], "to must be left out with --show mix"),
        (["--show", "classes", "--labels", "1"], "labels must go with --images with --show class"),
        (["--show", "classes", "--steps", "4"], "steps must go with --images with --show classes"),
        (["--seed", "-1"], "seed must be in [0, 2147483647], got -1"),
        (["--encoder", "a.h5", "--show", "project"], "encoder must end in .keras"),
        (["--features", "lenet-digits"], "features must be left out with --show interpolate"),
        (["--show", "classes", "--features", "a"], "features must go with --images with --show"),
        (["--show", "project", "--feature-weight", "2"], "feature_weight must go with features"),
        (["--show", "project", "--feature-weight", "-1"], "feature_weight must be at least 0"),
    ],
)
def test_refused(capsys, options, match):
    assert kgan.cli.main(["latents", "nowhere", *options]) == 2
    assert match in capsys.readouterr().err
