"""A convolution that works on blocks of pixels, for maps of few channels."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan", name="BlockConv2D")
class BlockConv2D(keras.layers.Conv2D):
    """Keras's `Conv2D`, whose steps of training go over blocks of 2 x 2 pixels.

    A convolution from or to three channels leaves most of a processor's lanes empty. Over blocks it
    has four times the channels: the kernel, shifted by 0 or 1 pixels each way, is cut into blocks
    too. The sums are the same, and for a kernel of 7 take half the time though a third more is
    multiplied (by zero). It applies to odd kernels without a stride and to even ones with a stride
    of 2, where a block has one output and the kernel is not shifted; both without padding, on maps
    of even sides. Everything else is as Keras has it.

    Shapes: as `Conv2D`.
    """

    any_size = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self._applies(inputs.shape):
            return super().call(inputs)
        outputs = 1 if self.strides == (2, 2) else 4
        kernel = self._block_kernel(shifts=(0,) if outputs == 1 else (0, 1))
        blocks = tf.nn.conv2d(tf.nn.space_to_depth(inputs, 2), kernel, 1, "VALID")
        if self.use_bias:
            bias = tf.convert_to_tensor(self.bias)
            blocks = tf.nn.bias_add(blocks, tf.tile(bias, [outputs]))
        return self.activation(blocks if outputs == 1 else tf.nn.depth_to_space(blocks, 2))

    def _applies(self, shape: Any) -> bool:
        kinds = (self.strides, *(size % 2 for size in self.kernel_size))
        plain = (
            *(kinds in (((1, 1), 1, 1), ((2, 2), 0, 0)), self.dilation_rate == (1, 1)),
            *(self.groups == 1, self.padding == "valid", self.data_format == "channels_last"),
        )
        return all(plain) and all(side is not None and side % 2 == 0 for side in shape[1:3])

    def _block_kernel(self, shifts: Sequence[int]) -> tf.Tensor:
        """(blocks, blocks, 4 * channels, filters), as many filters for each pixel of a block."""
        kernel = tf.convert_to_tensor(self.kernel)
        height, width, channels, filters = kernel.shape
        most = len(shifts) - 1
        shifted = [
            tf.pad(kernel, [[row, most - row], [column, most - column], [0, 0], [0, 0]])
            for row in shifts
            for column in shifts
        ]
        rows, columns, filters = (height + most) // 2, (width + most) // 2, len(shifted) * filters
        cut = tf.reshape(tf.concat(shifted, -1), [rows, 2, columns, 2, channels, filters])
        return tf.reshape(
            tf.transpose(cut, [0, 2, 1, 3, 4, 5]), [rows, columns, 4 * channels, filters]
        )


# Keras saves weights by the names of classes: so checkpoints of plain convolutions fit, and back.
BlockConv2D.__name__ = "Conv2D"
