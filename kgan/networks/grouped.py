"""Convolution in groups, computed as several dense ones."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Channels of a block of groups.
_LEAST = 16


@keras.saving.register_keras_serializable(package="kgan")
class GroupedConv2D(keras.layers.Layer):
    """A convolution whose output channels see the input channels of their own group alone.

    On a CPU the gradients of TensorFlow's grouped convolution take 10 to 117 times as long as those
    of a dense one. So blocks of groups are convolved one by one. A block has 16 channels or more,
    since narrower convolutions are slow too: its kernel is a dense one with zeros between groups.

    Args:
        filters: Number of output channels.
        kernel_size: Side of the kernel.
        groups: Number of groups; it must divide both numbers of channels.
        padding: "same" or "valid".
        use_bias: Whether a bias is added.
        kernel_initializer: Initializer of the kernel (side, side, in / groups, filters).

    Shapes: (batch, height, width, channels) to (batch, new_height, new_width, filters).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        *,
        groups: int,
        padding: str = "same",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **options,
    ):
        super().__init__(**options)
        if filters % groups:
            raise ValueError(f"groups must divide filters, got {groups} and {filters}.")
        if padding not in ("same", "valid"):
            raise ValueError(f"padding must be same or valid, got {padding!r}.")
        self.filters = filters
        self.kernel_size = kernel_size
        self.groups = groups
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(f"groups must divide the {channels} channels, got {self.groups}.")
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        size = channels // self.groups
        in_block = next(
            count
            for count in range(1, self.groups + 1)
            if self.groups % count == 0 and (count * size >= _LEAST or count == self.groups)
        )
        self._blocks = self.groups // in_block
        mask = np.kron(np.eye(in_block), np.ones((size, self.filters // self.groups)))
        self._mask = mask.astype(np.float32) if in_block > 1 else None

    def call(self, inputs: Any) -> Any:
        kernel = tf.cast(self.kernel, inputs.dtype)
        parts = zip(
            tf.split(inputs, self._blocks, axis=3),
            tf.split(kernel, self._blocks, axis=3),
            strict=True,
        )
        outputs = tf.concat([self._convolved(*one) for one in parts], axis=3)
        return outputs if self.bias is None else outputs + tf.cast(self.bias, outputs.dtype)

    def _convolved(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """A block of groups."""
        if self._mask is not None:
            copies = tf.tile(kernel, [1, 1, len(self._mask) // kernel.shape[2], 1])
            kernel = copies * tf.cast(self._mask, kernel.dtype)
        return tf.nn.conv2d(inputs, kernel, 1, self.padding.upper())

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, *sides, _ = input_shape
        lost = 0 if self.padding == "same" else self.kernel_size - 1
        return (batch, *(side - lost for side in sides), self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
