"""BPDA: a gradient for a part of a model that has none, or a useless one."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@tf.custom_gradient
def straight_through(stand_in: tf.Tensor, value: tf.Tensor) -> Any:
    """The value; its gradient goes to the stand-in."""
    return tf.identity(value), lambda gradient: (gradient, tf.zeros_like(value))


@keras.saving.register_keras_serializable(package="kgan")
class BPDA(keras.layers.Layer):
    """Computes a function forward, and the gradient of a stand-in backward.

    Put it in place of the part that hides the gradient (rounding, JPEG, a purifier), so that
    gradient attacks see past it, and judge their images on the model as it is used.

    Args:
        forward: The function or layer whose values are used, from a tensor to a tensor.
        backward: A differentiable function or layer close to it, whose gradient is used; the
            identity if None, for which `forward` must keep the shape.

    Example:

    ```python
    seen = keras.Sequential([kgan.attacks.BPDA(round_to_8_bits), classifier])
    adversarial = kgan.attacks.PGD(8 / 255)(seen, images, labels)
    ```

    Reference:
        Athalye et al., "Obfuscated gradients give a false sense of security", 2018, section 4.1.
    """

    def __init__(
        self,
        forward: Callable[[tf.Tensor], tf.Tensor],
        backward: Callable[[tf.Tensor], tf.Tensor] | None = None,
        **layer: Any,
    ):
        super().__init__(**layer)
        for name, value in (("forward", forward), ("backward", backward)):
            if not callable(value) and not (name == "backward" and value is None):
                raise TypeError(f"{name} must be a function or a layer, got {value!r}.")
        self.forward = forward
        self.backward = backward

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        value = tf.stop_gradient(self.forward(inputs))
        stand_in = inputs if self.backward is None else self.backward(inputs)
        if not value.shape.is_compatible_with(stand_in.shape):
            raise ValueError(
                f"{'backward' if self.backward else 'forward'} must return the shape "
                f"{tuple(value.shape if self.backward else inputs.shape)}, got "
                f"{tuple(stand_in.shape if self.backward else value.shape)}."
            )
        value = tf.ensure_shape(value, stand_in.shape)
        return straight_through(stand_in, tf.cast(value, stand_in.dtype))

    def get_config(self) -> dict[str, Any]:
        functions = {"forward": self.forward, "backward": self.backward}
        return {
            **super().get_config(),
            **{
                name: keras.saving.serialize_keras_object(value)
                for name, value in functions.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BPDA":
        functions = {
            name: keras.saving.deserialize_keras_object(config.pop(name))
            for name in ("forward", "backward")
        }
        return cls(**functions, **config)
