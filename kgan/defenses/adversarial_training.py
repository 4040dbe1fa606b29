"""Adversarial training of any Keras classifier, with `compile` and `fit`."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.losses
import kgan.names
import kgan.random
from kgan.attacks import Attack
from kgan.attacks.checks import check_count, check_norm, check_radius
from kgan.attacks.norms import NORMS, steepest
from kgan.attacks.victim import Victim, victim_of
from kgan.counter import add_counter
from kgan.defenses.checks import check_classifier, check_loss, check_trainable, class_indices
from kgan.defenses.methods import METHODS
from kgan.defenses.weight_perturbation import gradients_at_the_worst
from kgan.models.batches import unpacked
from kgan.models.gradient_update import apply_gradients
from kgan.models.image_range import check_float, check_range, with_checked_images
from kgan.models.mended_fit import MendedFit
from kgan.models.norm_ball import usual_radius

# Height and width at which a classifier of images of any size is looked at.
_LOOKED_AT = 64


@keras.saving.register_keras_serializable(package="kgan")
class AdversarialTraining(MendedFit):
    """Trains a classifier on images that an attack has changed to fool it.

    Compile and fit it as you would the classifier, with the loss that suits its head and the format
    of its labels. `classifier` is trained in place and stays the plain model it was: save it, load
    it and use it alone. `evaluate` and `predict` are the classifier's, on clean images.

    In each step the attack runs inside the step's graph against the classifier in inference mode
    (batch normalisation by its moving statistics, no dropout), as an attacker will meet it. The
    update runs in training mode. ("free" has one pass for both, in training mode.) All random
    numbers are a pure function of (`seed`, step, position in the global batch), so a run that is
    saved and loaded goes on as if it had not stopped.

    Args:
        classifier: A built Keras classifier of images in [0, 1], with logits, a softmax, a sigmoid
            or a single logit; or a `kgan.attacks.Victim` that declares another range, its head, or
            which of several outputs the class scores are (the others are then left as they are).
            The images of `fit`, `evaluate` and `predict` are in [0, 1] all the same. They may have
            any height and width if the classifier takes such (not for "free").
        method: A key of `METHODS`:
            "fgsm": one step of length `epsilon`; half of each batch stays clean;
            "fast": one step of `1.25 * epsilon` from a random start. Use an `OverfittingGuard`;
            "free": each batch is used `replays` times, and each backward pass gives both the
            weights' gradient and the perturbation's, which is carried over to the next batch.
            Divide the epochs by `replays`;
            "pgd": 10 steps from a random start;
            "trades": the compiled loss on clean images plus `beta` times the divergence between the
            answers to clean and adversarial images;
            "mart": the compiled loss on adversarial images, a margin, and a divergence that weighs
            more where the clean image is misjudged.
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        norm: "linf", "l2" or "l1".
        attack: In place of the method's own attack (then `epsilon` and `norm` are not used): an
            attack with a last iterate, such as `PGD(8 / 255, steps=7)` or `APGD(8 / 255, steps=7)`
            (trained on is the image of the highest loss), or several.
        shares: Share of each batch for each attack; what they leave of 1 stays clean. By default
            the attacks share equally what the method does not keep clean.
        beta: Weight of the divergence; by default 6 for "trades" (the paper has 1 for MNIST) and 5
            for "mart".
        awp: Adversarial weight perturbation (Wu et al. 2020): each update's gradient is taken where
            every kernel has moved by this share of its length to raise the loss; the paper has
            0.005 to 0.01. It costs one more pass of the update; `None` for none. Not for "free".
        warmup: Updates in which the perturbation grows from nothing to its full length, after Liu
            et al. 2020 (arXiv:2006.08403); none by default. With a large radius, training that
            starts at full length may not get going, or lose its hold, by the luck of the seed. Not
            for "free".
        replays: Updates on each batch, for "free"; 8 by default.
        batch_size: The largest batch that `fit` will see; for "free" only, whose perturbation has
            its size.
        seed: Seed of all random numbers, an int in [0, 2**31 - 1].

    The logs are those of the compiled loss and metrics on the images they saw: adversarial (and
    clean where the batch is mixed), but clean for "trades". `loss` includes what the method adds.

    Example:

    ```python
    training = kgan.defenses.AdversarialTraining(classifier, method="fast", epsilon=0.3)
    training.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = kgan.defenses.OverfittingGuard(held_images, held_labels, epsilon=0.3)
    training.fit(images, labels, batch_size=100, epochs=10, callbacks=[guard])
    classifier.save("hardened.keras")
    ```
    """

    def __init__(
        self,
        classifier: keras.Model | Victim,
        *,
        method: str = "pgd",
        epsilon: float | None = None,
        norm: str = "linf",
        attack: Attack | Sequence[Attack] | None = None,
        shares: Sequence[float] | None = None,
        beta: float | None = None,
        awp: float | None = None,
        warmup: int | None = None,
        replays: int | None = None,
        batch_size: int | None = None,
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        self._given = classifier if isinstance(classifier, Victim) else None
        classifier = check_classifier(classifier)
        row = kgan.names.look_up("method", method, METHODS)
        self.classifier = classifier
        self.method = method
        self.norm = check_norm(norm, NORMS)
        self.epsilon = check_radius("epsilon", usual_radius(epsilon, norm), norm)
        self.seed = kgan.random.check_seed(seed)
        self.beta = _only("beta", beta, row.beta, method)
        self.awp = _only("awp", awp, None if row.attack is None else 0.0, method)
        self.warmup = _only("warmup", warmup, None if row.attack is None else 0, method)
        replays = _only("replays", replays, row.replays if row.attack is None else None, method)
        self.replays = 1 if replays is None else check_count("replays", replays)
        self.attacks = self._attacks(attack)
        self.shares = self._shares(shares)
        self.batch_size = batch_size
        # The inner attack's shapes change as it runs, which XLA cannot compile: Keras warns of
        # jit_compile=True and goes on without.
        self.supports_jit = False
        self.step = add_counter(self, "step")
        self._seen: tuple[Any, Victim] | None = None
        self._perturbation: Any = None
        if row.attack is None:
            self._perturbation = self._carried(batch_size)
        elif batch_size is not None:
            raise ValueError(f"batch_size is for the method free, got {batch_size} with {method}.")
        self.built = True

    def _attacks(self, attack: Attack | Sequence[Attack] | None) -> list[Attack]:
        own = METHODS[self.method].attack
        if own is None:
            if attack is not None:
                raise ValueError("attack must be None for the method free, which is its own.")
            return []
        if attack is None:
            return [own(self.epsilon, self.norm)]
        attacks = [attack] if isinstance(attack, Attack) else list(attack)
        if not attacks:
            raise ValueError("attack must not be empty.")
        for one in attacks:
            if not isinstance(one, Attack):
                raise TypeError(f"attack must be an attack such as PGD(0.3), got {one!r}.")
            if not one.has_last_iterate:
                raise ValueError(
                    f"attack must have a last iterate to train on, which {type(one).__name__} has "
                    "not. Take PGD, APGD, FGSM, MomentumPGD or RandomNoise."
                )
            if one.needs_targets:
                raise ValueError(f"attack must need no targets, got {one!r}.")
        return attacks

    def _shares(self, shares: Sequence[float] | None) -> list[float]:
        n = len(self.attacks)
        if n == 0:
            if shares is not None:
                raise ValueError("shares must be None for the method free.")
            return []
        if shares is None:
            return [(1.0 - METHODS[self.method].clean_share) / n] * n
        values = [float(share) for share in shares]
        if len(values) != n or min(values) < 0 or not 0 < sum(values) <= 1 + 1e-6:
            raise ValueError(
                f"shares must be {n} number(s) of at least 0 with a sum in (0, 1], got {shares}."
            )
        return values

    def _carried(self, batch_size: int | None):
        """The perturbation of "free", which lives as long as the training."""
        if batch_size is None:
            raise ValueError("batch_size must be given for the method free: that of fit.")
        if self.norm != "linf":
            raise ValueError(f"norm must be 'linf' for the method free, got {self.norm!r}.")
        shape = self.victim.image_shape or (None,)
        if None in shape:
            raise ValueError(f"the method free needs a fixed image shape, got {shape}.")
        return self.add_weight(
            name="perturbation",
            shape=(check_count("batch_size", batch_size), *shape),
            initializer="zeros",
            trainable=False,
        )

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        images, labels, sample_weight = unpacked(data)
        images = self._check(images, labels)
        check_trainable(self.classifier)
        if METHODS[self.method].attack is None:
            outputs = self._free_updates(images, labels, sample_weight)
        else:
            adversarial = self._perturb(images, labels)
            outputs = self._update(images, adversarial, labels, sample_weight)
        self.step.assign_add(1)
        return self.compute_metrics(images, labels, outputs, sample_weight)

    def test_step(self, data) -> dict[str, tf.Tensor]:
        return super().test_step(with_checked_images(data))

    def predict_step(self, data) -> tf.Tensor:
        return super().predict_step(with_checked_images(data))

    def _perturb(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The batch, each attack's share of it replaced by adversarial images."""
        victim = self._victim(images)
        step = tf.convert_to_tensor(self.step)
        victim.rewind(step)
        classes = class_indices(labels, victim)
        local = tf.shape(images)[0]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        first = local * tf.distribute.get_replica_context().replica_id_in_sync_group
        # The attacks take the end of the global batch, in turn; this replica has a piece of it.
        ends = 1.0 - sum(self.shares) + np.cumsum([0.0, *self.shares])
        ends = tf.cast(tf.round(ends * tf.cast(local * replicas, tf.float64)), tf.int32)
        ends = tf.clip_by_value(ends - first, 0, local)
        pieces = [images[: ends[0]]]
        for number, attack in enumerate(self.attacks):
            rows = slice(ends[number], ends[number + 1])
            pieces.append(
                attack.perturb(
                    victim.logits,
                    images[rows],
                    classes[rows],
                    seed=kgan.random.step_seed(self.seed, step, f"attack {number}"),
                    indices=first + tf.range(local)[rows],
                )
            )
        adversarial = tf.ensure_shape(tf.concat(pieces, axis=0), images.shape)
        if not self.warmup:
            return adversarial
        missing = tf.maximum(1.0 - tf.cast(step + 1, tf.float32) / self.warmup, 0.0)
        return adversarial - missing * (adversarial - images)

    def _update(
        self, images: tf.Tensor, adversarial: tf.Tensor, labels: tf.Tensor, sample_weight
    ) -> tf.Tensor:
        """One update of the weights; the outputs that the compiled loss judged."""
        variables = self.classifier.trainable_variables

        def objective() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            loss, judged = self._loss(images, adversarial, labels, sample_weight)
            return self.optimizer.scale_loss(loss), loss, judged

        if self.awp:
            gradients, found = gradients_at_the_worst(self.classifier, objective, self.awp)
        else:
            with tf.GradientTape() as tape:
                found = objective()
            gradients = tape.gradient(found[0], variables)
        _, loss, judged = found
        self._record(loss, images)
        apply_gradients(self.optimizer, *self._reached(gradients, variables))
        return judged

    def _reached(self, gradients: list[Any], variables: list[Any]) -> tuple[list[Any], list[Any]]:
        """Without the variables of outputs that were declared to be left as they are."""
        if self.victim.declared["output"] is None:
            return gradients, variables
        pairs = [pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None]
        return [gradient for gradient, _ in pairs], [variable for _, variable in pairs]

    def _loss(
        self, images: tf.Tensor, adversarial: tf.Tensor, labels: tf.Tensor, sample_weight
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The method's loss, and the outputs that the compiled part of it judged."""
        method = METHODS[self.method]
        judged = adversarial_outputs = self.victim.outputs(adversarial, training=True)
        if method.term is not None:
            clean_outputs = self.victim.outputs(images, training=True)
            judged = clean_outputs if method.judged == "clean" else adversarial_outputs
        loss = self.compute_loss(images, labels, judged, sample_weight, training=True)
        if method.term is not None:
            victim = self._victim(images)
            extra = method.term(
                victim.logits_of(clean_outputs),
                victim.logits_of(adversarial_outputs),
                class_indices(labels, victim),
                self.beta,
            )
            if sample_weight is not None:
                extra *= tf.reshape(tf.cast(sample_weight, extra.dtype), [-1])
            loss += kgan.losses.reduce(extra)
        return loss, judged

    def _free_updates(self, images: tf.Tensor, labels: tf.Tensor, sample_weight) -> tf.Tensor:
        """`replays` updates, each with one backward pass for the weights and the perturbation."""
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError("the method free works on one replica only: it carries a state.")
        n = tf.shape(images)[0]
        message = f"the method free was given batch_size={self.batch_size}, got a larger batch."
        if images.shape[0] is not None and images.shape[0] > self.batch_size:
            raise ValueError(message)
        with tf.control_dependencies(
            [tf.debugging.assert_less_equal(n, self.batch_size, message=message)]
        ):
            perturbation = tf.convert_to_tensor(self._perturbation)[:n]
        variables = self.classifier.trainable_variables
        for _ in range(self.replays):
            with tf.GradientTape() as tape:
                adversarial = tf.clip_by_value(images + perturbation, 0.0, 1.0)
                tape.watch(adversarial)
                outputs = self.victim.outputs(adversarial, training=True)
                loss = self.compute_loss(images, labels, outputs, sample_weight, training=True)
                scaled = self.optimizer.scale_loss(loss)
            self._record(loss, images)
            ascent, *gradients = tape.gradient(scaled, [adversarial, *variables])
            apply_gradients(self.optimizer, *self._reached(gradients, variables))
            perturbation += steepest(ascent, adversarial, self.epsilon, self.norm)
            perturbation = tf.clip_by_value(perturbation, -self.epsilon, self.epsilon)
        kept = tf.convert_to_tensor(self._perturbation)[n:]
        self._perturbation.assign(tf.concat([perturbation, kept], axis=0))
        return outputs

    def _record(self, loss: tf.Tensor, images: tf.Tensor) -> None:
        """Counts the loss in the logs."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self._loss_tracker.update_state(loss * replicas, sample_weight=tf.shape(images)[0])

    def _check(self, images, labels) -> tf.Tensor:
        if tf.executing_eagerly():
            raise ValueError("run_eagerly must be False: the inner attack needs a graph.")
        if labels is None:
            raise ValueError("adversarial training needs batches of (images, labels), got images.")
        images = check_float(images)
        if self.victim.image_shape is not None:
            wanted = [None, *self.victim.image_shape]
            if not images.shape.is_compatible_with(wanted):
                raise ValueError(
                    f"images must have the classifier's shape {self.victim.image_shape}, got "
                    f"{tuple(images.shape[1:])}."
                )
            # A data set may not know its shapes, or know less than the classifier.
            images = tf.ensure_shape(images, wanted)
        if images.shape.rank is None or images.shape[-1] is None:
            raise ValueError(
                f"images must have known axes and channels, got the shape {images.shape}: set it "
                "with tf.ensure_shape, such as [None, None, None, 3], or give the classifier a "
                "keras.Input of its images."
            )
        return check_range(images)

    @property
    def victim(self) -> Victim:
        """The classifier with what is declared of it, and with the loss that it is trained with."""
        loss = getattr(self, "loss", None)
        declared = {} if self._given is None else self._given.declared
        if self._seen is None or self._seen[0] is not loss:
            with tf.init_scope():
                self._seen = loss, Victim(self.classifier, loss=loss, **declared)
        return self._seen[1]

    def _victim(self, images: tf.Tensor) -> Victim:
        # Images of any size are looked at in one size; the head is that of all.
        shape = [_LOOKED_AT if side is None else side for side in images.shape[1:]]
        with tf.init_scope():
            victim = victim_of(self.victim, np.zeros((2, *shape), np.float32))
        check_loss(self.loss, victim)
        return victim

    def call(self, images, training=False):
        """The classifier's outputs."""
        if self._given is None:
            return self.classifier(images, training=training)
        return self.victim.outputs(tf.cast(images, tf.float32), training=training)

    # Saving

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        row = METHODS[self.method]
        return {
            **super().get_config(),
            "classifier": serialize(self.classifier),
            "declared": None if self._given is None else self._given.declared,
            "method": self.method,
            "epsilon": self.epsilon,
            "norm": self.norm,
            "attack": self._attack_config(),
            "shares": self.shares or None,
            "beta": self.beta,
            "awp": self.awp or None,
            "warmup": self.warmup or None,
            "replays": self.replays if row.attack is None else None,
            "batch_size": self.batch_size,
            "seed": self.seed,
        }

    def _attack_config(self) -> list[dict[str, Any]] | None:
        for attack in self.attacks:
            if getattr(attack, "network", None) is not None:
                raise ValueError(
                    f"a training against a fitted {type(attack).__name__} cannot be saved whole: "
                    "save its .classifier and the attack, and make the training anew from them."
                )
        return [keras.saving.serialize_keras_object(attack) for attack in self.attacks] or None

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "AdversarialTraining":
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        config["classifier"] = restored_classifier(config, custom_objects)
        if config["attack"] is not None:
            config["attack"] = [deserialize(attack) for attack in config["attack"]]
        return cls(**config)


def restored_classifier(config: dict[str, Any], custom_objects=None) -> keras.Model | Victim:
    """The classifier of a configuration, with what was declared of it, which is taken out."""
    classifier = keras.saving.deserialize_keras_object(
        config["classifier"], custom_objects=custom_objects
    )
    # Files of earlier versions declare nothing.
    declared = config.pop("declared", None)
    return Victim(classifier, **declared) if declared else classifier


def _only(name: str, value, default, method: str):
    """A setting that some methods have: the method's default, or an error where it has none."""
    if value is None:
        return default
    if default is None:
        raise ValueError(f"{name} must be None for the method {method}, got {value}.")
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0, got {value}.")
    return value
