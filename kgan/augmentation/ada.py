"""Adaptive augmentation: as strong as it takes for the discriminator not to overfit."""

from collections.abc import Sequence

import keras
import tensorflow as tf

import kgan.names
from kgan.augmentation.augmentation import Augmentation
from kgan.augmentation.pipe import CHANGES, PIPES, Chance, changed
from kgan.counter import add_counter


@keras.saving.register_keras_serializable(package="kgan")
class ADA(Augmentation):
    """A pipe of changes, each made to an image with a probability that adapts.

    The probability p rises while the mean sign of what the discriminator says of real images is
    above its target, which says that it knows them too well, and falls otherwise. As published that
    is the sign of their logits. Losses that only compare logits (relativistic, Wasserstein) leave
    it to chance where 0 lies, so there it is the sign of real less generated: at the same target of
    0.6, 80% of the images are on the real side. p is a variable and is saved with the weights.

    Args:
        pipe: A key of `kgan.augmentation.PIPES`, or keys of `kgan.augmentation.CHANGES`; they are
            made in their published order.
        target: The mean sign to hold, in [0, 1].
        images: Real images that move p from 0 to 1 where its direction does not change.
        interval: Steps between two moves of p.
        strength: The first value of p.
        limit: The largest value of p. Above 0.8 the changes leak into what is generated.
        adaptive: Whether p moves.

    Reference: Karras et al. 2020 (arXiv:2006.06676).
    """

    def __init__(
        self,
        pipe: str | Sequence[str] = "color-geometry",
        *,
        target: float = 0.6,
        images: int = 500_000,
        interval: int = 4,
        strength: float = 0.0,
        limit: float = 0.8,
        adaptive: bool = True,
        **options,
    ):
        super().__init__(**options)
        names = kgan.names.look_up("pipe", pipe, PIPES) if isinstance(pipe, str) else pipe
        for name in names:
            kgan.names.check("change", name, CHANGES)
        if not 0 <= target <= 1:
            raise ValueError(f"target must be in [0, 1], got {target}.")
        if images < 1 or interval < 1:
            raise ValueError(f"images and interval must be at least 1, got {images}, {interval}.")
        if not 0 <= strength <= limit <= 1:
            raise ValueError(
                f"strength and limit must be in [0, 1], and strength at most limit, got "
                f"{strength} and {limit}."
            )
        self.pipe = pipe if isinstance(pipe, str) else tuple(pipe)
        self.changes = tuple(name for name in CHANGES if name in names)
        self.target = target
        self.images = images
        self.interval = interval
        self.first_strength = strength
        self.limit = limit
        self.adaptive = adaptive
        self.strength = self._scalar("strength", strength, "only_first_replica")
        # Of the margins since p moved last: the sum over steps of their mean sign.
        self.signs = self._scalar("signs", 0.0, "mean")
        self.observed = add_counter(self, "observed")

    def _scalar(self, name: str, value: float, aggregation: str) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation=aggregation,
        )

    def change(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        chance = Chance(seed, images, tf.convert_to_tensor(self.strength))
        return changed(images, self.changes, chance)

    def observe(self, margins: tf.Tensor) -> None:
        if self.adaptive:
            sign = tf.reduce_mean(tf.sign(margins))
            self.signs.assign(tf.convert_to_tensor(self.signs) + sign)
            self.observed.assign_add(1)

    def adapt(self, step: tf.Tensor, images: tf.Tensor) -> None:
        if not self.adaptive:
            return
        due = tf.equal((step + 1) % self.interval, 0)
        count = tf.cast(tf.convert_to_tensor(self.observed), tf.float32)
        signs, strength = (tf.convert_to_tensor(one) for one in (self.signs, self.strength))
        direction = tf.sign(signs / tf.maximum(count, 1.0) - self.target)
        pace = self.interval * tf.cast(images, tf.float32) / self.images
        moved = tf.clip_by_value(strength + direction * pace, 0.0, self.limit)
        self.strength.assign(tf.where(due, moved, strength))
        self.signs.assign(tf.where(due, 0.0, signs))
        observed = tf.convert_to_tensor(self.observed)
        self.observed.assign(tf.where(due, tf.zeros_like(observed), observed))

    def logs(self) -> dict[str, tf.Tensor]:
        return {"augmentation": tf.convert_to_tensor(self.strength)}

    def get_config(self):
        return {
            **super().get_config(),
            "pipe": self.pipe,
            "target": self.target,
            "images": self.images,
            "interval": self.interval,
            "strength": self.first_strength,
            "limit": self.limit,
            "adaptive": self.adaptive,
        }
