"""The evaluate command: on a run, an exported model, folders, points; and what it refuses."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import kgan.cli.evaluate
import kgan.data
import kgan.export
from kgan.cli import main
from kgan.evaluation import load_scores
from kgan.networks.classifiers import small_cnn
from kgan.recipes import GANRecipe
from kgan.runs.run import Run
from kgan.settings import EvaluateSettings, GANSettings
from tests.conftest import build_gan, build_growing_gan

QUICK = ["--n", "40", "--n-real", "60", "--seeds", "3"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def make_run(folder, settings):
    """A run folder as training leaves it, untrained."""
    recipe = GANRecipe(settings)
    gan = recipe.model(recipe.data())
    (folder / "checkpoints").mkdir(parents=True)
    gan.save(folder / "checkpoints" / "last.keras")
    (folder / "config.json").write_text(json.dumps({"config": {"data": settings.data}}))
    return gan


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "digits"
    gan = make_run(folder, GANSettings(generator_width=4, discriminator_width=4))
    kgan.export.export(gan, folder.parent / "models" / "digits")
    return folder


@pytest.fixture
def run(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "runs" / "digits")


def write_images(folder, images, labels=None):
    for index, image in enumerate(images):
        place = folder if labels is None else folder / str(labels[index])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(place / f"{index:04d}.png")
    return folder


def test_a_run(run, capsys):
    (run / "metrics.csv").write_text("epoch,step,distance\n1,10,0.5\n2,20,0.25\n")
    assert main(["evaluate", str(run), *QUICK]) == 0
    said = capsys.readouterr().out
    label = "lenet-digits@33be3120"
    scores = {score.name: score for score in load_scores(run / "scores.json")}
    assert {f"fid[{label}]", f"kid[{label}]", f"recall[{label}]", "sliced_wasserstein"} <= set(
        scores
    )
    fid = scores[f"fid[{label}]"]
    assert (fid.protocol.n_real, fid.protocol.n_fake, fid.seeds) == (60, 40, (0, 1, 2))
    # An untrained generator is far from real data.
    assert fid.low > 3 * fid.floor
    assert "40 generated against 60 real of digits train" in said
    assert "3 sampling seeds" in said
    # In the table, not just in the protocol below it.
    assert f"fid[{label}]" in said
    assert "share of generated" in said
    for name in ("neighbours.png", "classes.png", "scores.png"):
        with Image.open(run / name) as picture:
            assert picture.size[0] >= 600
    classes = json.loads((run / "scores.json").read_text())["classes"]
    assert sum(row["generated"] for row in classes) == pytest.approx(1)


def test_as_a_command(run, run_python, tmp_path):
    said = run_python(
        "-c",
        "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))",
        *("evaluate", run, *QUICK, "--metrics", "fid"),
    )
    assert said.stderr == ""
    assert "scores and pictures in" in said.stdout


def test_an_exported_model_scores_as_its_run(run, digits_run, tmp_path):
    models = digits_run.parent / "models" / "digits"
    for source, out in ((run, "a"), (models, "b")):
        options = ["--data", "digits", "--metrics", "fid", "prdc", "--out", str(tmp_path / out)]
        assert main(["evaluate", str(source), *options, *QUICK]) == 0
    pairs = zip(*(load_scores(tmp_path / out / "scores.json") for out in "ab"), strict=True)
    for one, other in pairs:
        assert one.name == other.name
        np.testing.assert_allclose(one.values, other.values, rtol=1e-3)


def test_folders_without_a_model(tmp_path, capsys):
    data = kgan.data.load("digits")
    reals = write_images(tmp_path / "reals", data.samples[:60], data.labels[:60])
    fakes = write_images(tmp_path / "fakes", data.samples[100:140])
    arguments = ["evaluate", str(fakes), "--data", str(reals), "--metrics", "fid", "prdc"]
    assert main(arguments) == 0
    assert "over random halves of the set" in capsys.readouterr().out
    scores = load_scores(tmp_path / "runs" / "evaluate-fakes" / "scores.json")
    assert scores[0].protocol.interval == "halves"
    assert (scores[0].protocol.n_real, scores[0].protocol.n_fake) == (60, 40)
    assert scores[0].floor_n == 30


def test_points_beside_the_perfect_generator(tmp_path):
    config = GANSettings(
        data="ring", conditional=False, networks="mlp", latent_dim=2, generator_width=4
    )
    make_run(tmp_path / "ring", config)
    assert main(["evaluate", str(tmp_path / "ring"), "--seeds", "3", "--n-real", "500"]) == 0
    scores = {score.name: score for score in load_scores(tmp_path / "ring" / "scores.json")}
    # 1 - exp(-4.5), and (modes - 1) / (2 n).
    assert scores["high_quality"].floor == pytest.approx(0.98889, abs=0.001)
    assert scores["kl"].floor == pytest.approx(7 / 5000, rel=0.5)
    assert scores["modes"].floor == 8
    assert scores["modes"].protocol.n_fake == 2500
    assert scores["high_quality"].value < 0.5
    assert (tmp_path / "ring" / "points.png").is_file()


def test_compare(run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "runs" / "other")
    assert main(["evaluate", str(run), *QUICK, "--metrics", "fid"]) == 0
    assert main(["evaluate", "--compare", str(run), str(other), *QUICK, "--metrics", "fid"]) == 0
    said = capsys.readouterr().out
    assert "difference" in said
    assert "undecided" in said
    # Kept scores of other options than those given are not used.
    assert main(["evaluate", "--compare", str(run), str(other), *QUICK, "--metrics", "prdc"]) == 0
    assert {score.protocol.metric for score in load_scores(other / "scores.json")} == {"prdc"}
    assert main(["evaluate", str(run), *QUICK, "--metrics", "fid"]) == 0
    assert main(["evaluate", str(other), *QUICK[:2], "--seeds", "3", "--metrics", "fid"]) == 0
    assert main(["evaluate", "--compare", str(run), str(other)]) == 2
    assert "n_real is 60 and 1442" in capsys.readouterr().err


@pytest.mark.parametrize("first", [0, 1])
def test_a_run_without_scores_is_scored_as_the_other_one_was(run, tmp_path, capsys, first):
    other = shutil.copytree(run, tmp_path / "runs" / "other")
    assert main(["evaluate", str(run), *QUICK, "--metrics", "fid", "kid"]) == 0
    capsys.readouterr()
    both = [str(run), str(other)]
    assert main(["evaluate", "--compare", both[first], both[1 - first]]) == 0
    said = capsys.readouterr()
    assert f"{other} is scored as {run / 'scores.json'} was" in said.err
    assert "difference" in said.out
    one, two = (load_scores(folder / "scores.json") for folder in (run, other))
    assert [score.protocol for score in one] == [score.protocol for score in two]
    assert {score.protocol.metric for score in one} == {"fid", "kid"}


def test_a_run_without_scores_is_scored_once_beside_itself(run, capsys):
    options = [*QUICK, "--metrics", "fid"]
    assert main(["evaluate", "--compare", str(run), str(run), *options]) == 0
    said = capsys.readouterr().out
    assert said.count("scores and pictures in") == 1
    assert "difference" in said


def test_a_comparison_is_of_what_the_runs_hold_now(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "runs" / "other")
    options = [*QUICK, "--metrics", "fid"]
    assert main(["evaluate", str(run), *options]) == 0
    assert main(["evaluate", str(other), *options]) == 0
    kept = load_scores(other / "scores.json")[0].value
    build_gan(num_classes=10, seed=5).save(other / "checkpoints" / "last.keras")
    assert main(["evaluate", "--compare", str(run), str(other), *options]) == 0
    assert load_scores(other / "scores.json")[0].value != kept


def test_a_collapsed_run_is_compared_with_a_good_one(tmp_path, capsys):
    ring = kgan.data.load("ring", "test")
    found = []
    for name, rows in (("collapsed", ring.labels < 5), ("good", ring.labels < 8)):
        np.savez(tmp_path / f"{name}.npz", points=ring.samples[rows][:2500])
        folder = tmp_path / name
        source = str(tmp_path / f"{name}.npz")
        assert main(["evaluate", source, "--data", "ring", "--out", str(folder)]) == 0
        found.append(str(folder / "scores.json"))
    assert main(["evaluate", "--compare", *found]) == 0
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if "reverse_kl" in line]
    assert "inf" in rows[-1]


def test_few_samples_are_told_with_the_metric(tmp_path, capsys):
    folder = write_images(tmp_path / "few", kgan.data.load("digits").samples[:12])
    assert main(["evaluate", str(folder), "--data", "digits", "--metrics", "is"]) == 2
    said = capsys.readouterr().err
    assert "is of 12 generated samples and halves of them, 6: probabilities must hold" in said


def test_the_checkpoint_and_the_split_are_those_of_the_run(run):
    config = {"data": "digits", "evaluate_every": 100, "split": "test"}
    (run / "config.json").write_text(json.dumps({"config": config}))
    checkpoints = run / "checkpoints"
    options = ["--metrics", "fid", *QUICK]
    assert Run.open(run).exported_checkpoint() == "last"
    assert main(["evaluate", str(run), *options]) == 0
    (score,) = load_scores(run / "scores.json")
    assert score.protocol.split == "test"
    (checkpoints / "last.keras").rename(checkpoints / "best.keras")
    assert main(["evaluate", str(run), *options]) == 0
    assert main(["evaluate", str(run), "--checkpoint", "last", *options]) == 2


@pytest.mark.slow
def test_stacked_digits_are_counted(tmp_path, tfds_data_dir):
    config = GANSettings(
        data="stacked-mnist", conditional=False, generator_width=4, discriminator_width=4
    )
    make_run(tmp_path / "stacked", config)
    assert main(["evaluate", str(tmp_path / "stacked"), *QUICK]) == 0
    scores = {score.name: score for score in load_scores(tmp_path / "stacked" / "scores.json")}
    assert scores["stacked_modes"].value < scores["stacked_modes"].floor <= 40
    assert scores["stacked_kl"].protocol.settings["classify"].startswith("lenet-mnist@")


def test_an_extractor_of_my_own(run, tmp_path):
    keras.utils.set_random_seed(0)
    small_cnn((8, 8, 1), 10, width=4).save(tmp_path / "mine.keras")
    for option, name in ((str(tmp_path / "mine.keras"), "mine"), ("discriminator",) * 2):
        options = ["--extractor", option, "--metrics", "fid", *QUICK]
        assert main(["evaluate", str(run), *options]) == 0
        (score,) = load_scores(run / "scores.json")
        assert score.name.startswith(f"fid[{name}@")


@pytest.mark.parametrize("channels", [1, 3])
def test_images_without_an_extractor_get_pixel_scores(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (400, 12, 12, channels), np.uint8)
    np.savez(tmp_path / "fakes.npz", images=images[:150])
    np.savez(tmp_path / "reals.npz", images=images[150:])
    arguments = ["evaluate", str(tmp_path / "fakes.npz"), "--data", str(tmp_path / "reals.npz")]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--metrics", "mind"]) == 2
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    scores = load_scores(tmp_path / "out" / "scores.json")
    assert {score.protocol.extractor for score in scores} == {None}
    assert {"sliced_wasserstein", "spectral_distance"} <= {score.name for score in scores}


def test_a_discriminator_is_no_classifier_and_gets_no_inception_score(run):
    assert main(["evaluate", str(run), "--extractor", "discriminator", *QUICK]) == 0
    names = {score.protocol.metric for score in load_scores(run / "scores.json")}
    assert "fid" in names
    assert "is" not in names


def test_labels_of_folders_are_matched_by_name(tmp_path):
    data = kgan.data.load("digits")
    some = np.flatnonzero(np.isin(data.labels, [3, 5]))[:60]
    fakes = write_images(tmp_path / "fakes", data.samples[some], data.labels[some])
    config = EvaluateSettings(source=fakes, data="digits")
    task = kgan.cli.evaluate.prepare(config, kgan.cli.evaluate.opened(config))
    samples, labels = task.fakes(60, 0)
    assert set(labels) == {3, 5}
    own = {image.tobytes(): label for image, label in zip(data.samples, data.labels, strict=True)}
    assert [own[image.tobytes()] for image in samples] == labels.tolist()
    write_images(tmp_path / "fakes", data.samples[:4], ["cat"] * 4)
    with pytest.raises(ValueError, match="got 'cat'"):
        kgan.cli.evaluate.prepare(config, kgan.cli.evaluate.opened(config))


def test_classes_of_a_run_are_matched_by_name(run, capsys):
    config, asked = EvaluateSettings(source=run, data="digits"), []

    def generate(n, labels, seed):
        asked.append(labels)
        return np.zeros((n, 8, 8, 1), np.float32)

    source = kgan.cli.evaluate.opened(config)._replace(generate=generate)
    backwards = source._replace(class_names=tuple("9876543210"))
    labels = kgan.cli.evaluate.prepare(config, backwards).fakes(40, 0)[1]
    np.testing.assert_array_equal(asked[-1], 9 - labels)
    assert "note:" not in capsys.readouterr().err
    others = source._replace(class_names=tuple("abcde"), num_classes=5)
    assert kgan.cli.evaluate.prepare(config, others).fakes(4, 0)[1] is None
    assert "not all classes of digits are known to be its own" in capsys.readouterr().err


def said_of(arguments, capsys):
    """What the command says before it exits with 2, which tyro does by itself; in one line."""
    try:
        code = main(["evaluate", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (0, "doubling 0.0 of 2 after 0 steps, and"),
        (
            7,
            "doubling 0.2 of 2 after 7 steps, and have their full size after more than 20: samples",
        ),
        (20, "doubling 1.8 of 2 after 20 steps, and"),
        (21, ""),
    ],
)
def test_what_still_grows_is_told(tmp_path, capsys, step, told):
    gan = build_growing_gan(phase_steps=5)
    gan.step.assign(step)
    gan.save("growing.keras")
    config = EvaluateSettings(source=tmp_path / "growing.keras", data="digits")
    kgan.cli.evaluate.prepare(config, kgan.cli.evaluate.opened(config))
    said = [line for line in capsys.readouterr().err.splitlines() if "networks" in line]
    assert told in "".join(said)
    assert len(said) == bool(told)
    # So does an export, as the endpoints know it.
    known = gan.endpoints().details.get("growing", "")
    assert told in known
    assert bool(known) == bool(told)


def test_an_export_of_what_still_grows_tells(tmp_path, capsys):
    build_growing_gan(phase_steps=5).save("growing.keras")
    assert main(["export", "growing.keras", "--out", "exports"]) == 0
    assert "growing.keras: its networks are at doubling 0.0 of 2" in capsys.readouterr().err
    config = EvaluateSettings(source=tmp_path / "exports/growing", data="digits")
    kgan.cli.evaluate.prepare(config, kgan.cli.evaluate.opened(config))
    assert "exports/growing: its networks are at doubling 0.0 of 2" in capsys.readouterr().err


def test_bad_folders(tmp_path, capsys):
    images = kgan.data.load("digits").samples
    good = write_images(tmp_path / "good", images[:8])
    (tmp_path / "empty").mkdir()
    assert "no image in" in said_of([tmp_path / "empty", "--data", good], capsys)
    one = write_images(tmp_path / "one", images[:1])
    assert "holds 1 image" in said_of([one, "--data", good], capsys)
    three = write_images(tmp_path / "three", images[:3])
    assert "a score needs at least 4" in said_of([good, "--data", three], capsys)
    large = write_images(tmp_path / "large", images[:8].repeat(2, axis=1).repeat(2, axis=2))
    said = said_of([good, "--data", large], capsys)
    assert "are 8x8x1 and those of" in said
    assert "16x16x1: choose one with --image-size" in said
    mixed = write_images(shutil.copytree(good, tmp_path / "mixed") / "more", images[:2])
    shutil.copy(large / "0000.png", mixed / "big.png")
    assert "have 2 sizes (8x8, 16x16)" in said_of([mixed.parent, "--data", good], capsys)


def test_bad_requests(run, tmp_path, capsys):
    assert "Did you mean 'fid'" in said_of([run, "--metrics", "fdi"], capsys)
    assert "Did you mean 'lenet-digits'" in said_of([run, "--extractor", "lenet-digit"], capsys)
    assert "neither a run folder" in said_of([tmp_path / "no", "--data", "digits"], capsys)
    assert "give one source" in said_of([], capsys)
    assert "metric modes needs data with known modes" in said_of(
        [run, "--metrics", "modes"], capsys
    )
    assert "compare takes two runs, got 1" in said_of(["--compare", run], capsys)
    assert "seeds must be at least 1, got 0" in said_of([run, "--seeds", "0"], capsys)
    model = tmp_path / "models"
    shutil.copytree(run / "checkpoints", model)
    assert "data must be given" in said_of([model / "last.keras"], capsys)
    said = said_of([run, "--extractor", "lenet-mnist", *QUICK], capsys)
    assert "lenet-mnist takes images of 28x28x1" in said


def test_what_would_be_ignored_is_refused(run, tmp_path, capsys):
    data = kgan.data.load("digits")
    reals = write_images(tmp_path / "reals", data.samples[:8])
    for options, message in (
        (["--checkpoint", "best"], "checkpoint must be left out: "),
        (["--endpoint", "generate"], "endpoint must be left out: "),
        (["--importance-samples", 5], "importance_samples must be left out: "),
    ):
        assert message in said_of([reals, "--data", reals, *options], capsys)
    keras_file = shutil.copy(run / "checkpoints" / "last.keras", tmp_path / "gan.keras")
    said = said_of([keras_file, "--data", "digits", "--checkpoint", "last"], capsys)
    assert "gan.keras is no run, got 'last'" in said
    said = said_of([run, "--extractor", "discriminator", "--layer", "dense"], capsys)
    assert "layer must be left out for the discriminator, got 'dense'" in said
    said = said_of(["--compare", run, run, "--out", tmp_path / "x"], capsys)
    assert "out must be left out with compare" in said
    large = write_images(tmp_path / "large", data.samples[:8].repeat(2, axis=1).repeat(2, axis=2))
    said = said_of([large, "--data", large, "--layer", "dense"], capsys)
    assert "layer must go with an extractor, got 'dense' alone" in said


def test_defaults_are_stated_once():
    assert EvaluateSettings(source="x").seeds >= 3
