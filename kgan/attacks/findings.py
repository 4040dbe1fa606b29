"""What is found out about a model before it is attacked, by its graph and its answers."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from kgan.attacks import head as heads
from kgan.attacks import intake as intakes
from kgan.attacks.criterion import Criterion
from kgan.attacks.draws import DRAWS
from kgan.attacks.function_model import FunctionModel
from kgan.attacks.half_precision import is_half
from kgan.attacks.model_call import ModelCall
from kgan.attacks.model_state import ModelState
from kgan.attacks.questions import Questions
from kgan.attacks.reading import Reading

# Images asked about when a model is looked at anew, and at each run to see whether it changed.
_LOOKED_AT, _COMPARED = 4, 2
# Noise added to them where the graph does not show the head.
_NOISE = 32
# Differences of two answers, relative to the largest output, that rounding explains.
_ROUNDING = {False: 1e-5, True: 2e-3}
# The same of bfloat16, some of whose 8 bits depend on how layers are compiled.
_BFLOAT16 = 2e-2
# The same of an answer to an image alone and beside others, which other kernels compute.
_ALONE = {False: 1e-3, True: 5e-2}


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a model is.

    Attributes:
        state: The record of its structure, by which a change is noticed.
        reading: How its outputs are read.
        random: Whether two answers to the same images differ.
        repeatable: Whether they are the same again from the start of its random numbers.
        half: Whether it computes in float16.
        hides: Whether the scores that are read may be flat where the model is sure.
        rounding: The difference between its own answers and the compiled ones that is no change.
        declared: Whether its head was declared.
        one_hot: Whether its scores are 1 for one class and 0 for the others: labels alone.
    """

    state: ModelState
    reading: Reading
    random: bool
    repeatable: bool
    half: bool
    hides: bool
    rounding: float
    declared: bool
    one_hot: bool = False

    def have_changed(self, state: ModelState, questions: Questions, images: np.ndarray) -> bool:
        """Whether the model is another one by now.

        Args:
            state: The record of its structure now.
            questions: Asks it, as it was compiled then and as it answers now.
            images: The images of the run that follows.
        """
        if state != self.state:
            return True
        if state.known or self.random:
            return False
        outputs, gap = questions.compare(images[:_COMPARED])
        if gap > self.rounding:
            return True
        # Outputs, of which the head was judged by others, that are no probabilities.
        judged = self.reading.is_judged_by_values and not self.declared
        return judged and not heads.are_shares(outputs)

    def sentences(self, criterion: Criterion) -> list[str]:
        """What was found, for a report."""
        found = [f"{self.reading} (declared)" if self.declared else str(self.reading)]
        if criterion.by_class:
            found.append(f"{self.reading.classes} classes")
        if not criterion.borders:
            found.append(str(criterion))
        if self.random:
            again = (
                "" if self.repeatable else "; it draws with tf.random, so no two runs are the same"
            )
            found.append(
                "WARNING: the model is random at inference: its answer is the most frequent of "
                f"{DRAWS}, and an image counts as fooled where that is wrong; average the gradient "
                f"over samples=20 or more draws{'' if self.repeatable else again}"
            )
        if self.half:
            found.append("the model computes in float16: its gradients are scaled")
        return found


def look(
    call: ModelCall,
    questions: Questions,
    images: np.ndarray,
    *,
    head: str | None,
    loss: Any,
    criterion: Criterion,
) -> Findings:
    """Finds out what a model is.

    Args:
        call: The model.
        questions: Asks it; what was compiled for it before must be forgotten.
        images: Some images, float32 (n, ...) in [0, 1].
        head: The head that was declared, if any.
        loss: The loss that the model is trained with, where it is not compiled itself.
        criterion: When its answers count, which says how they are read.

    Raises:
        ValueError: When the head cannot be known or is none of what was declared, or when an attack
            on the model would mislead.
    """
    model = call.model
    images = images[:_LOOKED_AT]
    intakes.check_inner(model)
    if not model.built:
        call.outputs(tf.constant(images[:1]))
    state = ModelState(model)
    call.find_seeds(images.shape[1:], has_own_code=not state.known)
    half = is_half(model)
    noise = np.random.default_rng(0).uniform(size=(_NOISE, *images.shape[1:])).astype(np.float32)
    outputs = questions.ask(images)
    if unknown := int(np.isnan(outputs).reshape(len(images), -1).any(axis=1).sum()):
        raise ValueError(f"{call.name} answers NaN to {unknown} of {len(images)} images.")
    seen = questions.seen(images.shape[1:])
    # Beside noise, since a plain image may not show what is random.
    both = np.concatenate([images, noise[:_LOOKED_AT]])
    random = questions.differ(both, rounding=_ROUNDING[half])
    if not random:
        questions.check_alone(both, rounding=_ALONE[half or is_half(model, "bfloat16")])
    if criterion.takes == "values":
        reading = Reading(call.name, "values", outputs.shape[1:])
    else:
        if seen.kind not in ("softmax", "sigmoid"):
            outputs = np.concatenate([outputs, questions.ask(noise)])
        evidence = heads.Evidence(call.name, seen.kind, outputs, _told_by_loss(call, loss))
        if head is None and isinstance(model, FunctionModel) and model.classes is not None:
            # A function that names classes; they may be the same ones for all these images.
            name = "softmax"
        else:
            name = heads.find(evidence) if head is None else heads.agree(head, evidence)
        behind = criterion.borders and outputs.shape[1] > 1 and seen.rises
        cut = name == seen.kind or (
            seen.kind == "shares" and (name == "softmax" or (name == "sigmoid" and seen.odds))
        )
        reading = Reading(
            name=call.name,
            head=name,
            shape=outputs.shape[1:],
            behind=behind,
            cut=seen.kind if cut and not behind else None,
        )
    criterion.check_reading(reading)
    rounding = 1e-5
    if not random and not state.known:
        questions.check_draws(images[:_COMPARED])
    if not random and (call.intake.whole or not state.known):
        gap = questions.compare(images[:_COMPARED])[1]
        allowed = _BFLOAT16 if is_half(model, "bfloat16") else _ROUNDING[half]
        if call.intake.whole and gap > allowed:
            raise ValueError(
                f"{call.name} takes whole numbers, and answers otherwise where they come as "
                "float32, as a gradient needs: make it anew with a float32 input."
            )
        rounding = max(rounding, 10 * gap)
    return Findings(
        state=state,
        reading=reading,
        random=random,
        repeatable=not random or not questions.differ(both, rounding=_ROUNDING[half], rewind=True),
        half=half,
        hides=reading.is_judged_by_values or (seen.hides_behind if reading.behind else seen.hides),
        rounding=rounding,
        declared=head is not None,
        one_hot=criterion.takes != "values" and heads.are_one_hot(outputs),
    )


def _told_by_loss(call: ModelCall, other: Any) -> str | None:
    """What the compiled loss of the class scores takes, see `kgan.attacks.head`."""
    loss = getattr(call.model, "loss", None)
    loss = other if loss is None else loss
    if isinstance(loss, dict | list | tuple):
        losses = call.named(loss)
        loss = losses.get(call.output)
        if len(losses) == 1:
            (loss,) = losses.values()
    return heads.told_by_loss(loss)
