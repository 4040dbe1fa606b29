"""Distills a substitute classifier from another model's labels, within a budget of queries."""

import zlib

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import has_pixels
from kgan.attacks.victim import Victim, victim_of


def substitute_network(shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """A small classifier that returns logits; equal seeds give equal weights."""
    seeds = iter(range(seed, seed + 4))

    def dense(units: int, activation: str | None) -> keras.layers.Layer:
        initializer = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(units, activation=activation, kernel_initializer=initializer)

    layers: list = [keras.Input(shape)]
    if has_pixels(shape) and min(shape[:2]) >= 4:
        for filters in (32, 64):
            initializer = keras.initializers.HeNormal(seed=next(seeds))
            layers.append(
                keras.layers.Conv2D(
                    filters, 3, 2, "same", activation="relu", kernel_initializer=initializer
                )
            )
    layers += [keras.layers.Flatten(), dense(128, "relu"), dense(classes, None)]
    return keras.Sequential(layers)


def distill(
    model: keras.Model | Victim,
    images: np.ndarray,
    *,
    query_budget: int = 2000,
    rounds: int = 4,
    epochs: int = 20,
    step: float = 0.1,
    seed: int = 0,
) -> tuple[keras.Model, int]:
    """Trains a small classifier on the labels that `model` gives.

    The first round trains on `images`. After each round, images moved along the substitute's own
    gradient, towards its uncertain border, are added until the budget is used up. The result is
    kept with the victim, so a second call with the same arguments needs no queries.

    Args:
        model: The classifier to imitate, of which only labels are used.
        images: float32 array (n, ...) in [0, 1].
        query_budget: How many labels to ask for at most.
        rounds: Rounds of training.
        epochs: Passes over the set in each round.
        step: How far images are moved, in units of [0, 1].
        seed: Seed of the initial weights and the order of the images.

    Returns:
        The substitute, and the number of labels asked for in this call.

    Reference:
        Papernot et al., "Practical black-box attacks against machine learning", 2017, algorithm 1.
    """
    victim = victim_of(model, images)
    kept = ("substitute", query_budget, rounds, epochs, step, seed, zlib.crc32(images.tobytes()))
    if kept in victim.functions:
        return victim.functions[kept], 0
    random = np.random.default_rng(seed)
    known = images[random.permutation(len(images))[:query_budget]]
    labels = victim.predict(known).argmax(axis=1)
    substitute = substitute_network(images.shape[1:], victim.classes, seed)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(substitute.trainable_variables)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *images.shape[1:]], tf.float32),
            tf.TensorSpec([None], tf.int64),
        ],
    )
    def learn(batch, targets):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                targets, substitute(batch, training=True)
            )
            loss = tf.reduce_mean(losses)
        variables = substitute.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    @tf.function(autograph=False)
    def slope(batch, targets):
        with tf.GradientTape() as tape:
            tape.watch(batch)
            picked = tf.gather(substitute(batch, training=False), targets, batch_dims=1)
        return tf.sign(tape.gradient(picked, batch))

    for number in range(rounds):
        for _ in range(epochs):
            order = random.permutation(len(known))
            for start in range(0, len(order), 64):
                rows = order[start : start + 64]
                learn(tf.constant(known[rows]), tf.constant(labels[rows]))
        room = query_budget - len(known)
        if room <= 0 or number == rounds - 1:
            continue
        chosen = random.permutation(len(known))[:room]
        moved = known[chosen]
        moved = moved + step * slope(tf.constant(moved), tf.constant(labels[chosen])).numpy()
        moved = np.clip(moved, 0.0, 1.0).astype(np.float32)
        known = np.concatenate([known, moved])
        labels = np.concatenate([labels, victim.predict(moved).argmax(axis=1)])
    victim.functions[kept] = substitute
    return substitute, len(known)
