"""The sample command: one seed gives the same images from every kind of source."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.export
import kgan.models
import kgan.networks
from kgan.cli import main
from kgan.endpoints import Endpoint
from kgan.models.standing import stand_for
from tests.conftest import build_gan


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """One GAN in every form. Not to be changed."""
    gan = build_gan(num_classes=3)
    folder = tmp_path_factory.mktemp("sources")
    run = folder / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"config": {}}))
    gan.save(run / "checkpoints" / "last.keras")
    shutil.copy(run / "checkpoints" / "last.keras", folder / "gan.keras")
    kgan.export.export(gan, folder / "models")
    return {
        "run": run,
        "keras": folder / "gan.keras",
        "servable": folder / "models",
        "version": folder / "models" / "1",
    }


def test_every_source_gives_the_same_images(sources, tmp_path, capsys):
    results = []
    for name, source in sources.items():
        out = tmp_path / f"{name}.npz"
        assert main(["sample", str(source), "--n", "7", "--seed", "3", "--out", str(out)]) == 0
        results.append(np.load(out))
    for result in results:
        np.testing.assert_array_equal(result["labels"], [0, 1, 2, 0, 1, 2, 0])
        assert result["images"].shape == (7, 8, 8, 1)
        np.testing.assert_allclose(result["images"], results[0]["images"], atol=1e-5)


def test_truncation_that_changes_nothing_is_refused(tmp_path, capsys):
    """A generator that normalises its latents makes the same of them however long they are."""
    gan = build_gan()
    generator = kgan.networks.progan_generator((8, 8, 1), gan.latent_dim, width=4)
    gan = type(gan)(generator, gan.discriminator)
    gan.compile("adam")
    gan.save(tmp_path / "gan.keras")
    kgan.export.export(gan, tmp_path / "models")
    words = [
        *(
            ["sample", str(tmp_path / name), "--truncation", "2"]
            for name in ("gan.keras", "models")
        ),
        ["latents", str(tmp_path / "gan.keras"), "--show", "truncate"],
    ]
    for one in words:
        assert main([*one, "--n", "2", "--out", str(tmp_path / "out.png")]) == 2
        assert (
            "truncation must be left out for this model: its generator normal"
            in capsys.readouterr().err
        )
    assert not (tmp_path / "out.png").exists()


def test_truncation_is_the_same_from_every_source(sources, tmp_path, capsys):
    results = []
    for name in ("keras", "version"):
        out = tmp_path / f"near-{name}.npz"
        options = ["--n", "4", "--truncation", "0.3", "--out", str(out)]
        assert main(["sample", str(sources[name]), *options]) == 0
        results.append(np.load(out)["images"])
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
    # Latents within 0.3 of the middle give images that are nearer to each other.
    assert (
        main(["sample", str(sources["keras"]), "--n", "4", "--out", str(tmp_path / "a.npz")]) == 0
    )
    whole = np.load(tmp_path / "a.npz")["images"]
    assert results[0][[0, 3]].std(axis=0).mean() < 0.5 * whole[[0, 3]].std(axis=0).mean()


def test_a_new_process_loads_a_run(sources, tmp_path, run_python):
    """Where nothing else has imported the layers that the file names."""
    script = "import sys; from kgan.cli import main; sys.exit(main(sys.argv[1:]))"
    run_python("-c", script, "sample", sources["run"], "--n", 3, "--out", tmp_path / "new.npz")
    assert np.load(tmp_path / "new.npz")["images"].shape == (3, 8, 8, 1)


def test_grid_and_folder(sources, tmp_path):
    source = str(sources["version"])
    grid = tmp_path / "grid.png"
    assert main(["sample", source, "--n", "6", "--out", str(grid)]) == 0
    with Image.open(grid) as picture:
        assert picture.size == (3 * 33 + 1, 2 * 33 + 1)
    folder = tmp_path / "images"
    assert main(["sample", source, "--n", "4", "--labels", "2", "--out", str(folder)]) == 0
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == [
        "2/00000.png",
        "2/00001.png",
        "2/00002.png",
        "2/00003.png",
    ]


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    """A GAN with styles as a file, exported, and exported before there was a cutoff."""
    folder, shape = tmp_path_factory.mktemp("styled"), (8, 8, 1)
    keras.utils.set_random_seed(2)
    gan = kgan.models.GAN(
        kgan.networks.stylegan2_generator(shape, 6, width=2),
        kgan.networks.stylegan2_discriminator(shape, width=2),
    )
    gan.save(folder / "gan.keras")
    kgan.export.export(gan, folder / "models")
    found = gan.endpoints()
    whole = found.endpoints["truncate"]
    pulled = lambda r: {**r, "cutoff": tf.fill(tf.shape(r["share"]), tf.constant(6, tf.int64))}  # noqa: E731
    inputs = {name: spec for name, spec in whole.inputs.items() if name != "cutoff"}
    before = Endpoint(lambda r: whole.function(pulled(r)), inputs, "truncate")
    old = dataclasses.replace(found, endpoints={**found.endpoints, "truncate": before})
    kgan.export.write(old, folder / "old")
    return folder


def sampled(source, out, *options):
    """Samples of a command, or `None` where it refuses."""
    code = main(["sample", str(source), "--n", "2", "--out", str(out), *options])
    return np.load(out)["images"] if code == 0 else None


def test_a_share_of_styles_has_a_bound_from_every_source(styled, tmp_path, capsys):
    for source in ("gan.keras", "models"):
        for share in ("2.5", "1e38"):
            out = tmp_path / "x.npz"
            assert sampled(styled / source, out, "--truncation", share) is None
            assert "truncation must be in [0, 2] for a generator with" in capsys.readouterr().err
            assert not out.exists()


def test_a_cutoff_is_the_same_from_every_source(styled, tmp_path, capsys):
    near = ["--truncation", "0.3", "--cutoff"]
    found = {
        (source, cutoff): sampled(styled / source, tmp_path / "x.npz", *near, cutoff)
        for source in ("gan.keras", "models")
        for cutoff in ("0", "2", "6")
    }
    for cutoff in ("0", "2", "6"):
        np.testing.assert_allclose(found["gan.keras", cutoff], found["models", cutoff], atol=1e-5)
    plain = sampled(styled / "models", tmp_path / "x.npz")
    np.testing.assert_allclose(found["models", "0"], plain, atol=1e-5)
    whole = sampled(styled / "old", tmp_path / "x.npz", "--truncation", "0.3")
    np.testing.assert_allclose(found["models", "6"], whole, atol=1e-5)
    assert all(abs(found["models", "2"] - one).max() > 1e-4 for one in (plain, whole))
    for source, cutoff, words in [
        ("gan.keras", "7", "cutoff must be in [0, 6], as many styles as the generator has, got 7"),
        ("models", "7", "cutoff must be in [0, 6], as many styles as the generator has, got 7"),
        ("old", "2", "was exported by a version without it, got 2. Export the run anew"),
        ("models", "-1", "cutoff must be at least 0, got -1"),
    ]:
        assert sampled(styled / source, tmp_path / "y.npz", *near, cutoff) is None
        assert words in capsys.readouterr().err
    assert not (tmp_path / "y.npz").exists()


def test_who_has_no_cutoff(sources, styled, tmp_path, capsys):
    out = tmp_path / "x.npz"
    for name in ("keras", "version"):
        assert sampled(sources[name], out, "--truncation", "1", "--cutoff", "2") is None
        assert "cutoff must be left out: " in capsys.readouterr().err
    assert sampled(styled / "models", out, "--cutoff", "2") is None
    assert "cutoff must go with truncation, got 2 alone" in capsys.readouterr().err


def test_statistics_are_made_for_the_samples(sources, styled, tmp_path, capsys):
    """As those of the model itself are; a file and a run are left as they are."""
    before, out = sources["keras"].read_bytes(), tmp_path / "x.npz"
    options = ["--truncation", "0.5", "--standing-statistics", "3", "--seed", "4"]
    seen = [sampled(sources[name], out, *options) for name in ("keras", "run")]
    gan = kgan.models.load(sources["keras"])
    stand_for(gan, 3, truncation=0.5, seed=0)
    expected = gan.generate_truncated(2, 0.5, [0, 1], seed=4)
    for one in seen:
        np.testing.assert_allclose(one, expected, atol=1e-6)
    assert abs(expected - sampled(sources["keras"], out, *options[:2], *options[4:])).max() > 1e-3
    assert sources["keras"].read_bytes() == before
    # So are those of an export that was made with them.
    exported = tmp_path / "exports"
    arguments = ["--standing-statistics", "3", "--truncation", "0.5", "--out", str(exported)]
    assert main(["export", str(sources["keras"]), "--name", "near", *arguments]) == 0
    told = kgan.export.manifest.read(exported / "near/1")["standing_statistics"]
    assert told == {"batches": 3, "truncation": 0.5}
    # Their seed is not that of the samples: one seed gives the same ones from either.
    seen = sampled(exported / "near", out, *options[:2], *options[4:])
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert main(["export", str(sources["keras"]), *arguments[2:]]) == 2
    assert "truncation must go with standing_statistics, got 0.5" in capsys.readouterr().err
    for source, words in [
        (sources["version"], "is no run or .keras file of a GAN, whose statistics could be made"),
        (styled / "gan.keras", "standing_statistics must be left out for this model: "),
    ]:
        assert sampled(source, tmp_path / "y.npz", "--standing-statistics", "3") is None
        assert words in capsys.readouterr().err
    styles = str(styled / "gan.keras")
    assert main(["export", styles, *arguments[:2], "--out", str(tmp_path / "none")]) == 2
    assert "standing_statistics must be left out for this model: " in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert sampled(sources["keras"], out, "--standing-statistics", "0") is None
    assert "standing_statistics must be at least 1, got 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (("..", ".", " .. "), ["0", "1", "2"]),
        (("/etc", r":\up", "C:over"), ["_etc", "__up", "C_over"]),
        (("a/b", "a_b", "a\0b"), ["a_b", "a_b_", "a_b__"]),
        (("1", "", "c" * 300), ["1", "1_", "2"]),
    ],
)
def test_classes_are_folders_inside_whatever_they_are_called(sources, tmp_path, names, folders):
    version, out = tmp_path / "version", tmp_path / "o" / "esc" / "folder"
    shutil.copytree(sources["version"], version)
    manifest = version / "assets.extra" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "class_names": names}))
    assert main(["sample", str(version), "--n", "3", "--out", str(out)]) == 0
    written = {path.relative_to(out).parts for path in out.rglob("*.png")}
    assert written == {(folder, f"{place:05d}.png") for place, folder in enumerate(folders)}
    assert [path.name for path in out.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--labels", "3"), r"labels must be in [0, 2], got 3"),
        (("--n", "0"), "n must be at least 1, got 0"),
        (("--n", "1000000000000", "--out", "x.npz"), "for samples of 8x8x1, which are held in mem"),
        (("--n", "2097153"), "n must be at most 2,097,152 for images of 8x8x1 in one picture"),
        (("--truncation", "-1"), "truncation must be at least 0"),
        (("--truncation", "0"), "the truncation of latents must be above 0, got 0."),
        (("--seed", "-1"), "seed must be in [0, 2147483647], got -1"),
        (("--seed", str(2**31)), "seed must be in [0, 2147483647], got 2147483648"),
    ],
)
def test_bad_requests(sources, arguments, message, capsys):
    assert main(["sample", str(sources["keras"]), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_bad_sources(tmp_path, capsys):
    assert main(["sample", str(tmp_path)]) == 2
    assert "is neither a run folder, nor a .keras file, nor an exported" in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "x.keras")]) == 2
    assert "no saved model at" in capsys.readouterr().err


def test_existing_folder_is_kept(sources, tmp_path, capsys):
    (tmp_path / "here").mkdir()
    assert main(["sample", str(sources["keras"]), "--out", str(tmp_path / "here")]) == 2
    assert "exists; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["PNG", "NPZ"])
def test_suffixes_may_be_capital_letters(sources, tmp_path, suffix):
    out = tmp_path / f"x.{suffix}"
    assert main(["sample", str(sources["keras"]), "--n", "4", "--out", str(out)]) == 0
    assert [one.name for one in tmp_path.iterdir()] == [out.name]
    if suffix == "PNG":
        with Image.open(out) as picture:
            assert picture.format == "PNG"
    else:
        assert len(np.load(out)["images"]) == 4
