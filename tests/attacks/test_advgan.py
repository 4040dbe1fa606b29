"""AdvGAN: what it learns against an oracle, what it refuses, and how it is kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import AdvGAN, TopK, Victim, victim_of
from kgan.models import PerturbationGAN
from kgan.robustness import evaluate
from kgan.robustness.testing import lengths

TINY = {"width": 4, "blocks": 1, "batch_size": 64, "steps": 3}


@pytest.mark.parametrize("black_box", [False, True])
def test_on_a_linear_victim_it_is_epsilon_times_sign(black_box):
    """The left half speaks for class 1 and the right half against it, each value by its weight."""
    draw = np.random.default_rng(0)
    sign = np.where(np.arange(8) < 4, 1.0, -1.0) * np.ones((8, 1))
    weights = sign * draw.uniform(0.5, 1.5, size=(8, 8))
    classifier = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    kernel = np.stack([np.zeros(64), weights.ravel()], axis=1)
    classifier.set_weights([kernel, np.float32([0.0, -0.5 * weights.sum()])])
    # Of class 1, the more clearly the larger the contrast; too grey for the box to matter.
    contrast = draw.uniform(0.03, 0.17, (200, 1, 1))
    images = 0.5 + contrast * sign + draw.uniform(-0.02, 0.02, (200, 8, 8))
    images = images[..., None].astype("float32")
    labels = np.ones(200, np.int32)
    distance = np.sum((images[..., 0] - 0.5) * weights, axis=(1, 2)) / np.abs(weights).sum()
    assert distance.min() > 0

    epsilon = 0.1
    attack = AdvGAN(epsilon, black_box=black_box, weights={"gan": 0.0}, kappa=1e3, width=4,
                    blocks=1, steps=200, batch_size=50, learning_rate=5e-3)  # fmt: skip
    attack.fit(classifier, images, labels)
    change = (attack.last_iterates(classifier, images, labels) - images)[..., 0]
    aligned = -np.sum(change * weights, axis=(1, 2)) / (epsilon * np.abs(weights).sum())
    assert aligned.max() <= 1 + 1e-5
    assert aligned.min() > 0.85
    # It fools where epsilon reaches the border and nowhere else.
    success = attack.run(classifier, images, labels).success
    assert success[distance < 0.85 * epsilon].all()
    assert not success[distance > epsilon * 1.0001].any()
    assert min((distance < 0.85 * epsilon).sum(), (distance > epsilon * 1.0001).sum()) > 30


@pytest.mark.slow
def test_it_goes_on_until_the_criterion_counts():
    """Two classes rise along one direction: one passes the label early, the other one late."""
    sign = np.where(np.arange(8) < 4, 1.0, -1.0) * np.ones((8, 1))
    classifier = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    kernel = np.stack([0 * sign.ravel(), sign.ravel(), sign.ravel()], axis=1)
    # A change of e along the direction raises both by 64 e: they pass at 0.03 and at 0.07.
    classifier.set_weights([kernel, np.float32([0.0, -64 * 0.03, -64 * 0.07])])
    images = 0.5 + np.random.default_rng(0).uniform(-0.01, 0.01, (200, 8, 8, 1))
    images = images.astype("float32")
    labels = np.zeros(200, np.int32)
    success = {}
    for criterion in (None, TopK(2)):
        attack = AdvGAN(0.1, weights={"gan": 0.0}, kappa=0.2, width=4, blocks=1, steps=200,
                        batch_size=50, learning_rate=5e-3)  # fmt: skip
        attack.fit(Victim(classifier, criterion=criterion), images, labels)
        found = attack.last_iterates(classifier, images, labels)
        ranks = classifier(found).numpy().argsort(axis=1)
        success[criterion] = np.mean(ranks[:, -1] != 0), np.mean(ranks[:, 0] == 0)
    assert success[None][0] > 0.95
    assert success[None][1] < 0.05
    assert success[TopK(2)][1] > 0.95


@pytest.fixture
def fitted(targeted_advgan):
    return targeted_advgan


@pytest.fixture
def asked(monkeypatch):
    """What each fit asks of Keras, in place of training: its batches, epochs and steps."""
    found = []

    def fit(self, batches, *, epochs, steps_per_epoch, **_):
        some = [[part.numpy() for part in batch] for batch in batches.take(2)]
        found.append((some, epochs, steps_per_epoch))
        return keras.callbacks.History()

    monkeypatch.setattr(PerturbationGAN, "fit", fit)
    return found


def test_one_network_serves_targets_and_radii(fitted, model, some):
    images, labels = some
    shares = []
    for epsilon in (0.1, 0.3):
        attack = fitted.replace(epsilon=epsilon)
        result = attack.run(model, images, targets=(labels + 3) % 10)
        assert lengths(result.adversarial - images, "linf").max() <= epsilon + 1e-6
        shares.append(result.success.mean())
    assert shares[1] > max(0.4, shares[0])


def test_saved_and_loaded_it_makes_the_same_images_and_trains_on(
    fitted, model, digits, some, tmp_path
):
    images, labels = some
    how = {"targets": (labels + 1) % 10}
    path = fitted.save(tmp_path / "attack.keras")
    loaded = AdvGAN.load(path)
    np.testing.assert_array_equal(loaded(model, images, **how), fitted(model, images, **how))
    for name, value in fitted.get_config().items():
        if name != "network":
            assert getattr(loaded, name) == value
    step = int(loaded.network.step.numpy())
    again = AdvGAN.load(path)
    for attack in (loaded, again):
        attack.steps = 3
        attack.fit(model, digits[0][:256], digits[1][:256])
        assert int(attack.network.step.numpy()) == step + 3
    assert loaded.network.optimizer is None
    iterations = int(loaded.network.g_optimizer.iterations.numpy())
    assert iterations == step + 3
    for one, other in zip(loaded.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_another_kind_is_refused(model, fitted, tmp_path):
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"not one that AdvGAN\.save wrote"):
        AdvGAN.load(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"path must end in \.keras, got .*attack\.zip"):
        fitted.save(tmp_path / "attack.zip")


def test_the_export_makes_the_same_images(fitted, model, some, tmp_path):
    images, labels = some
    targets = (labels + 1) % 10
    folder = fitted.export(tmp_path / "advgan")
    assert folder.name == "1"
    perturb = tf.saved_model.load(str(folder)).signatures["perturb"]
    wanted = fitted.last_iterates(model, images, targets=targets)
    found = perturb(
        images=tf.constant(images),
        epsilon=tf.fill([len(images)], 0.3),
        targets=tf.constant(targets, tf.int64),
    )["images"].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # No more than it was trained for.
    more = perturb(
        images=tf.constant(images),
        epsilon=tf.fill([len(images)], 0.9),
        targets=tf.constant(targets, tf.int64),
    )["images"].numpy()
    np.testing.assert_array_equal(more, found)


def test_equal_seeds_learn_alike(model, digits):
    weights = []
    for _ in range(2):
        attack = AdvGAN(0.2, seed=1, **TINY)
        history = attack.fit(model, digits[0][:200], digits[1][:200]).history
        assert set(history) == {
            *("d_loss", "g_loss", "success", "length"),
            *("g_learning_rate", "d_learning_rate"),
        }
        weights.append(np.concatenate([w.ravel() for w in attack.network.generator.get_weights()]))
    np.testing.assert_array_equal(*weights)


def test_other_seeds_start_elsewhere_and_see_other_batches(model, digits, asked):
    weights = []
    for seed in (1, 2):
        attack = AdvGAN(0.2, seed=seed, **TINY)
        attack.fit(model, digits[0][:200], digits[1][:200])
        weights.append(np.concatenate([w.ravel() for w in attack.network.generator.get_weights()]))
    assert np.abs(weights[0] - weights[1]).max() > 1e-3
    (one, *_), (other, *_) = asked
    assert np.any(one[0][0] != other[0][0])


def test_what_fit_takes(model, digits, asked):
    """uint8, floats, labels or none, and datasets give the same training."""
    images, labels = digits[0][:192], digits[1][:192]
    images = np.round(images * 255) / np.float32(255)
    said = victim_of(model, images).predict(images).argmax(axis=1)
    for data in [(images, said), ((images * 255).round().astype("uint8"), said), (images, None),
                 (images, np.eye(10)[said])]:  # fmt: skip
        AdvGAN(0.2, **TINY).fit(model, *data)
    (first, *how), *others = asked
    for batches, *also in others:
        assert also == how
        for one, other in zip(first, batches, strict=True):
            np.testing.assert_allclose(one[0], other[0], atol=1e-7)
            np.testing.assert_array_equal(one[1], other[1])
    asked.clear()
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(64)
    AdvGAN(0.2, **TINY).fit(model, batches, epochs=1)
    AdvGAN(0.2, **TINY).fit(model, batches)
    assert [how for _, *how in asked] == [[1, 3], [1, 3]]
    for some, *_ in asked:
        np.testing.assert_array_equal(some[0][0], images[:64])
        np.testing.assert_array_equal(some[1][1], labels[64:128])


def test_the_features_of_a_named_layer_are_pushed_away(model, digits, some):
    images, labels = digits[0][:600], digits[1][:600]
    name = model.layers[0].name
    inner = keras.Model(model.inputs[0], model.layers[0].output)
    before = [variable.numpy() for variable in model.variables]
    attack = AdvGAN(0.2, features=name, weights={"margin": 0.0}, width=4, blocks=1, steps=60,
                    batch_size=64, learning_rate=3e-3)  # fmt: skip
    attack.fit(model, images, labels, epochs=1)

    def distance():
        clean, moved = (inner(x).numpy() for x in (some[0], attack.last_iterates(model, *some)))
        return np.linalg.norm((moved - clean).reshape(len(clean), -1), axis=1).mean()

    first = distance()
    attack.fit(model, images, labels, epochs=10)
    assert distance() > 1.1 * first
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    refused = AdvGAN(0.2, features="nothing", **TINY)
    with pytest.raises(ValueError, match=r"features must name a layer of .*got 'nothing'"):
        refused.fit(model, images, labels)
    assert refused.network is None


def test_an_evaluation_fits_what_is_not_fitted(model, some, asked):
    images, labels = some
    attack = AdvGAN(0.2, **TINY)
    report = evaluate(model, images, labels, attacks=[attack], batch_size=8, find_masking=False)
    assert [row.attack for row in report.rows] == ["AdvGAN"]
    assert attack.network is None
    assert len(asked) == 1
    assert any("learnt from the first of the attacked" in said for said in report.assumptions)


def test_an_evaluation_fits_once_for_all_radii(model, some, monkeypatch, asked):
    fits = []
    fit = AdvGAN.fit

    def counted(self, *arguments, **options):
        fits.append(self.epsilon)
        return fit(self, *arguments, **options)

    monkeypatch.setattr(AdvGAN, "fit", counted)
    how = {"epsilons": [0.2, 0.05, 0.1], "batch_size": 8, "find_masking": False}
    report = evaluate(model, *some, attacks=[AdvGAN(0.1, **TINY)], **how)
    assert [row.epsilon for row in report.rows] == [0.05, 0.1, 0.2]
    assert fits == [0.2]


def test_steps_are_the_updates_made(model, digits, asked):
    # 29 batches: within an epoch, nearly one, and more than one.
    for steps in (3, 25, 50):
        AdvGAN(0.2, **{**TINY, "steps": steps}).fit(model, *digits)
        _, epochs, per_epoch = asked[-1]
        assert steps <= epochs * per_epoch < steps + 2


def test_mistakes(model, some, fitted):
    images, labels = some
    with pytest.raises(ValueError, match=r"not fitted yet: call attack\.fit"):
        AdvGAN().run(model, images, labels)
    with pytest.raises(ValueError, match=r"at most 0\.3, for which the network was trained"):
        fitted.replace(epsilon=0.4)
    for settings in ({"norm": "l2"}, {"targets": None}, {"least_epsilon": 0.2}):
        with pytest.raises(ValueError, match="for which the network was trained, got"):
            fitted.replace(**settings)
    with pytest.raises(ValueError, match="must not be an empty dataset"):
        AdvGAN(**TINY).fit(model, tf.data.Dataset.from_tensor_slices(images).batch(4).take(0))
    batches = tf.data.Dataset.from_tensor_slices({"image": images}).batch(4)
    with pytest.raises(ValueError, match="got batches of dict"):
        AdvGAN(**TINY).fit(model, batches)
    late = np.concatenate([images[:8], images[:8] * 255])
    batches = tf.data.Dataset.from_tensor_slices(late).batch(8)
    with pytest.raises(ValueError, match=r"images must be in \[0, 1\] .* got 0 to 2"):
        AdvGAN(**TINY).fit(model, batches)
    with pytest.raises(ValueError, match="pass the targets to reach"):
        fitted.run(model, images, labels)
    wide = keras.Sequential(
        [keras.Input((9, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    with pytest.raises(ValueError, match=r"must have the shape .*9, 8, 1\)"):
        fitted.run(wide, np.zeros((2, 9, 8, 1), np.float32), targets=[1, 2])
    with pytest.raises(ValueError, match="targets must be a class from 0 to 9, got 10"):
        AdvGAN(targets=10, **TINY).fit(model, images, labels)
    one = AdvGAN(0.2, targets=4, **TINY)
    one.network = one.new_network(victim_of(model, images), (8, 8, 1))
    one.run(model, images, targets=np.full(len(images), 4))
    with pytest.raises(ValueError, match="targets must all be 4"):
        one.run(model, images, targets=labels)
    plain = AdvGAN(0.2, **TINY)
    plain.network = plain.new_network(victim_of(model, images), (8, 8, 1))
    with pytest.raises(ValueError, match='fit one with targets="any"'):
        plain.run(model, images, targets=labels)
    for said, settings in {
        "norm must be one of 'linf', 'l2', got 'l1'": {"norm": "l1"},
        "Did you mean 8/255": {"epsilon": 8},
        "weights must be those of": {"weights": {"adversarial": 1.0}},
        "steps must be": {"steps": 0},
    }.items():
        with pytest.raises(ValueError, match=said):
            AdvGAN(**settings)
