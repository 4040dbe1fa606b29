"""The rules of the house that no linter knows."""

import gc
import importlib
import inspect
import os
import re
import textwrap
import warnings

import keras
import pytest

import kgan.attacks
import kgan.augmentation
import kgan.cli.cache
import kgan.data
import kgan.defenses
import kgan.evaluation
import kgan.generator_penalties
import kgan.kinds
import kgan.losses
import kgan.metrics
import kgan.models
import kgan.networks
import kgan.penalties
import kgan.pictures
import kgan.robustness
from kgan.cli import COMMANDS
from kgan.recipes import RECIPES
from kgan.settings import FAMILIES, PRESETS, GANSettings
from tests.conftest import ROOT


def public_functions(module):
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__.startswith("kgan") and name[0] != "_"
    }


def test_every_loss_has_its_row():
    adversarial = {
        name
        for name in public_functions(kgan.losses)
        if getattr(kgan.losses, name).__module__ == "kgan.losses.adversarial"
    }
    assert adversarial - {"get"} == set(kgan.losses.LOSSES)


def test_every_penalty_has_its_row():
    classes = set(kgan.penalties.Penalty.__subclasses__())
    assert {c for c in classes if c.__module__ == "kgan.penalties"} == set(
        kgan.penalties.PENALTIES.values()
    )


def test_every_penalty_of_a_generator_and_every_augmentation_has_its_row():
    penalties = set(kgan.generator_penalties.GeneratorPenalty.__subclasses__())
    assert {c for c in penalties if c.__module__.startswith("kgan.")} == set(
        kgan.generator_penalties.GENERATOR_PENALTIES.values()
    )
    assert set(kgan.augmentation.Augmentation.__subclasses__()) == set(
        kgan.augmentation.AUGMENTATIONS.values()
    )


def test_every_network_has_its_row():
    rows = (
        kgan.networks.NETWORKS,
        kgan.networks.TRANSLATION_NETWORKS,
        kgan.networks.TABLE_NETWORKS,
    )
    builders = {builder for pairs in rows for pair in pairs.values() for builder in pair}
    builders |= set(kgan.networks.PATCH_DISCRIMINATORS.values())
    assert builders >= {
        getattr(kgan.networks, n)
        for n in public_functions(kgan.networks)
        if n.endswith(("_generator", "_discriminator"))
    }


def test_every_metric_has_its_row():
    rows = {metric.function.__name__ for metric in kgan.metrics.METRICS.values()}
    # What the functions of the rows prdc, modes and cas are made of.
    parts = {"precision_recall", "density_coverage", "mode_count", "nearest_mode"}
    assert public_functions(kgan.metrics) == rows | parts | {"classification_accuracy_score"}


@pytest.mark.parametrize("kind", kgan.kinds.KINDS.values())
def test_every_kind_has_its_rows(kind):
    assert kind in kgan.pictures.DRAW
    assert kind in kgan.evaluation.DEFAULTS


def test_metrics_need_what_can_be_told():
    for metric in kgan.metrics.METRICS.values():
        assert set(metric.needs) <= set(kgan.metrics.metric.NEEDS)
        assert set(metric.kinds) <= set(kgan.kinds.KINDS)


def test_every_model_has_its_row():
    classes = {v for v in vars(kgan.models).values() if inspect.isclass(v)} - {kgan.models.Players}
    assert classes == set(kgan.models.MODELS.values())


def test_every_attack_has_its_row():
    classes = {
        value
        for value in vars(kgan.attacks).values()
        if inspect.isclass(value) and issubclass(value, kgan.attacks.Attack)
    }
    assert classes - {kgan.attacks.Attack} == set(kgan.attacks.ATTACKS.values())


def test_old_names_of_what_moved_still_lead_there():
    assert kgan.attacks.evaluate is kgan.robustness.evaluate
    assert kgan.attacks.testing is kgan.robustness.testing
    assert not hasattr(kgan.attacks, "nothing")


def test_no_gradient_goes_through_tensorflows_projective_transform():
    """It is wrong; see `kgan.augmentation.sampler`. `Spatial` takes none, nor does a feed."""
    op = re.compile(r"\.ImageProjectiveTransform|\.affine_transform\(|\.Random(Rotation|Zoom)\(")
    files = (ROOT / "kgan").rglob("*.py")
    users = {file.name for file in files if op.search(file.read_text())}
    assert users == {"spatial.py", "rotation.py"}


def test_every_attack_is_of_a_known_category():
    known = {"white-box", "single-step", "black-box", "noise", None}
    assert {attack.category for attack in kgan.attacks.ATTACKS.values()} == known


@pytest.mark.parametrize("name", kgan.defenses.METHODS)
def test_every_method_of_adversarial_training_is_told(name):
    assert f'"{name}":' in kgan.defenses.AdversarialTraining.__doc__


def test_every_family_has_its_rows():
    assert set(FAMILIES) == set(RECIPES)
    assert {preset.family for preset in PRESETS.values()} == set(FAMILIES)


@pytest.mark.parametrize("name", [n for n, one in PRESETS.items() if isinstance(one, GANSettings)])
def test_presets_name_what_exists(name):
    preset = PRESETS[name]
    assert preset.loss in kgan.losses.LOSSES
    assert preset.networks in kgan.networks.NETWORKS
    assert set(preset.penalty) <= set(kgan.penalties.PENALTIES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_module(name):
    module = importlib.import_module(f"kgan.cli.{name.replace('-', '_')}")
    assert callable(module.main)


def test_importing_kgan_does_not_import_tensorflow(run_python):
    run_python("-c", "import kgan, sys; assert not {'tensorflow', 'keras'} & set(sys.modules)")


def test_kgan_is_found_beside_a_folder_of_its_name(run_python, tmp_path):
    """As from where it was cloned."""
    (tmp_path / "kgan").mkdir()
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = run_python("-c", "import kgan; print(kgan.__version__)", cwd=tmp_path, env=bare)
    assert said.stdout == f"{kgan.__version__}\n"


def test_a_command_says_our_warnings_without_their_place(monkeypatch):
    told = {}

    def body(request):
        for file in (kgan.data.__file__, keras.__file__):
            told[file] = warnings.formatwarning("odd\x1b\nimages", UserWarning, file, 3)
        return 0

    usual = warnings.formatwarning
    monkeypatch.setattr("kgan.cli.cache.main", body)
    assert kgan.cli.main(["cache"]) == 0
    assert told[kgan.data.__file__] == "warning: odd\\x1b images\n"
    assert f"{keras.__file__}:3: UserWarning" in told[keras.__file__]
    assert warnings.formatwarning is usual


def test_nothing_is_collected_while_a_command_is_imported(monkeypatch):
    seen, usual = [], importlib.import_module

    def found(name):
        if name.startswith("kgan.cli"):
            seen.append(gc.isenabled())
        return usual(name)

    monkeypatch.setattr("kgan.cli.cache.main", lambda request: seen.append(gc.isenabled()) or 0)
    monkeypatch.setattr("importlib.import_module", found)
    assert kgan.cli.main(["cache"]) == 0
    assert seen == [False, True]


def test_a_command_ends_without_looking_for_cycles(run_python):
    """TensorFlow's objects take seconds to look at; a command collects as ever before its end."""
    code = """
        import atexit, gc
        from kgan.cli import main
        atexit.register(lambda: print("left alone:", gc.get_freeze_count() > 1000))
        main(["cache"])
        print("collects:", gc.isenabled(), gc.get_freeze_count())
    """
    said = run_python("-c", textwrap.dedent(code)).stdout
    assert said.splitlines()[-2:] == ["collects: True 0", "left alone: True"]


def test_another_backend_is_refused(run_python):
    said = run_python(
        "-c", "import os; os.environ['KERAS_BACKEND'] = 'jax'; import kgan", check=False
    )
    assert "kgan runs on Keras's TensorFlow backend, but the backend here is 'jax'" in said.stderr


def test_the_readme_names_only_commands_that_exist():
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^\s*kgan ([a-z-]+)", text, re.M)) <= set(COMMANDS)
