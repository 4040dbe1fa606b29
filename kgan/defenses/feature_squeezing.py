"""Feature squeezing: adversarial images are those whose answer changes when detail is removed."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kgan.attacks.bpda import straight_through
from kgan.attacks.checks import check_count, check_pixels
from kgan.attacks.victim import Victim
from kgan.defenses.detector import Detector


def reduce_bits(images: tf.Tensor, bits: int) -> tf.Tensor:
    """Images in [0, 1] with `bits` bits a value; the gradient is that of the images (BPDA)."""
    levels = 2.0**bits - 1.0
    return straight_through(images, tf.round(images * levels) / levels)


def median(images: tf.Tensor, size: int) -> tf.Tensor:
    """The median of each value and those around it.

    Args:
        images: (batch, height, width, channels).
        size: Height and width of the window; an even one reaches farther down and right. Edges are
            mirrored.
    """
    before, after = (size - 1) // 2, size // 2
    paddings = [[0, 0], [before, after], [before, after], [0, 0]]
    padded = tf.pad(images, paddings, mode="SYMMETRIC")
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    windows = [
        padded[:, row : row + height, column : column + width]
        for row in range(size)
        for column in range(size)
    ]
    ordered = tf.sort(tf.stack(windows, axis=-1), axis=-1)
    # Of an even number the upper one of the middle two, as scipy's median filter.
    return ordered[..., size * size // 2]


class FeatureSqueezing(Detector):
    """Compares the classifier's answer with those to the same image with less detail.

    The score is the largest L1 distance, over the squeezers, between the probabilities for the
    image and for the squeezed one; it is in [0, 2].

    Args:
        classifier: A Keras classifier of images in [0, 1], or a `kgan.attacks.Victim`.
        bits: Numbers of bits of a value; the paper has 1 for MNIST and 4 or 5 for colour images.
        medians: Sizes of median filters, at least 2.

    Reference: Xu et al. 2018, "Feature squeezing: detecting adversarial examples in deep neural
    networks". He et al. 2017, "Adversarial example defenses: ensembles of weak defenses are not
    strong", broke it by an adaptive attack.
    """

    def __init__(
        self,
        classifier: keras.Model | Victim,
        *,
        bits: Sequence[int] = (1,),
        medians: Sequence[int] = (2,),
    ):
        super().__init__(classifier)
        self.bits = tuple(check_count("bits", one) for one in bits)
        self.medians = tuple(check_count("medians", one, 2) for one in medians)
        if not self.bits and not self.medians:
            raise ValueError("bits or medians must name a squeezer, got none.")

    def views(self, images: tf.Tensor) -> list[tf.Tensor]:
        if self.medians:
            check_pixels("a median filter", tuple(images.shape[1:]))
        squeezed = [reduce_bits(images, bits) for bits in self.bits]
        return squeezed + [median(images, size) for size in self.medians]

    def score(self, images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        answer = tf.nn.softmax(logits)
        distances = [
            tf.reduce_sum(tf.abs(answer - tf.nn.softmax(self.victim.logits(one))), axis=1)
            for one in self.views(images)
        ]
        return tf.reduce_max(tf.stack(distances), axis=0)

    def __repr__(self) -> str:
        return f"FeatureSqueezing(bits={self.bits}, medians={self.medians})"
