"""Settings that would be dropped, or would lead elsewhere, are refused before any work."""

from pathlib import Path

import pytest

from kgan.cli.evaluate import compare
from kgan.recipes import GANRecipe, TableRecipe
from kgan.settings import GANSettings
from kgan.settings.evaluate import EvaluateSettings
from kgan.settings.export import ExportSettings
from kgan.settings.table import TableSettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"delta": 1e-6}, "delta belongs to a private training: set epsilon too"),
        ({"clip_norm": 2.0}, "clip_norm belongs to a private training"),
        ({"noise": 1.0}, "noise belongs to a private training"),
        ({"freeze_discriminator": 2}, "freeze_discriminator must go with init_from, got 2"),
        ({"g_learning_rate": float("inf")}, "g_learning_rate must be finite, got inf"),
        ({"g_learning_rate": float("nan")}, "g_learning_rate must be at least 0, got nan"),
    ],
)
def test_what_nothing_would_use_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        GANSettings(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target_loss": 1.0}, r"target must be given with target_loss \(1\)"),
        ({"target_loss": -1.0}, "target_loss must be at least 0, got -1"),
        ({"target_loss": 1.0, "target": "x", "model": "tvae"}, "target_loss must be left out for"),
        ({"conditions": "modes", "model": "tvae"}, "conditions must be left out for a tvae"),
        ({"conditions": "modes", "epsilon": 1.0}, "left out for a copula.* Add --model gan"),
    ],
)
def test_what_another_model_than_a_gan_would_drop_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        TableSettings(**given)


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".", "a\x1b[31mb", "a\rb", "a\x9bb"])
def test_a_name_is_no_path(name):
    with pytest.raises(ValueError, match="name must be a plain file name"):
        GANSettings(name=name)
    with pytest.raises(ValueError, match="name must be a plain file name"):
        ExportSettings(source=Path("run"), name=name)


@pytest.mark.parametrize(("model", "goes_on"), [("gan", True), ("copula", False)])
def test_a_model_that_is_fitted_at_once_is_not_trained_on(model, goes_on, tmp_path):
    said = TableRecipe(TableSettings(model=model)).next_steps(tmp_path, None)
    assert any("--resume" in line for line in said) == goes_on


def test_next_steps_can_be_pasted():
    folder = Path("runs/my cats; rm x")
    sample, resume = GANRecipe(GANSettings()).next_steps(folder, None)[:2]
    assert "'runs/my cats; rm x'" in sample
    assert "--name 'my cats; rm x'" in resume


def test_a_comparison_with_what_is_not_there_is_refused_at_once(tmp_path):
    (tmp_path / "run").mkdir()
    settings = EvaluateSettings(compare=(tmp_path / "run", tmp_path / "no"))
    with pytest.raises(FileNotFoundError, match=r"compare must name runs or scores\.json files"):
        compare(settings)
