"""A GAN whose generator changes images to fool a classifier: AdvGAN's training step."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

import kgan.losses
import kgan.random
from kgan.endpoints import Endpoint, Endpoints, Request, check_labels, check_samples, finite, takes
from kgan.kinds import Images
from kgan.losses.fooling import FOOLING, euclidean, feature_loss, hinge_on_norm, lead
from kgan.models.batches import Batch, labels_of, parts_of, require, samples_of
from kgan.models.norm_ball import bounded, usual_radius, within_ball
from kgan.models.players import Players

WEIGHTS = {
    "margin": 10.0,
    "cross_entropy": 0.0,
    "features": 0.0,
    "gan": 1.0,
    "hinge": 0.0,
    "reconstruction": 0.0,
}
"""The terms of the generator's loss and their default weights."""


@keras.saving.register_keras_serializable(package="kgan")
class PerturbationGAN(Players):
    """Trains a generator of bounded perturbations against a fixed classifier, the victim.

    A step is a discriminator half-step, which tells clean images from adversarial ones, and a
    generator half-step on the weighted sum of

    - "margin": by how much the victim's logits miss the goal (Carlini and Wagner);
    - "cross_entropy": of the target, or minus that of the label;
    - "features": minus the distance of an inner layer's features from the clean image's;
    - "gan": the generator's adversarial loss;
    - "hinge": how far the perturbation's l2 norm exceeds `bound`; off by default, as the ball
      bounds the perturbation already;
    - "reconstruction": the mean squared change of a value.

    The perturbation is bounded by construction: `epsilon * tanh` in linf, a projection in l2; the
    adversarial image is `clip(image + perturbation, 0, 1)`.

    With a `surrogate` the victim is a black box: in each step, before the two half-steps, the
    surrogate is distilled on the victim's answers to the images and to their adversarial versions,
    and the generator follows the surrogate's gradients. The victim itself is only asked.

    `compile` takes `g_optimizer`, `d_optimizer` and, with a surrogate, `s_optimizer`.

    Args:
        generator: From `kgan.networks.perturbation_network`, or any model of its signature; it has
            the input `targets` where `targets` is "any", and the input `epsilon_share` where there
            is a `least_epsilon`.
        discriminator: Images to logits, one an image (batch,) or a map of them (batch, ...).
        epsilon: Radius of the ball, in units of images in [0, 1]. If `None`, one that is usual for
            grey images of digits: 0.3 in linf, 2 in l2.
        least_epsilon: Where given, each example's epsilon is drawn from `least_epsilon` to
            `epsilon`, and the generator is told; one network then serves all of them.
        norm: "linf" or "l2".
        targets: `None`: leave the label; a class: reach that one; "any": reach whatever class the
            generator is told, drawn for each example in training.
        weights: Weights of the terms; those left out keep their default in `WEIGHTS`.
        kappa: Logits by which the margin is to be passed.
        bound: l2 norm from which the hinge counts; by default half of what the ball allows.
        gan_loss: A key of `kgan.losses.LOSSES`.
        surrogate: An untrained classifier with logits, for a black box.
        seed: Seed of all draws, an int in [0, 2**31 - 1].

    Before `fit`, `set_victim` says whom to fool. `fit` takes batches of images, or of
    `(images, labels)`; without labels the victim's own answers are left. Logs: `d_loss`, `g_loss`,
    `success` (the share of the batch that fools the victim), `length` (mean l2 norm of the
    change), and `s_loss` with a surrogate.

    Reference:
        Xiao et al., "Generating adversarial examples with adversarial networks", 2018, section 3
        (arXiv:1801.02610).
    """

    optimizers: ClassVar = {
        "g_optimizer": ("generator",),
        "d_optimizer": ("discriminator",),
        "s_optimizer": ("surrogate",),
    }
    logs: tuple[str, ...] = ("d_loss", "g_loss", "success", "length")
    judges: ClassVar = ("discriminator", "surrogate")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        epsilon: float | None = None,
        least_epsilon: float | None = None,
        norm: str = "linf",
        targets: int | str | None = None,
        weights: Mapping[str, float] | None = None,
        kappa: float = 5.0,
        bound: float | None = None,
        gan_loss: str = "least_squares",
        surrogate: keras.Model | None = None,
        seed: int = 0,
        **options,
    ):
        super().__init__(**options)
        if norm not in ("linf", "l2"):
            raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}.")
        epsilon = usual_radius(epsilon, norm)
        if targets is not None and targets != "any" and not isinstance(targets, int):
            raise ValueError(f"targets must be None, a class number or 'any', got {targets!r}.")
        if least_epsilon is not None and not 0 <= least_epsilon <= epsilon:
            raise ValueError(
                f"least_epsilon must be in [0, epsilon = {epsilon:g}], got {least_epsilon:g}."
            )
        names = {tensor.name for tensor in generator.inputs}
        for name, wanted in (
            ("targets", targets == "any"),
            ("epsilon_share", least_epsilon is not None),
        ):
            if (name in names) != wanted:
                raise ValueError(
                    f"generator must {'' if wanted else 'not '}have an input {name!r} for "
                    f"targets={targets!r} and least_epsilon={least_epsilon!r}, "
                    f"has {', '.join(sorted(names))}."
                )
        self.generator = generator
        self.discriminator = discriminator
        self.surrogate: Any = surrogate
        self.epsilon = float(epsilon)
        self.least_epsilon = None if least_epsilon is None else float(least_epsilon)
        self.norm = norm
        self.targets = targets
        self.weights_of_terms = check_weights(weights)
        self.kappa = float(kappa)
        self.image_shape = tuple(generator.inputs[0].shape[1:])
        self.bound = bound
        self.gan_loss = gan_loss
        self.adversarial_loss = kgan.losses.get(gan_loss)
        self.seed = kgan.random.check_seed(seed)
        self._victim: Any = None
        self._features: Any = None
        self._lead: Any = lead
        if surrogate is not None:
            self.logs = (*self.logs, "s_loss")
        self._start()

    # Training

    def set_victim(
        self,
        logits: Callable[[tf.Tensor], tf.Tensor],
        features: Callable[[tf.Tensor], tf.Tensor] | None = None,
        *,
        lead: Callable[[tf.Tensor, tf.Tensor, bool], tf.Tensor] = lead,
    ) -> None:
        """Sets the classifier to fool, which is neither saved nor changed.

        Args:
            logits: Graph function from images to (batch, classes) logits in inference mode, such
                as that of `kgan.attacks.victim_of`.
            features: Graph function from images to an inner layer's features, for the term
                "features".
            lead: Function from logits, classes and whether these are to be reached to a number for
                each image that is above 0 where it counts as fooled; by how much another class is
                likelier by default. The term "margin" and the log "success" follow it.
        """
        if (features is None) != (self.weights_of_terms["features"] == 0):
            raise ValueError(
                "features must be given just where the weight of the term 'features' is not 0, "
                f"which is {self.weights_of_terms['features']:g}."
            )
        if features is not None and self.surrogate is not None:
            raise ValueError("features must be None with a surrogate: a black box shows none.")
        if (logits, lead) != (self._victim, self._lead) or features is not None:
            self.train_function = None  # Traced with the victim before.
        self._victim, self._features, self._lead = logits, features, lead

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        if self._victim is None:
            raise ValueError("there is no victim to fool yet: call set_victim before fit.")
        images, labels = self._taken(data)
        if labels is None:
            logits = tf.stop_gradient(self._victim(images))
            labels = tf.argmax(logits, axis=1, output_type=tf.int32)
        goals, epsilon = self._draw(labels)
        with tf.GradientTape() as generator_tape:
            adversarial = self.perturb(images, goals, epsilon, training=True)
        answers = None
        if self.surrogate is not None:
            answers = self._distill(images, adversarial)
        self._discriminator_half_step(images, adversarial)
        self._generator_half_step(images, adversarial, labels, goals, answers, generator_tape)
        return self._end_step()

    def _distill(self, images, adversarial) -> tf.Tensor:
        """Teaches the surrogate the victim's answers; returns those to the adversarial images."""
        both = tf.stop_gradient(tf.concat([images, adversarial], axis=0))
        answers = tf.stop_gradient(self._victim(both))

        def losses():
            logits = tf.cast(self.surrogate(both, training=True), tf.float32)
            loss = tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(answers), logits)
            self._log(s_loss=loss)
            return loss

        self._minimise("s_optimizer", losses)
        return answers[tf.shape(images)[0] :]

    def _discriminator_half_step(self, images, adversarial) -> None:
        def losses():
            real, fake = self._judge(images), self._judge(tf.stop_gradient(adversarial))
            loss = self.adversarial_loss.discriminator(real, fake)
            self._log(d_loss=loss)
            return loss

        self._minimise("d_optimizer", losses)

    def _generator_half_step(
        self, images, adversarial, labels, goals, answers, generator_tape
    ) -> None:
        def losses():
            guide = self._victim if self.surrogate is None else self.surrogate
            logits = tf.cast(guide(adversarial), tf.float32)
            fits = tf.reduce_all(labels < tf.shape(logits)[1])
            known = require(labels, fits, "labels must be the victim's classes, got", labels)
            loss = tf.zeros(tf.shape(known))
            for name, value in self._terms(images, adversarial, logits, known, goals):
                loss += self.weights_of_terms[name] * value
            said = logits if answers is None else answers
            self._log(
                g_loss=loss,
                success=self._lead(said, *_wanted(known, goals)) > 0.0,
                length=euclidean(adversarial - images),
            )
            return loss

        # As in GAN: the discriminator is the one of now, and no variable of the victim, the
        # surrogate or the discriminator is watched.
        self._minimise("g_optimizer", losses, through=(adversarial, generator_tape))

    def _judge(self, images) -> tf.Tensor:
        return tf.cast(self.discriminator(images, training=True), tf.float32)

    def _terms(self, images, adversarial, logits, labels, goals):
        """Pairs of a term's name and its values (batch,), of those with a weight."""
        used = {name for name, weight in self.weights_of_terms.items() if weight}
        change = adversarial - images
        wanted, targeted = _wanted(labels, goals)
        if "cross_entropy" in used:
            yield "cross_entropy", FOOLING["cross_entropy"](logits, wanted, targeted=targeted)
        if "margin" in used:
            how = {"targeted": targeted, "kappa": self.kappa, "lead": self._lead}
            yield "margin", FOOLING["margin"](logits, wanted, **how)
        if "features" in used:
            clean = tf.stop_gradient(self._features(images))
            yield "features", feature_loss(self._features(adversarial), clean)
        if "gan" in used:
            real = None
            if self.adversarial_loss.generator_needs_real:
                real = self._judge(images)
            loss = self.adversarial_loss.generator(real, self._judge(adversarial))
            yield "gan", kgan.losses.per_sample(loss)
        if "hinge" in used:
            yield "hinge", hinge_on_norm(change, self._bound())
        if "reconstruction" in used:
            yield "reconstruction", kgan.losses.per_sample(tf.square(change))

    def _bound(self) -> float:
        if self.bound is not None:
            return self.bound
        values = 1
        for side in self.image_shape:
            values *= side
        return 0.5 * self.epsilon * (values**0.5 if self.norm == "linf" else 1.0)

    def _draw(self, labels) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """The classes to reach and the radii of a batch; `None` where there is nothing to say."""
        batch = tf.shape(labels)[0]

        def uniform(purpose: str) -> tf.Tensor:
            seed = kgan.random.step_seed(self.seed, self._step(), purpose)
            return kgan.random.uniform(seed, [batch])

        goals = epsilon = None
        classes = self.num_classes
        if classes is not None:
            # Any class but the label's.
            further = tf.cast(uniform("targets") * (classes - 1.0), tf.int32)
            goals = (labels + 1 + further) % classes
        elif self.targets is not None:
            goals = tf.fill([batch], self.targets)
        if self.least_epsilon is not None:
            share = uniform("epsilon")
            epsilon = self.least_epsilon + share * (self.epsilon - self.least_epsilon)
        return goals, epsilon

    def _unpack(self, data: Any) -> Batch:
        if getattr(self, "run_eagerly", False):
            raise ValueError("run_eagerly must be False: the victim's logits need a graph.")
        images, labels = parts_of(data, "PerturbationGAN")
        images = samples_of(
            images,
            self.image_shape,
            Images(*self.image_shape),
            what="images",
            whose="the generator's",
        )
        found = None if labels is None else labels_of(labels, self.num_classes)
        return Batch(images, found)

    # Use

    def perturb(
        self,
        images: tf.Tensor,
        targets: tf.Tensor | None = None,
        epsilon: tf.Tensor | float | None = None,
        *,
        training: bool = False,
    ) -> tf.Tensor:
        """The adversarial images, whether they fool or not.

        Args:
            images: float32 (batch, height, width, channels) in [0, 1].
            targets: int (batch,): the classes to reach where `targets` is "any", else not used.
            epsilon: Radius of the ball, a scalar or (batch,); the one trained for if `None`.
            training: The generator's mode.
        """
        epsilon = self.epsilon if epsilon is None else epsilon
        inputs = [images]
        if self.targets == "any":
            inputs.append(targets)
        if self.least_epsilon is not None:
            share = tf.convert_to_tensor(epsilon, tf.float32) / (self.epsilon or 1.0)
            inputs.append(share + tf.zeros([tf.shape(images)[0]]))
        raw = self.generator(inputs if len(inputs) > 1 else images, training=training)
        raw = tf.cast(raw, tf.float32)
        return tf.clip_by_value(images + bounded(raw, epsilon, self.norm), 0.0, 1.0)

    def call(
        self,
        images: tf.Tensor,
        targets: tf.Tensor | None = None,
        epsilon: tf.Tensor | float | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """As `perturb`, in inference mode."""
        return self.perturb(images, targets, epsilon)

    @property
    def num_classes(self) -> int | None:
        """Number of classes that the generator can be told to reach; `None` if it takes none."""
        if self.targets != "any":
            return None
        return self.generator.get_layer("target").input_dim

    def endpoints(self) -> Endpoints:
        """Its one question, `perturb`: adversarial images, whether they fool or not.

        It takes `images`, `epsilon` (n,), of which no more than the trained one is used, and where
        the network serves all targets `targets` (n,).
        """
        inputs = takes(images=(self.image_shape, tf.float32), epsilon=((), tf.float32))
        kind, classes = Images(*self.image_shape), self.num_classes
        if classes is not None:
            inputs |= takes(targets=((), tf.int64))

        def perturb(request: Request) -> Request:
            images = check_samples(request, kind)
            epsilon = tf.clip_by_value(request["epsilon"], 0.0, self.epsilon)
            targets = None if classes is None else check_labels(request["targets"], classes)
            moved = self.perturb(images, targets, epsilon)
            return {"images": within_ball(moved, images, epsilon, self.norm)}

        return Endpoints(
            family="advgan",
            kind=kind,
            endpoints={"perturb": Endpoint(finite(perturb), inputs, "perturb")},
            tracked=(self.generator,),
            details={"image_shape": list(self.image_shape), "epsilon": self.epsilon},
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "least_epsilon": self.least_epsilon,
            "norm": self.norm,
            "targets": self.targets,
            "weights": self.weights_of_terms,
            "kappa": self.kappa,
            "bound": self.bound,
            "gan_loss": self.gan_loss,
            "seed": self.seed,
        }


def _wanted(labels: tf.Tensor, goals: tf.Tensor | None) -> tuple[tf.Tensor, bool]:
    """The classes to leave, or to reach, and whether they are to be reached."""
    return (labels, False) if goals is None else (goals, True)


def check_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """All weights by name; a weight that is not given gets its default."""
    given = {name: float(value) for name, value in (weights or {}).items()}
    if unknown := set(given) - set(WEIGHTS):
        raise ValueError(
            f"weights must be those of {', '.join(WEIGHTS)}, got {', '.join(sorted(unknown))}."
        )
    if low := [name for name, value in given.items() if not value >= 0]:
        raise ValueError(f"weights must be at least 0, got {given[low[0]]} for {low[0]}.")
    return {**WEIGHTS, **given}
