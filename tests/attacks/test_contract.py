"""What holds for every attack in `ATTACKS`; a new row is tested unasked."""

import inspect
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.attacks
from kgan.attacks import ATTACKS, Attack, victim_of
from kgan.attacks.checks import check_images
from kgan.attacks.learnt_attack import LearntAttack
from kgan.models.norm_ball import USUAL_RADII
from kgan.pixels import to_float, to_uint8
from kgan.robustness.testing import lengths
from tests.attacks.conftest import build
from tests.conftest import slow_but

# Settings that keep the slow ones short; a name that is not here runs with its defaults.
SHORT = {
    "pgd": {"steps": 10, "restarts": 2},
    "mifgsm": {"diversity": 0.5, "translation": 3},
    "cw": {"steps": 40, "search_steps": 4, "initial_constant": 0.1, "learning_rate": 0.1},
    "ead": {"steps": 30, "search_steps": 4, "initial_constant": 0.1},
    "apgd": {"steps": 20},
    "fab": {"steps": 10, "targets": 3},
    "square": {"steps": 60},
    "guided": {"query_budget": 300, "steps": 5},
    "at": {"query_budget": 300, "steps": 5},
    "fmn": {"steps": 30},
    "ddn": {"steps": 30},
    "sigma-zero": {"steps": 60},
    "hopskipjump": {"queries": 400, "first_samples": 40},
    "boundary": {"queries": 200},
    "jsma": {"targets": 2},
    "sparse-rs": {"steps": 60},
    "one-pixel": {"pixels": 3, "population": 20, "steps": 8},
    "universal": {"steps": 60},
    "patch": {"steps": 60, "share": 0.6},
    "advgan": {"steps": 150, "batch_size": 64, "width": 4, "blocks": 1, "learning_rate": 3e-3},
}
RADII = {"linf": 0.15, "l2": 1.0, "l1": 4.0, "l0": 12.0}


class ShortAutoAttack(kgan.attacks.AutoAttack):
    """AutoAttack with members of few steps."""

    def members(self, classes):
        short = {"apgd-ce": 10, "apgd-t": 5, "fab-t": 5, "square": 30}
        return {
            name: member.replace(steps=short.get(name, 10))
            for name, member in super().members(classes).items()
        }


class FittedAdvGAN(kgan.attacks.AdvGAN):
    """AdvGAN that is fitted on what it is first run on, once for each model and norm.

    For a radius that serves all smaller ones.
    """

    fitted: ClassVar[dict] = {}

    def _prepare(self, model, images, labels, targets, batch_size, indices):
        if self.network is None and targets is None:
            key = id(model), self.norm
            if key not in self.fitted:
                radius = max(self.epsilon, RADII[self.norm], 0.3)
                largest = kgan.attacks.AdvGAN(radius, norm=self.norm, **SHORT["advgan"])
                largest.fit(model, check_images(images))
                # With the model, so that no other one gets its number.
                self.fitted[key] = largest.network, model
            self.network = self.fitted[key][0]
        return super()._prepare(model, images, labels, targets, batch_size, indices)


class FitsItself(kgan.attacks.learnt_attack.LearntAttack):
    """A learnt attack that is fitted on what it is first run on, once for each model and norm."""

    kept: ClassVar[dict] = {}

    def run(self, model, images, labels=None, **how):
        if self.learnt is None:
            norm = getattr(self, "norm", None)
            key = id(model), type(self), norm
            if key not in self.kept:
                # For a radius that serves all smaller ones.
                wide = self.replace(epsilon=max(RADII[norm], 0.3)) if norm else self.replace()
                wide.fit(model, check_images(images), labels)
                # With the model, so that no other one gets its number.
                self.kept[key] = wide.learnt, model
            self.learnt = self.kept[key][0]
        return super().run(model, images, labels, **how)


class FittedUniversal(FitsItself, kgan.attacks.Universal):
    pass


class FittedPatch(FitsItself, kgan.attacks.Patch):
    pass


OWN = {
    "autoattack": ShortAutoAttack,
    "advgan": FittedAdvGAN,
    "universal": FittedUniversal,
    "patch": FittedPatch,
}
LEARN = ("advgan", "universal", "patch")


def make(name: str, **settings) -> Attack:
    attack = OWN.get(name, ATTACKS[name])
    return attack(**{**SHORT.get(name, {}), **settings})


def is_budget(name: str) -> bool:
    return not make(name).minimal and "epsilon" in make(name).get_config()


# "at" is "guided" with other settings.
FEW = set(ATTACKS) - {"at"}
names = pytest.mark.parametrize("name", slow_but(ATTACKS, *FEW))
# "guided" runs "mifgsm" on a substitute and "autoattack" its members, which are in the list.
own_names = pytest.mark.parametrize("name", slow_but(ATTACKS, *FEW - {"guided", "autoattack"}))
budget_names = pytest.mark.parametrize(
    "name", slow_but(filter(is_budget, ATTACKS), *FEW - {"guided", "autoattack"})
)
# What the template does for all: for one that loops, one that searches and one that draws.
some_names = pytest.mark.parametrize("name", slow_but(ATTACKS, "pgd", "cw", "square"))
# Heads are the victim's part, and only these, or what they run, look at the number of classes.
heads_names = pytest.mark.parametrize("name", slow_but(ATTACKS, "pgd", "deepfool", "autoattack"))
# The geometry of l2 and l1 is common to most; each alone is held against a linear model by
# test_testing.py, ball and box included.
OTHER_NORMS = {("pgd", "l2"), ("pgd", "l1"), ("apgd", "l1"), ("fab", "l2"), ("deepfool", "l2")}
with_norms = pytest.mark.parametrize(
    ("name", "norm"),
    [
        pytest.param(name, norm, marks=pytest.mark.slow)
        if name == "at" or (norm != "linf" and (name, norm) not in OTHER_NORMS)
        else (name, norm)
        for name, attack in ATTACKS.items()
        for norm in attack.norms
        if "norm" in inspect.signature(attack).parameters
    ],
)


def test_every_public_attack_has_a_row():
    public = {
        member
        for member in vars(kgan.attacks).values()
        if inspect.isclass(member) and issubclass(member, Attack) and member is not Attack
    }
    assert public == set(ATTACKS.values())


@names
def test_result_is_what_it_says(name, model, some):
    images, labels = some
    kept = images.copy()
    result = make(name).run(model, images, labels)
    np.testing.assert_array_equal(images, kept)
    assert result.adversarial.shape == images.shape
    assert result.adversarial.dtype == np.float32
    assert result.adversarial.min() >= 0.0
    assert result.adversarial.max() <= 1.0
    # Success is what the model itself says of the images that come back.
    logits = model(result.adversarial, training=False).numpy()
    np.testing.assert_array_equal(result.success, logits.argmax(axis=1) != labels)
    # What could not be fooled, or needed no fooling, comes back clean.
    wrong = model(images, training=False).numpy().argmax(axis=1) != labels
    untouched = wrong | ~result.success
    np.testing.assert_array_equal(result.adversarial[untouched], images[untouched])
    if name != "noise":
        assert result.success.mean() > wrong.mean() + 0.2


@with_norms
def test_changes_stay_in_the_ball(name, norm, model, some):
    images, labels = some
    settings = {"epsilon": RADII[norm]} if is_budget(name) else {}
    adversarial = make(name, norm=norm, **settings)(model, images, labels)
    assert np.isfinite(adversarial).all()
    if settings:
        assert lengths(adversarial - images, norm).max() <= RADII[norm] + 1e-6


@budget_names
def test_no_budget_no_change(name, model, some):
    images, labels = some
    np.testing.assert_array_equal(make(name, epsilon=0.0)(model, images, labels), images)


@own_names
def test_neighbours_and_batches_do_not_matter(name, model, some):
    images, labels = some
    attack = make(name, **({"surrogates": build()} if name in ("guided", "at") else {}))
    whole = attack.run(model, images, labels, batch_size=64)
    pieces = attack.run(model, images, labels, batch_size=8)
    part = attack.run(model, images[5:16], labels[5:16], indices=np.arange(5, 16))
    # Convolutions of other batch sizes round differently, which an attack may amplify.
    close = np.abs(whole.adversarial - pieces.adversarial).reshape(len(images), -1).max(axis=1)
    assert np.mean(close < 1e-4) > 0.9
    close = np.abs(whole.adversarial[5:16] - part.adversarial).reshape(11, -1).max(axis=1)
    assert np.mean(close < 1e-4) > 0.9
    assert np.mean(whole.success == pieces.success) > 0.97


@names
def test_needs_and_categories_are_attributes(name):
    attack = ATTACKS[name]()
    assert attack.needs in ("gradients", "scores", "labels", "nothing")
    assert attack.category in ("white-box", "single-step", "black-box", "noise", None)
    if attack.category in ("white-box", "single-step") and attack.adapts:
        assert attack.needs == "gradients"
    if attack.category == "black-box":
        assert attack.needs != "gradients"
    assert isinstance(attack.takes_arrays, bool)
    assert ATTACKS[name](quantize=True).quantize
    assert "quantize" in attack.get_config()


# Of those whose only norm is l0: values that may change.
_RADII = {"sparse-rs": 8}


# The rounding is the template's; these are one that searches and one that records.
@pytest.mark.parametrize("name", slow_but(ATTACKS, "cw", "square"))
def test_images_of_8_bits_fool_as_they_are(name, model, some):
    images, labels = some
    images = to_float(to_uint8(images))
    settings = {"epsilon": _RADII.get(name, 0.15)} if is_budget(name) else {}
    plain = make(name, **settings).run(model, images, labels)
    result = make(name, quantize=True, **settings).run(model, images, labels)
    files = to_float(to_uint8(result.adversarial))
    np.testing.assert_array_equal(files, result.adversarial)
    fooled = model(files, training=False).numpy().argmax(axis=1) != labels
    np.testing.assert_array_equal(fooled, result.success)
    assert result.success.mean() > plain.success.mean() - 0.1
    if settings and name not in _RADII:
        assert np.abs(files - images).max() <= 0.15 + 1e-6


@own_names
def test_same_seed_same_result(name, model, some):
    first = make(name, seed=5)(model, *some)
    again = make(name, seed=5)(model, *some)
    np.testing.assert_array_equal(first, again)


@heads_names
def test_probabilities_are_attacked_as_strongly_as_logits(name, model, softmax_model, some):
    plain = make(name).run(model, *some)
    headed = make(name).run(softmax_model, *some)
    if isinstance(make(name), (LearntAttack, kgan.attacks.AdvGAN)):
        # What learns for hundreds of steps enlarges differences of rounding.
        assert abs(plain.success.mean() - headed.success.mean()) < 0.1
        return
    np.testing.assert_array_equal(plain.success, headed.success)
    np.testing.assert_allclose(plain.adversarial, headed.adversarial, atol=1e-4)


@some_names
def test_the_model_is_left_untouched(name, model, some):
    before = [variable.numpy() for variable in model.variables]
    make(name)(model, *some)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


@names
def test_settings_survive_serialisation(name):
    attack = make(name)
    data = keras.saving.serialize_keras_object(attack)
    if name in OWN:
        data = keras.saving.serialize_keras_object(ATTACKS[name]())
        attack = ATTACKS[name]()
    again = keras.saving.deserialize_keras_object(data)
    assert type(again) is type(attack)
    assert again.get_config() == attack.get_config()


@names
def test_targets_are_reached_or_refused(name, model, some, request):
    images, labels = some
    targets = (labels + 1) % 10
    attack = request.getfixturevalue("targeted_advgan") if name == "advgan" else make(name)
    if not attack.targetable:
        with pytest.raises(ValueError, match="cannot be targeted"):
            attack.run(model, images, targets=targets)
        return
    result = attack.run(model, images, targets=targets)
    predicted = model(result.adversarial, training=False).numpy().argmax(axis=1)
    np.testing.assert_array_equal(result.success, predicted == targets)
    np.testing.assert_array_equal(result.adversarial[~result.success], images[~result.success])
    if name not in ("noise", "spatial", "square", "guided", "at", "fgsm", "one-pixel"):
        assert result.success.mean() > 0.2


@pytest.fixture(scope="module")
def binary(digits):
    """A classifier with a single output, and its data."""
    images, labels = digits
    images, labels = images[:150], (labels[:150] >= 5).astype("int32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(images, labels, epochs=15, verbose=0)
    return model, images[:20], labels[:20]


@heads_names
def test_a_binary_classifier_can_be_attacked(name, binary):
    model, images, labels = binary
    result = make(name).run(model, images, labels)
    fooled = (model(result.adversarial).numpy()[:, 0] > 0.5) != labels
    np.testing.assert_array_equal(result.success, fooled)
    wrong = (model(images).numpy()[:, 0] > 0.5) != labels
    assert result.success.mean() >= wrong.mean()
    if name != "noise":
        assert result.success.mean() > wrong.mean()


@some_names
def test_tensors_come_back_as_tensors(name, model, some):
    images, labels = some
    adversarial = make(name)(model, tf.constant(images[:3]), tf.constant(labels[:3]))
    assert isinstance(adversarial, tf.Tensor)


def test_a_sweep_compiles_once(some, model):
    images, labels = some
    make("pgd", epsilon=0.01).run(model, images, labels)
    before = dict(victim_of(model, images).functions)
    for epsilon in (0.05, 0.1):
        make("pgd", epsilon=epsilon, steps=7, step_size=0.02, seed=3).run(model, images, labels)
    after = victim_of(model, images).functions
    assert after.keys() == before.keys()
    for function in after.values():
        if hasattr(function, "experimental_get_tracing_count"):
            assert function.experimental_get_tracing_count() <= 1


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_more_budget_steps_and_restarts_are_never_weaker(norm, model, some):
    def robust(attack):
        return attack.run(model, *some).success

    radius = RADII[norm] / 2
    pgd = ATTACKS["pgd"](radius, norm=norm, steps=10, step_size=radius / 4)
    base = robust(pgd)
    assert np.all(robust(pgd.replace(steps=20)) >= base)
    assert np.all(robust(pgd.replace(restarts=3)) >= base)
    by_radius = [
        robust(pgd.replace(epsilon=k * radius, step_size=None)).mean() for k in (0.5, 1, 2)
    ]
    assert by_radius == sorted(by_radius)
    fgsm = robust(ATTACKS["fgsm"](radius, norm=norm))
    assert robust(pgd.replace(restarts=3)).mean() >= fgsm.mean()


def test_autoattack_is_as_strong_as_its_members(model, some):
    attack = ShortAutoAttack(0.08)
    result = attack.run(model, *some)
    for name, member in attack.members(10).items():
        assert np.all(result.success >= member.run(model, *some).success), name
    shares = list(result.robust.values())
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1 - result.success.mean())


@names
def test_perturb_is_an_attack_inside_a_graph(name, model, some):
    images, labels = some
    attack = make(name)
    if name in ("autoattack", "guided", "at"):
        with pytest.raises(NotImplementedError):
            attack.perturb(model, images, labels)
        return
    if name in LEARN:
        attack.run(model, images, labels)
    logits = victim_of(model, images).logits
    perturb = tf.function(lambda x, y: attack.perturb(logits, x, y), autograph=False)
    adversarial = perturb(images, labels).numpy()
    assert adversarial.min() >= 0.0
    assert adversarial.max() <= 1.0
    fooled = model(adversarial).numpy().argmax(axis=1) != labels
    wrong = model(images).numpy().argmax(axis=1) != labels
    assert fooled.mean() >= wrong.mean()
    if attack.has_last_iterate:
        ends = attack.last_iterates(model, images, labels)
        np.testing.assert_allclose(adversarial, ends, atol=1e-4)
        assert np.all(np.any(ends != images, axis=(1, 2, 3)))
    else:
        np.testing.assert_array_equal(adversarial[~fooled], images[~fooled])
        with pytest.raises(ValueError, match="has no last iterate"):
            attack.last_iterates(model, images, labels)


def test_a_budget_is_kept_after_a_search_for_the_smallest_change(model, some):
    """The two kinds of FAB share every setting that is not fed."""
    images, labels = some
    settings = {"norm": "l2", "steps": 10, "targets": 3}
    kgan.attacks.FAB(**settings).run(model, images, labels)
    result = kgan.attacks.FAB(0.2, **settings).run(model, images, labels)
    assert lengths(result.adversarial - images, "l2").max() <= 0.2 + 1e-6


@pytest.mark.parametrize("name", ATTACKS)
def test_the_default_radius_is_one_of_the_norm(name):
    make = ATTACKS[name]
    takes = inspect.signature(make.__init__).parameters
    if "epsilon" not in takes or make.minimal_without_epsilon:
        return
    for norm in make.norms:
        assert make(norm=norm).epsilon == {**USUAL_RADII, "l0": 24}[norm]
