"""A universal change and a patch, against linear models whose best ones are known."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from kgan.attacks import Patch, Universal
from kgan.attacks.patch import _place
from kgan.robustness.testing import lengths, linear_case


@pytest.fixture(scope="module")
def case():
    """All images are of the first class, so one direction is best for all."""
    case = linear_case(60)
    keep = case.labels == 0
    weights = case.model.layers[-1].get_weights()[0]
    return case.model, case.images[keep], case.labels[keep], weights[:, 1] - weights[:, 0]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_universal_change_is_the_steepest_direction(norm, case):
    model, images, labels, apart = case
    attack = Universal(0.15, norm=norm, steps=60, target=1)
    attack.fit(model, images, labels)
    best = np.sign(apart) if norm == "linf" else apart / np.linalg.norm(apart)
    np.testing.assert_allclose(attack.learnt.ravel(), 0.15 * best, atol=4e-3)
    assert lengths(attack.learnt[None], norm)[0] == pytest.approx(0.15, rel=1e-5)
    # A smaller radius shortens it, a larger one is refused.
    half = attack.replace(epsilon=0.075).last_iterates(model, images, labels)
    np.testing.assert_allclose(half - images, np.broadcast_to(attack.learnt / 2, images.shape),
                               atol=1e-6)  # fmt: skip
    with pytest.raises(ValueError, match=r"epsilon must be at most 0\.15"):
        attack.replace(epsilon=0.2).run(model, images, labels)


def test_a_patch_over_the_whole_image_goes_the_best_way(case):
    model, images, labels, apart = case
    attack = Patch(share=1.0, turn=0.0, smallest=1.0, steps=60, target=1)
    attack.fit(model, images, labels)
    # A value stops where the target is certain, and its gradient zero.
    np.testing.assert_array_equal(attack.learnt.ravel() > 0.5, apart > 0)
    assert np.mean((attack.learnt == 0) | (attack.learnt == 1)) > 0.4
    result = attack.run(model, images, targets=np.ones(len(images), int))
    assert result.success.all()
    np.testing.assert_allclose(result.adversarial[3], attack.learnt, atol=1e-6)


def test_a_patch_changes_no_more_than_its_area(model, some):
    attack = Patch(share=0.5, turn=90.0, smallest=0.6, steps=3, tries=3)
    attack.fit(model, *some)
    result = attack.run(model, *some)
    # A side of 4, turned, touches at most so many pixels.
    assert 0 < lengths(result.adversarial - some[0], "l0").max() <= 6 * 6


def place(patch, angle, size, across, down, shape=(9, 12, 1)):
    rows = [tf.constant([float(value)]) for value in (angle, size, across, down)]
    return _place(tf.constant(patch), tf.TensorShape(shape), *rows).numpy()[0, :, :, 0]


@pytest.mark.parametrize(("across", "down", "left", "top"), [(0, 0, 0, 0), (1, 1, 8, 5)])
def test_an_upright_patch_is_copied_to_its_corner(across, down, left, top):
    patch = np.random.default_rng(0).uniform(size=(4, 4, 1)).astype("float32")
    want = np.zeros((9, 12))
    want[top : top + 4, left : left + 4] = patch[..., 0]
    np.testing.assert_allclose(place(patch, 0, 1, across, down), want, atol=1e-6)


def test_a_quarter_turn_turns_the_patch():
    patch = np.random.default_rng(0).uniform(size=(4, 4, 1)).astype("float32")
    got = place(patch, np.pi / 2, 1, 0, 0)[:4, :4]
    turned = [np.rot90(patch[..., 0], k) for k in (1, 3)]
    assert min(np.abs(got - other).max() for other in turned) < 1e-5


@pytest.mark.parametrize("angle", [0.2, 0.9])
@pytest.mark.parametrize("size", [0.7, 1.0])
@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_a_turned_patch_keeps_its_area_and_stays_inside(angle, size, corner):
    patch = np.ones((8, 8, 1), "float32")
    placed = place(patch, angle, size, corner, corner, (24, 24, 1))
    # The black around it takes half a pixel off the rim at most.
    assert (8 * size - 1) ** 2 < placed.sum() <= (8 * size) ** 2 + 1


def placing(side, shape, angle, size, across, down):
    """What `_place` does as a matrix (height * width, side * side), in float64."""
    half = side * size * (abs(np.cos(angle)) + abs(np.sin(angle))) / 2
    rooms = [length - 2 * half for length in shape]
    assert min(rooms) > 0
    corners = np.array([down, across]) * rooms
    pixels = np.indices(shape) - (corners + half - 0.5)[:, None, None]
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size
    places = np.tensordot(turned, pixels, axes=1) + (side - 1) / 2
    columns = [
        scipy.ndimage.map_coordinates(
            one.reshape(side, side), places, order=1, mode="grid-constant"
        )
        for one in np.eye(side * side)
    ]
    return np.stack(columns, axis=-1).reshape(-1, side * side)


@pytest.mark.parametrize("angle", [0.0, 0.3, -2.5])
@pytest.mark.parametrize("size", [1.0, 0.8, 0.5])
def test_a_placed_patch_and_its_gradient_are_exact(angle, size):
    """A linear map A has the gradient A^T."""
    random, shape, side = np.random.default_rng(0), (11, 14), 6
    draws = np.array([[angle, size, 0.4, 0.7], [angle, size, 0.0, 1.0]], np.float32)
    matrices = np.stack([placing(side, shape, *row.astype(float)) for row in draws])
    patch = tf.constant(random.uniform(size=(side, side, 2)).astype("float32"))
    weights = random.normal(size=(2, *shape, 2)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(patch)
        placed = _place(patch, tf.TensorShape((*shape, 2)), *tf.constant(draws.T))
        value = tf.reduce_sum(placed * weights)
    want = matrices @ patch.numpy().reshape(side * side, 2)
    np.testing.assert_allclose(placed, want.reshape(placed.shape), atol=1e-5)
    want = np.einsum("nij,nic->jc", matrices, weights.reshape(2, -1, 2).astype(float))
    got = tape.gradient(value, patch).numpy().reshape(side * side, 2)
    assert np.linalg.norm(got - want) < 1e-5 * np.linalg.norm(want)


def test_learnt_attacks_are_saved_and_say_what_they_lack(case, tmp_path, model, some):
    images, labels = case[1], case[2]
    with pytest.raises(ValueError, match=r"Universal is not fitted yet: call attack\.fit"):
        Universal(0.1).run(case[0], images, labels)
    attack = Universal(0.1, steps=5, target=1)
    attack.fit(case[0], images, labels)
    with pytest.raises(ValueError, match=r"targets must all be 1, .* got \[0\]"):
        attack.run(case[0], images, targets=np.zeros(len(images), int))
    with pytest.raises(ValueError, match=r"shape \(6, 6, 1\) that Universal was fitted"):
        attack.run(model, *some)
    again = Universal.load(attack.save(tmp_path / "attack.npz"))
    np.testing.assert_array_equal(again.learnt, attack.learnt)
    assert (again.epsilon, again.target) == (0.1, 1)
    with pytest.raises(ValueError, match=r"path must end in \.npz"):
        attack.save(tmp_path / "attack.keras")
    with pytest.raises(ValueError, match="target must be a class from 0 to 3, got 7"):
        Universal(0.1, target=7).fit(case[0], images)
