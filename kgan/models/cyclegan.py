"""Translation between two domains from samples that are not paired."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

import kgan.kinds
import kgan.losses
import kgan.names
import kgan.random
from kgan.kinds import Kind
from kgan.models.image_pool import ImagePool
from kgan.models.learning_rate import ConstantThenLinear  # noqa: F401 (optimizers in files have it)
from kgan.models.output_activation import check_logits
from kgan.models.translation import Translation, of_one_input

DIRECTIONS = ("a_to_b", "b_to_a")


@keras.saving.register_keras_serializable(package="kgan")
class CycleGAN(Translation):
    """Two generators and two discriminators that learn to translate between domains A and B.

    The generators must fool the discriminator of the domain that they make, and there and back
    must give what was there before (the cycle). A step is a half-step of both generators and then
    one of both discriminators, which are shown the same translations, partly exchanged for earlier
    ones. `compile` takes `g_optimizer` and `d_optimizer`.

    Args:
        a_to_b: Built Keras model, samples of A (batch, ...) to samples of B. Images are in [0, 1].
        b_to_a: Built Keras model, samples of B to samples of A.
        discriminator_a: Built Keras model, samples of A to logits: one a sample (batch,) or a map
            of them (batch, ...), whose mean counts.
        discriminator_b: The same for B.
        loss: A key of `kgan.losses.LOSSES`, an `AdversarialLoss`, or a pair of callables
            `(real_logits, fake_logits) -> loss of each logit`.
        cycle_weight: Weight of the mean absolute difference between a sample and its translation
            there and back, as published: see below; 0 leaves this out.
        identity_weight: Weight of the mean absolute difference between a sample and what the
            generator that makes its domain gives for it, as published; 0 leaves this out. Both
            domains must have one shape otherwise.
        pool_size: Translations of each domain that are kept for the discriminators (`ImagePool`);
            0 keeps none.
        consistency: Built Keras classifier that takes samples of both domains and gives logits
            (batch, classes), such as one that learnt from the labels of A. What it takes a sample
            for, it must take the translation for too. It does not learn. For domain adaptation:
            translations of A keep their labels then, and train a classifier of B.
        consistency_weight: Weight of this cross-entropy, above 0 where there is a classifier.
        consistency_domains: Whose samples the classifier judges: as published those of both, "a"
            and "b". A classifier that knows A alone takes samples of B for what they are not, and
            then holds their translations to it.
        seed: Seed of the choices of the pools, an int in [0, 2**31 - 1].
        kind_a: What a sample of A is; where `None`, what `kgan.kinds.of_array` says of its shape.
        kind_b: The same for B.

    The published weights, 10 and 5, stand beside a squared distance of the logits from 1 and
    belong to images in [-1, 1]. `kgan.losses.least_squares` is half of that distance, and images
    in [0, 1] lie half as far apart: so these numbers are applied to them as they are.

    `fit` takes batches `(a, b)`, such as those of `kgan.data.feed_apart`. Logs: `d_loss` and
    `g_loss` (adversarial; means of both domains), `cycle` and `identity` (mean absolute
    differences, not weighted; means of both domains), and `consistency` (a cross-entropy in nats,
    likewise).

    Reference:
        Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial
        networks", sections 3 and 4 (arXiv:1703.10593); identity: section 5.2. Consistency:
        Hoffman et al. 2018, "CyCADA: cycle-consistent adversarial domain adaptation", equation 4
        (arXiv:1711.03213).

    Example:

    ```python
    shape = (128, 128, 3)
    gan = kgan.models.CycleGAN(
        kgan.networks.translation_generator(shape),
        kgan.networks.translation_generator(shape),
        kgan.networks.patch_discriminator(shape),
        kgan.networks.patch_discriminator(shape),
    )
    gan.compile(
        g_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    gan.fit(kgan.data.feed_apart(domains, batch_size=1), steps_per_epoch=1000, epochs=200)
    zebras = gan.translate(horses, "a_to_b")
    ```
    """

    optimizers: ClassVar = {
        "g_optimizer": DIRECTIONS,
        "d_optimizer": ("discriminator_a", "discriminator_b"),
    }
    logs: tuple[str, ...] = ("d_loss", "g_loss", "cycle", "identity", "consistency")
    judges: ClassVar = ("discriminator_a", "discriminator_b")
    directions: ClassVar[tuple[str, ...]] = DIRECTIONS
    family: ClassVar = "cyclegan"
    trains_on: ClassVar = (
        "samples of its two domains: kgan.data.feed_apart(domains, batch_size) gives them"
    )

    def __init__(
        self,
        a_to_b: keras.Model,
        b_to_a: keras.Model,
        discriminator_a: keras.Model,
        discriminator_b: keras.Model,
        *,
        loss: str | kgan.losses.AdversarialLoss | tuple = "least_squares",
        cycle_weight: float = 10.0,
        identity_weight: float = 5.0,
        pool_size: int = 50,
        consistency: keras.Model | None = None,
        consistency_weight: float = 0.0,
        consistency_domains: Sequence[str] = ("a", "b"),
        seed: int = 0,
        kind_a: Kind | None = None,
        kind_b: Kind | None = None,
        **options,
    ):
        super().__init__(**options)
        weights = {
            "cycle_weight": cycle_weight,
            "identity_weight": identity_weight,
            "consistency_weight": consistency_weight,
        }
        for name, weight in weights.items():
            if not weight >= 0:
                raise ValueError(f"{name} must be at least 0, got {weight}.")
        self.a_to_b, self.b_to_a = a_to_b, b_to_a
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        shapes = _checked_shapes(a_to_b, b_to_a, discriminator_a, discriminator_b)
        if identity_weight and shapes[0] != shapes[1]:
            raise ValueError(
                "identity_weight must be 0 where the domains have different shapes, here "
                f"{shapes[0]} and {shapes[1]}, got {identity_weight}: what makes B cannot be given "
                "samples of B."
            )
        _check_consistency(consistency, consistency_weight, shapes)
        for domain in consistency_domains:
            kgan.names.check("consistency_domains", domain, ("a", "b"))
        if consistency is not None and not consistency_domains:
            raise ValueError("consistency_domains must be a, b or both, got none.")
        self.consistency_domains = tuple(consistency_domains)
        self._take_kinds(kind_a, kind_b, shapes)
        self.loss_spec = loss
        self.adversarial_loss = kgan.losses.get(loss)
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.pool_size = pool_size
        self.seed = kgan.random.check_seed(seed)
        self.pool_a, self.pool_b = (
            ImagePool(pool_size, shape, name=f"pool_{name}")
            for name, shape in zip("ab", shapes, strict=True)
        )
        self.consistency, self.consistency_weight = consistency, consistency_weight
        if consistency is not None:
            consistency.trainable = False
        weighs = {
            "cycle": cycle_weight,
            "identity": identity_weight,
            "consistency": consistency_weight,
        }
        self.logs = tuple(name for name in self.logs if weighs.get(name, 1.0))
        self._start()

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        a, b = self._taken(data)
        fake_a, fake_b = self._generators_half_step(a, b)
        seeds = [kgan.random.step_seed(self.seed, self._step(), f"pool {name}") for name in "ab"]
        fake_a = self.pool_a.exchange(tf.cast(fake_a, tf.float32), seeds[0])
        fake_b = self.pool_b.exchange(tf.cast(fake_b, tf.float32), seeds[1])
        self._minimise("d_optimizer", lambda: self._discriminator_losses(a, b, fake_a, fake_b))
        return self._end_step()

    def _generators_half_step(self, a, b) -> tuple[tf.Tensor, tf.Tensor]:
        """Updates both generators; returns the translations of before, of A and of B."""
        fakes: list[tf.Tensor] = []

        def losses():
            fakes[:] = [self.b_to_a(b, training=True), self.a_to_b(a, training=True)]
            return self._generator_losses(a, b, *fakes, training=True)

        self._minimise("g_optimizer", losses)
        fake_a, fake_b = fakes
        return fake_a, fake_b

    def _generator_losses(self, a, b, fake_a, fake_b, *, training: bool) -> list[tf.Tensor]:
        """Values per sample, weighted: adversarial, of the cycles, and of the identity."""
        adversarial = [
            self._fool(self.discriminator_a, a, fake_a, training=training),
            self._fool(self.discriminator_b, b, fake_b, training=training),
        ]
        self._log(g_loss=_mean(adversarial))
        weighted = list(adversarial)
        for name, weight, of_b, of_a in (
            ("cycle", self.cycle_weight, fake_b, fake_a),
            ("identity", self.identity_weight, a, b),
        ):
            if weight:
                distances = [
                    _distance(self.b_to_a(of_b, training=training), a),
                    _distance(self.a_to_b(of_a, training=training), b),
                ]
                self._log(**{name: _mean(distances)})
                weighted += self._weighted(weight, distances)
        if self.consistency is not None:
            judged = {"a": (a, fake_b), "b": (b, fake_a)}
            consistency = [self._changes_class(*judged[one]) for one in self.consistency_domains]
            self._log(consistency=_mean(consistency))
            weighted += [self.consistency_weight * one for one in consistency]
        return weighted

    def _changes_class(self, samples, translated) -> tf.Tensor:
        """The cross-entropy of translations with the classes of what they are made of."""
        assert self.consistency is not None
        labels = tf.argmax(self.consistency(samples, training=False), axis=-1)
        logits = tf.cast(self.consistency(translated, training=False), tf.float32)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def _discriminator_losses(self, a, b, fake_a, fake_b, *, training=True) -> list[tf.Tensor]:
        losses = [
            kgan.losses.per_sample(
                self.adversarial_loss.discriminator(
                    _judge(discriminator, real, training), _judge(discriminator, fake, training)
                )
            )
            for discriminator, real, fake in (
                (self.discriminator_a, a, fake_a),
                (self.discriminator_b, b, fake_b),
            )
        ]
        self._log(d_loss=_mean(losses))
        return losses

    def _fool(self, discriminator, real, fake, *, training: bool) -> tf.Tensor:
        needs_real = self.adversarial_loss.generator_needs_real
        real_logits = _judge(discriminator, real, training) if needs_real else None
        fake_logits = _judge(discriminator, fake, training)
        return kgan.losses.per_sample(self.adversarial_loss.generator(real_logits, fake_logits))

    def _weighted(self, published: float, distances: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Distances times a published weight, in the scale of this class's losses."""
        # Published beside twice this loss (least squares), for samples that many times as wide.
        return [
            published * kind.published_width / 2.0 * distance
            for kind, distance in zip(self.kinds, distances, strict=True)
        ]

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """The losses in inference mode, without the pools; no weight is updated."""
        a, b = self._taken(data)
        fakes = self.b_to_a(b, training=False), self.a_to_b(a, training=False)
        self._generator_losses(a, b, *fakes, training=False)
        self._discriminator_losses(a, b, *fakes, training=False)
        return self._result(*self.logs)

    # Saving

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "loss": self.loss_spec,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
            "pool_size": self.pool_size,
            "consistency": (
                None
                if self.consistency is None
                else keras.saving.serialize_keras_object(self.consistency)
            ),
            "consistency_weight": self.consistency_weight,
            "consistency_domains": list(self.consistency_domains),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        # Files of earlier versions have none.
        restored = {}
        if config.get("consistency") is not None:
            restored["consistency"] = keras.saving.deserialize_keras_object(
                config["consistency"], custom_objects=custom_objects
            )
        return super().from_config({**config, **restored}, custom_objects)


def _judge(discriminator: keras.Model, samples: tf.Tensor, training: bool) -> tf.Tensor:
    return tf.cast(discriminator(samples, training=training), tf.float32)


def _distance(samples: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    return kgan.losses.l1(tf.cast(samples, tf.float32), others)


def _mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(list(values)) / len(values)


def _check_consistency(
    classifier: keras.Model | None, weight: float, shapes: Sequence[tuple[int, ...]]
) -> None:
    """Raises unless both are given or none, and the classifier takes samples of both domains."""
    if (classifier is None) != (weight == 0):
        raise ValueError(
            "consistency and a consistency_weight above 0 belong together, got "
            f"{'none' if classifier is None else classifier.name} and {weight}."
        )
    if classifier is None:
        return
    of_one_input({"consistency": classifier})
    taken, given = (tuple(one[0].shape[1:]) for one in (classifier.inputs, classifier.outputs))
    if set(shapes) != {taken}:
        raise ValueError(
            f"consistency must take samples of both domains, {shapes[0]} and {shapes[1]}, got a "
            f"classifier of {taken}."
        )
    if len(given) != 1 or not given[0] or given[0] < 2:
        raise ValueError(f"consistency must give logits (batch, classes), got {given}.")
    check_logits("consistency", classifier)


def _checked_shapes(
    a_to_b: keras.Model,
    b_to_a: keras.Model,
    discriminator_a: keras.Model,
    discriminator_b: keras.Model,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of a sample of A and of one of B, on which all networks must agree."""
    networks = {
        "a_to_b": a_to_b,
        "b_to_a": b_to_a,
        "discriminator_a": discriminator_a,
        "discriminator_b": discriminator_b,
    }
    of_one_input(networks)
    a, b = (tuple(network.inputs[0].shape[1:]) for network in (a_to_b, b_to_a))
    for name, shape in (("a_to_b", a), ("b_to_a", b)):
        if None in shape:
            raise ValueError(f"{name} must take samples of one shape, got {shape}.")
    wanted = {"a_to_b": b, "b_to_a": a}
    for name, shape in wanted.items():
        made = tuple(networks[name].outputs[0].shape[1:])
        if made != shape:
            raise ValueError(f"{name} must give samples of the shape {shape}, got {made}.")
    for name, shape in (("discriminator_a", a), ("discriminator_b", b)):
        taken = tuple(networks[name].inputs[0].shape[1:])
        if taken != shape:
            raise ValueError(f"{name} must take samples of the shape {shape}, got {taken}.")
    return a, b
