"""How far networks that grow have come at a step: in phases that fade a size in, or settle it."""

from functools import partial

import keras
import tensorflow as tf

from kgan.counter import steps_done


def level_at(step: tf.Tensor, phase_steps: int) -> tf.Tensor:
    """The level of the networks at a step, a float32 scalar.

    The smallest map trains for a phase; then, for each doubling, one phase fades it in and one lets
    it settle.

    Args:
        step: Steps done so far.
        phase_steps: Steps in a phase.

    Reference: Karras et al. 2018, section 2 (arXiv:1710.10196).
    """
    phase = step // phase_steps
    done = tf.cast((phase + 1) // 2, tf.float32)
    inside = tf.cast(step % phase_steps, tf.float32) / phase_steps
    # In an odd phase the next size fades in.
    return tf.where(phase % 2 == 1, done - 1.0 + inside, done)


def levels(network: keras.Model) -> int:
    """How often the size of a network that grows doubles."""
    return max(layer.level for layer in growing(network)) + 1


def full_at(network: keras.Model, phase_steps: int) -> int:
    """The step from which `level_at` has a network at its full size."""
    return 2 * levels(network) * phase_steps


def is_grown(model: keras.Model, step: int) -> bool:
    """Whether a model's networks had their full size in the last of so many steps of its training.

    Before that, what the model makes is coarser than its data, so a comparison with them tells
    neither a fault nor a best state.

    Args:
        model: Any model; one whose networks do not grow always has its full size.
        step: Steps done so far.
    """
    phase_steps = getattr(model, "phase_steps", None)
    return phase_steps is None or step > full_at(model.discriminator, phase_steps)


def size_at(network: keras.Model, phase_steps: int, steps: int) -> str:
    """The size at which a network that grows is after so many steps, at least 1, in words."""
    level = float(level_at(tf.constant(steps - 1), phase_steps))
    return f"doubling {int(10 * level + 1e-3) / 10} of {levels(network)}"


def not_grown(model: keras.Model) -> str | None:
    """What to know of a model whose networks still grow, in words; `None` of any other.

    Args:
        model: Any model.
    """
    if not hasattr(model, "phase_steps") or is_grown(model, steps_done(model)):
        return None
    steps = steps_done(model)
    size = size_at(model.discriminator, model.phase_steps, max(steps, 1))
    whole = full_at(model.discriminator, model.phase_steps)
    return (
        f"its networks are at {size} after {steps:,} steps, and have their full size after more "
        f"than {whole:,}: samples are coarser than the data, and scores tell of that too"
    )


def faded(images: tf.Tensor, discriminator: keras.Model, level: tf.Tensor) -> tf.Tensor:
    """Real images as networks that grow see them: the details of a size fade in with it.

    Otherwise they would have at once what generated images can only have by and by.

    Args:
        images: Shape (batch, height, width, channels).
        discriminator: The network that grows, whose layers say how each level halves the images;
            where none does, they stay as they are.
        level: The level that it has reached, a float32 scalar.

    Reference: Karras et al. 2018, figure 2 (arXiv:1710.10196).
    """
    strides = {one.level: one.reduce for one in growing(discriminator) if hasattr(one, "reduce")}
    if not strides:
        return images
    reached, full = tf.floor(level), max(strides) + 1

    def settled(size: int) -> tf.Tensor:
        """Images with the details of so many doublings alone."""
        halvings = [strides[one] for one in sorted(strides, reverse=True) if one >= size]
        coarse, sides = images, []
        for halving in halvings:
            sides.append(coarse.shape[1:3])
            coarse = tf.nn.avg_pool2d(coarse, halving, halving, "SAME")
        for (rows, columns), side in zip(reversed(halvings), reversed(sides), strict=True):
            coarse = tf.repeat(tf.repeat(coarse, rows, axis=1), columns, axis=2)
            coarse = coarse[:, : side[0], : side[1]]
        return coarse

    def between(size: int) -> tf.Tensor:
        """Images of the size that has settled, and a share of what the next one adds."""
        coarse = settled(size)
        return coarse + (level - reached) * (settled(size + 1) - coarse)

    return tf.switch_case(
        tf.cast(tf.minimum(reached, full), tf.int32),
        [*(partial(between, size) for size in range(full)), lambda: tf.identity(images)],
    )


def grow(network: keras.Model, level: tf.Tensor) -> None:
    """Sets the level of all layers of a network that grow."""
    for layer in growing(network):
        layer.grow(level)


def reached(network: keras.Model) -> tf.Tensor:
    """The level of a network that grows, a float32 scalar."""
    return tf.convert_to_tensor(growing(network)[0].reached)


def growing(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a network that grow."""
    return [layer for layer in network._flatten_layers() if hasattr(layer, "grow")]
