"""A convolution that works on blocks of pixels, for maps of few channels."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kgan")
class BlockConv2D(keras.layers.Conv2D):
    """Keras's `Conv2D`, whose steps of training go over blocks of 2 x 2 pixels.

    A convolution from or to three channels leaves most of a processor's lanes empty. Over blocks it
    has four times the channels: the kernel, shifted by 0 or 1 pixels each way, is cut into blocks
    too. The sums are the same, and for a kernel of 7 take half the time though a third more is
    multiplied (by zero). It applies to odd kernels without a stride and padding, and even sides.

    Shapes: as `Conv2D`.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self._applies(inputs.shape):
            return super().call(inputs)
        bias = tf.tile(tf.convert_to_tensor(self.bias), [4]) if self.use_bias else None
        blocks = tf.nn.conv2d(tf.nn.space_to_depth(inputs, 2), self._block_kernel(), 1, "VALID")
        blocks = blocks if bias is None else tf.nn.bias_add(blocks, bias)
        return self.activation(tf.nn.depth_to_space(blocks, 2))

    def _applies(self, shape: Any) -> bool:
        plain = (
            *(self.strides == (1, 1), self.dilation_rate == (1, 1), self.groups == 1),
            *(self.padding == "valid", self.data_format == "channels_last"),
        )
        odd = all(size % 2 for size in self.kernel_size)
        return all(plain) and odd and all(side is not None and side % 2 == 0 for side in shape[1:3])

    def _block_kernel(self) -> tf.Tensor:
        """(blocks, blocks, 4 * channels, 4 * filters): a kernel for each pixel of a block."""
        kernel = tf.convert_to_tensor(self.kernel)
        height, width, channels, filters = kernel.shape
        shifted = [
            tf.pad(kernel, [[row, 1 - row], [column, 1 - column], [0, 0], [0, 0]])
            for row in (0, 1)
            for column in (0, 1)
        ]
        rows, columns = (height + 1) // 2, (width + 1) // 2
        cut = tf.reshape(tf.concat(shifted, -1), [rows, 2, columns, 2, channels, 4 * filters])
        return tf.reshape(
            tf.transpose(cut, [0, 2, 1, 3, 4, 5]), [rows, columns, 4 * channels, 4 * filters]
        )
