"""Victims that answer at random: what they are said to be fooled by, in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.attacks import FAB, FGSM, PGD, AutoAttack, MomentumPGD, Square, victim_of
from kgan.attacks.attack_batch import AttackBatch
from kgan.robustness import evaluate

N = 200
IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, size=(N, 6, 6, 1)).astype("float32")
LABELS = np.zeros(N, "int32")


class Coin(keras.Model):
    """Gives class 1 with a chance that no image changes, else class 0."""

    def __init__(self, chance, source):
        super().__init__()
        self.chance = chance
        self.source = source
        self.seed = keras.random.SeedGenerator(0)

    def call(self, images):
        shape = (tf.shape(images)[0], 1)
        draw = {
            "tf": lambda: tf.random.uniform(shape),
            "keras": lambda: keras.random.uniform(shape, seed=self.seed),
            "global": lambda: keras.random.uniform(shape),
        }[self.source]()
        score = tf.where(draw < self.chance, 1.0, -1.0)
        score += 1e-3 * tf.reduce_mean(images, axis=(1, 2))
        return tf.concat([-score, score], axis=1) @ tf.constant([[2.0, 0.0], [0.0, 2.0]])


@pytest.mark.parametrize(
    ("attack", "source"),
    [
        (PGD(0.1, steps=20, restarts=2), "tf"),
        (PGD(0.1, steps=20, restarts=2), "global"),
        (Square(0.1, steps=30), "keras"),
        (FAB(norm="l2", steps=5, targets=1), "tf"),
    ],
    ids=["pgd-tf", "pgd-global", "square-keras", "fab-tf"],
)
def test_luck_is_no_success(attack, source):
    """In 20 draws nearly every image is fooled once; most of 11 are wrong by 0.012."""
    result = attack.run(Coin(0.2, source), IMAGES, LABELS)
    # Judged twice, clean and attacked: 0.023 of 200, and four standard deviations.
    assert result.success.sum() <= 13
    # One that is wrong eight times in ten is wrong without an attack.
    result = attack.run(Coin(0.8, source), IMAGES, LABELS)
    assert result.success.sum() >= N - 10
    unchanged = np.all(result.adversarial == IMAGES, axis=(1, 2, 3))
    assert unchanged.sum() >= N - 10


def test_it_is_noticed_and_said():
    model = Coin(0.2, "tf")
    victim = victim_of(model, IMAGES)
    assert victim.random
    assert any("random" in text and "tf.random" in text for text in victim.assumptions)
    repeatable = victim_of(Coin(0.2, "keras"), IMAGES)
    assert repeatable.random
    assert not any("tf.random" in text for text in repeatable.assumptions)
    assert not victim_of(Coin(0.0, "tf"), IMAGES).random
    report = evaluate(model, IMAGES, LABELS, attacks=[FGSM(0.1)], find_masking=False)
    assert any("random at inference" in text for text in report.assumptions)
    assert report.clean.robust_accuracy > 0.94
    assert report.rows[0].robust_accuracy > 0.94


def test_a_prediction_is_the_most_frequent_answer():
    """Of 11 answers each with a chance of 0.4 most are wrong with one of 0.2465."""
    victim = victim_of(model := Coin(0.4, "keras"), IMAGES)
    wrong = np.mean([victim.predict(IMAGES[i:]).argmax(axis=1).mean() for i in range(2)])
    assert abs(wrong - 0.2465) < 4 * np.sqrt(0.2465 * 0.7535 / (2 * N))
    shares = tf.nn.softmax(victim.predict(IMAGES)).numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    assert abs(shares[:, 1].mean() - 0.4) < 0.05
    del model


class NoisySlope(keras.Model):
    """Two classes parted by x.w, whose weights w get a normal draw of the size `noise`."""

    def __init__(self, noise):
        super().__init__()
        self.noise = noise
        self.slope = np.random.default_rng(2).normal(size=(36, 1)).astype("float32")

    def call(self, images):
        images = tf.reshape(images, [-1, 36])
        drawn = self.slope + self.noise * tf.random.normal([36, 1])
        score = 1e-3 * (images - 0.5) @ drawn
        return tf.concat([0.0 * score, score], axis=1)


def test_more_samples_average_the_noise_out_of_a_gradient():
    victim = victim_of(model := NoisySlope(3.0), IMAGES)

    @tf.function(autograph=False)
    def gradient(images, samples):
        labels = tf.zeros([tf.shape(images)[0]], tf.int32)
        batch = AttackBatch(victim.logits, images, labels, keys=labels, targeted=False)
        value = lambda logits: logits[:, 1] - logits[:, 0]  # noqa: E731
        return batch.gradient(images, value, samples)[2]

    few, many = (
        np.stack([gradient(IMAGES[:1], samples).numpy().ravel() for _ in range(8)])
        for samples in (1, 64)
    )
    slope = 1e-3 * victim.model.slope[:, 0]
    # 8 x 36 values of deviation 3e-3 / sqrt(samples).
    assert np.std(few - slope) == pytest.approx(3e-3, rel=0.2)
    assert np.std(many - slope) == pytest.approx(3e-3 / 8, rel=0.2)
    del model


def test_the_gradient_attacks_take_samples():
    """With the noise averaged out, the largest share of the border's distance is gone."""
    model = NoisySlope(3.0)
    labels = ((IMAGES.reshape(N, 36) - 0.5) @ model.slope > 0).astype("int32")[:, 0]
    truth = keras.Sequential([keras.Input((6, 6, 1)), Fixed(model.slope)])
    fooled = {}
    for samples in (1, 64):
        for attack in (FGSM, PGD, MomentumPGD):
            options = {} if attack is FGSM else {"steps": 3}
            ends = attack(0.05, samples=samples, **options).last_iterates(model, IMAGES, labels)
            said = truth(ends).numpy().argmax(axis=1)
            fooled[attack, samples] = np.mean(said != labels)
    for attack in (FGSM, PGD, MomentumPGD):
        assert fooled[attack, 64] > fooled[attack, 1] + 0.1


class Fixed(keras.layers.Layer):
    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def call(self, images):
        score = (tf.reshape(images, [-1, 36]) - 0.5) @ self.slope
        return tf.concat([0.0 * score, score], axis=1)


def test_autoattack_on_tables_leaves_square_out_and_says_so(digits):
    images, labels = digits
    images, labels = images[:40].reshape(-1, 64), labels[:40]
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
    with pytest.warns(UserWarning, match=r"leaves out square: Square needs images of"):
        result = AutoAttack(0.02).run(model, images, labels)
    assert list(result.left_out) == ["square"]
    assert set(result.robust) == {"clean", "apgd-ce", "apgd-t", "fab-t"}
    with pytest.warns(UserWarning, match="leaves out square"):
        report = evaluate(model, images, labels, attacks=[AutoAttack(0.02)], find_masking=False)
    assert any("AutoAttack leaves out square" in text for text in report.assumptions)
    asked = []

    class Counting(FGSM):
        def run(self, *arguments, **options):
            asked.append(arguments)
            return super().run(*arguments, **options)

    # An evaluation asks every attack before the first one runs.
    with pytest.raises(ValueError, match="Square needs images"):
        evaluate(model, images, labels, attacks=[Counting(0.02), Square(0.02)])
    assert not asked


class DrawsOutside(keras.layers.Layer):
    """Adds noise that TensorFlow does not know of."""

    def __init__(self):
        super().__init__()
        self.generator = np.random.default_rng(0)

    def call(self, scores):
        return scores + self.generator.normal(size=(1, 2)).astype("float32")


def test_draws_that_a_compiled_function_would_freeze_are_refused():
    layers = [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(2), DrawsOutside()]
    with pytest.raises(ValueError, match=r"outside of TensorFlow, such as by numpy\.random"):
        FGSM(0.1).run(keras.Sequential(layers), IMAGES[:4], LABELS[:4])
