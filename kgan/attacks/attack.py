"""The template of all attacks: checks, batches, compiled runs, and one method left to fill."""

import copy
import dataclasses
import inspect
import json
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import draws
from kgan.attacks.checks import check_images, check_pixels
from kgan.attacks.norms import NORMS, length
from kgan.attacks.problem import Problem
from kgan.attacks.victim import Victim, victim_of
from kgan.labels import class_numbers


@dataclasses.dataclass(frozen=True)
class Result:
    """What an attack did to n images.

    Attributes:
        adversarial: float32 array of the images' shape; the clean image where it failed.
        success: bool array of shape (n,): misclassified (as the target, if there are targets).
            An image that was misclassified to begin with counts, and comes back unchanged.
        labels: int32 array of shape (n,): the classes attacked, or the targets to reach.
    """

    adversarial: np.ndarray
    success: np.ndarray
    labels: np.ndarray


class Attack:
    """Base of all attacks on image classifiers.

    A subclass states its settings as keyword arguments of `__init__`, stores each under its own
    name, and fills `_attack`. It names in `tensors` the numeric settings that enter the compiled
    function as tensors, so that changing them compiles nothing; all others are part of the
    function's key.

    Attributes:
        norms: The norms an algorithm is defined for; empty where it has none.
        tensors: Settings that are fed as tensors.
        minimal: Whether it looks for the smallest change in `norm`, not for any within `epsilon`.
        targetable: Whether it can be given targets.
        has_last_iterate: Whether it moves one image towards a higher loss, so that where it ends
            is worth having even if that does not fool (for training, and for transfer).
        category: "white-box" where it follows gradients step by step, "single-step" where it takes
            one step, "black-box" where it sees answers alone, "noise" where it sees nothing, and
            `None` where it mixes these. Signs of gradient masking show between the categories.
        adapts: Whether its images depend on the model that it is run on; noise and a generator
            that was fitted before do not.
        needs_pixels: Whether images must have the axes (height, width, channels).
    """

    norms: tuple[str, ...] = NORMS
    tensors: tuple[str, ...] = ("seed",)
    minimal: bool = False
    targetable = True
    has_last_iterate = False
    category: str | None = "white-box"
    adapts = True
    needs_pixels: bool = False
    norm: str
    seed: int

    @property
    def is_fitted(self) -> bool:
        """Whether it can be run; an attack that learns has to `fit` first."""
        return True

    @property
    def has_budget(self) -> bool:
        """Whether it may change an image by up to `epsilon`, and looks for no smallest change."""
        return not self.minimal and getattr(self, "epsilon", None) is not None

    def attempts(self, victim: Victim) -> int:
        """How often the compiled attack is run on what is not fooled yet.

        On everything, if `minimal`, to keep the smallest change.
        """
        return getattr(self, "restarts", 1)

    def prepared(self, model: keras.Model | Victim, images: np.ndarray) -> "Attack":
        """An equal attack that has done, with these images, what is done once for a data set."""
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
    ) -> Any:
        """Makes adversarial images.

        Args:
            model: Any Keras classifier (see `Victim`).
            images: float32 array or tensor of shape (n, ...) in [0, 1].
            labels: The true classes: integers (n,), a column (n, 1), or one-hot (n, classes);
                the model's own predictions if None.
            targets: Classes to reach, in the same formats; excludes `labels`.
            batch_size: Images attacked at a time.
            indices: Each image's index in its data set, by which its random numbers are drawn;
                0, 1, ... if None. Pass it when streaming a data set in pieces, so that an image's
                result does not depend on the pieces.

        Returns:
            The adversarial images, of the same kind as `images`; clean where the attack failed.
        """
        result = self.run(
            model, images, labels, targets=targets, batch_size=batch_size, indices=indices
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
    ) -> Result:
        """As calling the attack, but returns a `Result` with each example's success."""
        victim, result, indices = self._prepare(model, images, labels, targets, batch_size, indices)
        images = result.adversarial.copy()
        targeted = targets is not None
        for attempt in range(self.attempts(victim)):
            pending = np.flatnonzero(~result.success | (self.minimal & (attempt > 0)))
            self._run_batches(
                victim, images, result, indices, pending, attempt, batch_size, targeted
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
        """Checks everything; the result to fill starts with the clean images."""
        images = check_images(images)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        if labels is not None and targets is not None:
            raise ValueError("pass labels (classes to leave) or targets (to reach), not both.")
        if targets is not None and not self.targetable:
            raise ValueError(f"{type(self).__name__} cannot be targeted.")
        victim = victim_of(model, images)
        if self.needs_pixels:
            check_pixels(type(self).__name__, images.shape[1:])
        self._check_against(victim, images.shape[1:])
        if labels is None and targets is None:
            wanted = victim.predict(images, batch_size=batch_size).argmax(axis=1).astype(np.int32)
        else:
            given = labels if targets is None else targets
            wanted = class_numbers(given, len(images), victim.classes)
        indices = np.arange(len(images)) if indices is None else np.asarray(indices)
        if indices.shape != (len(images),):
            raise ValueError(f"indices must have the shape ({len(images)},), got {indices.shape}.")
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
    ) -> np.ndarray:
        """Where the published algorithm ends after one attempt, whether that fools or not.

        For transfer, and for comparisons with other implementations. Arguments as for calling.
        """
        if not self.has_last_iterate:
            raise ValueError(f"{type(self).__name__} has no last iterate; use run.")
        victim, result, indices = self._prepare(model, images, labels, targets, batch_size, indices)
        rows = np.arange(len(result.labels))
        self._run_batches(
            victim, result.adversarial.copy(), result, indices, rows, 0, batch_size,
            targets is not None, plain=True,
        )  # fmt: skip
        return result.adversarial

    def _run_batches(
        self,
        victim: Victim,
        images: np.ndarray,
        result: Result,
        indices: np.ndarray,
        pending: np.ndarray,
        attempt: int,
        batch_size: int,
        targeted: bool,
        plain: bool = False,
    ) -> None:
        """Attacks the images at `pending` and writes what succeeds into `result`."""
        function = self._compiled(victim, images.shape[1:], targeted, plain)
        settings = {
            name: tf.constant(value, tf.float32 if isinstance(value, float) else tf.int32)
            for name, value in self._settings().items()
        }
        for start in range(0, len(pending), batch_size):
            rows = pending[start : start + batch_size]
            padded = pad(rows, batch_size)
            adversarial, success = function(
                tf.constant(images[padded]),
                tf.constant(result.labels[padded]),
                tf.constant(indices[padded], tf.int32),
                tf.range(len(padded)) >= len(rows),
                tf.constant(attempt),
                settings,
            )
            found = adversarial.numpy()[: len(rows)]
            if plain:
                result.adversarial[rows] = found
                continue
            won = success.numpy()[: len(rows)]
            if self.minimal:
                before = length(result.adversarial[rows] - images[rows], self.norm)
                after = length(found - images[rows], self.norm)
                won = won & ~(result.success[rows] & (before <= after).numpy())
            result.success[rows] |= won
            result.adversarial[rows[won]] = found[won]

    def _compiled(self, victim: Victim, shape: tuple[int, ...], targeted: bool, plain: bool) -> Any:
        """The compiled attack, traced once for a model, an image shape, and what is not fed."""
        static = {
            name: value for name, value in self.get_config().items() if name not in self.tensors
        }
        key = (
            type(self),
            json.dumps(static, sort_keys=True, default=id),
            self.minimal,
            shape,
            targeted,
            plain,
        )
        if key in victim.functions:
            return victim.functions[key]
        template = copy.copy(self)
        signature = [
            tf.TensorSpec([None, *shape], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.bool),
            tf.TensorSpec([], tf.int32),
            {
                name: tf.TensorSpec([], tf.float32 if isinstance(value, float) else tf.int32)
                for name, value in self._settings().items()
            },
        ]

        @tf.function(autograph=False, input_signature=signature)
        def attack(images, labels, indices, done, attempt, settings):
            attack = template._with(settings)
            victim.rewind(attack.seed + 1)
            problem = Problem(
                logits=victim.logits,
                images=images,
                labels=labels,
                keys=draws.example_keys(attack.seed, indices),
                targeted=targeted,
                attempt=attempt,
                done=done,
                early_stop=getattr(attack, "early_stop", True),
                plain=plain,
            )
            state = attack._attack(problem)
            return state["adversarial"], state["success"]

        victim.functions[key] = attack
        return attack

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
        without early stop, and return that iterate whether it fools or not: what adversarial
        training needs. Others return what fools, and clean images where they fail. Checks nothing
        and compiles nothing.

        Args:
            logits: Function from images to (batch, classes) logits; the caller decides about
                `training`.
            images: float32 tensor of shape (batch, ...) in [0, 1].
            labels: int tensor of shape (batch,), classes to leave, or to reach if `targeted`.
            seed: Overrides the attack's seed; a scalar, or a pair from `kgan.random.step_seed`.
            indices: Each example's index; its position in the batch if None.
            targeted: What the labels mean.

        Returns:
            float32 tensor like `images`; no gradient flows through it.
        """
        attack = self._with(self._settings())
        if indices is None:
            indices = tf.range(tf.shape(images)[0])
        words = tf.reshape(tf.cast(attack.seed if seed is None else seed, tf.int32), [-1])
        keys = tf.cast(indices, tf.int32)
        for word in tf.unstack(words):
            keys = draws.example_keys(word, keys)
        problem = Problem(
            logits=logits,
            images=tf.stop_gradient(images),
            labels=tf.cast(labels, tf.int32),
            keys=keys,
            targeted=targeted,
            plain=self.has_last_iterate,
        )
        return tf.stop_gradient(attack._attack(problem)["adversarial"])

    def _attack(self, problem: Problem) -> dict[str, tf.Tensor]:
        """Attacks one batch, in graph mode, with every name in `tensors` bound to a tensor.

        Returns:
            "adversarial" (batch, ...) and "success" (batch,).
        """
        raise NotImplementedError

    def _settings(self) -> dict[str, float | int]:
        """The values of `tensors`, with defaults that depend on others worked out."""
        return {name: getattr(self, name) for name in self.tensors}

    def _with(self, settings: dict[str, Any]) -> "Attack":
        attack = copy.copy(self)
        vars(attack).update(settings)
        return attack

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` if this attack cannot be run on this model or image shape."""

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


def pad(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Repeats the last row until the batch has batch_size, batch_size / 2, ... rows."""
    size = batch_size
    while size // 2 >= len(rows):
        size //= 2
    return np.concatenate([rows, np.full(size - len(rows), rows[-1])])
