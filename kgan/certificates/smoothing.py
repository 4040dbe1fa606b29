"""Randomised smoothing: a classifier that votes over noise, with a certified l2 radius.

The smoothed classifier answers with the class that the base classifier gives most often to the
image plus Gaussian noise. If that class has probability p > 1/2, no change shorter than
sigma * Phi^-1(p) in l2 alters the answer (theorem 1). p is bounded from below by counting, so a
certificate is wrong with probability `alpha` at most.

The base classifier has to be trained on such noise: put `keras.layers.GaussianNoise(sigma)` first.

Reference: Cohen, Rosenfeld and Kolter 2019, "Certified adversarial robustness via randomized
smoothing", theorem 1 and section 3.2 (arXiv:1902.02918).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

import kgan.random
from kgan.attacks.checks import check_count, check_images
from kgan.attacks.victim import Victim, victim_of
from kgan.labels import class_numbers

ABSTAINED = -1
"""The answer where the votes do not decide."""


class SmoothedClassifier:
    """A classifier that votes over Gaussian noise.

    Args:
        model: The base classifier, of images in [0, 1]; see `kgan.attacks.Victim`. The noise takes
            images out of that range, as the theorem needs.
        sigma: Standard deviation of the noise, in units of images in [0, 1], above 0.
        seed: Seed of the noise, an int in [0, 2**31 - 1].
        batch_size: Number of noisy copies at a time.
    """

    def __init__(
        self,
        model: keras.Model | Victim,
        sigma: float,
        *,
        seed: int = 0,
        batch_size: int = 500,
    ):
        if not (np.isfinite(sigma) and sigma > 0):
            raise ValueError(f"sigma must be above 0, got {sigma}.")
        self.model = model
        self.sigma = float(sigma)
        self.seed = kgan.random.check_seed(seed)
        self.batch_size = check_count("batch_size", batch_size)

    def predict(self, images: Any, *, n: int = 1000, alpha: float = 0.001) -> np.ndarray:
        """The class with most votes, where a binomial test tells it from the second.

        Args:
            images: float32 array of shape (n, ...) in [0, 1].
            n: Number of noisy copies of each image.
            alpha: Probability of a wrong answer, in (0, 1).

        Returns:
            int32 array of shape (n,); `ABSTAINED` where the votes do not decide.
        """
        votes = self.votes(images, n=n, purpose="predict", alpha=alpha)
        order = np.argsort(-votes, axis=1, kind="stable")
        answers = np.full(len(votes), ABSTAINED, np.int32)
        for row, (first, second) in enumerate(order[:, :2]):
            both = int(votes[row, first] + votes[row, second])
            if stats.binomtest(int(votes[row, first]), both, 0.5).pvalue <= alpha:
                answers[row] = first
        return answers

    def certify(
        self, images: Any, *, n0: int = 100, n: int = 10_000, alpha: float = 0.001
    ) -> tuple[np.ndarray, np.ndarray]:
        """The class and the certified radius of each image.

        Args:
            images: float32 array of shape (n, ...) in [0, 1].
            n0: Number of noisy copies that choose the class.
            n: Number of other noisy copies that bound its probability. The largest radius that n
                copies can certify is sigma * Phi^-1(alpha^(1/n)): 3.2 sigma for 10,000.
            alpha: Probability of a wrong certificate, in (0, 1).

        Returns:
            Classes, int32 (n,), and l2 radii, float64 (n,), 0 where it is `ABSTAINED`.
        """
        chosen = self.votes(images, n=n0, purpose="choose", alpha=alpha).argmax(axis=1)
        votes = self.votes(images, n=n, purpose="certify", alpha=alpha)
        hits = votes[np.arange(len(votes)), chosen]
        radii = self.sigma * stats.norm.ppf(lower_bound(hits, n, alpha))
        decided = radii > 0
        return np.where(decided, chosen, ABSTAINED).astype(np.int32), np.where(decided, radii, 0.0)

    def votes(
        self, images: Any, *, n: int, purpose: str = "votes", alpha: float = 0.5
    ) -> np.ndarray:
        """How often each class is the answer to n noisy copies, int64 (images, classes).

        The noise of an image is a function of the seed, the purpose and the image's place alone.
        """
        check_count("n", n)
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be in (0, 1), got {alpha}.")
        images = check_images(images)
        victim = victim_of(self.model, images)
        victim.check_criterion("a smoothed classifier")
        size = min(self.batch_size, n)

        @tf.function(autograph=False)
        def count(image, place, batch):
            seed = kgan.random.step_seed(self.seed, place, purpose)
            seed = tf.random.fold_in(seed, batch, alg="philox")
            noise = kgan.random.stateless_normal(seed, [size, *images.shape[1:]])
            answers = tf.argmax(victim.logits(image + self.sigma * noise), axis=1)
            # The last batch may be more than is asked for.
            asked = tf.range(size) < n - batch * size
            votes = tf.one_hot(answers, victim.classes) * tf.cast(asked, tf.float32)[:, None]
            return tf.reduce_sum(votes, axis=0)

        found = np.zeros((len(images), victim.classes), np.int64)
        for place, image in enumerate(images):
            for batch in range(-(-n // size)):
                one = count(tf.constant(image), tf.constant(place), tf.constant(batch))
                found[place] += one.numpy().astype(np.int64)
        return found


def lower_bound(hits: np.ndarray, n: int, alpha: float) -> np.ndarray:
    """The one-sided 1 - alpha lower bound of a share of which `hits` of `n` were seen.

    Reference: Clopper and Pearson 1934, "The use of confidence or fiducial limits".
    """
    hits = np.asarray(hits)
    # A quantile of the beta distribution; with no hits its first parameter would be 0.
    bound = stats.beta.ppf(alpha, np.maximum(hits, 1), n - hits + 1)
    return np.where(hits == 0, 0.0, bound)


def certified_accuracy(
    classes: np.ndarray, radii: np.ndarray, labels: Any, at: Sequence[float] | float
) -> np.ndarray:
    """The share of images answered correctly with a certified radius of at least each of `at`.

    Args:
        classes: Answers of `SmoothedClassifier.certify`, int (n,).
        radii: Its radii, (n,).
        labels: The true classes: integers (n,), a column, or one-hot.
        at: The radii to report; a number for one.

    Returns:
        float64 array, one share for each radius of `at`.

    Raises:
        ValueError: Where there are not as many radii and labels as classes.
    """
    if np.shape(radii) != np.shape(classes):
        raise ValueError(
            f"radii must be one for each of the {len(classes)} classes, got {np.shape(radii)}."
        )
    truth = class_numbers(labels, len(classes))
    right = classes == truth
    return np.array([np.mean(right & (radii >= radius)) for radius in np.atleast_1d(at)])
