"""Base of all attacks: what each takes, and how it is called; a subclass adds one method."""

import copy
import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import demands, example_random
from kgan.attacks.attack_batch import AttackBatch
from kgan.attacks.attack_run import AttackRun, ball, finished
from kgan.attacks.checks import (
    check_count,
    check_images,
    check_indices,
    check_pixels,
)
from kgan.attacks.input_range import warn_of_range
from kgan.attacks.norms import NORMS
from kgan.attacks.result import Result
from kgan.attacks.victim import Victim, victim_of
from kgan.attacks.zero_gradients import warn_of_zero_gradients


class Attack:
    """Base of all attacks on image classifiers.

    A subclass takes its settings as keyword arguments of `__init__`, stores each under its own
    name, and implements `_attack`. Numeric settings that it lists in `tensors` are passed to the
    compiled function as tensors, so changing them does not compile again; changing any other
    setting does.

    Attributes:
        norms: The norms for which the attack is defined; empty if it uses none.
        tensors: Names of the settings that are passed as tensors.
        minimal: Whether the attack looks for the smallest change in `norm`, rather than for any
            change within `epsilon`.
        minimal_without_epsilon: Whether it does so where its `epsilon` is `None`; that of other
            attacks is then a usual one, see `kgan.models.norm_ball.USUAL_RADII`.
        targetable: Whether the attack accepts targets.
        needs_targets: Whether it was made to reach targets, and leaves no class without one.
        has_last_iterate: Whether the attack moves an image step by step towards a higher loss, so
            that the last image is useful even if it does not fool (for training and transfer).
        category: "white-box" if it follows gradients in many steps, "single-step" if in one step,
            "black-box" if it uses only the model's outputs, "noise" if it does not use the model,
            `None` if it mixes these. Comparing categories reveals gradient masking.
        adapts: Whether the adversarial images depend on the model under attack; those of noise
            and of a generator that was fitted before do not.
        needs: What the attack asks of the model: "gradients", "scores" (logits or probabilities),
            "labels", or "nothing".
        needs_pixels: Whether images must have the axes (height, width, channels).
        needs_classes: Whether it works with one class for each image, so that it takes no criterion
            without (see `kgan.attacks.Criterion.by_class`).
        takes_arrays: Whether radii may be arrays, and a mask may be given. The attack then reads
            the radius from its state (see `AttackBatch.start`) and never moves a masked value.
        quantize: Whether the adversarial images have 8 bits a value, as a PNG holds them: they are
            k / 255, inside of the ball, and judged as such. The clean images must be so too.
    """

    norms: tuple[str, ...] = NORMS
    tensors: tuple[str, ...] = ("seed",)
    minimal: bool = False
    minimal_without_epsilon: bool = False
    targetable = True
    needs_targets: bool = False
    has_last_iterate = False
    category: str | None = "white-box"
    adapts = True
    needs: str = "gradients"
    needs_pixels: bool = False
    needs_classes: bool = False
    takes_arrays: bool = False
    quantize: bool = False
    norm: str
    epsilon: Any
    seed: int

    @property
    def is_fitted(self) -> bool:
        """Whether the attack is ready to run; an attack that learns must `fit` first."""
        return True

    @property
    def has_budget(self) -> bool:
        """Whether the attack uses any change up to `epsilon`, rather than the smallest change."""
        return not self.minimal and getattr(self, "epsilon", None) is not None

    def attempts(self, victim: Victim) -> int:
        """How often the compiled attack is run on the images that are not fooled yet.

        A minimal attack is run on all images each time, to keep the smallest change.
        """
        return getattr(self, "restarts", 1)

    def prepared(self, model: keras.Model | Victim, images: np.ndarray) -> "Attack":
        """The same attack, ready for a data set: what it learns once, it has learnt from these."""
        return self

    def __call__(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any = None,
        *,
        targets: Any = None,
        batch_size: int = 256,
        indices: Any = None,
        mask: Any = None,
    ) -> Any:
        """Makes adversarial images.

        Args:
            model: Any Keras classifier, or a `Victim` that declares what it takes and gives.
            images: float32 array or tensor of shape (n, ...) in [0, 1].
            labels: The true classes: integers (n,), a column (n, 1), or one-hot (n, classes); or
                what else the victim's criterion takes; the model's own predictions if None.
            targets: Classes to reach, in the same formats; excludes `labels`.
            batch_size: Number of images attacked at a time.
            indices: Index (n,) of each image in its data set, which decides its random numbers;
                0, 1, ... if None. Pass it when a data set is attacked in pieces, so that the
                result of an image does not depend on the pieces.
            mask: Where the attack may change the images: True (or 1) there, of the shape of the
                images, or of one image or any other that broadcasts against them; everywhere if
                None.

        Returns:
            The adversarial images, of the same kind as `images`; clean where the attack failed.
        """
        result = self.run(
            model,
            images,
            labels,
            targets=targets,
            batch_size=batch_size,
            indices=indices,
            mask=mask,
        )
        if isinstance(images, tf.Tensor):
            return tf.constant(result.adversarial)
        return result.adversarial

    def run(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any = None,
        *,
        targets: Any = None,
        batch_size: int = 256,
        indices: Any = None,
        mask: Any = None,
    ) -> Result:
        """Makes adversarial images and says which of them fool; arguments as for calling it."""
        victim, result, indices = self._prepare(model, images, labels, targets, batch_size, indices)
        images = result.adversarial.copy()
        mask = demands.check_rows(self, images, mask)
        targeted = targets is not None
        if victim.random:
            # One answer may be luck, also that to a clean image.
            answers = victim.predict(images, batch_size=batch_size, indices=indices)
            result.success[:] = victim.fooled(answers, result.labels, targeted=targeted)
        run = AttackRun(self, victim, images, result, indices, targeted, batch_size, mask)
        for attempt in range(self.attempts(victim)):
            run.attempt(attempt, np.flatnonzero(~result.success | (self.minimal & (attempt > 0))))
        left = ~result.success
        warn_of_zero_gradients(
            self, victim, images[left], result.labels[left], indices[left], targeted=targeted
        )
        return result

    def _prepare(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any,
        targets: Any,
        batch_size: int,
        indices: Any,
    ) -> tuple[Victim, Result, np.ndarray]:
        """Checks the arguments; the result holds the clean images, for the attack to change."""
        images = check_images(images)
        batch_size = check_count("batch_size", batch_size)
        if labels is not None and targets is not None:
            raise ValueError("pass labels (classes to leave) or targets (to reach), not both.")
        if targets is not None and not self.targetable:
            raise ValueError(f"{type(self).__name__} cannot be targeted.")
        victim = victim_of(model, images)
        self.check(victim, images.shape[1:])
        if targets is not None and not victim.criterion.targetable:
            raise ValueError(f"targets must be left out for {victim.criterion!r}.")
        indices = check_indices(indices, len(images))
        if victim.held is not None:
            victim.held.check_rows(indices)
        if labels is None and targets is None:
            outputs = victim.predict(images, batch_size=batch_size, indices=indices)
            wanted = victim.criterion.truth_of(outputs)
        elif targets is None:
            wanted = victim.truth(labels, len(images))
            warn_of_range(victim, images, wanted, indices)
        else:
            wanted = victim.truth(targets, len(images), what="targets")
        return victim, Result(images.copy(), np.zeros(len(images), bool), wanted), indices

    def last_iterates(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any = None,
        *,
        targets: Any = None,
        batch_size: int = 256,
        indices: Any = None,
        mask: Any = None,
    ) -> np.ndarray:
        """The images at which the published algorithm ends, after one attempt, fooling or not.

        Useful for transfer and for comparisons with other implementations. The arguments are those
        of `__call__`.
        """
        if not self.has_last_iterate:
            raise ValueError(f"{type(self).__name__} has no last iterate; use run.")
        victim, result, indices = self._prepare(model, images, labels, targets, batch_size, indices)
        images = result.adversarial.copy()
        mask = demands.check_rows(self, images, mask)
        targeted = targets is not None
        run = AttackRun(
            self, victim, images, result, indices, targeted, batch_size, mask, plain=True
        )
        run.attempt(0, np.arange(len(images)))
        return result.adversarial

    def perturb(
        self,
        logits: Any,
        images: tf.Tensor,
        labels: tf.Tensor,
        *,
        seed: tf.Tensor | int | None = None,
        indices: tf.Tensor | None = None,
        targeted: bool = False,
    ) -> tf.Tensor:
        """The attack as graph operations, for use inside a training step.

        Makes one attempt. Attacks with `has_last_iterate` (PGD and its relatives) run as published,
        without early stop, and return the last iterate whether it fools or not, as adversarial
        training needs. Other attacks return images that fool, and clean images where they fail.
        This method checks nothing and compiles nothing.

        Args:
            logits: Function from images to (batch, classes) logits; the caller chooses its
                `training` mode.
            images: float32 tensor of shape (batch, ...) in [0, 1].
            labels: int tensor of shape (batch,), classes to leave, or to reach if `targeted`.
            seed: Overrides the attack's seed; a scalar, or a pair from `kgan.random.step_seed`.
            indices: Each example's index; its position in the batch if None.
            targeted: Whether the labels are classes to reach.

        Returns:
            float32 tensor like `images`; no gradient flows through it.
        """
        settings = self._settings()
        for name, value in settings.items():
            if np.ndim(value):
                raise ValueError(
                    f"{name} must be one number in a training step, got an array of "
                    f"{np.shape(value)}."
                )
        attack = self._with(settings)
        if indices is None:
            indices = tf.range(tf.shape(images)[0])
        words = tf.reshape(tf.cast(attack.seed if seed is None else seed, tf.int32), [-1])
        keys = tf.cast(indices, tf.int32)
        for word in tf.unstack(words):
            keys = example_random.example_keys(word, keys)
        batch = AttackBatch(
            logits=logits,
            images=tf.stop_gradient(images),
            labels=tf.cast(labels, tf.int32),
            keys=keys,
            targeted=targeted,
            plain=self.has_last_iterate,
            **ball(attack, images),
        )
        return tf.stop_gradient(finished(attack, batch, attack._attack(batch))[0])

    def _attack(self, batch: AttackBatch) -> dict[str, tf.Tensor]:
        """Attacks one batch, in graph mode, with every name in `tensors` bound to a tensor.

        Returns:
            "adversarial" (batch, ...) and "success" (batch,).
        """
        raise NotImplementedError

    def _settings(self) -> dict[str, float | int]:
        """The settings in `tensors`; defaults that depend on other settings are worked out."""
        return {name: getattr(self, name) for name in self.tensors}

    def _with(self, settings: dict[str, Any]) -> "Attack":
        attack = copy.copy(self)
        vars(attack).update(settings)
        return attack

    @property
    def needs_gradient(self) -> bool:
        """Whether the attack follows the gradients of the model that it is run on."""
        return self.category in ("white-box", "single-step")

    def check(self, victim: Victim, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` if this attack cannot be run on this model or image shape."""
        demands.check_shown(self, victim)
        demands.check_criterion(self, victim)
        if self.needs_pixels:
            check_pixels(type(self).__name__, shape)
            victim.check_layout(type(self).__name__, shape)
        self._check_against(victim, shape)

    def left_out(self, victim: Victim, shape: tuple[int, ...]) -> dict[str, str]:
        """The parts of this attack that cannot be run here: the reason of each, by its name."""
        return {}

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        """What `check` looks at besides the image's shape."""

    def get_config(self) -> dict[str, Any]:
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Attack":
        return cls(**config)

    def replace(self, **changes: Any) -> "Attack":
        """A copy with some settings changed: `attack.replace(epsilon=0.1)`."""
        return type(self).from_config({**self.get_config(), **changes})

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({settings})"
