"""One run of an attack on a data set: compiled once, fed batch by batch."""

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kgan.attacks import eight_bit, example_random, held_inputs, loop
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import as_rows
from kgan.attacks.function_model import own_errors
from kgan.attacks.norms import length, rows_of
from kgan.attacks.result import Result
from kgan.attacks.victim import Victim

if TYPE_CHECKING:
    from kgan.attacks.attack import Attack


@dataclasses.dataclass(frozen=True)
class AttackRun:
    """An attack on some images of a victim.

    Attributes:
        attack: The attack.
        victim: The model, `ready` for the images.
        images: The clean images, float32 (n, ...).
        result: What was found so far; `attempt` writes into it.
        indices: Index (n,) of each image in its data set.
        targeted: Whether the result's labels are to be reached.
        batch_size: Number of images attacked at a time.
        mask: Where the images may change, bool (n, ...); everywhere if `None`.
        plain: Whether to return the last iterate, fooling or not.
    """

    attack: "Attack"
    victim: Victim
    images: np.ndarray
    result: Result
    indices: np.ndarray
    targeted: bool
    batch_size: int
    mask: np.ndarray | None = None
    plain: bool = False

    def attempt(self, number: int, pending: np.ndarray) -> None:
        """Attacks the images at `pending` once and writes what succeeds into the result.

        Args:
            number: Which of the attack's `attempts` this is.
            pending: Numbers of the images, int (m,).
        """
        images, labels = self.images, self.result.labels
        settings, arrays = self._fed()
        specs = {
            name: tf.TensorSpec([None, *array.shape[1:]], array.dtype)
            for name, array in arrays.items()
        }
        specs |= {name: tf.TensorSpec([], value.dtype) for name, value in settings.items()}
        function = self._compiled(specs)
        for start in range(0, len(pending), self.batch_size):
            rows = pending[start : start + self.batch_size]
            padded = pad(rows, self.batch_size)
            fed = {name: tf.constant(array[padded]) for name, array in arrays.items()}
            with own_errors(self.victim.model):
                adversarial, success = function(
                    tf.constant(images[padded]),
                    tf.constant(labels[padded]),
                    tf.constant(self.indices[padded], tf.int32),
                    tf.range(len(padded)) >= len(rows),
                    tf.constant(number),
                    settings | fed,
                )
            self._write(rows, adversarial.numpy()[: len(rows)], success.numpy()[: len(rows)])

    def _fed(self) -> tuple[dict[str, tf.Tensor], dict[str, np.ndarray]]:
        """What is fed by name: numbers, and arrays with a row for each image."""
        settings, arrays = {}, {} if self.mask is None else {"mask": self.mask}
        for name, value in self.attack._settings().items():
            if np.ndim(value):
                arrays[name] = as_rows(name, np.asarray(value, np.float32), self.images.shape)
            else:
                dtype = tf.float32 if isinstance(value, float) else tf.int32
                settings[name] = tf.constant(value, dtype)
        return settings, arrays

    def _write(self, rows: np.ndarray, found: np.ndarray, won: np.ndarray) -> None:
        """Writes the images found for some rows into the result, where they are a success."""
        result, images = self.result, self.images
        if self.plain:
            result.adversarial[rows] = found
            return
        if self.victim.random:
            answers = self.victim.predict(
                found, batch_size=self.batch_size, indices=self.indices[rows]
            )
            won = won & self.victim.fooled(answers, result.labels[rows], targeted=self.targeted)
        if self.attack.minimal:
            before = length(result.adversarial[rows] - images[rows], self.attack.norm)
            after = length(found - images[rows], self.attack.norm)
            won = won & ~(result.success[rows] & (before <= after).numpy())
        result.success[rows] |= won
        result.adversarial[rows[won]] = found[won]

    def _compiled(self, specs: dict[str, tf.TensorSpec]) -> Any:
        """The attack, compiled once for each model, image shape and set of untensored settings.

        Args:
            specs: What is fed, by name: the settings in `tensors`, and a mask if there is one.
        """
        victim, targeted, plain = self.victim, self.targeted, self.plain
        shape = self.images.shape[1:]
        config = self.attack.get_config().items()
        static = {name: value for name, value in config if name not in self.attack.tensors}
        key = (
            type(self.attack),
            json.dumps(static, sort_keys=True, default=id),
            self.attack.minimal,
            shape,
            targeted,
            plain,
            self.result.labels.shape[1:],
            tuple((name, spec.shape) for name, spec in specs.items() if spec.shape.rank),
        )
        if key in victim.functions:
            return victim.functions[key]
        template = copy.copy(self.attack)
        signature = [
            tf.TensorSpec([None, *shape], tf.float32),
            tf.TensorSpec([None, *self.result.labels.shape[1:]], self.result.labels.dtype),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.bool),
            tf.TensorSpec([], tf.int32),
            specs,
        ]

        @tf.function(autograph=False, input_signature=signature)
        def function(images, labels, indices, done, attempt, settings):
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
                mask=settings.get("mask"),
                criterion=victim.criterion,
                rows=None if victim.held is None else indices,
                **ball(attack, images),
            )
            with held_inputs.rows(batch.rows):
                return finished(attack, batch, attack._attack(batch))

        victim.functions[key] = function
        return function


def pad(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Repeats the last row until the batch has a size of those that `loop.bucket` returns."""
    size = batch_size
    while size // 2 >= len(rows):
        size //= 2
    part = max(size // loop.PARTS, 1)
    size = min(-(-len(rows) // part) * part, size)
    return np.concatenate([rows, np.full(size - len(rows), rows[-1])])


def ball(attack: "Attack", images: tf.Tensor) -> dict[str, Any]:
    """The arguments of `AttackBatch` that say where an attack's results must lie."""
    # A smallest change is found first, and rounded then: that keeps it smallest.
    quantize = attack.quantize and not attack.minimal
    if not attack.has_budget:
        return {"quantize": quantize}
    return {"quantize": quantize, "epsilon": rows_of(attack.epsilon, images), "norm": attack.norm}


def finished(attack: "Attack", batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
    """The adversarial images and which of them succeed; of 8 bits where that is asked for."""
    adversarial, success = state["adversarial"], state["success"]
    if not attack.quantize:
        return adversarial, success
    if batch.plain:
        return eight_bit.rounded(adversarial, batch.images, batch.epsilon, batch.norm), success
    gradient = None
    if attack.needs == "gradients":
        gradient = batch.gradient(adversarial, lambda logits: batch.gain(logits, batch.labels))[2]
    return eight_bit.fooling(
        adversarial,
        batch.images,
        success,
        lambda images: batch.fooled(batch.logits(images), batch.labels),
        gradient=gradient,
        epsilon=batch.epsilon,
        norm=batch.norm,
    )
