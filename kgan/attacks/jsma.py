"""The Jacobian-based saliency map attack: saturates two values at a time."""

import keras
import tensorflow as tf

from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count
from kgan.attacks.norms import flatten
from kgan.attacks.victim import Victim
from kgan.random import check_seed

# A value with less room than this counts as saturated.
_LEAST_ROOM = 0.01
# Pairs of values whose saliency is computed at a time, about.
_PAIRS = 2**22


@keras.saving.register_keras_serializable(package="kgan")
class JSMA(Attack):
    """Changes the pair of values that most raises the target's logit and lowers the others'.

    Without targets it aims at the likeliest other classes, one after the other, and keeps the
    fewest changes; any misclassification counts as success.

    Where a victim's `criterion` lets several classes decide together (`TopK`), the logit to raise
    is that of the class that lags. Where no class does (`MultiLabel`, `Distance`), it is the
    criterion's margin, and nothing else is to be lowered.

    Args:
        change: How far a chosen value moves (theta), in [-1, 1] without 0; 1 sets it to white.
        share: Largest share of the values that may change (gamma), in (0, 1].
        targets: Number of classes, or sets of them, that are tried if none is given.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.

    Reference:
        Papernot et al., "The limitations of deep learning in adversarial settings", 2016,
        algorithms 2 and 3.
    """

    norms = ("l0",)
    norm = "l0"
    minimal = True
    tensors: tuple[str, ...] = ("change", "share", "seed")

    def __init__(
        self,
        *,
        change: float = 1.0,
        share: float = 1.0,
        targets: int = 1,
        quantize: bool = False,
        seed: int = 0,
    ):
        if not 0 < abs(change) <= 1:
            raise ValueError(f"change must be in [-1, 1] and not 0, got {change}.")
        self.change = float(change)
        if not 0 < share <= 1:
            raise ValueError(f"share must be in (0, 1], got {share}.")
        self.share = float(share)
        self.targets = check_count("targets", targets)
        self.quantize = quantize
        self.seed = check_seed(seed)

    def attempts(self, victim: Victim) -> int:
        return max(min(self.targets, victim.choices), 1)

    def _attack(self, batch: AttackBatch) -> State:
        values = batch.images.shape[1:].num_elements()
        state = batch.start(images=batch.images)
        logits = batch.logits(batch.images)
        if batch.targeted and batch.criterion.by_class:
            state["aim"] = batch.labels[:, None]
        elif not batch.targeted and (choices := batch.criterion.choices(logits.shape[-1])):
            number = batch.attempt % choices
            state["aim"] = batch.criterion.aim(logits, batch.labels, number)
        # A value may take several steps; each step moves two.
        moves = tf.cast(tf.math.ceil(1.0 / tf.abs(self.change)), tf.int32) * (values // 2 + 1)

        def step(_: tf.Tensor, state: State) -> State:
            logits, pair = self._pair(batch, state)
            state = batch.record(state, state["images"], logits)
            hot = tf.reduce_sum(tf.one_hot(pair, values), axis=1)
            images = state["images"] + self.change * tf.reshape(hot, tf.shape(state["images"]))
            images = tf.clip_by_value(images, 0.0, 1.0)
            changed = tf.math.count_nonzero(
                flatten(images != state["original"]), axis=1, dtype=tf.float32
            )
            stuck = (pair[:, 0] < 0) | (changed > self.share * values)
            return {**state, "images": images, "done": state["done"] | stuck}

        return batch.iterate(step, state, moves)

    def _pair(self, batch: AttackBatch, state: State) -> tuple[tf.Tensor, tf.Tensor]:
        """The logits, and the most salient pair of values (batch, 2); -1 if there is none."""
        images = state["images"]
        by_class = batch.criterion.by_class
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(images)
            logits = batch.logits(images)
            if by_class:
                aimed = tf.gather(logits, state["aim"], batch_dims=1)
                wanted = tf.reduce_min(aimed, axis=1)
                rest = tf.reduce_sum(logits, axis=1) - tf.reduce_sum(aimed, axis=1)
            elif "aim" in state:
                wanted = batch.criterion.lead(logits, state["labels"], state["aim"])
            else:
                wanted = batch.gain(logits, state["labels"])
        zero = tf.UnconnectedGradients.ZERO
        up = flatten(tape.gradient(wanted, images, unconnected_gradients=zero))
        if not by_class:
            others = -up
        else:
            others = flatten(tape.gradient(rest, images, unconnected_gradients=zero))
            if logits.shape[1] == 2:
                # Where the model has a single output one of the two logits is 0 for ever.
                up, others = up - others, others - up
        # A darkening step turns both slopes round.
        side = tf.sign(self.change)
        room = flatten(tf.where(side > 0, 1.0 - images, images)) > _LEAST_ROOM
        return logits, best_pair(side * up, side * others, room)


def best_pair(up: tf.Tensor, others: tf.Tensor, room: tf.Tensor) -> tf.Tensor:
    """The pair that maximises -(sum of up) (sum of others), where up rises and others fall.

    Args:
        up: Slopes of the target's logit, float32 (batch, values).
        others: Slopes of the sum of the other logits, of the same shape.
        room: Which values can still move, bool (batch, values).

    Returns:
        The two indices, int32 (batch, 2); -1 where no pair qualifies.
    """
    values = up.shape[1]
    rows = tf.shape(up)[0]
    block = tf.clip_by_value(_PAIRS // (values * rows), 1, values)
    columns = tf.range(values)

    def compare(start, best, pair):
        firsts = tf.minimum(start + tf.range(block), values - 1)
        rise = tf.gather(up, firsts, axis=1)[:, :, None] + up[:, None]
        fall = -tf.gather(others, firsts, axis=1)[:, :, None] - others[:, None]
        free = tf.gather(room, firsts, axis=1)[:, :, None] & room[:, None]
        free &= (rise > 0) & (fall > 0) & (firsts[:, None] < columns)[None]
        saliency = tf.reshape(tf.where(free, rise * fall, 0.0), [rows, -1])
        index = tf.argmax(saliency, axis=1, output_type=tf.int32)
        value = tf.gather(saliency, index, batch_dims=1)
        found = tf.stack([tf.gather(firsts, index // values), index % values], axis=1)
        better = value > best
        return start + block, tf.maximum(value, best), tf.where(better[:, None], found, pair)

    _, _, pair = tf.while_loop(
        lambda start, *_: start < values,
        compare,
        (tf.constant(0), tf.zeros_like(up[:, 0]), tf.fill([rows, 2], -1)),
    )
    return pair
