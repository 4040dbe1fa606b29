"""Compiled functions are kept as far as they were used last."""

import keras
import numpy as np

import kgan.attacks.victim
from kgan.attacks import PGD, victim_of
from kgan.attacks.recent import Recent


def test_the_one_unused_longest_goes():
    recent = Recent(2)
    recent["a"], recent["b"] = 1, 2
    assert recent["a"] == 1
    recent["c"] = 3
    assert dict(recent) == {"a": 1, "c": 3}
    recent["a"] = 4
    recent["d"] = 5
    assert dict(recent) == {"a": 4, "d": 5}


def test_ever_other_shapes_neither_fill_the_memory_nor_change_a_result(monkeypatch):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(pooled))
    random = np.random.default_rng(0)
    batches = [random.random((2, 2 + n, 3, 1), dtype=np.float32) for n in range(4)]

    def attacked():
        model.set_weights([one + 0.0 for one in model.get_weights()])
        kgan.attacks.victim._VICTIMS.pop(model, None)
        return [
            PGD(epsilon=0.2, steps=2)(model, images, [0, 1]) for images in (*batches, batches[0])
        ]

    plenty = attacked()
    assert len(victim_of(model, batches[0]).functions) > 3
    monkeypatch.setattr(kgan.attacks.victim, "_FUNCTIONS", 3)
    few = attacked()
    assert len(victim_of(model, batches[0]).functions) == 3
    for one, other in zip(plenty, few, strict=True):
        np.testing.assert_array_equal(one, other)
