"""The search that Carlini-Wagner and elastic-net attacks share: one constant for each example.

Both minimise `size of the change + constant * shortfall`, where the shortfall says how far the
image is from fooling the model, and look for the smallest constant that fools: they multiply it by
ten until it does, then bisect. Published code runs the search steps of a whole batch in lockstep.
Here each example has its own iteration and its own search step. So an example that stalls takes
its next constant at once, its result does not depend on its neighbours, and it leaves the batch
when its own search is over.
"""

import tensorflow as tf

from kgan.attacks import loop
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import check_count
from kgan.attacks.norms import choose
from kgan.random import check_seed


class ConstantSearch(Attack):
    """Base of attacks that search for the constant between distortion and success.

    A subclass implements `_restart` (the variables of a new minimisation), `_iterate` (one
    iteration) and `_size` (the size of the change, which is minimised).

    Args:
        confidence: Margin of logits by which the model must be wrong.
        steps: Number of iterations for each constant.
        search_steps: Number of constants to try.
        learning_rate: Learning rate of the minimisation.
        initial_constant: The first constant to try.
        abort_early: Whether an example moves on to the next constant if its loss has not fallen
            by 0.01% within a tenth of the steps.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        seed: Not used, since nothing is random; every attack has it.
    """

    # Whether an example whose image fools already moves on, too, if its loss stalls.
    aborts_when_found = True
    minimal = True
    takes_arrays = True
    tensors: tuple[str, ...] = (
        "confidence",
        "steps",
        "search_steps",
        "learning_rate",
        "initial_constant",
        "seed",
    )

    def __init__(
        self,
        *,
        confidence: float = 0.0,
        steps: int = 1000,
        search_steps: int = 9,
        learning_rate: float = 0.01,
        initial_constant: float = 1e-3,
        abort_early: bool = True,
        quantize: bool = False,
        seed: int = 0,
    ):
        for name, value, least in (
            ("confidence", confidence, 0.0),
            ("learning_rate", learning_rate, 1e-12),
            ("initial_constant", initial_constant, 1e-12),
        ):
            if not value >= least:
                raise ValueError(f"{name} must be positive, got {value}.")
        self.confidence = float(confidence)
        self.steps = check_count("steps", steps)
        self.search_steps = check_count("search_steps", search_steps)
        self.learning_rate = float(learning_rate)
        self.initial_constant = float(initial_constant)
        self.abort_early = abort_early
        self.quantize = quantize
        self.seed = check_seed(seed)

    def _restart(self, original: tf.Tensor) -> State:
        """The variables at the start of a minimisation."""
        raise NotImplementedError

    def _iterate(
        self, batch: AttackBatch, state: State
    ) -> tuple[State, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One iteration.

        Returns:
            The changed variables, the loss, the images to judge, and their logits.
        """
        raise NotImplementedError

    def _size(self, change: tf.Tensor) -> tf.Tensor:
        """The size of each change, which is minimised, of shape (batch,)."""
        raise NotImplementedError

    def _shortfall(self, batch: AttackBatch, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """How many logits are missing to fool with `confidence`; eq. 6 of Carlini-Wagner."""
        lead = batch.gain(logits, labels)
        return tf.maximum(self.confidence - lead, 0.0)

    def _fools(self, batch: AttackBatch, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        lead = batch.gain(logits, labels)
        # If `confidence` is 0, the model's own argmax decides a tie.
        return batch.fooled(logits, labels) & (lead >= self.confidence)

    def _attack(self, batch: AttackBatch) -> State:
        infinite = tf.fill(tf.shape(batch.keys), float("inf"))
        zeros = tf.zeros_like(batch.keys)
        state = batch.start(
            **self._restart(batch.images),
            iteration=zeros,
            searches=zeros,
            constant=tf.zeros_like(infinite) + self.initial_constant,
            lower=tf.zeros_like(infinite),
            upper=infinite,
            found=zeros > 0,
            checked_loss=infinite,
            best_size=infinite,
        )
        check_every = tf.cast(tf.math.ceil(tf.cast(self.steps, tf.float32) / 10.0), tf.int32)

        def step(_: tf.Tensor, state: State) -> State:
            variables, loss, images, logits = self._iterate(batch, state)
            checking = state["iteration"] % check_every == 0
            stalled = checking & ~(loss <= 0.9999 * state["checked_loss"])
            if not self.abort_early:
                stalled = tf.zeros_like(stalled)
            elif not self.aborts_when_found:
                stalled &= ~state["found"]
            fools = self._fools(batch, logits, state["labels"]) & ~stalled
            size = self._size(images - state["original"])
            closer = fools & (size < state["best_size"])
            iteration = state["iteration"] + 1
            state = {
                **state,
                **variables,
                "adversarial": choose(closer, images, state["adversarial"]),
                "best_size": tf.where(closer, size, state["best_size"]),
                "success": state["success"] | fools,
                "found": state["found"] | fools,
                "checked_loss": tf.where(checking, loss, state["checked_loss"]),
                "iteration": iteration,
            }
            over = stalled | (iteration >= self.steps)
            return tf.cond(
                tf.reduce_any(over), lambda: self._next_constant(state, over), lambda: state
            )

        return loop.run(step, state, self.steps * self.search_steps)

    def _next_constant(self, state: State, over: tf.Tensor) -> State:
        """Starts the next minimisation of the examples whose present one is finished."""
        constant, found = state["constant"], state["found"]
        upper = tf.where(over & found, constant, state["upper"])
        lower = tf.where(over & ~found, constant, state["lower"])
        searches = state["searches"] + tf.cast(over, tf.int32)
        following = tf.where(tf.math.is_inf(upper), constant * 10.0, (lower + upper) / 2.0)
        # The last step of a long search uses the smallest constant that is known to fool.
        last = (searches == self.search_steps - 1) & (self.search_steps >= 10)
        following = tf.where(last, tf.minimum(upper, 1e10), following)
        fresh = self._restart(state["original"])
        return {
            **state,
            **{name: choose(over, value, state[name]) for name, value in fresh.items()},
            "upper": upper,
            "lower": lower,
            "constant": tf.where(over, following, constant),
            "searches": searches,
            "iteration": tf.where(over, 0, state["iteration"]),
            "found": found & ~over,
            "checked_loss": tf.where(over, float("inf"), state["checked_loss"]),
            "done": state["done"] | (searches >= self.search_steps),
        }


def adam(
    gradient: tf.Tensor, first: tf.Tensor, second: tf.Tensor, count: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Adam's direction and its new moments; each example has its own step count, from 1.

    Reference:
        Kingma and Ba, "Adam", 2015, algorithm 1.
    """
    first = 0.9 * first + 0.1 * gradient
    second = 0.999 * second + 0.001 * tf.square(gradient)
    count = tf.reshape(tf.cast(count, tf.float32), [-1] + [1] * (gradient.shape.rank - 1))
    direction = first / (1.0 - 0.9**count)
    return direction / (tf.sqrt(second / (1.0 - 0.999**count)) + 1e-8), first, second
