"""The presets of image generators on small data: train, sample, score, export, each on its own."""

import json

import pytest
from PIL import Image

import kgan.cli

TINY = ["--data", "digits", "--generator-width", "16", "--discriminator-width", "16"]
TINY += ["--epochs", "1", "--steps-per-epoch", "4", "--batch-size", "8"]
PRESETS = {
    "fastgan": [],
    "progan": ["--phase-steps", "1"],
    "stylegan2": ["--augment", "ada-upright"],
    "r3gan": ["--augment", "diffaugment"],
    "biggan": [],
    "biggan --networks biggan-deep": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_command_works(preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def kgan_(*arguments):
        assert kgan.cli.main([str(argument) for argument in arguments]) == 0

    kgan_("train", *preset.split(), *TINY, *PRESETS[preset], "--name", "made")
    kgan_("sample", "saved_models/made", "--n", 10, "--out", "exported.png")
    kgan_("sample", "runs/made", "--n", 10, "--out", "run.png")
    pictures = [Image.open(f"{name}.png").convert("L").tobytes() for name in ("exported", "run")]
    differences = [abs(one - other) for one, other in zip(*pictures, strict=True)]
    assert max(differences) <= 1
    kgan_("evaluate", "runs/made", "--n", 50, "--metrics", "fid")
    kgan_("latents", "runs/made", "--show", "truncate", "--n", 4)
    kgan_("export", "runs/made", "--format", "litert", "--out", "exported")
    signatures = json.loads(
        (tmp_path / "saved_models/made/1/assets.extra/manifest.json").read_text()
    )
    assert ("mix" in json.dumps(signatures)) == (preset == "stylegan2")
    kgan_("train", "--resume", "--name", "made", "--epochs", 2)
