"""Attacks on one image at a time, for a page that shows what they do."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from kgan.attacks import APGD, FGSM, PGD, Attack, MomentumPGD, RandomNoise, Square
from kgan.attacks.victim import victim_of
from kgan.serving.playground import AttackedClassifier

# Those that any classifier takes, that learn nothing first and that end in a second or so.
ATTACKS: dict[str, Attack] = {
    "fgsm": FGSM(),
    "pgd": PGD(),
    "mifgsm": MomentumPGD(),
    "apgd": APGD(),
    "square": Square(steps=500),
    "noise": RandomNoise(),
}
"""By the name under which the page offers them; the first one is the default."""


def widest_radii(shape: Sequence[int]) -> dict[str, float]:
    """The largest radius to offer for each norm, for images of a shape.

    In linf it is half of the range, beyond which any image can become grey. In the other norms it
    is half as long as that change of every value.
    """
    values = math.prod(shape)
    return {"linf": 0.5, "l2": 0.25 * math.sqrt(values), "l1": 0.25 * values}


def attacked(model: keras.Model, name: str, class_names: Sequence[str] = ()) -> AttackedClassifier:
    """A classifier with the attacks of `ATTACKS` on it.

    Args:
        model: Any Keras classifier of images of one size.
        name: What it is called.
        class_names: What its classes are called; by default their numbers.

    Raises:
        ValueError: If it takes no images of one size, or has another number of classes.
    """
    shape = tuple(model.input_shape[1:])
    if len(shape) != 3 or None in shape:
        raise ValueError(f"{name} must take images of one size, it takes {model.input_shape}.")
    victim = victim_of(model, np.zeros((2, *shape), np.float32))
    names = tuple(class_names) or tuple(map(str, range(victim.classes)))
    if len(names) != victim.classes:
        raise ValueError(f"class_names must be {victim.classes}, got {len(names)}.")

    def probabilities(image: np.ndarray) -> np.ndarray:
        outputs = np.asarray(model(image, training=False), np.float32).reshape(1, -1)
        if victim.binary:
            share = outputs if victim.head == "sigmoid" else keras.ops.sigmoid(outputs)
            share = float(np.asarray(share)[0, 0])
            return np.array([1 - share, share])
        if victim.head == "logits":
            outputs = np.asarray(keras.ops.softmax(outputs))
        return outputs[0]

    def attack(image: np.ndarray, epsilon: float, which: str, norm: str):
        before = probabilities(image)
        if epsilon == 0:
            return image, before, before
        chosen = ATTACKS[which].replace(norm=norm, epsilon=epsilon)
        changed = np.asarray(chosen(victim, image, np.array([before.argmax()])))
        return changed, before, probabilities(changed)

    norms = {which: one.norms for which, one in ATTACKS.items()}
    # The first call compiles the default.
    attack(np.full((1, *shape), 0.5, np.float32), 0.1, "fgsm", "linf")
    return AttackedClassifier(name, shape, names, norms, widest_radii(shape), attack)
