"""Base of all attacks: checks, batches and compiled runs; a subclass adds one method."""

import copy
import dataclasses
import inspect
import json
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import eight_bit, example_random
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import as_rows, check_count, check_images, check_mask, check_pixels
from kgan.attacks.input_range import warn_of_range
from kgan.attacks.norms import NORMS, length, rows_of
from kgan.attacks.victim import Victim, victim_of
from kgan.labels import class_numbers


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of an attack on n images.

    Attributes:
        adversarial: float32 array of the images' shape; the clean image where the attack failed.
        success: Whether it is misclassified (as the target, if there are targets), bool (n,).
            An image that was misclassified to begin with counts, and comes back unchanged. For a
            model that is random, its most frequent answer counts, see `Victim`.
        labels: The classes attacked, or the targets to reach, int32 (n,).
    """

    adversarial: np.ndarray
    success: np.ndarray
    labels: np.ndarray


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
        takes_arrays: Whether radii may be arrays, and a mask may be given. The attack then reads
            the radius from its state (see `AttackBatch.start`) and never moves a masked value.
        quantize: Whether the adversarial images have 8 bits a value, as a PNG holds them: they are
            k / 255, inside of the ball, and judged as such. The clean images must be so too.
    """

    norms: tuple[str, ...] = NORMS
    tensors: tuple[str, ...] = ("seed",)
    minimal: bool = False
    targetable = True
    needs_targets: bool = False
    has_last_iterate = False
    category: str | None = "white-box"
    adapts = True
    needs: str = "gradients"
    needs_pixels: bool = False
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
            labels: The true classes: integers (n,), a column (n, 1), or one-hot (n, classes);
                the model's own predictions if None.
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
        mask = self._check_rows(images, mask)
        targeted = targets is not None
        if victim.random:
            # One answer may be luck, also that to a clean image.
            answers = victim.predict(images, batch_size=batch_size).argmax(axis=1)
            result.success[:] = (answers == result.labels) == targeted
        for attempt in range(self.attempts(victim)):
            pending = np.flatnonzero(~result.success | (self.minimal & (attempt > 0)))
            self._run_batches(
                victim, images, result, indices, pending, attempt, batch_size, targeted, mask=mask
            )
        return result

    def _check_rows(self, images: np.ndarray, mask: Any) -> np.ndarray | None:
        """Checks what is given by example or by value; the mask as `check_mask` returns it."""
        arrays = {name: value for name, value in self._settings().items() if np.ndim(value)}
        for name, value in arrays.items():
            if not self.takes_arrays:
                raise ValueError(
                    f"{name} of {type(self).__name__} must be one number, "
                    f"got an array of {np.shape(value)}."
                )
            if as_rows(name, np.asarray(value), images.shape).ndim > 1 and self.norm != "linf":
                raise ValueError(
                    f"{name} must be one for each image in {self.norm}, where a radius belongs to "
                    f"the image as a whole, got the shape {np.shape(value)}."
                )
        if self.quantize:
            eight_bit.check_on_grid(images)
        if mask is None:
            return None
        if not self.takes_arrays:
            raise ValueError(f"{type(self).__name__} takes no mask.")
        return check_mask(mask, images.shape)

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
        if labels is None and targets is None:
            wanted = victim.predict(images, batch_size=batch_size).argmax(axis=1).astype(np.int32)
        else:
            given = labels if targets is None else targets
            wanted = class_numbers(given, len(images), victim.classes)
            if targets is None:
                warn_of_range(victim, images, wanted)
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
        mask: Any = None,
    ) -> np.ndarray:
        """The images at which the published algorithm ends, after one attempt, fooling or not.

        Useful for transfer and for comparisons with other implementations. The arguments are those
        of `__call__`.
        """
        if not self.has_last_iterate:
            raise ValueError(f"{type(self).__name__} has no last iterate; use run.")
        victim, result, indices = self._prepare(model, images, labels, targets, batch_size, indices)
        rows = np.arange(len(result.labels))
        images = result.adversarial.copy()
        mask = self._check_rows(images, mask)
        self._run_batches(
            victim, images, result, indices, rows, 0, batch_size, targets is not None,
            plain=True, mask=mask,
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
        mask: np.ndarray | None = None,
    ) -> None:
        """Attacks the images at `pending` and writes what succeeds into `result`."""
        settings, arrays = {}, {} if mask is None else {"mask": mask}
        for name, value in self._settings().items():
            if np.ndim(value):
                arrays[name] = as_rows(name, np.asarray(value, np.float32), images.shape)
            else:
                dtype = tf.float32 if isinstance(value, float) else tf.int32
                settings[name] = tf.constant(value, dtype)
        specs = {
            name: tf.TensorSpec([None, *array.shape[1:]], array.dtype)
            for name, array in arrays.items()
        }
        specs |= {name: tf.TensorSpec([], value.dtype) for name, value in settings.items()}
        function = self._compiled(victim, images.shape[1:], targeted, plain, specs)
        for start in range(0, len(pending), batch_size):
            rows = pending[start : start + batch_size]
            padded = pad(rows, batch_size)
            adversarial, success = function(
                tf.constant(images[padded]),
                tf.constant(result.labels[padded]),
                tf.constant(indices[padded], tf.int32),
                tf.range(len(padded)) >= len(rows),
                tf.constant(attempt),
                settings | {name: tf.constant(array[padded]) for name, array in arrays.items()},
            )
            found = adversarial.numpy()[: len(rows)]
            if plain:
                result.adversarial[rows] = found
                continue
            won = success.numpy()[: len(rows)]
            if victim.random:
                answers = victim.predict(found, batch_size=batch_size).argmax(axis=1)
                won = won & ((answers == result.labels[rows]) == targeted)
            if self.minimal:
                before = length(result.adversarial[rows] - images[rows], self.norm)
                after = length(found - images[rows], self.norm)
                won = won & ~(result.success[rows] & (before <= after).numpy())
            result.success[rows] |= won
            result.adversarial[rows[won]] = found[won]

    def _compiled(
        self,
        victim: Victim,
        shape: tuple[int, ...],
        targeted: bool,
        plain: bool,
        specs: dict[str, tf.TensorSpec],
    ) -> Any:
        """The attack, compiled once for each model, image shape and set of untensored settings.

        Args:
            victim: The model.
            shape: Shape of one image.
            targeted: Whether the labels are to be reached.
            plain: Whether to return the last iterate.
            specs: What is fed, by name: the settings in `tensors`, and a mask if there is one.
        """
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
            tuple((name, spec.shape) for name, spec in specs.items() if spec.shape.rank),
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
            specs,
        ]

        @tf.function(autograph=False, input_signature=signature)
        def attack(images, labels, indices, done, attempt, settings):
            mask = settings.get("mask")
            attack = template._with({name: settings[name] for name in specs if name != "mask"})
            victim.rewind(attack.seed + 1)
            batch = AttackBatch(
                logits=victim.logits,
                images=images,
                labels=labels,
                keys=example_random.example_keys(attack.seed, indices),
                targeted=targeted,
                attempt=attempt,
                done=done,
                early_stop=getattr(attack, "early_stop", True) and not victim.random,
                random=victim.random,
                plain=plain,
                mask=mask,
                **attack._ball(images),
            )
            return attack._rounded(batch, attack._attack(batch))

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
            **attack._ball(images),
        )
        return tf.stop_gradient(attack._rounded(batch, attack._attack(batch))[0])

    def _ball(self, images: tf.Tensor) -> dict[str, Any]:
        """The arguments of `AttackBatch` that say where the results must lie."""
        # A smallest change is found first, and rounded then: that keeps it smallest.
        quantize = self.quantize and not self.minimal
        if not self.has_budget:
            return {"quantize": quantize}
        epsilon = rows_of(self.epsilon, images)
        return {"quantize": quantize, "epsilon": epsilon, "norm": self.norm}

    def _rounded(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The adversarial images and which of them succeed; of 8 bits where that is asked for."""
        adversarial, success = state["adversarial"], state["success"]
        if not self.quantize:
            return adversarial, success
        if batch.plain:
            return eight_bit.rounded(adversarial, batch.images, batch.epsilon, batch.norm), success
        gradient = None
        if self.needs == "gradients":
            gradient = batch.gradient(adversarial, lambda logits: batch.gain(logits, batch.labels))[
                2
            ]
        return eight_bit.fooling(
            adversarial,
            batch.images,
            success,
            lambda images: batch.fooled(batch.logits(images), batch.labels),
            gradient=gradient,
            epsilon=batch.epsilon,
            norm=batch.norm,
        )

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
        if victim.black_box and self.needs_gradient:
            raise ValueError(
                f"{type(self).__name__} follows gradients, and {victim.name} is a function that "
                "shows none: use an attack that only asks, such as Square or Guided."
            )
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


def pad(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Repeats the last row until the batch has batch_size, batch_size / 2, ... rows."""
    size = batch_size
    while size // 2 >= len(rows):
        size //= 2
    return np.concatenate([rows, np.full(size - len(rows), rows[-1])])
