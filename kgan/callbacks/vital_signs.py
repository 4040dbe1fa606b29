"""The measurements of the collapse doctor: numbers about both players and about the samples."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.spatial.distance import pdist

import kgan.latents
import kgan.losses
from kgan.metrics import sliced_wasserstein
from kgan.metrics.neighbours import nearest, nearest_in_parts, nearest_others
from kgan.pixels import to_float

FEWEST_SAMPLES = 64
"""The fewest training samples that an `Examiner` can do with."""

_PROBES = 256
# Most values of the probes, which are held several times over in float64; no fewer than 64 probes.
_PROBE_VALUES = 2**24
# Most values of the reference set: the distances of 256 samples to it then take 0.5 GFLOP.
_REFERENCE_VALUES = 1_000_000
_MOST_REFERENCES = 5000
# Most values of the training samples searched for copies: the distances then take 50 GFLOP.
_MOST_VALUES = 100_000_000
_ROWS, _ROW_VALUES = 2048, 2**24
# Batch size for the gradients: enough for their order of magnitude.
_GRADIENT_BATCH = 64
# Number of neighbours in the ball around a probe: samples from the same distribution then cover
# 1 - 2**-5 = 0.97 of the probes.
_NEIGHBOURS = 5
# Quantile of the distances among probes below which a sample counts as a duplicate. Copies must be
# twice as near, because modes that are a little too narrow would otherwise have copies by chance.
_CHANCE = 0.01


class VitalSigns(NamedTuple):
    """The values of one check-up. Lengths are in units of the mean distance of two real samples.

    Attributes:
        step: Number of generator updates done.
        finite: Whether logits, gradients and samples are finite; if not, the other values are NaN.
        separation: Probability that the discriminator gives a real sample a larger logit than a
            generated one: 0.5 if it cannot tell them apart, 1 if it always can. Unlike an accuracy
            it ignores an offset of the logits, which relativistic and Wasserstein losses ignore.
        slope: Mean |d generator loss / d fake logit|: the gradient that the loss passes on.
        generator_gradient: Norm of the gradient of the generator loss.
        discriminator_gradient: Norm of the gradient of the discriminator loss, without penalties.
        spread: Mean distance of two generated samples.
        coverage: Share of the probes with a generated sample nearer than their 5th nearest real
            one; 0.97 for samples from the same distribution.
        precision: Share of generated samples as near to a real sample as 95% of the probes are.
        duplicates: Share of generated samples nearer to another one than 99% of the probes are to
            another real one.
        copies: Share of generated samples at most half as far from a training sample as 99% of
            the probes are.
        movement: Mean distance that samples of fixed latents moved since the last check-up.
        distance: Sliced Wasserstein distance between generated samples and probes.
        classes: Share of each class among the samples; empty without a labelling function.
    """

    step: int
    finite: bool = False
    separation: float = np.nan
    slope: float = np.nan
    generator_gradient: float = np.nan
    discriminator_gradient: float = np.nan
    spread: float = np.nan
    coverage: float = np.nan
    precision: float = np.nan
    duplicates: float = np.nan
    copies: float = np.nan
    movement: float = np.nan
    distance: float = np.nan
    classes: tuple[float, ...] = ()


def reference_size(sample_shape: tuple[int, ...]) -> int:
    """Number of samples of a shape that an `Examiner` uses."""
    probes = _most_probes(sample_shape)
    return probes + min(_MOST_REFERENCES, max(probes, _REFERENCE_VALUES // math.prod(sample_shape)))


def _most_probes(sample_shape: tuple[int, ...]) -> int:
    return min(_PROBES, max(FEWEST_SAMPLES, _PROBE_VALUES // math.prod(sample_shape)))


class Examiner:
    """Measures the vital signs of a GAN in inference mode; changes no state and no random draw.

    Args:
        real: float32 training samples (n, ...) in random order, at least 64; images in [0, 1]. The
            first 256 (of colour images above 148 pixels fewer, or a quarter, if n < 1,024) are
            the probes, the others are the reference.
        labels: Integer labels (n,) of `real`. Samples of a conditional GAN get the labels of the
            probes.
        training: The training set, floats or uint8, which is searched for copies (only a part of
            it if it has more than 100 million values); `real` by default.
        label: Maps samples (n, ...) to class numbers (n,); `None` leaves `classes` empty.
        seed: Seed of the latents, which are the same at every check-up, an int.
    """

    def __init__(
        self,
        real: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        training: Any = None,
        label: Callable[[np.ndarray], np.ndarray] | None = None,
        seed: int = 0,
    ):
        if len(real) < FEWEST_SAMPLES:
            raise ValueError(f"real must hold at least {FEWEST_SAMPLES} samples, got {len(real)}.")
        n = min(_most_probes(real.shape[1:]), len(real) // 4)
        flat = real[: reference_size(real.shape[1:])]
        flat = flat.reshape(len(flat), -1)
        self.probes, self.reference = flat[:n], flat[n:]
        self.images = real[:n]
        self.labels = None if labels is None else np.asarray(labels[:n], np.int32)
        self.label = label
        self.seed = seed
        self.spread = _mean_distance(self.probes)
        to_reference = nearest(self.probes, self.reference).distances[:, 0]
        self.radius = np.quantile(to_reference, 0.95)
        self.training = real if training is None else training
        rows = np.random.default_rng(seed).permutation(len(self.training))
        self.searched = np.sort(rows[: _MOST_VALUES // flat.shape[1]])
        # The nearest training sample of a probe is the probe itself, so the second nearest counts.
        self.copy_radius = np.quantile(self._nearest_two(self.probes)[:, 1], _CHANCE) / 2
        self.duplicate_radius = np.quantile(_to_others(self.probes), _CHANCE)
        # The ball is measured among as many reference samples as there will be generated ones.
        self.ball = nearest(self.probes, self.reference[:n], k=_NEIGHBOURS).distances[:, -1]
        self.real_classes = self._classes(self.images)
        self._last: np.ndarray | None = None

    def examine(self, gan) -> VitalSigns:
        """The present vital signs of a `kgan.models.GAN`."""
        step = int(gan.step.numpy())
        players = self._players(gan)
        labels = None if gan.num_classes is None else self.labels
        samples = gan.generate(len(self.probes), labels, seed=self.seed)
        if not (np.isfinite(samples).all() and np.isfinite(list(players.values())).all()):
            return VitalSigns(step)
        flat = samples.reshape(len(samples), -1)
        last, self._last = self._last, flat
        moved = np.nan if last is None else np.linalg.norm(flat - last, axis=1).mean() / self.spread
        to_real = nearest(flat, self.reference).distances[:, 0]
        return VitalSigns(
            step,
            finite=True,
            **players,
            spread=_mean_distance(flat) / self.spread,
            coverage=_share(nearest(self.probes, flat).distances[:, 0] <= self.ball),
            precision=_share(to_real <= self.radius),
            duplicates=_share(_to_others(flat) < self.duplicate_radius),
            copies=_share(self._nearest_two(flat)[:, 0] < self.copy_radius),
            movement=float(moved),
            distance=sliced_wasserstein(self.probes, flat, projections=64) / self.spread,
            classes=self._classes(samples),
        )

    def _players(self, gan) -> dict[str, float]:
        """The signs of the discriminator and the current (not averaged) generator."""
        n = min(_GRADIENT_BATCH, len(self.probes)) // gan.packing * gan.packing
        labels = None
        if self.labels is not None and gan.num_classes is not None:
            labels = tf.constant(self.labels[:n])
        latents = kgan.latents.from_seeds(kgan.latents.example_seeds(self.seed, n), gan.latent_dim)
        with tf.GradientTape(persistent=True) as tape:
            inputs = latents if labels is None else [latents, labels]
            fakes = gan.generator(inputs, training=False)
            # Not judge: a generator of a user's own may leave the range that samples must have.
            fake_logits = kgan.losses.per_sample(gan._judge(fakes, labels, training=False))
            real_logits = gan.judge(tf.constant(self.images[:n]), labels)
            generator_loss = gan.adversarial_loss.generator(real_logits, fake_logits)
            discriminator_loss = gan.adversarial_loss.discriminator(real_logits, fake_logits)
            means = tf.reduce_mean(generator_loss), tf.reduce_mean(discriminator_loss)
        above = tf.cast(real_logits[:, None] > fake_logits, tf.float32)
        level = tf.cast(real_logits[:, None] == fake_logits, tf.float32)
        slope = tape.gradient(generator_loss, fake_logits)
        weights = gan.generator.trainable_variables, gan.discriminator.trainable_variables
        norms = [
            tf.linalg.global_norm(tape.gradient(loss, variables))
            for loss, variables in zip(means, weights, strict=True)
        ]
        values = {
            "separation": tf.reduce_mean(above + 0.5 * level),
            "slope": tf.reduce_mean(tf.abs(slope)),
            "generator_gradient": norms[0],
            "discriminator_gradient": norms[1],
        }
        return {name: float(value) for name, value in values.items()}

    def _nearest_two(self, flat: np.ndarray) -> np.ndarray:
        """Distances (n, 2) of each row to its two nearest training samples."""

        def parts() -> Iterator[np.ndarray]:
            size = max(1, min(_ROWS, _ROW_VALUES // flat.shape[1]))
            for start in range(0, len(self.searched), size):
                some = to_float(np.asarray(self.training[self.searched[start : start + size]]))
                yield some.reshape(len(some), -1)

        return nearest_in_parts(flat, parts(), k=2).distances

    def _classes(self, samples: np.ndarray) -> tuple[float, ...]:
        if self.label is None:
            return ()
        counts = np.bincount(np.asarray(self.label(samples), int))
        return tuple(counts / len(samples))


def _to_others(flat: np.ndarray) -> np.ndarray:
    """Distances (n,) of each row to the nearest other row."""
    return nearest_others(flat).distances[:, 0]


def _mean_distance(flat: np.ndarray) -> float:
    """The mean distance of two different rows."""
    return float(pdist(flat.astype(np.float64)).mean())


def _share(condition: np.ndarray) -> float:
    return float(condition.mean())
