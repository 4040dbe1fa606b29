"""What a generator makes before its last layer clips it, where every value has a gradient."""

from collections.abc import Callable

import keras
import tensorflow as tf

Make = Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]


def unclipped(generator: keras.Model) -> Make:
    """The function of latents and labels to samples in inference mode, before they are clipped.

    A last layer that clips has a method `unclipped` that does all the rest.
    It may be that of a model within the generator.

    Args:
        generator: A functional model of latents, or of `[latents, labels]`, to samples.

    Returns:
        Differentiable function of latents (m, latent_dim), and labels (m,) or `None`, to samples
        (m, ...), float32.
    """
    parts: list[keras.Model] = []
    network = generator
    while True:
        last, node, _ = network.outputs[0]._keras_history
        taken = last._inbound_nodes[node].input_tensors
        if not (isinstance(last, keras.Model) and getattr(last, "outputs", None)):
            break
        parts.append(keras.Model(network.inputs, taken))
        network = last
    clips = hasattr(last, "unclipped")
    parts.append(keras.Model(network.inputs, taken[0] if clips else network.outputs[0]))

    def make(latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        made = latents if labels is None else [latents, labels]
        for part in parts:
            made = part(made, training=False)
        return tf.cast(last.unclipped(made) if clips else made, tf.float32)

    return make
