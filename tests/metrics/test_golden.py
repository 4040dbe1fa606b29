"""Agreement with torch-fidelity and prdc; see make_golden.py."""

import json

import numpy as np
import pytest

from kgan.metrics import (
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    prdc,
    precision_recall,
)
from kgan.metrics.neighbours import balls, squared_radii
from tests.metrics.make_golden import (
    GOLDEN,
    KID_SEED,
    KID_SIZE,
    KID_SUBSETS,
    NEIGHBOURS,
    cases,
    logits,
)

CASES = cases()
SCORES = json.loads(GOLDEN.read_text())
each_case = pytest.mark.parametrize("name", CASES)


def squared_distances(x, y):
    return np.stack([((y - row) ** 2).sum(axis=1) for row in x])


@each_case
def test_fid_is_torch_fidelity_s(name):
    assert frechet_distance(*CASES[name]) == pytest.approx(SCORES[name]["fid"], rel=1e-6)


@each_case
def test_kid_is_torch_fidelity_s_on_the_same_subsets(name):
    real, fake = CASES[name]
    random, values = np.random.RandomState(KID_SEED), []
    for _ in range(KID_SUBSETS):
        theirs = fake[random.choice(len(fake), KID_SIZE, replace=False)]
        ours = real[random.choice(len(real), KID_SIZE, replace=False)]
        # One subset of all there is: the order, which is drawn, does not matter.
        values.append(kernel_distance(ours, theirs, subsets=1, subset_size=KID_SIZE).mean)
    assert np.mean(values) == pytest.approx(SCORES[name]["kid"], rel=1e-6)
    assert np.std(values) == pytest.approx(SCORES[name]["kid_std"], rel=1e-6)


@each_case
@pytest.mark.parametrize("k", NEIGHBOURS)
def test_open_balls_give_exactly_prdc_s_scores(name, k):
    real, fake = CASES[name]
    of_real = balls(real, squared_radii(real, k=k), fake, closed=False)
    of_fake = balls(fake, squared_radii(fake, k=k), real, closed=False)
    expected = SCORES[name][f"prdc, k={k}"]
    assert (of_real.counts > 0).mean() == expected["precision"]
    assert (of_fake.counts > 0).mean() == expected["recall"]
    assert of_real.occupied.mean() == expected["coverage"]
    # prdc multiplies by 1 / k where kgan divides by k: the last bit.
    assert of_real.counts.mean() / k == pytest.approx(expected["density"], rel=4e-16)


@each_case
@pytest.mark.parametrize("k", NEIGHBOURS)
def test_closed_balls_give_exactly_the_scores_of_direct_distances(name, k):
    real, fake = CASES[name]
    among_real, among_fake = squared_distances(real, real), squared_distances(fake, fake)
    across = squared_distances(real, fake)
    in_real = across <= np.sort(among_real, axis=1)[:, k, None]
    in_fake = across <= np.sort(among_fake, axis=1)[:, k]
    expected = {
        "precision": in_real.any(axis=0).mean(),
        "recall": in_fake.any(axis=1).mean(),
        "density": in_real.sum(axis=0).mean() / k,
        "coverage": in_real.any(axis=1).mean(),
    }
    found = prdc(real, fake, k=k, density_k=k)._asdict()
    assert found == expected
    assert found == {
        **precision_recall(real, fake, k=k)._asdict(),
        **density_coverage(real, fake, k=k)._asdict(),
    }


@pytest.mark.parametrize("k", NEIGHBOURS)
def test_the_border_alone_separates_kgan_from_prdc_where_samples_coincide(k):
    # 9% of the real rows and 15% of the fakes are zero: radii of 0, and equal distances.
    found = precision_recall(*CASES["rectified"], k=k)
    assert found.precision > SCORES["rectified"][f"prdc, k={k}"]["precision"] + 0.1
    for name in set(CASES) - {"rectified"}:
        shares = precision_recall(*CASES[name], k=k)._asdict()
        assert shares.items() <= SCORES[name][f"prdc, k={k}"].items()


@each_case
@pytest.mark.parametrize("k", NEIGHBOURS)
def test_precision_and_recall_are_torch_fidelity_s(name, k):
    found = precision_recall(*CASES[name], k=k)._asdict()
    # Shares of counts, which torch-fidelity returns in float32.
    assert found == pytest.approx(SCORES[name][f"torch-fidelity, k={k}"], rel=1e-7)


def test_inception_score_is_torch_fidelity_s():
    odds = np.exp(logits())
    score = inception_score(odds / odds.sum(axis=1, keepdims=True), splits=10)
    assert score.mean == pytest.approx(SCORES["is"]["mean"], rel=1e-12)
    assert score.std == pytest.approx(SCORES["is"]["std"], rel=1e-9)
