"""Training a classifier whose robustness can be certified by interval bounds."""

from typing import Any

import keras
import tensorflow as tf

import kgan.losses
from kgan.attacks.checks import check_radius
from kgan.certificates.interval_bounds import margins, units_of
from kgan.counter import add_counter
from kgan.defenses.checks import check_classifier, check_trainable
from kgan.models.batches import labels_of, unpacked
from kgan.models.gradient_update import apply_gradients
from kgan.models.image_range import check_float, check_range, with_checked_images
from kgan.models.mended_fit import MendedFit


@keras.saving.register_keras_serializable(package="kgan")
class IntervalTraining(MendedFit):
    """Trains a classifier on the worst logits that interval bounds allow.

    The loss is `kappa` times the cross-entropy of the classifier's logits plus 1 - kappa times that
    of the worst ones, in which every other class has gained on the true one by as much as
    `kgan.certificates.interval_bounds.margins` cannot exclude. The radius grows from 0 to `epsilon`
    and kappa falls from 1 to `kappa` over `ramp` updates, after `warmup` updates without any ball.

    `classifier` is trained in place and stays a plain model.

    Args:
        classifier: A built Sequential or functional classifier of images in [0, 1] that ends in a
            dense layer of logits, made of the layers in `kgan.certificates.interval_bounds.LAYERS`.
        epsilon: Radius of the linf ball to train for, above 0. The paper trains for a radius
            larger than that of the test: .2 for .1, and .4 for .3.
        kappa: Weight of the clean loss in the end; the paper has 0.5.
        warmup: Number of updates on clean images; the paper has 2,000 of MNIST.
        ramp: Number of updates over which the ball grows; the paper has 10,000 of MNIST.

    Compile it with an optimizer and metrics of the logits; the loss is its own.

    Reference: Gowal et al. 2018, section 3.3, equation 12 (arXiv:1810.12715).
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        epsilon: float = 0.1,
        kappa: float = 0.5,
        warmup: int = 2000,
        ramp: int = 10_000,
        **options,
    ):
        super().__init__(**options)
        check_classifier(classifier)
        if not 0 <= kappa <= 1:
            raise ValueError(f"kappa must be in [0, 1], got {kappa}.")
        if warmup < 0 or ramp < 1:
            raise ValueError(f"warmup must be at least 0 and ramp 1, got {warmup} and {ramp}.")
        self.classifier = classifier
        self.epsilon = check_radius("epsilon", epsilon, "linf")
        self.kappa, self.warmup, self.ramp = float(kappa), int(warmup), int(ramp)
        self.step = add_counter(self, "step")
        self.built = True

    def train_step(self, data) -> dict[str, tf.Tensor]:
        images, labels, sample_weight = unpacked(data)
        images = check_range(check_float(images))
        check_trainable(self.classifier)
        classes = labels_of(labels, units_of(self.classifier))
        share = (tf.cast(self.step, tf.float32) - self.warmup) / self.ramp
        share = tf.clip_by_value(share, 0.0, 1.0)
        kappa = 1.0 - share * (1.0 - self.kappa)
        variables = self.classifier.trainable_variables
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        with tf.GradientTape() as tape:
            logits = self.classifier(images, training=True)
            worst = -margins(self.classifier, images, classes, share * self.epsilon)
            losses = kappa * cross_entropy(classes, logits)
            losses += (1.0 - kappa) * cross_entropy(classes, worst)
            if sample_weight is not None:
                losses *= tf.reshape(tf.cast(sample_weight, losses.dtype), [-1])
            loss = kgan.losses.reduce(losses)
            scaled = self.optimizer.scale_loss(loss)
        apply_gradients(self.optimizer, tape.gradient(scaled, variables), variables)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self._loss_tracker.update_state(loss * replicas, sample_weight=tf.shape(images)[0])
        self.step.assign_add(1)
        logs = self.compute_metrics(images, labels, logits, sample_weight)
        safe = tf.reduce_all(worst + tf.one_hot(classes, tf.shape(worst)[1], -1e9) < 0, axis=1)
        return logs | {"certified": tf.reduce_mean(tf.cast(safe, tf.float32))}

    def test_step(self, data) -> dict[str, tf.Tensor]:
        return super().test_step(with_checked_images(data))

    def predict_step(self, data) -> tf.Tensor:
        return super().predict_step(with_checked_images(data))

    def call(self, images, training=False):
        """The classifier's logits."""
        return self.classifier(images, training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "epsilon": self.epsilon,
            "kappa": self.kappa,
            "warmup": self.warmup,
            "ramp": self.ramp,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "IntervalTraining":
        config = dict(config)
        config["classifier"] = keras.saving.deserialize_keras_object(
            config["classifier"], custom_objects=custom_objects
        )
        return cls(**config)
