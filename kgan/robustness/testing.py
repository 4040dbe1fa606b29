"""A test kit for attacks: a classifier whose smallest adversarial change is known exactly.

    case = kgan.robustness.testing.linear_case()
    kgan.robustness.testing.check_budget_attack(lambda epsilon: MyAttack(epsilon), case)
    kgan.robustness.testing.check_minimal_attack(MyAttack(norm="l2"), case, factor=1.05)

For logits `W x + b` the distance from x to the border between classes y and k is
`(z_y - z_k) / ||w_y - w_k||` in the dual norm; in l1 the values with the largest weights move
first, each to the edge of the box at most; in l0 it is the number of values, largest weight times
room first, that close the gap when they move there. So "fools above the distance, never below" can
be checked for each example, in every norm, with no reference implementation.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kgan.attacks.attack import Attack
from kgan.attacks.norms import DUAL, NORMS

_ORDER = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}


@dataclasses.dataclass(frozen=True)
class LinearCase:
    """A linear classifier, and images with known distances to its border.

    Attributes:
        model: The classifier, with logits `W x + b` or their softmax as output.
        images: float32 (n, ...) around 0.5, so that the smallest changes stay inside of [0, 1].
        labels: The predicted classes, int32 (n,).
        distances: Sizes of the smallest adversarial changes, float64 (n,), by norm.
    """

    model: keras.Model
    images: np.ndarray
    labels: np.ndarray
    distances: dict[str, np.ndarray]


def linear_case(
    n: int = 48,
    *,
    shape: tuple[int, ...] = (6, 6, 1),
    classes: int = 4,
    softmax: bool = False,
    tilt: float = 0.0,
    seed: int = 0,
) -> LinearCase:
    """Makes a `LinearCase`.

    Only two classes are ever predicted; the others exist because some losses need four classes.

    Args:
        n: Number of images.
        shape: Shape of an image.
        classes: Number of classes, at least 2.
        softmax: Whether the model ends in a softmax.
        tilt: How far each value lies on its class's side, in [0, 0.4]. At 0 one changed value can
            cross the border, which is no test in l0; at 0.3 it takes several.
        seed: Seed of the weights and the images.
    """
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    weights = random.normal(size=(size, classes)).astype(np.float32)
    bias = np.full(classes, -200.0, np.float32)
    # The border between the first two classes goes through the middle of the images.
    bias[:2] = -0.5 * weights[:, :2].sum(axis=0)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax" if softmax else None),
        ]
    )
    model.set_weights([weights, bias])
    # Draws more images than needed, to drop those near the border, which would test rounding.
    images = random.uniform(0.4, 0.6, size=(4 * n, *shape))
    side = np.where(random.uniform(size=4 * n) < 0.5, -1.0, 1.0).reshape(-1, *[1] * len(shape))
    images += tilt * side * np.sign(weights[:, 0] - weights[:, 1]).reshape(shape)
    images = images.astype(np.float32)
    logits = images.reshape(4 * n, -1).astype(np.float64) @ weights.astype(np.float64) + bias
    gap = logits[:, 0] - logits[:, 1]
    clear = np.flatnonzero(np.abs(gap) > 0.1 * np.abs(gap).mean())[:n]
    apart = (weights[:, 0] - weights[:, 1]).astype(np.float64)
    distances = {
        norm: np.abs(gap[clear]) / np.linalg.norm(apart, _ORDER[DUAL[norm]]) for norm in NORMS
    }
    distances["l1"] = smallest_l1(images[clear], apart, gap[clear])
    distances["l0"] = _fewest(images[clear].reshape(len(clear), -1), apart, gap[clear])
    labels = (gap[clear] < 0).astype(np.int32)
    return LinearCase(model, images[clear], labels, distances)


def smallest_l1(images: np.ndarray, weights: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """The size of the smallest change in l1, inside of the box, by which `weights . x` falls.

    One value can move by its room alone, so the distance is larger than `gap / max|weights|` where
    the room is smaller than that.

    Args:
        images: (n, ...) in [0, 1].
        weights: The weights of a linear function of the images, (values,).
        gap: By how much the function must fall for each image, or rise if negative, (n,).

    Returns:
        float64 (n,); infinite where the whole box is not enough.
    """
    values = images.reshape(len(images), -1).astype(np.float64)
    order = np.argsort(-np.abs(weights))
    steep = np.maximum(np.abs(weights[order]).astype(np.float64), np.finfo(np.float32).tiny)
    room = np.where(np.sign(gap)[:, None] * weights > 0, values, 1.0 - values)[:, order]
    closed_before = np.cumsum(steep * room, axis=1) - steep * room
    size = np.clip((np.abs(gap)[:, None] - closed_before) / steep, 0.0, room).sum(axis=1)
    return np.where(np.abs(gap) > np.sum(steep * room, axis=1), np.inf, size)


def _fewest(images: np.ndarray, apart: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """How many values must move, at least, to close each image's gap, float64 (n,)."""
    down = np.sign(gap)[:, None] * apart > 0
    closed = np.abs(apart) * np.where(down, images, 1.0 - images)
    closed = np.cumsum(-np.sort(-closed, axis=1), axis=1)
    return 1.0 + np.sum(closed < np.abs(gap)[:, None], axis=1)


def lengths(change: np.ndarray, norm: str) -> np.ndarray:
    """The norm of each example's change, in float64."""
    return np.linalg.norm(change.reshape(len(change), -1).astype(np.float64), _ORDER[norm], axis=1)


def check_budget_attack(
    make: Callable[[float], Attack], case: LinearCase, *, factor: float = 1.05
) -> None:
    """Asserts that an attack fools exactly the images that can be fooled within its radius.

    It runs at a radius equal to the median distance of the images. All images that are nearer by
    `factor` must be fooled, no image that is farther may be fooled, and each change must stay in
    the ball (up to 1e-6) and the box.

    Args:
        make: Function that makes the attack for a radius; the attack must have a `norm`.
        case: A case from `linear_case`.
        factor: Ratio of radius to distance from which an image must be fooled; with `inf` no image
            must be fooled.

    Raises:
        AssertionError: When one of these does not hold; says for which examples.
    """
    norm = make(0.0).norm
    distances = case.distances[norm]
    epsilon = float(np.median(distances))
    result = make(epsilon).run(case.model, case.images, case.labels)
    change = lengths(result.adversarial - case.images, norm)
    _claim(~result.success | (distances <= epsilon * (1 + 1e-4)), "fooled below their distance")
    if np.isfinite(factor):
        _claim(result.success | (distances * factor > epsilon), "not fooled above their distance")
    _claim(change <= epsilon + 1e-6, f"outside the {norm} ball")
    _check_box(result.adversarial)


def check_minimal_attack(
    attack: Attack, case: LinearCase, *, factor: float = 1.05, slack: float = 2e-4
) -> None:
    """Asserts that an attack fools every example with a change near the smallest.

    Args:
        attack: The attack, which must have a `norm`.
        case: A case from `linear_case`.
        factor: Largest allowed ratio of the change to the smallest possible one.
        slack: Absolute amount that is allowed in addition, for steps past the border.

    Raises:
        AssertionError: When one of these does not hold; says for which examples.
    """
    result = attack.run(case.model, case.images, case.labels)
    distances = case.distances[attack.norm]
    change = lengths(result.adversarial - case.images, attack.norm)
    _claim(result.success, "not fooled")
    _claim(change >= distances * (1 - 1e-4), "fooled below their distance")
    _claim(change <= distances * factor + slack, f"changed by more than {factor} of their distance")
    _check_box(result.adversarial)


def _check_box(images: np.ndarray) -> None:
    inside = (images >= 0.0) & (images <= 1.0)
    _claim(inside.reshape(len(images), -1).all(axis=1), "outside [0, 1]")


def _claim(holds: Any, complaint: str) -> None:
    if not holds.all():
        raise AssertionError(f"examples {np.flatnonzero(~holds).tolist()} {complaint}.")
