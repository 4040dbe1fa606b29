"""A generator that knows the class by one embedding alone, cut there: images between classes."""

from typing import NamedTuple, Self

import keras
import tensorflow as tf


class ClassEmbedding(NamedTuple):
    """A conditional generator, cut at the one embedding of its classes.

    Attributes:
        embedding: The layer from labels (n,) to vectors (n, size), the only one that takes labels.
        decoder: The model from `[latents, vectors]` to images, in inference mode.

    Reference: the shared embedding of Brock et al. 2019, section 3 (arXiv:1809.11096).
    """

    embedding: keras.layers.Embedding
    decoder: keras.Model

    @classmethod
    def of(cls, generator: keras.Model) -> Self:
        """The parts of a generator of `[latents, labels]`.

        Raises:
            ValueError: Where another layer takes the labels, or none does.
        """
        latents, labels = generator.inputs
        taking = [
            layer
            for layer in generator.layers
            if any(one is labels for node in layer._inbound_nodes for one in node.input_tensors)
        ]
        embedding = taking[0] if len(taking) == 1 else None
        # One that is called twice has no output of its own.
        if not isinstance(embedding, keras.layers.Embedding) or len(embedding._inbound_nodes) > 1:
            names = ", ".join(layer.name for layer in taking)
            raise ValueError(
                "the generator must have styles for ways between classes, or one embedding that "
                "all else knows the class by, such as networks dcgan and biggan have, got labels "
                f"that go to the layers {names or 'none'}."
            )
        return cls(embedding, keras.Model([latents, embedding.output], generator.outputs[0]))

    def vectors(self, labels: tf.Tensor) -> tf.Tensor:
        """Vectors (n, size) of labels (n,), float32 whatever the network computes in."""
        return tf.cast(self.embedding(labels), tf.float32)

    def images(self, latents: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        """Images of latents (n, latent_dim) and vectors (n, size)."""
        return tf.cast(self.decoder([latents, vectors], training=False), tf.float32)
