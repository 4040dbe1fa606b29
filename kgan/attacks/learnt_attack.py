"""Base of attacks that learn one array from many images, and then add it to any."""

import json
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.pixels
from kgan.attacks import held_inputs
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_images
from kgan.attacks.example_random import example_keys
from kgan.attacks.result import Result
from kgan.attacks.victim import Victim, victim_of
from kgan.files import atomic_path

# The cross-entropy beyond which an image counts no more in the loss of `fit`.
_MOST = 9.0


class LearntAttack(Attack):
    """Base of attacks that `fit` an array by ascending the mean loss over random batches.

    A subclass implements `_begin` (the first array for images of a shape), `_apply` (the images
    that an array makes) and `_ascend` (one step along a gradient).

    Attributes:
        learnt: The array; `None` before `fit`.
        target: The class that it was fitted to reach; `None` if it leaves the label.
        suffix: How the name of a file of `save` ends.
    """

    adapts = False
    suffix = ".npz"
    target: int | None
    steps: int
    batch_size: int
    learnt: np.ndarray | None

    def _begin(self, shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError

    def _apply(
        self, array: tf.Tensor, images: tf.Tensor, keys: tf.Tensor, step: tf.Tensor | int
    ) -> tf.Tensor:
        raise NotImplementedError

    def _ascend(self, array: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def _finish(self, array: tf.Tensor) -> tf.Tensor:
        """The array that is kept after the last step."""
        return array

    def fit(
        self, model: keras.Model | Victim, images: Any, labels: Any = None
    ) -> keras.callbacks.History:
        """Learns the array from images; a fitted attack goes on from where it is.

        Args:
            model: The classifier to fool.
            images: float32 (n, ...) in [0, 1], or uint8.
            labels: Integers, a column, or one-hot; the model's own predictions if None.

        Returns:
            A history of "success": the share of each step's images that was fooled.
        """
        images = check_images(kgan.pixels.to_float(np.asarray(images)))
        victim = victim_of(model, images[:32])
        self.check(victim, images.shape[1:])
        if labels is None:
            labels = victim.criterion.truth_of(victim.predict(images))
        labels = victim.truth(labels, len(images))
        if self.target is not None:
            if not victim.criterion.by_class:
                raise ValueError(f"target must be left out for {victim.criterion!r}.")
            if not 0 <= self.target < victim.classes:
                raise ValueError(
                    f"target must be a class from 0 to {victim.classes - 1}, got {self.target}."
                )
            labels = np.full_like(labels, self.target)
        shape = images.shape[1:]
        array = tf.constant(self._begin(shape) if self.learnt is None else self.learnt)

        @tf.function(autograph=False)
        def update(array, images, labels, rows, step):
            keys = example_keys(self.seed, rows)
            batch = AttackBatch(
                victim.logits,
                images,
                labels,
                keys,
                targeted=self.target is not None,
                criterion=victim.criterion,
            )

            def value(logits: tf.Tensor) -> tf.Tensor:
                # Beyond this an image is fooled, and would drown those that are not.
                gain = batch.gain(logits, labels, "cross_entropy")
                return gain if batch.targeted else tf.minimum(gain, _MOST)

            with held_inputs.rows(rows), tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(array)
                logits = victim.logits(self._apply(array, images, keys, step))
                mean = tf.reduce_mean(value(logits))
            fooled = batch.fooled(logits, labels)
            return self._ascend(array, tape.gradient(mean, array)), tf.reduce_mean(
                tf.cast(fooled, tf.float32)
            )

        random = np.random.default_rng(self.seed)
        size = min(self.batch_size, len(images))
        success = []
        victim.rewind(self.seed)
        for step in range(self.steps):
            rows = np.sort(random.choice(len(images), size, replace=False))
            array, share = update(
                array,
                tf.constant(images[rows]),
                tf.constant(labels[rows]),
                tf.constant(rows, tf.int32),
                tf.constant(step),
            )
            success.append(float(share))
        self.learnt = self._finish(array).numpy()
        history = keras.callbacks.History()
        history.history = {"success": success}
        return history

    @property
    def is_fitted(self) -> bool:
        return self.learnt is not None

    def prepared(self, model: keras.Model | Victim, images: np.ndarray) -> Attack:
        """This attack if it is fitted, else a copy that is fitted on these images."""
        if self.is_fitted:
            return self
        attack: Any = self.replace()
        attack.fit(model, images)
        return attack

    def _attack(self, batch: AttackBatch) -> State:
        state = batch.start()
        array = tf.constant(self._fitted())
        images = self._apply(array, batch.images, batch.keys, batch.attempt)
        return batch.record(state, images)

    def _fitted(self) -> np.ndarray:
        name = type(self).__name__
        if self.learnt is None:
            raise ValueError(
                f"{name} is not fitted yet: call attack.fit(model, images, labels) first, or "
                f'kgan.attacks.{name}.load("attack.npz").'
            )
        return self.learnt

    def run(self, model: Any, images: Any, labels: Any = None, **how: Any) -> Result:
        self._fitted()
        result = super().run(model, images, labels, **how)
        if how.get("targets") is not None and np.any(result.labels != self.target):
            raise ValueError(
                f"targets must all be {self.target}, for which this {type(self).__name__} was "
                f"fitted, got {sorted(set(result.labels.tolist()))}."
            )
        return result

    def save(self, path: str | Path) -> Path:
        """Writes the array and the settings to one `.npz` file; see `load`."""
        path = Path(path)
        if path.suffix != self.suffix:
            raise ValueError(f"path must end in {self.suffix}, got {path}.")
        settings = {name: value for name, value in self.get_config().items() if name != "learnt"}
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, learnt=self._fitted(), settings=json.dumps(settings))
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A fitted attack from a file that `save` wrote."""
        with np.load(path) as content:
            settings = json.loads(str(content["settings"]))
            return cls(**{**settings, "learnt": content["learnt"]})
