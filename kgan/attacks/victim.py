"""Adapts any Keras classifier for the attacks: images in [0, 1] to logits, a column per class."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.attacks import head as heads
from kgan.attacks import intake as intakes
from kgan.attacks.function_model import FunctionModel
from kgan.attacks.half_precision import is_half, with_scaled_gradient
from kgan.attacks.model_call import ModelCall
from kgan.attacks.model_state import ModelState

DRAWS = 11
"""How often a random model is asked about an image before an answer counts; odd, so no tie."""

_TINY = float(np.finfo(np.float32).tiny)
# Images asked about when a model is looked at anew, and at each run to see whether it changed.
_LOOKED_AT, _COMPARED = 4, 2
# Images that the model itself is asked about at a time, outside of a graph.
_AT_A_TIME = 32
# Rows asked about several times, to see whether the answers differ.
_ASKED_AGAIN = 16
# Noise added to them where the graph does not show the head.
_NOISE = 32
# Differences of two answers, relative to the largest output, that rounding explains.
_ROUNDING = {False: 1e-5, True: 2e-3}


class Victim:
    """A classifier with what is declared of it, adapted to the one interface that attacks use.

    Every attack, `kgan.robustness.evaluate` and `kgan.defenses.AdversarialTraining` take a
    `Victim` wherever they take a model, and make one of a plain model. Images outside of it are
    float32 in [0, 1], channels last, and every epsilon is in these units:

    ```python
    victim = kgan.attacks.Victim(model, head="logits", bounds=(0, 255))
    result = kgan.attacks.PGD(8 / 255).run(victim, images, labels)
    ```

    Gradients of a probability vanish where the classifier is sure, so attacks need logits. If the
    model's graph ends in a softmax or sigmoid, the input of that operation is used, also for
    nested and subclassed models. If the graph hides the operation and the outputs are known to be
    probabilities, logits are recovered by a log. Names and types of layers decide neither case,
    and values between 0 and 1 prove nothing (see `kgan.attacks.head`).

    The model runs with `training=False` inside a `StatelessScope`, so nothing that it assigns
    (batch-norm statistics, seeds, counters) changes it. A model that was changed in place is
    noticed at the next run, by the attributes of its layers and, where some layers are the user's
    own, by its answers; all that was compiled for it is then dropped.

    A model that is random also at inference draws new numbers at each call inside an attack, and
    the same ones in each run (unless it draws with `tf.random`). Its answer to an image is the most
    frequent of `DRAWS` answers, before and after an attack.

    Args:
        model: A Keras classifier; or a function from a float32 array to scores, behind which
            anything may answer: an imported model, a server. It has no gradients, so only attacks
            that ask can be run on it.
        head: "logits", "softmax" or "sigmoid"; found in the graph, by the outputs' values or by the
            compiled loss if `None`.
        bounds: What black and white are for the model, such as (0, 255); (0, 1) if `None`, and
            (0, 255) for a uint8 input.
        mean: Subtracted from images in these bounds: a number, or one for each channel.
        std: Divided by after that, likewise.
        data_format: "channels_first" for a model that takes (batch, channels, height, width); the
            attacks' images have their channels last all the same. "channels_last" if `None`.
        output: Which of several outputs the class scores are, by name or number; the rest is left.
        classes: Number of classes, for a function that returns class numbers (n,).
        loss: The loss that the model is trained with elsewhere, where it is not compiled itself.

    Attributes:
        classes: Number of classes; 2 for a model with a single output.
        binary: Whether the model has a single output.
        head: Kind of the model's output, "logits", "softmax", or "sigmoid".
        black_box: Whether the model only answers.
        random: Whether two answers to the same images differ.
        declared: What was declared, by the names of the arguments; `None` for the rest.
        assumptions: Sentences for a report that say how the model was understood.
        functions: Compiled attacks on this model, stored by `Attack`.
    """

    classes: int
    binary: bool

    def __init__(
        self,
        model: keras.Model | Callable[[np.ndarray], Any],
        *,
        head: str | None = None,
        bounds: Sequence[float] | None = None,
        mean: Any = None,
        std: Any = None,
        data_format: str | None = None,
        output: str | int | None = None,
        classes: int | None = None,
        loss: Any = None,
    ):
        self.black_box = not isinstance(model, keras.Model)
        if not isinstance(model, keras.Model):
            if not callable(model) or isinstance(model, keras.layers.Layer):
                raise TypeError(
                    f"model must be a keras.Model or a function, got {type(model).__name__}."
                )
            model = FunctionModel(model, classes=classes)
        elif classes is not None:
            raise ValueError(f"classes must be left out for a model, got {classes}.")
        if head is not None:
            kgan.names.check("head", head, heads.HEADS)
        if data_format is not None:
            kgan.names.check("data_format", data_format, intakes.LAYOUTS)
        self.name = model.name
        self.intake = intakes.declared(
            bounds, mean, std, data_format, dtype=intakes.input_dtype(model)
        )
        self.declared: dict[str, Any] = {
            "head": head,
            "bounds": None if bounds is None else list(self.intake.bounds),
            "mean": None if self.intake.mean is None else list(self.intake.mean),
            "std": None if self.intake.std is None else list(self.intake.std),
            "data_format": data_format,
            "output": output,
        }
        self._call = ModelCall(model, self.intake, output)
        self.functions: dict[Any, Any] = {}
        self.assumptions: list[str] = []
        self.random = False
        self.head = "logits"
        # Whether `kgan.attacks.input_range` has looked at it.
        self.judged_range = False
        self._loss = loss
        self._cut = False
        self._half = False
        self._rounding = 0.0
        self._state: ModelState | None = None

    @property
    def model(self) -> keras.Model:
        """The model itself; raises `ReferenceError` where it was deleted."""
        return self._call.model

    @property
    def image_shape(self) -> tuple[int | None, ...] | None:
        """The shape of one image, channels last; `None` where the model does not know it."""
        return self._call.image_shape

    # Looking at the model

    def ready(self, images: np.ndarray) -> "Victim":
        """This victim, looked at anew where the model has changed since.

        Args:
            images: float32 array (n, ...) in [0, 1], the images of the run that follows.

        Raises:
            ValueError: When the model does not take these images, or its head cannot be known.
        """
        self._call.check_shape(images.shape)
        if len(images) == 0:
            images = np.zeros((1, *images.shape[1:]), np.float32)
        if self._has_changed(images):
            self._look(images)
        return self

    def _has_changed(self, images: np.ndarray) -> bool:
        state = ModelState(self.model)
        if state != self._state:
            return True
        if state.known or self.random:
            return False
        outputs, gap = self._compare(images[:_COMPARED])
        return gap > self._rounding or self._is_out_of_range(outputs)

    def _compare(self, images: np.ndarray) -> tuple[np.ndarray, float]:
        """The compiled model's outputs, and how much its answers differ from the model's own."""
        compiled = self._ask(images)
        own = self._call.own_outputs(images).reshape(compiled.shape)
        return compiled, _gap(compiled, own)

    def _is_out_of_range(self, outputs: np.ndarray) -> bool:
        """Whether these outputs, of which the head was judged by others, are no probabilities."""
        judged = self.head != "logits" and not self._cut and self.declared["head"] is None
        return judged and not bool(np.all((outputs >= 0) & (outputs <= 1)))

    def _look(self, images: np.ndarray) -> None:
        """Finds out what the model is, by its graph and its answers."""
        model = self.model
        self.functions.clear()
        self._state = None
        self.judged_range = False
        images = images[:_LOOKED_AT]
        intakes.check_inner(model)
        if not model.built:
            self._call.outputs(tf.constant(images[:1]))
        state = ModelState(model)
        self._call.find_seeds(images.shape[1:], has_own_code=not state.known)
        self._half = is_half(model)
        outputs = self._ask(images)
        end = self.functions["end", images.shape[1:]][0]
        self.random = self._answers_differ(images)
        if end in ("unknown", "linear"):
            noise = np.random.default_rng(0).uniform(size=(_NOISE, *images.shape[1:]))
            outputs = np.concatenate([outputs, self._ask(noise.astype(np.float32))])
        evidence = heads.Evidence(self.name, end, outputs, self._told_by_loss())
        given = self.declared["head"]
        self.head = heads.find(evidence) if given is None else heads.agree(given, evidence)
        self._cut = end in ("softmax", "sigmoid")
        self.binary = evidence.binary
        self.classes = 2 if self.binary else outputs.shape[1]
        self._rounding = 1e-5
        if not self.random and not state.known:
            self._check_draws(images[:_COMPARED])
        if not self.random and (self.intake.whole or not state.known):
            gap = self._compare(images[:_COMPARED])[1]
            if self.intake.whole and gap > _ROUNDING[self._half]:
                raise ValueError(
                    f"{self.name} takes whole numbers, and answers otherwise where they come as "
                    "float32, as a gradient needs: make it anew with a float32 input."
                )
            self._rounding = max(self._rounding, 10 * gap)
        self.assumptions = self._sentences(images)
        # The last of all: what is not understood is looked at again.
        self._state = state

    def _check_draws(self, images: np.ndarray) -> None:
        """Raises `ValueError` for a model that draws numbers where no compiled function sees it."""
        one, other = (self._call.own_outputs(images) for _ in range(2))
        if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"{self.name} answers otherwise each time it is called, by numbers that it draws "
                "outside of TensorFlow, such as by numpy.random. A compiled attack would freeze "
                "one draw and flatter the model: draw with tf.random or keras.random in its layers."
            )

    def _sentences(self, images: np.ndarray) -> list[str]:
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
        if self.declared["head"] is not None:
            found += " (declared)"
        sentences = [str(self.intake), found, f"{self.classes} classes"]
        if self.black_box:
            sentences.append("the model is a function, whose gradients nobody sees")
        if self.random:
            same = not self._answers_differ(images, rewind=True)
            sentences.append(
                "WARNING: the model is random at inference: its answer is the most frequent of "
                f"{DRAWS}, and an image counts as fooled where that is wrong; average the gradient "
                "over samples=20 or more draws"
                + ("" if same else "; it draws with tf.random, so no two runs are the same")
            )
        if self._half:
            sentences.append("the model computes in float16: its gradients are scaled")
        return sentences

    def _answers_differ(self, images: np.ndarray, *, rewind: bool = False) -> bool:
        """Whether the model answers differently when it is asked again, or again from the start."""
        # Several rows, since an answer that may change need not.
        rows = np.resize(images, (_ASKED_AGAIN, *images.shape[1:]))
        answers = []
        for _ in range(3):
            if rewind:
                self.rewind()
            answers.append(self._ask(rows))
        return any(_gap(answers[0], one) > _ROUNDING[self._half] for one in answers[1:])

    def check_layout(self, what: str, shape: tuple[int, ...]) -> None:
        """Raises `ValueError` where the model may take channels first and nothing is declared.

        Args:
            what: Name of the attack that moves pixels; the error begins with it.
            shape: Shape of one image.
        """
        if self.declared["data_format"] is None and intakes.layout_is_open(self.model, shape):
            raise ValueError(
                f"{what} needs images of (height, width, channels), and {shape} seems to have its "
                "channels first. Pass images with their channels last and "
                'kgan.attacks.Victim(model, data_format="channels_first"); or declare '
                '"channels_last" if that is what they are.'
            )

    def _told_by_loss(self) -> str | None:
        """What the compiled loss of the class scores takes, see `kgan.attacks.head`."""
        loss = getattr(self.model, "loss", None)
        loss = self._loss if loss is None else loss
        if isinstance(loss, dict | list | tuple):
            losses = self._call.named(loss)
            loss = losses.get(self.declared["output"])
            if len(losses) == 1:
                (loss,) = losses.values()
        return heads.told_by_loss(loss)

    # Asking the model

    def answers(self, images: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
        """The classes that the model gives to images, were they brought into these bounds."""
        starts = range(0, len(images), _AT_A_TIME)
        outputs = np.concatenate(
            [self._call.own_outputs(images[i : i + _AT_A_TIME], bounds) for i in starts]
        )
        if self.binary:
            return (outputs.reshape(-1) > (0.5 if self.head == "sigmoid" else 0.0)).astype(int)
        return outputs.argmax(axis=1)

    def outputs(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """The model's own outputs for images in [0, 1], for a training step."""
        return self._call.outputs(images, training=training)

    def _ask(self, images: np.ndarray) -> np.ndarray:
        """The model's outputs for a few images, as a float32 array (n, units)."""
        shape = tuple(images.shape[1:])
        if ("ask", shape) not in self.functions:
            found: list[str] = []

            @tf.function(
                autograph=False, input_signature=[tf.TensorSpec([None, *shape], tf.float32)]
            )
            def ask(images):
                outputs = self._call.outputs_without_trace(images)
                found[:] = [heads.ending(outputs).kind]
                return tf.cast(outputs, tf.float32)

            self.functions["ask", shape] = ask.get_concrete_function()
            self.functions["end", shape] = found
        outputs = self.functions["ask", shape](tf.constant(images)).numpy()
        if outputs.ndim > 2 or (outputs.ndim == 2 and outputs.shape[1] == 0):
            raise ValueError(
                f"{self.name} must return one row of class scores for an image, "
                f"got an output of shape {outputs.shape}."
            )
        return outputs.reshape(len(images), -1)

    def rewind(self, start: tf.Tensor | int = 0) -> None:
        """Resets the seeds of a random model, so that its next draws are those after `start`."""
        self._call.rewind(start)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Class scores before the softmax.

        Args:
            images: float32 tensor of shape (batch, ...) in [0, 1]; in graph mode only.

        Returns:
            float32 tensor of shape (batch, classes). A single output z becomes (0, z).
        """

        def scores(images: tf.Tensor) -> tf.Tensor:
            return self._scores(self._call.outputs_without_trace(images))

        return self._as_logits((with_scaled_gradient(scores) if self._half else scores)(images))

    def logits_of(self, outputs: tf.Tensor) -> tf.Tensor:
        """Same as `logits`, from what `outputs` returned in graph mode, for example in training."""
        return self._as_logits(self._scores(outputs))

    def _scores(self, outputs: tf.Tensor) -> tf.Tensor:
        """The units' scores before the activation, float32 (batch, units)."""
        units = 1 if self.binary else self.classes
        if self._cut:
            end = heads.ending(outputs)
            if end.kind != self.head:
                raise ValueError(
                    f"{self.name} ended in {self.head} when it was looked at, and now in "
                    f"{end.kind}: it was changed in the meantime. Run it again."
                )
            outputs = end.scores
        return tf.reshape(tf.cast(outputs, tf.float32), [-1, units])

    def _as_logits(self, scores: tf.Tensor) -> tf.Tensor:
        if self.head != "logits" and not self._cut:
            scores = tf.clip_by_value(scores, _TINY, 1.0)
            if self.head == "softmax":
                scores = tf.math.log(scores)
            else:
                scores = tf.math.log(scores) - tf.math.log(tf.maximum(1.0 - scores, 2.0**-25))
        if self.binary:
            return tf.concat([tf.zeros_like(scores), scores], axis=1)
        return scores

    def predict(self, images: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
        """The logits of any number of images, as a float32 array of shape (n, classes).

        For a random model they are the logs of the shares of `DRAWS` answers (smoothed by the mean
        probabilities, which also part equal shares), so that the largest is the most frequent.
        """
        self.ready(images)
        if len(images) == 0:
            return np.zeros((0, self.classes), np.float32)
        shape = tuple(images.shape[1:])
        if ("predict", shape) not in self.functions:
            self.functions["predict", shape] = tf.function(
                self._answer,
                input_signature=[tf.TensorSpec([None, *shape], tf.float32)],
                autograph=False,
            )
        function = self.functions["predict", shape]
        self.rewind()
        return np.concatenate(
            [
                function(tf.constant(images[start : start + batch_size])).numpy()
                for start in range(0, len(images), batch_size)
            ]
        )

    def _answer(self, images: tf.Tensor) -> tf.Tensor:
        if not self.random:
            return self.logits(images)

        def ask(i: tf.Tensor, counts: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, ...]:
            logits = self.logits(images)
            answers = tf.one_hot(tf.argmax(logits, axis=1), self.classes)
            return i + 1, counts + answers, total + tf.nn.softmax(logits)

        zeros = tf.zeros([tf.shape(images)[0], self.classes])
        _, counts, total = tf.while_loop(
            lambda i, *_: i < DRAWS, ask, (tf.constant(0), zeros, zeros)
        )
        return tf.math.log(tf.maximum((counts + total / DRAWS) / (DRAWS + 1), _TINY))


_VICTIMS: "weakref.WeakKeyDictionary[keras.Model, Victim]" = weakref.WeakKeyDictionary()


def victim_of(model: keras.Model | Victim, images: np.ndarray) -> Victim:
    """The model's `Victim`, made on first use and kept for as long as the model lives.

    Args:
        model: A Keras classifier, or a `Victim`.
        images: float32 images in [0, 1] of the run that follows; a few are asked about, see
            `Victim.ready`.
    """
    if isinstance(model, Victim):
        return model.ready(images)
    if not isinstance(model, keras.Model):
        raise TypeError(
            "model must be a keras.Model or a kgan.attacks.Victim, such as Victim(function), "
            f"got {type(model).__name__}."
        )
    if model not in _VICTIMS:
        victim = Victim(model)
        # Kept while its model lives, and must not keep it alive.
        victim._call.hold_weakly()
        _VICTIMS[model] = victim
    return _VICTIMS[model].ready(images)


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    largest = max(float(np.abs(other).max(initial=0.0)), _TINY)
    return float(np.abs(one - other).max(initial=0.0)) / largest
