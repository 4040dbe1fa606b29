"""Small classifiers, trained once, for all attack tests."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kgan.attacks import AdvGAN


def build(head: str | None = None, units: int = 10) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=head),
        ]
    )


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return (data.images / 16.0).astype("float32")[..., None], data.target.astype("int32")


@pytest.fixture(scope="session")
def model(digits) -> keras.Model:
    """A digits classifier that returns logits."""
    images, labels = digits
    keras.utils.set_random_seed(0)
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(images[:1200], labels[:1200], epochs=8, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="session")
def targeted_advgan(model, digits) -> AdvGAN:
    """Fitted for all targets and all radii from 0.1 to 0.3. Not to be changed."""
    images, labels = digits
    attack = AdvGAN(0.3, targets="any", least_epsilon=0.1, width=4, blocks=1, steps=200,
                    batch_size=64, learning_rate=3e-3)  # fmt: skip
    attack.fit(model, images[:1200], labels[:1200])
    return attack


@pytest.fixture(scope="session")
def softmax_model(model) -> keras.Model:
    """The same classifier, returning probabilities."""
    twin = build("softmax")
    twin.set_weights(model.get_weights())
    return twin


@pytest.fixture(scope="session")
def some(digits) -> tuple[np.ndarray, np.ndarray]:
    """37 unseen digits: no multiple of any batch size."""
    images, labels = digits
    return images[1300:1337], labels[1300:1337]
