"""Adapts any Keras classifier for the attacks: images in [0, 1] to logits, a column per class."""

import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Operations that pass values through, between a model's last activation and its output.
_TRANSPARENT = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims"}
_TINY = float(np.finfo(np.float32).tiny)


class Victim:
    """A classifier adapted to one interface; `victim_of` makes and caches it.

    Gradients of a probability vanish where the classifier is sure, so attacks need logits. If the
    model's graph ends in a softmax or sigmoid, the input of that operation is used, which is as
    strong as attacking the model without its head, also for nested and subclassed models. If the
    graph hides the operation (a compiled or imported function) and the outputs look like
    probabilities, logits are recovered by a log. Names and types of layers decide neither case.

    The model runs with `training=False` inside a `StatelessScope`, so nothing that it assigns
    (batch-norm statistics, seeds, counters) changes it. A model that is random also at inference
    draws new numbers at each call inside an attack, and the same ones in each run of the attack.

    Attributes:
        classes: Number of classes; 2 for a model with a single output.
        binary: Whether the model has a single output.
        head: Kind of the model's output, "logits", "softmax", or "sigmoid".
        assumptions: Sentences for a report that say how the output was understood.
        functions: Compiled attacks on this model, stored by `Attack`.
    """

    def __init__(self, model: keras.Model, images: np.ndarray):
        if not callable(model):
            raise TypeError(f"model must be a Keras model, got {type(model).__name__}.")
        # A weak reference: the victim is cached while its model lives, and must not keep it alive.
        self._model = weakref.ref(model)
        self.name = getattr(model, "name", type(model).__name__)
        self.functions: dict[Any, Any] = {}
        self._draws = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._cut = False
        self.head = "logits"
        _check_shape(model, images)
        if not model.built:
            model(images[:1], training=False)
        self._seeds = [
            variable
            for variable in model.variables
            if variable.path.endswith("seed_generator_state")
        ]
        self._inspect(images)

    def _inspect(self, images: np.ndarray) -> None:
        trace = tf.function(self._outputs, autograph=False)
        concrete = trace.get_concrete_function(tf.TensorSpec([None, *images.shape[1:]], tf.float32))
        # Noise is added, because on data alone the logits of a poor model may look like
        # probabilities.
        noise = np.random.default_rng(0).uniform(size=(32, *images.shape[1:]))
        sample = np.concatenate([images[:32], noise]).astype(np.float32)
        sample = concrete(tf.constant(sample)).numpy()
        if sample.ndim > 2 or (sample.ndim == 2 and sample.shape[1] == 0):
            raise ValueError(
                f"{self.name} must return one row of class scores for an image, "
                f"got an output of shape {sample.shape}."
            )
        self.binary = sample.ndim == 1 or sample.shape[1] == 1
        self.classes = 2 if self.binary else sample.shape[1]
        if not self._cut:
            self.head = _probabilities(sample, self.binary)
        found = {
            "logits": "outputs are taken as logits",
            "softmax": "outputs are softmax probabilities",
            "sigmoid": "the output is a sigmoid probability",
        }[self.head]
        if self.head != "logits":
            found += (
                "; logits are taken from before the activation"
                if self._cut
                else "; logits are recovered by a log, which loses what float32 rounds to 0 or 1"
            )
        self.assumptions = ["images are float32 in [0, 1]", found, f"{self.classes} classes"]

    def _outputs(self, images: tf.Tensor) -> tf.Tensor:
        """The model's scores: the input of its last activation, if that can be found."""
        model = self._model()
        if model is None:
            raise ReferenceError(f"the model {self.name} is gone.")
        with keras.StatelessScope(state_mapping=self._fresh_seeds()):
            outputs = model(images, training=False)
        return self._before_activation(outputs)

    def _before_activation(self, outputs: tf.Tensor) -> tf.Tensor:
        if not isinstance(outputs, tf.Tensor):
            raise ValueError(
                f"{self.name} must return one tensor, got {type(outputs).__name__}. "
                "Wrap it in a keras.Model that returns the class scores alone."
            )
        end = outputs
        while end.op.type in _TRANSPARENT:
            end = end.op.inputs[0]
        self._cut = end.op.type in ("Softmax", "Sigmoid")
        if self._cut:
            self.head = end.op.type.lower()
            outputs = tf.reshape(end.op.inputs[0], tf.shape(outputs))
            outputs.set_shape(end.shape if end.shape.rank == 2 else outputs.shape)
        return tf.cast(outputs, tf.float32)

    def _fresh_seeds(self) -> list[tuple[keras.Variable, tf.Tensor]]:
        if not self._seeds:
            return []
        count = tf.cast(self._draws.assign_add(1), tf.uint32)
        return [
            (seed, tf.cast(tf.stack([count, tf.constant(number, tf.uint32)]), seed.dtype))
            for number, seed in enumerate(self._seeds)
        ]

    def rewind(self, start: tf.Tensor | int = 0) -> None:
        """Resets the seeds of a random model, so that its next draws are those after `start`."""
        if self._seeds:
            self._draws.assign(tf.cast(start, tf.int64) * 2**20)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Class scores before the softmax.

        Args:
            images: float32 tensor of shape (batch, ...) in [0, 1]; in graph mode only.

        Returns:
            float32 tensor of shape (batch, classes). A single output z becomes (0, z).
        """
        return self._as_logits(self._outputs(images))

    def logits_of(self, outputs: tf.Tensor) -> tf.Tensor:
        """Same as `logits`, from outputs of the model in graph mode, for example in training."""
        return self._as_logits(self._before_activation(outputs))

    def _as_logits(self, scores: tf.Tensor) -> tf.Tensor:
        if self.head != "logits" and not self._cut:
            scores = tf.clip_by_value(scores, _TINY, 1.0)
            if self.head == "softmax":
                scores = tf.math.log(scores)
            else:
                scores = tf.math.log(scores) - tf.math.log(tf.maximum(1.0 - scores, 2.0**-25))
        if self.binary:
            scores = tf.reshape(scores, [-1, 1])
            return tf.concat([tf.zeros_like(scores), scores], axis=1)
        return tf.reshape(scores, [-1, self.classes])

    def predict(self, images: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """The logits of any number of images, as a float32 array of shape (n, classes)."""
        shape = tuple(images.shape[1:])
        if ("predict", shape) not in self.functions:
            self.functions["predict", shape] = tf.function(
                self.logits,
                input_signature=[tf.TensorSpec([None, *shape], tf.float32)],
                autograph=False,
            )
        function = self.functions["predict", shape]
        self.rewind()
        batches = [
            function(tf.constant(images[start : start + batch_size])).numpy()
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, self.classes), np.float32)


_VICTIMS: "weakref.WeakKeyDictionary[keras.Model, Victim]" = weakref.WeakKeyDictionary()


def victim_of(model: keras.Model | Victim, images: np.ndarray) -> Victim:
    """The model's `Victim`, made on first use and kept for as long as the model lives.

    Args:
        model: A Keras classifier, or a `Victim`.
        images: A few images in [0, 1]. With these and noise, outputs whose activation is hidden
            are tested for probabilities.
    """
    if isinstance(model, Victim):
        return model
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}.")
    if model not in _VICTIMS:
        _VICTIMS[model] = Victim(model, images)
    return _VICTIMS[model]


def _check_shape(model: keras.Model, images: np.ndarray) -> None:
    try:
        expected = model.input_shape
    except (AttributeError, ValueError):
        return  # A subclassed model may not know its input shape.
    if not isinstance(expected, tuple) or len(expected) == 0 or isinstance(expected[0], tuple):
        raise ValueError(f"{model.name} must take one tensor of images, takes {expected}.")
    fits = len(expected) == images.ndim and all(
        want in (None, have) for want, have in zip(expected[1:], images.shape[1:], strict=True)
    )
    if not fits:
        raise ValueError(
            f"images must have the shape {expected} that {model.name} takes, got {images.shape}."
        )


def _probabilities(outputs: np.ndarray, binary: bool) -> str:
    in_range = bool(np.all((outputs >= 0) & (outputs <= 1)))
    if binary:
        return "sigmoid" if in_range else "logits"
    return "softmax" if in_range and np.allclose(outputs.sum(axis=1), 1.0, atol=1e-3) else "logits"
