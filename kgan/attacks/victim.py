"""Adapts any Keras classifier for the attacks: images in [0, 1] to logits, a column per class."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.attacks import head as heads
from kgan.attacks import intake as intakes
from kgan.attacks.criterion import Criterion
from kgan.attacks.declaration import as_model, checked_criterion, checked_held
from kgan.attacks.draws import mean_answer, most_frequent
from kgan.attacks.findings import Findings, look
from kgan.attacks.function_model import own_errors
from kgan.attacks.half_precision import with_scaled_gradient
from kgan.attacks.held_inputs import rows
from kgan.attacks.model_call import ModelCall
from kgan.attacks.model_state import ModelState
from kgan.attacks.questions import Questions
from kgan.attacks.reading import Reading
from kgan.attacks.recent import Recent

# More than an evaluation with all attacks compiles.
_FUNCTIONS = 64


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
    nested and subclassed models; and likewise what stands before other functions that keep the
    classes' order, or the logs that a mixture of probabilities is made of (see
    `kgan.attacks.endings`). That decides where to go: the class is always the model's own, also
    where its outputs are rounded to a tie. If the graph hides the operation and the outputs are
    known to be probabilities, logits are recovered by a log, which may be flat; attacks warn where
    it is. Names and types of layers decide neither case, and values between 0 and 1 prove nothing
    (see `kgan.attacks.head`).

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
            that ask can be run on it. A function of uint8 gets images rounded to whole numbers; it
            says so by the signature of a `tf.function`, or by `function.input_dtype = "uint8"`.
        head: "logits", "softmax" or "sigmoid"; found in the graph, by the outputs' values or by the
            compiled loss if `None`.
        bounds: What black and white are for the model, such as (0, 255); (0, 1) if `None`, and
            (0, 255) for a uint8 input.
        mean: Subtracted from images in these bounds: a number, or one for each channel.
        std: Divided by after that, likewise.
        data_format: "channels_first" for a model that takes (batch, channels, height, width); the
            attacks' images have their channels last all the same. "channels_last" if `None`.
        output: Which of several outputs the class scores are, by name or number; the rest is left.
        criterion: When an answer counts as fooled, of `kgan.attacks.criteria.CRITERIA`: such as
            `TopK(5)`, `MultiLabel()`, or `Distance(0.5)` for regression and embeddings; another
            class than the label, or the target, if `None`.
        input: Name of the input that takes the images, for a model with several.
        held: The other inputs by name, which no attack changes: arrays with a row for each image of
            the data set (see `indices=` of `Attack.run`), or with one row for all.
        classes: Number of classes, for a function that returns class numbers (n,).
        loss: The loss that the model is trained with elsewhere, where it is not compiled itself.

    Attributes:
        classes: Number of classes; 2 for a model with a single output.
        binary: Whether the model has a single output.
        head: Kind of the model's output, "logits", "softmax", or "sigmoid".
        black_box: Whether the model only answers.
        shows: What an attack may ask of it: "gradients", "scores", or "labels"; labels too of a
            function whose scores are 1 for one class and 0 for the others.
        random: Whether two answers to the same images differ.
        declared: What was declared, by the names of the arguments; `None` for the rest.
        assumptions: Sentences for a report that say how the model was understood.
        functions: Compiled attacks on this model, stored by `Attack`: those used last, so that
            images of ever other shapes do not fill the memory.
    """

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
        criterion: Criterion | None = None,
        input: str | None = None,
        held: Mapping[str, Any] | None = None,
        classes: int | None = None,
        loss: Any = None,
    ):
        self.black_box = not isinstance(model, keras.Model)
        model = as_model(model, classes)
        if head is not None:
            kgan.names.check("head", head, heads.HEADS)
        if data_format is not None:
            kgan.names.check("data_format", data_format, intakes.LAYOUTS)
        self.name = model.name
        self._names_classes = classes is not None
        self.criterion = checked_criterion(criterion, head, classes)
        self.held = checked_held(model, input, held)
        self.intake = intakes.declared(
            bounds, mean, std, data_format, dtype=intakes.input_dtype(model, input)
        )
        if self.intake.whole and self.held is not None:
            raise ValueError(
                f"{self.name} takes whole numbers beside held inputs: make it anew with a float32 "
                "input."
            )
        self.declared: dict[str, Any] = {
            "head": head,
            "bounds": None if bounds is None else list(self.intake.bounds),
            "mean": None if self.intake.mean is None else list(self.intake.mean),
            "std": None if self.intake.std is None else list(self.intake.std),
            "data_format": data_format,
            "output": output,
            "criterion": criterion,
            "input": input,
            "held": held,
        }
        self._call = ModelCall(model, self.intake, output, self.held)
        self.functions = Recent(_FUNCTIONS)
        # Whether `kgan.attacks.input_range` has looked at it.
        self.judged_range = False
        # Whether `kgan.attacks.zero_gradients` has warned of it.
        self.judged_gradients = False
        self._questions = Questions(
            self._call, self.functions, values=self.criterion.takes == "values"
        )
        self._loss = loss
        self._found: Findings | None = None

    @property
    def model(self) -> keras.Model:
        """The model itself; raises `ReferenceError` where it was deleted."""
        return self._call.model

    @property
    def image_shape(self) -> tuple[int | None, ...] | None:
        """The shape of one image, channels last; `None` where the model does not know it."""
        return self._call.image_shape

    # What was found out

    @property
    def _findings(self) -> Findings:
        if self._found is None:
            raise ValueError(f"{self.name} was not looked at yet: kgan.attacks.victim_of does it.")
        return self._found

    @property
    def _reading(self) -> Reading:
        return self._findings.reading

    @property
    def shows(self) -> str:
        """What an attack may ask of it: "gradients", "scores", or "labels"."""
        if not self.black_box:
            return "gradients"
        one_hot = self._found is not None and self._found.one_hot
        return "labels" if self._names_classes or one_hot else "scores"

    @property
    def classes(self) -> int:
        return self._reading.classes

    @property
    def choices(self) -> int:
        """How many classes, or sets of them, an attack can aim at, see `Criterion.choices`."""
        return self.criterion.choices(self.classes)

    @property
    def binary(self) -> bool:
        return self._reading.binary

    @property
    def head(self) -> str:
        return self._reading.head

    @property
    def hides(self) -> bool:
        """Whether its scores may be flat where it is sure, as far as its graph shows."""
        return self._findings.hides

    @property
    def random(self) -> bool:
        return self._findings.random

    @property
    def assumptions(self) -> list[str]:
        """Sentences for a report that say how the model was understood."""
        sentences = [str(self.intake), *self._findings.sentences(self.criterion)]
        if self.held is not None:
            sentences.append(str(self.held))
        if self.black_box:
            sentences.append(
                f"the model is a function that shows {self.shows} alone: attacks that only ask can "
                "be run, and an attacker who has the model may do more"
            )
        return sentences

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
        if self._found is None or self._found.have_changed(
            ModelState(self.model), self._questions, images
        ):
            self.functions.clear()
            self.judged_range = self.judged_gradients = False
            # What is not understood is looked at again.
            self._found = None
            self._found = look(
                self._call,
                self._questions,
                images,
                head=self.declared["head"],
                loss=self._loss,
                criterion=self.criterion,
            )
        return self

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

    def check_criterion(self, what: str) -> None:
        """Raises `ValueError` where another criterion was declared than the likeliest class.

        Args:
            what: Name of what knows the likeliest class alone; the error begins with it.
        """
        if not self.criterion.borders:
            raise ValueError(
                f"{what} judges by the likeliest class alone, and {self.criterion!r} was declared "
                f"for {self.name}: leave the criterion out."
            )

    # Asking the model

    def answers(
        self,
        images: np.ndarray,
        bounds: tuple[float, float],
        indices: np.ndarray | None = None,
    ) -> np.ndarray:
        """The classes that the model gives to images, were they brought into these bounds."""
        return self._reading.decisions(self._questions.own(images, bounds, indices))

    def truth(self, given: Any, n: int, *, what: str = "labels") -> np.ndarray:
        """What is true of n images, or to be reached, as the victim's criterion takes it."""
        return self.criterion.check_truth(given, n, self._reading.logits_shape, what=what)

    def fooled(
        self, logits: np.ndarray, truth: np.ndarray, *, targeted: bool = False
    ) -> np.ndarray:
        """Whether answers count by the victim's criterion, bool (n,).

        Args:
            logits: What `predict` returned.
            truth: What `truth` returned.
            targeted: Whether it is to be reached.
        """
        if len(logits) == 0:
            return np.zeros(0, bool)
        return self.criterion.counts(tf.constant(logits), tf.constant(truth), targeted).numpy()

    def outputs(self, images: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """The model's own outputs for images in [0, 1], for a training step."""
        return self._call.outputs(images, training=training)

    def rewind(self, start: tf.Tensor | int = 0) -> None:
        """Resets the seeds of a random model, so that its next draws are those after `start`."""
        self._call.rewind(start)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Class scores before the softmax, or the values of a model that is no classifier.

        Args:
            images: float32 tensor of shape (batch, ...) in [0, 1]; in graph mode only.

        Returns:
            float32 tensor of shape (batch, classes). A single output z becomes (0, z). Values
            (batch, ...) come as they are.
        """

        def scores(images: tf.Tensor) -> tf.Tensor:
            return self._reading.scores(self._call.outputs_without_trace(images))

        half = self._findings.half
        return self._reading.logits((with_scaled_gradient(scores) if half else scores)(images))

    def logits_of(self, outputs: tf.Tensor) -> tf.Tensor:
        """Same as `logits`, from what `outputs` returned in graph mode, for example in training."""
        return self._reading.logits(self._reading.scores(outputs))

    def predict(
        self, images: np.ndarray, *, batch_size: int = 256, indices: np.ndarray | None = None
    ) -> np.ndarray:
        """The logits of any number of images, as a float32 array of shape (n, classes).

        For a random model they are the logs of the shares of `DRAWS` answers (smoothed by the mean
        probabilities, which also part equal shares), so that the largest is the most frequent.
        Answers that are no classes are averaged.

        Args:
            images: float32 array (n, ...) in [0, 1].
            batch_size: Number of images asked about at a time.
            indices: Index (n,) of each image in its data set, which says which held inputs it has;
                0, 1, ... if `None`.
        """
        self.ready(images)
        if len(images) == 0:
            return np.zeros((0, *self._reading.logits_shape), np.float32)
        indices = np.arange(len(images)) if indices is None else indices
        if self.held is not None:
            self.held.check_rows(indices)
        shape = tuple(images.shape[1:])
        if ("predict", shape) not in self.functions:
            self.functions["predict", shape] = tf.function(
                self._answer,
                input_signature=[
                    tf.TensorSpec([None, *shape], tf.float32),
                    tf.TensorSpec([None], tf.int32),
                ],
                autograph=False,
            )
        function = self.functions["predict", shape]
        self.rewind()
        found = []
        for start in range(0, len(images), batch_size):
            some = slice(start, start + batch_size)
            rows_of_some = tf.constant(indices[some], tf.int32)
            with own_errors(self.model):
                found.append(function(tf.constant(images[some]), rows_of_some).numpy())
        return np.concatenate(found)

    def _answer(self, images: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        with rows(indices):
            if not self.random:
                return self.logits(images)
            if self.criterion.by_class:
                return most_frequent(self.logits, images, self.classes)
            return mean_answer(self.logits, images)


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
