"""Gradients of float16 models, which would vanish below 6e-8 or overflow above 65504."""

from collections.abc import Callable

import keras
import tensorflow as tf

# What an example's largest incoming gradient becomes: as far from one end as from the other.
_SCALES = (2.0**8, 2.0**-4)


def is_half(model: keras.Model, dtype: str = "float16") -> bool:
    """Whether any layer computes in float16, or in another dtype of 16 bits."""
    return any(getattr(layer, "compute_dtype", None) == dtype for layer in model._flatten_layers())


def with_scaled_gradient(
    function: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor], tf.Tensor]:
    """The same function, in graph mode, whose backward pass is scaled example by example.

    A backward pass is linear in the gradient that comes in, so each example's may be brought to one
    size before it enters float16 and back after it has left, whatever loss it comes from. Where the
    result is not finite, the pass is repeated with a small scale.

    Args:
        function: From float32 (batch, ...) to float32 (batch, units), each example on its own.
    """

    def scaled(images: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def apply(images: tf.Tensor):
            with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
                tape.watch(images)
                outputs = function(images)

            def backward(upstream: tf.Tensor, variables: list | None = None):
                largest = tf.reduce_max(tf.abs(upstream), axis=1, keepdims=True)
                largest = tf.where(largest > 0.0, largest, tf.ones_like(largest))
                unit = upstream / largest

                def gradient(scale: float) -> tf.Tensor:
                    found = tape.gradient(
                        outputs,
                        images,
                        output_gradients=unit * scale,
                        unconnected_gradients=tf.UnconnectedGradients.ZERO,
                    )
                    back = tf.reshape(largest, [-1] + [1] * (images.shape.rank - 1)) / scale
                    return found * back

                found = gradient(_SCALES[0])
                finite = tf.reduce_all(tf.math.is_finite(found))
                found = tf.cond(finite, lambda: found, lambda: gradient(_SCALES[1]))
                found = tf.ensure_shape(found, images.shape)
                return (found, [None] * len(variables)) if variables else found

            return outputs, backward

        return apply(images)

    return scaled
