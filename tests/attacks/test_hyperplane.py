import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import linprog

from kgan.attacks.hyperplane import reach


def problem(seed, size=15):
    random = np.random.default_rng(seed)
    points = random.uniform(size=(6, size))
    points[:, :3] = random.integers(0, 2, size=(6, 3))
    normal = random.normal(size=(6, size))
    normal[:, 5] = 0.0
    room = np.where(normal > 0, points, 1 - points)
    most = np.sum(np.abs(normal) * room, axis=1)
    return points, normal, most


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_it_agrees_with_linear_programming(norm, seed):
    points, normal, most = problem(seed)
    gap = 0.4 * most
    got = reach(*map(tf.constant, (f32(points), f32(normal), f32(gap))), norm).numpy()
    n = points.shape[1]
    for x, w, g, d in zip(points, normal, gap, got, strict=True):
        # Variables d and its bounds t: minimise sum t (l1) or the single t (linf).
        eye, count = np.eye(n), n if norm == "l1" else 1
        bound = np.eye(n) if norm == "l1" else np.ones((n, 1))
        answer = linprog(
            np.r_[np.zeros(n), np.ones(count)],
            A_ub=np.block([[eye, -bound], [-eye, -bound]]),
            b_ub=np.zeros(2 * n),
            A_eq=np.r_[w, np.zeros(count)][None],
            b_eq=[-g],
            bounds=[*zip(-x, 1 - x, strict=True), *[(0, None)] * count],
        )
        size = np.abs(d).sum() if norm == "l1" else np.abs(d).max()
        assert size == pytest.approx(answer.fun, rel=1e-4)
        assert np.dot(w, d) == pytest.approx(-g, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_l2_agrees_with_bisection_in_float64(seed):
    points, normal, most = problem(seed)
    gap = 0.7 * most
    got = reach(*map(tf.constant, (f32(points), f32(normal), f32(gap))), "l2").numpy()
    room = np.where(normal > 0, points, 1 - points)
    for w, r, g, d in zip(normal, room, gap, got, strict=True):
        low, high = 0.0, 1e3
        for _ in range(200):
            t = (low + high) / 2
            closed = np.sum(np.abs(w) * np.minimum(t * np.abs(w), r))
            low, high = (t, high) if closed < g else (low, t)
        np.testing.assert_allclose(d, -np.sign(w) * np.minimum(t * np.abs(w), r), atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_sides_and_planes_out_of_reach(norm):
    points, normal, most = problem(7)
    up = reach(*map(tf.constant, (f32(points), f32(-normal), f32(-0.5 * most))), norm).numpy()
    down = reach(*map(tf.constant, (f32(points), f32(normal), f32(0.5 * most))), norm).numpy()
    np.testing.assert_allclose(up, down, atol=1e-6)
    far = reach(*map(tf.constant, (f32(points), f32(normal), f32(2.0 * most))), norm).numpy()
    room = np.where(normal > 0, points, 1 - points) * (normal != 0)
    np.testing.assert_allclose(far, -np.sign(normal) * room, atol=1e-6)


def f32(values):
    return values.astype("float32")
