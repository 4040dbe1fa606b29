"""The one-pixel attack: differential evolution of a few pixels' places and colours."""

import keras
import tensorflow as tf

import kgan.names
from kgan.attacks import example_random, loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count, check_pixels
from kgan.attacks.victim import Victim
from kgan.random import check_seed

# Values in the images of one forward pass, about.
_VALUES = 2**22


@keras.saving.register_keras_serializable(package="kgan")
class OnePixel(Attack):
    """Evolves candidates by the model's probabilities; each sets a few pixels to new colours.

    Args:
        pixels: Number of pixels that a candidate changes.
        population: Number of candidates, at least 4.
        steps: Number of generations; the attack asks `population * (steps + 1)` times at most.
        scale: Weight of the difference of two candidates that is added to a third one (F).
        around: Which the third one is: "random" as published, or "best", which finds more where
            several pixels must fit together and may get stuck; "best" for several pixels if None.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Seed of the evolution, an int.

    Reference:
        Su et al., "One pixel attack for fooling deep neural networks", 2019, section 3.
    """

    norms = ("l0",)
    norm = "l0"
    minimal = True
    category = "black-box"
    needs = "scores"
    needs_pixels = True
    tensors: tuple[str, ...] = ("steps", "scale", "seed")

    def __init__(
        self,
        *,
        pixels: int = 1,
        population: int = 400,
        steps: int = 100,
        scale: float = 0.5,
        around: str | None = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.pixels = check_count("pixels", pixels)
        self.population = check_count("population", population, least=4)
        self.steps = check_count("steps", steps)
        if not scale > 0:
            raise ValueError(f"scale must be above 0, got {scale}.")
        self.scale = float(scale)
        if around is not None:
            kgan.names.check("around", around, ("random", "best"))
        self.around = around
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        height, width, _ = check_pixels("OnePixel", shape)
        if self.pixels > height * width:
            raise ValueError(f"pixels must be at most {height * width}, got {self.pixels}.")

    def _attack(self, batch: AttackBatch) -> State:
        channels = batch.images.shape[3]
        genes = (self.population, self.pixels, 2 + channels)
        people = example_random.uniform(batch.keys, genes, "first")
        state = batch.start()
        state["people"] = people
        state, gains = self._judge(batch, state, people)
        state["gains"] = gains

        def step(i: tf.Tensor, state: State) -> State:
            children = self._children(state, i)
            state, gains = self._judge(batch, state, children)
            better = gains > state["gains"]
            return {
                **state,
                "people": tf.where(better[:, :, None, None], children, state["people"]),
                "gains": tf.where(better, gains, state["gains"]),
            }

        return loop.run(step, state, self.steps)

    def _children(self, state: State, i: tf.Tensor) -> tf.Tensor:
        """One child for each place: a + F (b - c) of three candidates."""
        people, size = state["people"], self.population
        draws = example_random.uniform(state["keys"], (3, size), "parents", i)

        def whole(draw: tf.Tensor, bound: int) -> tf.Tensor:
            return tf.minimum(tf.cast(draw * float(bound), tf.int32), bound - 1)

        # Offsets from the first, of which the second skips none and the third skips the second's.
        first, offset = whole(draws[:, 0], size), whole(draws[:, 1], size - 1)
        other = (offset + 1 + whole(draws[:, 2], size - 2)) % (size - 1)
        second, third = (first + 1 + offset) % size, (first + 1 + other) % size
        a, b, c = (tf.gather(people, rows, batch_dims=1) for rows in (first, second, third))
        if (self.around or ("best" if self.pixels > 1 else "random")) == "best":
            best = tf.argmax(state["gains"], axis=1, output_type=tf.int32)
            a = tf.gather(people, best[:, None], batch_dims=1)
        return tf.clip_by_value(a + self.scale * (b - c), 0.0, 1.0)

    def _paint(self, images: tf.Tensor, people: tf.Tensor) -> tf.Tensor:
        """The images of some candidates (batch, k, pixels, genes), as (batch * k, ...)."""
        _, height, width, channels = images.shape
        k = tf.shape(people)[1]
        size = tf.constant([height, width], tf.float32)
        place = tf.minimum(tf.cast(people[..., :2] * size, tf.int32), [height - 1, width - 1])
        colours = people[..., 2:]
        painted = tf.repeat(images, k, axis=0)
        for pixel in range(self.pixels):
            flat = tf.reshape(place[:, :, pixel, 0] * width + place[:, :, pixel, 1], [-1])
            there = tf.one_hot(flat, height * width, on_value=True, off_value=False)
            there = tf.reshape(there, [-1, height, width, 1])
            colour = tf.reshape(colours[:, :, pixel], [-1, 1, 1, channels])
            painted = tf.where(there, colour, painted)
        return painted

    def _judge(
        self, batch: AttackBatch, state: State, people: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        """The gains (batch, population) of candidates; the best one is recorded if it fools."""
        original, labels = state["original"], state["labels"]
        rows = tf.shape(labels)[0]
        values = original.shape[1:].num_elements()
        chunk = tf.clip_by_value(_VALUES // (values * rows), 1, self.population)
        gains = tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False)

        def ask(c, gains):
            some = people[:, c * chunk : (c + 1) * chunk]
            k = tf.shape(some)[1]
            logits = batch.logits(self._paint(original, some))
            gain = batch.gain(logits, tf.repeat(labels, k, axis=0), "cross_entropy")
            return c + 1, gains.write(c, tf.transpose(tf.reshape(gain, [rows, k])))

        chunks = (self.population + chunk - 1) // chunk
        _, gains = tf.while_loop(lambda c, _: c < chunks, ask, (tf.constant(0), gains))
        gains = tf.ensure_shape(tf.transpose(gains.concat()), [None, self.population])
        best = tf.gather(people, tf.argmax(gains, axis=1), batch_dims=1)[:, None]
        images = self._paint(original, best)
        return batch.record(state, images), gains
