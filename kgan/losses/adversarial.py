"""Pairs of (discriminator, generator) losses, written to be read side by side.

Each loss maps `(real_logits, fake_logits)` to a number for each logit. Real is 1, fake is 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

import kgan.names

LossFunction = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """The two players' losses.

    Attributes:
        discriminator: Maps `(real_logits, fake_logits)`, each of shape (batch,) or a map of logits
            (batch, ...), to the discriminator's loss of each logit, of the same shape.
        generator: Maps the same to the generator's loss of each logit.
        generator_needs_real: Whether the generator's loss reads `real_logits`. Where it does not,
            the generator's half-step passes `None` and saves a pass through the discriminator.
        neutral: The logit that is best where real and generated samples are equally likely, or
            `None` where the losses only compare logits, so that an offset of all of them changes
            nothing.
        probability: Maps logits to the probabilities that their samples are real, where real and
            generated ones are equally many: what the discriminator's loss is least for. `None`
            where no such map exists, as of losses that only compare logits or only want margins.
    """

    discriminator: LossFunction
    generator: LossFunction
    generator_needs_real: bool = False
    neutral: float | None = None
    probability: Callable[[tf.Tensor], tf.Tensor] | None = None

    def margins(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """How far each real logit is on the real side: of the neutral one, else of its fake."""
        return real_logits - (fake_logits if self.neutral is None else self.neutral)


def minimax(label_smoothing: float = 0.0) -> AdversarialLoss:
    """The original two-player game; the generator's gradient fades when it loses.

    Args:
        label_smoothing: How far the real label is moved from 1 (one-sided), in [0, 1).

    Reference: Goodfellow et al. 2014, equation 1 (arXiv:1406.2661).
    """
    return AdversarialLoss(
        discriminator=_cross_entropy(label_smoothing),
        # log(1 - D(fake)), which falls as the discriminator is fooled.
        generator=lambda real_logits, fake_logits: -tf.nn.softplus(fake_logits),
        neutral=_neutral(label_smoothing),
        probability=_probability(label_smoothing),
    )


def non_saturating(label_smoothing: float = 0.0) -> AdversarialLoss:
    """The original discriminator, and a generator that maximises log D(fake).

    Args:
        label_smoothing: How far the real label is moved from 1 (one-sided), in [0, 1).

    Reference: Goodfellow et al. 2014, section 3 (arXiv:1406.2661); one-sided smoothing: Salimans
    et al. 2016, section 3.4 (arXiv:1606.03498).
    """
    return AdversarialLoss(
        discriminator=_cross_entropy(label_smoothing),
        generator=lambda real_logits, fake_logits: tf.nn.softplus(-fake_logits),
        neutral=_neutral(label_smoothing),
        probability=_probability(label_smoothing),
    )


def least_squares(label_smoothing: float = 0.0) -> AdversarialLoss:
    """Squared distance of the logits from 1 (real) and 0 (fake).

    Args:
        label_smoothing: How far the real target is moved from 1, in [0, 1).

    Reference: Mao et al. 2017, equation 9 (arXiv:1611.04076).
    """
    target = _smoothed(label_smoothing)
    return AdversarialLoss(
        discriminator=lambda real_logits, fake_logits: (
            0.5 * tf.square(real_logits - target) + 0.5 * tf.square(fake_logits)
        ),
        generator=lambda real_logits, fake_logits: 0.5 * tf.square(fake_logits - 1.0),
        neutral=target / 2,
        # The best logit is the probability, times the real samples' target.
        probability=lambda logits: tf.clip_by_value(logits / target, 0.0, 1.0),
    )


def hinge() -> AdversarialLoss:
    """Margins of 1 for the discriminator, the plain logit for the generator.

    Reference: Miyato et al. 2018, equations 16 and 17 (arXiv:1802.05957).
    """
    return AdversarialLoss(
        discriminator=lambda real_logits, fake_logits: (
            tf.nn.relu(1.0 - real_logits) + tf.nn.relu(1.0 + fake_logits)
        ),
        generator=lambda real_logits, fake_logits: -fake_logits,
        neutral=0.0,
    )


def smooth_hinge() -> AdversarialLoss:
    """The hinge loss in the mean over margins that are drawn between 0.8 and 1.

    The discriminator's slope fades over that range instead of ending at once.

    Reference: the authors' code of Liu et al. 2021 (arXiv:2101.04775), which draws a margin for
    each logit.
    """

    def missed(logits: tf.Tensor) -> tf.Tensor:
        # The mean of relu(margin - x) over margins from a to b: (a + b) / 2 - x below a,
        # (b - x)^2 / (2 (b - a)) up to b.
        beyond = tf.clip_by_value(1.0 - logits, 0.0, 0.2)
        return tf.square(beyond) / 0.4 + tf.nn.relu(0.8 - logits)

    return AdversarialLoss(
        discriminator=lambda real_logits, fake_logits: missed(real_logits) + missed(-fake_logits),
        generator=lambda real_logits, fake_logits: -fake_logits,
        neutral=0.0,
    )


def wasserstein() -> AdversarialLoss:
    """Difference of the critic's means; needs a penalty or spectral norm to bound the critic.

    Reference: Arjovsky et al. 2017, equation 2 (arXiv:1701.07875).
    """
    return AdversarialLoss(
        discriminator=lambda real_logits, fake_logits: fake_logits - real_logits,
        generator=lambda real_logits, fake_logits: -fake_logits,
    )


def relativistic() -> AdversarialLoss:
    """Each fake is judged against the real sample it is paired with.

    Reference: Jolicoeur-Martineau 2018, RpGAN (arXiv:1807.00734); Huang et al. 2024, equation 1
    (arXiv:2501.05441).
    """
    return AdversarialLoss(
        discriminator=lambda real_logits, fake_logits: tf.nn.softplus(fake_logits - real_logits),
        generator=lambda real_logits, fake_logits: tf.nn.softplus(real_logits - fake_logits),
        generator_needs_real=True,
    )


LOSSES: dict[str, Callable[..., AdversarialLoss]] = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "least_squares": least_squares,
    "hinge": hinge,
    "smooth_hinge": smooth_hinge,
    "wasserstein": wasserstein,
    "relativistic": relativistic,
}


def get(
    loss: str | AdversarialLoss | tuple[LossFunction, LossFunction], *, label_smoothing: float = 0.0
) -> AdversarialLoss:
    """A loss by name, or the user's own pair of callables.

    Args:
        loss: A key of `LOSSES`, an `AdversarialLoss`, or a pair `(discriminator, generator)` of
            callables `(real_logits, fake_logits) -> per-sample loss`.
        label_smoothing: How far the real label is moved from 1, in [0, 1); for the losses of
            `LOSSES` that have labels.

    Raises:
        ValueError: For an unknown name, or smoothing with a loss that has no labels.
    """
    if isinstance(loss, str):
        kgan.names.check("loss", loss, LOSSES)
        if not label_smoothing:
            return LOSSES[loss]()
        if loss not in ("minimax", "non_saturating", "least_squares"):
            raise ValueError(
                f"label_smoothing must be 0 with loss {loss!r}, which has no labels, "
                f"got {label_smoothing}."
            )
        return LOSSES[loss](label_smoothing=label_smoothing)
    if label_smoothing:
        raise ValueError("label_smoothing must be 0 with a loss of your own: put it in the loss.")
    if isinstance(loss, AdversarialLoss):
        return loss
    discriminator, generator = loss
    return AdversarialLoss(discriminator, generator, generator_needs_real=True)


def _smoothed(label_smoothing: float) -> float:
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing}.")
    return 1.0 - label_smoothing


def _neutral(label_smoothing: float) -> float:
    """Of the cross-entropy: half of the samples have the smoothed label and half have 0."""
    probability = _smoothed(label_smoothing) / 2
    return math.log(probability / (1.0 - probability))


def _probability(label_smoothing: float) -> Callable[[tf.Tensor], tf.Tensor]:
    """Of the cross-entropy, whose best sigmoid is the probability times the smoothed label."""
    target = _smoothed(label_smoothing)
    return lambda logits: tf.minimum(tf.sigmoid(logits) / target, 1.0)


def _cross_entropy(label_smoothing: float) -> LossFunction:
    target = _smoothed(label_smoothing)

    def discriminator(real_logits, fake_logits):
        # Binary cross-entropy on logits: softplus(x) - target * x.
        real = tf.nn.softplus(real_logits) - target * real_logits
        return real + tf.nn.softplus(fake_logits)

    return discriminator
