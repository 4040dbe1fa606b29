"""The methods of adversarial training: the attack and the loss of each."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from kgan.attacks import FGSM, PGD, Attack
from kgan.defenses.training_attacks import DivergencePGD, FastStep, divergence

Term = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, float], tf.Tensor]


def trades_term(
    clean_logits: tf.Tensor, adversarial_logits: tf.Tensor, labels: tf.Tensor, beta: float
) -> tf.Tensor:
    """`beta * KL(clean || adversarial)`: what TRADES adds to the clean cross-entropy.

    Args:
        clean_logits: Logits (batch, classes) for the clean images.
        adversarial_logits: Logits (batch, classes) for the adversarial images.
        labels: Class numbers, int32 (batch,); not used.
        beta: Weight of the divergence, 1/lambda in the paper.

    Returns:
        A loss for each example, shape (batch,).

    Reference:
        Zhang et al., "Theoretically principled trade-off between robustness and accuracy", 2019,
        eq. 5.
    """
    return beta * divergence(clean_logits, adversarial_logits)


def mart_term(
    clean_logits: tf.Tensor, adversarial_logits: tf.Tensor, labels: tf.Tensor, beta: float
) -> tf.Tensor:
    """What MART adds to the adversarial cross-entropy; arguments as for `trades_term`.

    `-log(1 - the largest other adversarial probability)`, which completes the boosted
    cross-entropy, and the divergence of TRADES, heavier where the clean image is misjudged.

    Reference:
        Wang et al., "Improving adversarial robustness requires revisiting misclassified examples",
        2020, eq. 11.
    """
    classes = adversarial_logits.shape[1]
    is_label = tf.one_hot(labels, classes, on_value=True, off_value=False)
    # log(1 - p) as the logarithm of the sum of all other shares: exact where p rounds to 1.
    other = tf.argmax(tf.where(is_label, -float("inf"), adversarial_logits), axis=1)
    is_other = tf.one_hot(other, classes, on_value=True, off_value=False)
    rest = tf.where(is_other, -float("inf"), tf.nn.log_softmax(adversarial_logits))
    margin = -tf.reduce_logsumexp(rest, axis=1)
    doubt = 1.0 - tf.gather(tf.nn.softmax(clean_logits), labels, batch_dims=1)
    return margin + beta * divergence(clean_logits, adversarial_logits) * doubt


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of `METHODS`.

    Attributes:
        attack: Makes the method's own attack from (epsilon, norm); `None` where the perturbation is
            carried from update to update.
        clean_share: Share of a batch that stays clean.
        judged: Images whose outputs the compiled loss and metrics see: "adversarial" or "clean".
        term: A loss for each example, added to the compiled one; `None` for none.
        beta: Weight of the term.
        replays: Updates on each batch.
    """

    attack: Callable[[float, str], Attack] | None
    clean_share: float = 0.0
    judged: str = "adversarial"
    term: Term | None = None
    beta: float | None = None
    replays: int = 1


METHODS: dict[str, Method] = {
    # Goodfellow et al., "Explaining and harnessing adversarial examples", 2015, section 6.
    "fgsm": Method(lambda epsilon, norm: FGSM(epsilon, norm=norm), clean_share=0.5),
    # Wong et al., "Fast is better than free", 2020.
    "fast": Method(lambda epsilon, norm: FastStep(epsilon, norm=norm)),
    # Shafahi et al., "Adversarial training for free!", 2019.
    "free": Method(None, replays=8),
    # Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018.
    "pgd": Method(lambda epsilon, norm: PGD(epsilon, norm=norm, steps=10)),
    # Zhang et al., 2019; beta as for CIFAR-10 (1 for MNIST).
    "trades": Method(
        lambda epsilon, norm: DivergencePGD(epsilon, norm=norm),
        judged="clean",
        term=trades_term,
        beta=6.0,
    ),
    # Wang et al., 2020.
    "mart": Method(
        lambda epsilon, norm: PGD(epsilon, norm=norm, steps=10), term=mart_term, beta=5.0
    ),
}
