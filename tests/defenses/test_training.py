import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.attacks import FGSM, PGD, AdvGAN, AutoAttack, DeepFool, Victim, victim_of
from kgan.defenses import METHODS, AdversarialTraining, IntervalTraining, OverfittingGuard
from kgan.defenses.checks import class_indices
from tests.conftest import slow_but
from tests.defenses.conftest import sparse_loss


def make(classifier, method="pgd", *, loss=None, rate=3e-3, **settings):
    if method == "free":
        settings.setdefault("batch_size", 64)
    training = AdversarialTraining(classifier, method=method, **settings)
    training.compile(keras.optimizers.Adam(rate), loss or sparse_loss(), metrics=["accuracy"])
    return training


def fit(training, data, *, epochs=1, n=256, **options):
    images, labels = data[0][:n], data[1][:n]
    return training.fit(
        images, labels, batch_size=64, epochs=epochs, shuffle=False, verbose=0, **options
    )


def robust_accuracy(classifier, data, epsilon):
    return 1 - PGD(epsilon, steps=10).run(classifier, *data).success.mean()


def assert_equal_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# What a step of each computes is in test_exact.py.
@pytest.mark.parametrize("method", slow_but(METHODS, "trades"))
def test_every_method_makes_digits_robust_and_leaves_a_plain_model(
    make_classifier, digits, held, method, tmp_path
):
    epsilon = 0.1
    plain = make_classifier()
    plain.compile(keras.optimizers.Adam(3e-3), sparse_loss())
    plain.fit(*digits, batch_size=64, epochs=16, verbose=0)
    before = robust_accuracy(plain, held, epsilon)
    classifier = make_classifier()
    config = classifier.get_config()
    training = make(classifier, method, epsilon=epsilon)
    said = fit(training, digits, n=None, epochs=2 if method == "free" else 16)
    assert np.isfinite(said.history["loss"]).all()
    clean = np.mean(classifier.predict(held[0], verbose=0).argmax(axis=1) == held[1])
    assert clean > 0.8
    assert robust_accuracy(classifier, held, epsilon) > before + 0.1
    # No trace of the training: the same model, saved and loaded alone.
    assert training.classifier is classifier
    assert classifier.get_config() == config
    classifier.save(tmp_path / "hardened.keras")
    loaded = keras.models.load_model(tmp_path / "hardened.keras")
    assert type(loaded) is keras.Sequential
    np.testing.assert_array_equal(
        loaded.predict(held[0], verbose=0), classifier.predict(held[0], verbose=0)
    )


def steps(n):
    return {"steps_per_epoch": n, "epochs": 1, "shuffle": False, "verbose": 0}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_fits_are_one(make_classifier, digits, method):
    data = kgan.data.load("digits").take(np.arange(200))
    straight, stopped = (
        make(make_classifier(dropout=0.0, batch_norm=True), method, epsilon=0.1, seed=4)
        for _ in range(2)
    )
    straight.fit(kgan.data.feed(data, 50), **steps(5))
    stopped.fit(kgan.data.feed(data, 50), **steps(2))
    stopped.fit(kgan.data.feed(data, 50, start=2), **steps(3))
    assert_equal_weights(straight, stopped)


def test_the_perturbation_of_free_is_saved(make_classifier, tmp_path):
    training = make(make_classifier(), "free", epsilon=0.1)
    training.optimizer.build(training.trainable_variables)
    training._perturbation.assign(np.random.default_rng(0).random(training._perturbation.shape))
    training.save(tmp_path / "training.keras")
    loaded = keras.models.load_model(tmp_path / "training.keras")
    np.testing.assert_array_equal(loaded._perturbation.numpy(), training._perturbation.numpy())


@pytest.mark.parametrize("method", slow_but(METHODS, "fast"))
def test_a_saved_training_goes_on_as_if_it_had_not_stopped(
    make_classifier, digits, method, tmp_path
):
    data = kgan.data.load("digits").take(np.arange(200))
    stopped = make(make_classifier(dropout=0.0, batch_norm=True), method, epsilon=0.1, seed=4)
    stopped.fit(kgan.data.feed(data, 50), **steps(2))
    stopped.save(tmp_path / "training.keras")
    resumed = keras.models.load_model(tmp_path / "training.keras")
    configs = [training.get_config() for training in (stopped, resumed)]
    for config in configs:
        del config["classifier"]  # Keras writes a loaded model's shapes as lists, not tuples.
    assert configs[0] == configs[1]
    for training in (stopped, resumed):
        training.fit(kgan.data.feed(data, 50, start=2), **steps(3))
    assert int(resumed.step.numpy()) == 5
    assert_equal_weights(stopped, resumed)
    for one, other in zip(stopped.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("method", slow_but(["fgsm", "fast", "pgd"], "fast", "pgd"))
def test_an_epsilon_of_zero_is_plain_training_bit_for_bit(make_classifier, digits, method):
    plain = make_classifier(batch_norm=True, dropout=0.3)
    plain.compile(keras.optimizers.Adam(3e-3), sparse_loss(), metrics=["accuracy"])
    said = fit(plain, digits)
    classifier = make_classifier(batch_norm=True, dropout=0.3)
    also = fit(make(classifier, method, epsilon=0.0), digits)
    assert_equal_weights(plain, classifier)
    assert said.history == also.history


@pytest.mark.parametrize("method", slow_but(["pgd", "trades", "mart"], "mart"))
def test_awp_of_almost_nothing_is_training_without_it_statistics_and_dropout_too(
    make_classifier, digits, method
):
    weights, logs = [], []
    for awp in (None, 1e-9, 0.3):
        classifier = make_classifier(batch_norm=True, dropout=0.3)
        classifier.layers[1].kernel.regularizer = keras.regularizers.L2(0.01)
        training = AdversarialTraining(classifier, method=method, epsilon=0.1, awp=awp)
        training.compile(keras.optimizers.SGD(0.1), sparse_loss(), metrics=["accuracy"])
        logs.append(fit(training, digits).history)
        weights.append(classifier.get_weights())
    for without, almost in zip(*weights[:2], strict=True):
        np.testing.assert_allclose(almost, without, atol=1e-5)
    assert logs[1]["loss"] == pytest.approx(logs[0]["loss"], rel=1e-4)
    # Where the weights are worst the loss is higher.
    assert logs[2]["loss"][0] > logs[0]["loss"][0] + 0.01


def test_free_with_an_epsilon_of_zero_is_plain_training_on_each_batch_again(
    make_classifier, digits
):
    images, labels = digits[0][:128], digits[1][:128]
    again = [np.concatenate([half, half, half]) for half in (images[:64], images[64:])]
    labels_again = [np.concatenate([half, half, half]) for half in (labels[:64], labels[64:])]
    plain = make_classifier()
    plain.compile(keras.optimizers.Adam(3e-3), sparse_loss())
    plain.fit(np.concatenate(again), np.concatenate(labels_again), batch_size=64, shuffle=False,
              verbose=0)  # fmt: skip
    classifier = make_classifier()
    fit(make(classifier, "free", epsilon=0.0, replays=3), (images, labels))
    assert_equal_weights(plain, classifier)


def test_equal_seeds_give_equal_weights_and_others_do_not(make_classifier, digits):
    classifiers = []
    for seed in (1, 1, 2):
        classifiers.append(make_classifier())
        fit(make(classifiers[-1], "fast", epsilon=0.1, seed=seed), digits)
    assert_equal_weights(classifiers[0], classifiers[1])
    assert np.abs(classifiers[0].get_weights()[0] - classifiers[2].get_weights()[0]).max() > 1e-4


def test_each_step_and_attack_draws_anew(make_classifier, digits):
    images = tf.constant(np.full((4, 8, 8, 1), 0.5, "float32"))
    labels = tf.zeros([4], tf.int32)
    attack = PGD(0.1, steps=1, step_size=0.01)
    training = make(make_classifier(), attack=[attack, attack], shares=[0.5, 0.5])
    perturb = tf.function(training._perturb)
    first = perturb(images, labels).numpy()
    np.testing.assert_array_equal(first, perturb(images, labels).numpy())
    training.step.assign_add(1)
    second = perturb(images, labels).numpy()
    images = {image.tobytes() for image in (*first, *second)}
    assert len(images) == 8


def test_the_attack_sees_inference_mode_and_leaves_no_trace_in_batch_norm(make_classifier, digits):
    images, labels = digits[0][:64], digits[1][:64]
    classifier = make_classifier(batch_norm=True)
    attack = FGSM(0.1)
    adversarial = attack.last_iterates(classifier, images, labels)
    layer = classifier.layers[2]
    activations = keras.Model(classifier.inputs, classifier.layers[1].output)
    mean = activations.predict(adversarial, verbose=0).mean(axis=0)
    wanted = layer.momentum * layer.moving_mean.numpy() + (1 - layer.momentum) * mean
    fit(make(classifier, attack=attack), (images, labels))
    np.testing.assert_allclose(layer.moving_mean.numpy(), wanted, atol=1e-6)


HEADS = {
    "logits": (None, 10, lambda labels: labels, sparse_loss),
    "column": (None, 10, lambda labels: labels[:, None], sparse_loss),
    "softmax": ("softmax", 10, lambda labels: labels, lambda: sparse_loss(from_logits=False)),
    "one-hot": (
        "softmax",
        10,
        lambda labels: np.eye(10, dtype="float32")[labels],
        keras.losses.CategoricalCrossentropy,
    ),
    "sigmoid": (
        "sigmoid",
        1,
        lambda labels: (labels > 4).astype("float32"),
        keras.losses.BinaryCrossentropy,
    ),
    "sigmoid column": (
        "sigmoid",
        1,
        lambda labels: (labels > 4).astype("float32")[:, None],
        keras.losses.BinaryCrossentropy,
    ),
}


@pytest.mark.parametrize("method", slow_but(["pgd", "mart"], "mart"))
# Those that are not in the test below.
@pytest.mark.parametrize("name", slow_but(HEADS, "logits", "sigmoid", "sigmoid column"))
def test_heads_and_label_formats(make_classifier, digits, name, method):
    head, units, form, loss = HEADS[name]
    classifier = make_classifier(head, units)
    before = classifier.get_weights()[0]
    data = digits[0], form(digits[1])
    said = fit(make(classifier, method, epsilon=0.05, loss=loss()), data, epochs=6)
    assert said.history["loss"][-1] < said.history["loss"][0]
    assert np.abs(classifier.get_weights()[0] - before).max() > 1e-3


def test_heads_that_say_the_same_train_alike(make_classifier, digits):
    results = []
    for name in ("logits", "column", "softmax", "one-hot"):
        head, units, form, loss = HEADS[name]
        classifier = make_classifier(head, units)
        training = AdversarialTraining(classifier, method="trades", epsilon=0.1)
        training.compile(keras.optimizers.SGD(0.1), loss())
        fit(training, (digits[0], form(digits[1])))
        results.append(np.concatenate([weight.ravel() for weight in classifier.get_weights()]))
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-4)


def test_evaluate_and_predict_are_the_classifiers(make_classifier, digits, held):
    classifier = make_classifier()
    training = make(classifier, epsilon=0.1)
    fit(training, digits)
    accuracy = np.mean(classifier.predict(held[0], verbose=0).argmax(axis=1) == held[1])
    assert training.evaluate(*held, verbose=0)[1] == pytest.approx(accuracy)
    np.testing.assert_array_equal(
        training.predict(held[0], verbose=0), classifier.predict(held[0], verbose=0)
    )


class Worsen(keras.callbacks.Callback):
    """Sets the classifier's weights after each epoch: those given, in turn."""

    def __init__(self, turns):
        super().__init__()
        self.turns = turns

    def on_epoch_end(self, epoch, logs=None):
        self.model.classifier.set_weights(self.turns[min(epoch, len(self.turns) - 1)])


@pytest.fixture(scope="module")
def robust(digits):
    """The weights of a robust classifier, of those that `make_classifier` makes."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Flatten(), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    good = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    fit(make(good, epsilon=0.1), digits, n=None, epochs=8)
    return good.get_weights()


def test_the_guard_stops_at_a_fall_and_restores_the_best(make_classifier, digits, held, robust):
    bad = make_classifier()
    best, worst = robust, bad.get_weights()
    middling = [weight * 0.999 for weight in best]
    classifier = make_classifier()
    guard = OverfittingGuard(held[0][:100], held[1][:100], epsilon=0.1)
    training = make(classifier, epsilon=0.1)
    said = fit(
        training, digits, epochs=9, callbacks=[Worsen([worst, best, middling, worst]), guard]
    )
    assert guard.fired
    assert len(said.history["loss"]) == 4
    accuracies = said.history["guard_accuracy"]
    assert accuracies[1] - accuracies[3] > 0.2
    assert guard.best == max(accuracies)
    assert guard.accuracy() == guard.best


def test_the_guard_lets_a_small_fall_pass_and_leaves_the_last_weights(
    make_classifier, digits, robust
):
    worse = [weight * 0.9 for weight in robust]
    classifier = make_classifier()
    labels = np.eye(10)[digits[1][:100]]
    guard = OverfittingGuard(digits[0][:100], labels, epsilon=0.1, every=2)
    training = make(classifier, epsilon=0.1, rate=0.0)
    said = fit(training, digits, epochs=3, callbacks=[Worsen([robust, worse]), guard])
    assert len(said.history["loss"]) == 3
    assert not guard.fired
    np.testing.assert_array_equal(classifier.get_weights()[0], worse[0])


def test_a_fitted_generator_may_attack_but_is_not_saved_with_the_training(
    make_classifier, digits, tmp_path
):
    classifier = make_classifier()
    attack = AdvGAN(0.1, width=4, blocks=1, steps=2)
    attack.fit(classifier, *digits)
    training = make(classifier, attack=attack)
    fit(training, digits)
    with pytest.raises(ValueError, match=r"fitted AdvGAN cannot be saved whole: save its \.class"):
        training.save(tmp_path / "training.keras")
    classifier.save(tmp_path / "classifier.keras")


def test_a_guard_begins_anew_with_each_fit(make_classifier, digits):
    guard = OverfittingGuard(digits[0][:50], digits[1][:50], epsilon=0.1)
    robust = make_classifier()
    fit(make(robust, epsilon=0.1), digits, callbacks=[guard])
    guard.best = 0.9
    other = make_classifier()
    fit(make(other, epsilon=0.1), digits, epochs=1, callbacks=[guard])
    assert not guard.fired
    assert guard.best < 0.9
    other.compile("adam", sparse_loss())
    with pytest.raises(TypeError, match=r"watches kgan\.defenses\.AdversarialTraining"):
        other.fit(*digits, callbacks=[guard], verbose=0)


def test_a_single_logit_may_lie_where_a_probability_would(digits):
    inputs = keras.Input(digits[0].shape[1:])
    features = keras.layers.Flatten()(inputs)
    last = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")
    training = AdversarialTraining(keras.Model(inputs, last(features)), epsilon=0.1)
    training.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    assert np.isfinite(fit(training, (digits[0], digits[1] > 4)).history["loss"]).all()


def mistakes():
    return {
        "method": ({"method": "madry"}, "method must be one of fgsm, fast"),
        "epsilon": ({"epsilon": 8}, "Did you mean 8/255"),
        "no last iterate": ({"attack": DeepFool()}, "must have a last iterate.*DeepFool"),
        "evaluation": ({"attack": AutoAttack(0.1)}, "must have a last iterate.*AutoAttack"),
        "shares": ({"shares": [0.5, 0.5]}, r"1 number\(s\) of at least 0"),
        "sum": ({"shares": [1.5]}, r"sum in \(0, 1\]"),
        "beta": ({"beta": 2.0}, "beta must be None for the method pgd"),
        "replays": ({"replays": 2}, "replays must be None for the method pgd"),
        "batch size": ({"batch_size": 2}, "batch_size is for the method free"),
        "no batch size": ({"method": "free"}, "batch_size must be given"),
        "attack": ({"method": "free", "attack": FGSM(0.1), "batch_size": 2}, "its own"),
        "awp": ({"method": "free", "awp": 0.01, "batch_size": 2}, "awp must be None for"),
        "negative awp": ({"awp": -0.01}, "awp must be at least 0"),
        "warmup": ({"method": "free", "warmup": 3, "batch_size": 2}, "warmup must be None for"),
        "norm": ({"method": "free", "norm": "l2", "batch_size": 2}, "norm must be 'linf'"),
        "targeted": ({"attack": AdvGAN(0.1, targets=3)}, "need no targets, got AdvGAN"),
        "seed": ({"seed": -1}, "seed must be"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_mistakes(make_classifier, name):
    settings, said = mistakes()[name]
    with pytest.raises(ValueError, match=said):
        AdversarialTraining(make_classifier(), **settings)


def test_mistakes_with_classifiers_and_data(make_classifier, digits):
    with pytest.raises(TypeError, match=r"keras\.Model, got str"):
        AdversarialTraining("model.keras")
    with pytest.raises(ValueError, match="no weights yet"):
        AdversarialTraining(keras.Sequential([keras.layers.Dense(2)]))
    images, labels = digits[0][:64], digits[1][:64]
    with pytest.raises(ValueError, match="got uint8"):
        fit(make(make_classifier()), ((images * 255).astype("uint8"), labels))
    with pytest.raises(ValueError, match="must lie in"):
        fit(make(make_classifier()), (images * 255, labels))
    with pytest.raises(ValueError, match="batch_size=32, got a larger"):
        fit(make(make_classifier(), "free", batch_size=32), (images, labels))
    for loss in ("sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy()):
        training = make(make_classifier())
        training.compile("adam", loss)
        with pytest.raises(ValueError, match=r"with from_logits=True.* ends in logits"):
            fit(training, (images, labels))
    training = make(make_classifier())
    training.compile("adam", sparse_loss(), run_eagerly=True)
    with pytest.raises(ValueError, match="run_eagerly must be False"):
        fit(training, (images, labels))


@pytest.mark.parametrize("form", [lambda y: y, lambda y: 0.8 * y + 0.1, lambda y: y[:, None]])
def test_the_attack_leaves_the_nearer_class_of_soft_labels_of_one_output(batch, form):
    kernel = np.random.default_rng(0).normal(size=(6, 1)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.set_weights([kernel, np.float32([0.1])])
    images, labels = batch
    training = AdversarialTraining(model, attack=FGSM(0.05))
    training.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    perturb = tf.function(training._perturb, autograph=False)
    found = perturb(tf.constant(images), tf.constant(form(labels.astype("float32"))))
    # The loss of a linear logit falls along the kernel for the class 1, and rises for 0.
    away = np.where(labels[:, None] == 1, -1, 1) * np.sign(kernel[:, 0])
    np.testing.assert_allclose(found, np.clip(images + 0.05 * away, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("units", "labels", "said"),
    [
        (10, [3, 99], r"labels must be in \[0, 9\].* got 3 to 99"),
        (10, [-1, 1], r"labels must be in \[0, 9\].* got -1 to 1"),
        (10, [0.5, 1.0], "labels must be whole numbers"),
        (1, [-1.0, 1.0], r"labels of a single output must be 0 and 1.* got \[-1"),
        (1, [-1, 1], r"labels must be in \[0, 1\].* got -1 to 1"),
        (3, [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]], r"must name one class .* got \[\[1. 1. 0.\]\]"),
        (3, [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]], r"must name one class .* got \[\[0. 0. 0.\]\]"),
    ],
)
def test_labels_that_name_no_class_are_refused(make_classifier, units, labels, said):
    images = np.zeros((2, 8, 8, 1), "float32")
    victim = victim_of(Victim(make_classifier(units=units), head="logits"), images)
    with pytest.raises(ValueError, match=said):
        class_indices(tf.constant(labels), victim)


def test_fit_refuses_them_in_words(make_classifier):
    training = make(make_classifier(), "mart")
    with pytest.raises(ValueError, match=r"labels must be in \[0, 9\].* got 3 to 99"):
        fit(training, (np.zeros((2, 8, 8, 1), "float32"), np.array([3, 99])))


def test_soft_labels_of_one_whole_are_taken(make_classifier, digits):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    hard, soft = (make(make_classifier(), "mart", loss=loss) for _ in range(2))
    rows = np.eye(10, dtype="float32")[digits[1]]
    fit(hard, (digits[0], rows), n=64)
    fit(soft, (digits[0], rows * 0.9 + 0.01), n=64)
    assert np.isfinite(soft.evaluate(digits[0][:64], rows[:64], verbose=0)[0])


@pytest.mark.parametrize("make_training", [AdversarialTraining, IntervalTraining])
def test_images_of_another_range_are_refused_outside_of_fit_too(
    make_classifier, digits, make_training
):
    training = make_training(make_classifier(), epsilon=0.1)
    training.compile("adam", sparse_loss())
    images, labels = digits[0][:8], digits[1][:8]
    for other, said in (
        ((images * 255).astype("uint8"), "got uint8"),
        (images * 255, r"must lie in \[0, 1\].* got 0 to 255"),
        (images - 0.5, r"must lie in \[0, 1\].* got -0.5 to 0.5"),
    ):
        with pytest.raises(ValueError, match=said):
            training.evaluate(other, labels, verbose=0)
        with pytest.raises(ValueError, match=said):
            training.predict(other, verbose=0)
        with pytest.raises(ValueError, match=said):
            training.fit(images, labels, validation_data=(other, labels), verbose=0)


@pytest.mark.parametrize("make_training", [AdversarialTraining, IntervalTraining])
def test_a_classifier_that_is_frozen_whole_is_refused(make_classifier, digits, make_training):
    classifier = make_classifier()
    classifier.trainable = False
    training = make_training(classifier, epsilon=0.1)
    training.compile("adam", sparse_loss())
    with pytest.raises(ValueError, match="must have something to train"):
        training.fit(digits[0][:8], digits[1][:8], verbose=0)


@pytest.mark.parametrize("make_training", [AdversarialTraining, IntervalTraining])
def test_records_are_pairs(make_classifier, digits, make_training):
    images, labels = digits[0][:32], digits[1][:32]
    records = tf.data.Dataset.from_tensor_slices({"image": images, "label": labels}).batch(16)
    found = []
    for data in (records, records.map(lambda record: (record["image"], record["label"]))):
        training = make_training(make_classifier(), epsilon=0.1)
        training.compile("adam", sparse_loss())
        training.fit(data, shuffle=False, verbose=0)
        found.append((training, training.evaluate(data, verbose=0)))
    assert_equal_weights(*(training.classifier for training, _ in found))
    assert found[0][1] == found[1][1]
    nameless = tf.data.Dataset.from_tensor_slices({"scan": images}).batch(16)
    with pytest.raises(ValueError, match=r"must hold its samples under image.* got scan"):
        found[0][0].fit(nameless, shuffle=False, verbose=0)


def test_images_of_another_shape_are_refused_with_both(make_classifier, digits):
    with pytest.raises(ValueError, match=r"the classifier's shape \(8, 8, 1\), got \(4, 8, 1\)"):
        fit(make(make_classifier()), (digits[0][:64, :4], digits[1][:64]))
