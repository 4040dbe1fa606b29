"""The witness against its formula, and against trainings that keep their promise or do not.

Each training is of a table of 480 rows with 240 canaries, 16 rows a step, 100 steps, and promises
epsilon 1. With the promised noise a canary's score is shifted by its coin by at most
`rate * sqrt(steps) / noise`, 0.24 standard deviations, so that of 80 guesses each is right with a
probability of at most 0.59. Epsilon 1 is refuted by 66 right ones, which come by chance once in
170,000 trainings (the binomial's tail); without noise there were 77.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.models
import kgan.privacy
from kgan.kinds import Table
from kgan.networks import private_encoder, table_discriminator, table_generator
from kgan.privacy import RecordGradients, Witness, audit, clipping, witness
from kgan.rows import Category, Integer, Rows

RECORDS, CANARIES, BATCH, STEPS = 480, 240, 16, 100
NOISE, CLIP, DELTA = 1.39, 0.1, 1e-4
KIND = Table(
    (
        Integer("age", 0, 90),
        Integer("hours", 0, 100),
        Category("work", tuple("abcdefgh")),
        Category("home", tuple("pqrstuvw")),
    )
)


def test_scores_are_those_of_the_formula():
    """Of a layer whose gradients are its inputs, in float64 and with the inverse in full."""
    random = np.random.default_rng(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    seen = Witness(canaries=4, others=20, rate=0.3, sizes=[3, 1])
    rate, sample, clip = 0.3, 5, 1.5
    among = rate * (1 - rate) * 20 / sample
    variance = np.r_[np.full(4, rate / 2 * (1 - rate / 2)), np.full(sample, among)]
    squares, counts, wanted = np.zeros(2), np.zeros(2), np.zeros(4)
    for _ in range(2):
        inputs = random.normal(size=(4 + sample, 3)).astype(np.float32)
        released = random.normal(size=4).astype(np.float32) * [1, 1, 1, 0.1]
        known = RecordGradients(network, tf.constant(inputs), lambda found: found[:, 0])
        split = [tf.constant(released[:3, None], tf.float32), tf.constant(released[3:], tf.float32)]
        average = random.normal(size=4).astype(np.float32) / 10
        told = [tf.constant(average[:3, None]), tf.constant(average[3:])]
        seen.see(known, told, split, clip_norm=clip)
        gradients = np.c_[inputs, np.ones(len(inputs))].astype(np.float64)
        gradients *= np.minimum(1, clip / np.linalg.norm(gradients, axis=1))[:, None]
        # Beyond the mean of others and the sum of canaries, however often they are in.
        known = np.stack([average, gradients[:4].sum(axis=0)]).T.astype(np.float64)
        news = released - known @ np.linalg.lstsq(known, released, rcond=None)[0]
        each = np.array([np.sum(news[:3] ** 2), news[3] ** 2])
        squares, counts = 0.95 * squares + each, 0.95 * counts + [3, 1]
        noise = (squares + each.sum() / 4) / (counts + 1)
        spread = gradients.T * variance @ gradients + np.diag(noise[[0, 0, 0, 1]])
        wanted += np.sqrt(variance[:4]) * (gradients[:4] @ np.linalg.solve(spread, news))
    np.testing.assert_allclose(seen.scores(), wanted, rtol=1e-3)


@pytest.fixture(scope="module")
def canaries():
    random = np.random.default_rng(0)
    rows = Rows(
        {
            "age": random.integers(20, 60, RECORDS),
            "hours": random.integers(30, 50, RECORDS),
            "work": random.choice(list("ab"), RECORDS).astype(object),
            "home": random.choice(list("pqr"), RECORDS).astype(object),
        }
    )
    data = kgan.data.Dataset("few", rows, kind=KIND)
    return kgan.data.with_canaries(data, CANARIES, random)


def found(canaries, noise=NOISE):
    """What an audit finds in a training."""
    data = canaries.data
    keras.utils.set_random_seed(0)
    encoder = private_encoder(KIND, data.samples, noise=50.0, random=np.random.default_rng(1))
    layout = encoder.layout
    size = layout.told("categories").size
    gan = kgan.models.PrivateTableGAN(
        table_generator(4 + size, layout.size, width=8),
        table_discriminator(layout.size + size, width=64, dropout=0.0),
        encoder,
        records=RECORDS,
        batch_size=BATCH,
        noise=noise,
        clip_norm=CLIP,
        delta=DELTA,
        key=(1, 2),
    )
    gan.compile(g_optimizer=keras.optimizers.Adam(1e-3), d_optimizer=keras.optimizers.Adam(1e-3))
    seen = gan.be_audited(CANARIES)
    feed = kgan.data.private_rows(
        data,
        BATCH,
        encoded=encoder.encoded_rows(data.samples),
        key=gan.key,
        canaries=canaries,
    )
    gan.fit(feed, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    return audit(seen.scores(), canaries.included, delta=DELTA, guesses=80)


@pytest.fixture(scope="module")
def promised():
    return kgan.privacy.epsilon_of(
        sampling_rate=BATCH / RECORDS, noise=NOISE, steps=STEPS, delta=DELTA
    )


def test_a_promise_that_is_kept_is_not_refuted(canaries, promised):
    assert 0.9 < promised < 1.1
    assert found(canaries).epsilon < promised


def test_without_noise_it_is_refuted(canaries, promised):
    assert found(canaries, 1e-9).epsilon > promised


def missing_in_the_first_kernel(monkeypatch):
    own = kgan.models.PrivateTableGAN._noises

    def noises(self, shapes, part):
        first, *rest = own(self, shapes, part)
        return [0.0 * first, *rest]

    monkeypatch.setattr(kgan.models.PrivateTableGAN, "_noises", noises)


def no_clipping(monkeypatch):
    def whole(lengths, *, clip_norm, mask=None):
        shares = tf.ones_like(lengths)
        return shares if mask is None else tf.where(mask, shares, 0.0)

    for module in (clipping, witness):
        monkeypatch.setattr(module, "clipped_shares", whole)


@pytest.mark.parametrize("fault", [missing_in_the_first_kernel, no_clipping])
def test_a_fault_is_noticed(fault, canaries, promised, monkeypatch):
    fault(monkeypatch)
    assert found(canaries).epsilon > promised
