"""Layers of a generator that is steered by styles: mapping, modulated convolution, noise.

Reference: Karras et al. 2019, section 2 (arXiv:1912.04958).
"""

import math
import random
from typing import Any

import keras
import tensorflow as tf

import kgan.random
from kgan.networks.equalized import EqualizedDense
from kgan.networks.resampling import Strides, filtered

_MIXING, _LATENTS = 0, 1


def _drawn_seed(seed: int | None) -> int:
    """Like Keras's layers, uses the generator that `keras.utils.set_random_seed` seeds."""
    drawn = random.randrange(kgan.random.MAX_SEED) if seed is None else seed
    return kgan.random.check_seed(drawn)


@keras.saving.register_keras_serializable(package="kgan")
class LabelledMapping(keras.layers.Layer):
    """A stack of dense layers that learn slowly, of latents and a class or of one of them.

    Each of latents and the class's features is divided by its root mean square first.

    Args:
        units: Length of the result.
        depth: Number of dense layers.
        num_classes: Number of classes, or `None`.
        rate_multiplier: How fast the stack learns beside other layers.

    Shapes: latents (batch, latent_dim), labels (batch,), or both in a list, to (batch, units).
    """

    def __init__(
        self,
        units: int,
        *,
        depth: int = 2,
        num_classes: int | None = None,
        rate_multiplier: float = 0.01,
        **options,
    ):
        super().__init__(**options)
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}.")
        self.units = units
        self.depth = depth
        self.num_classes = num_classes
        self.rate_multiplier = rate_multiplier
        policy = self.dtype_policy
        self.embedding = None
        if num_classes is not None:
            self.embedding = EqualizedDense(units, dtype=policy, name="embedding")
        self.stack = [
            EqualizedDense(
                units, rate_multiplier=rate_multiplier, dtype=policy, name=f"dense_{number}"
            )
            for number in range(depth)
        ]

    def build(self, input_shape: Any) -> None:
        shapes = input_shape if _is_several(input_shape) else [input_shape]
        size = sum(shape[-1] for shape in shapes if len(shape) == 2)
        if self.embedding is not None:
            self.embedding.build((None, self.num_classes))
            size += self.units
        for dense in self.stack:
            dense.build((None, size))
            size = self.units

    def mapped(self, latents: tf.Tensor | None, labels: tf.Tensor | None) -> tf.Tensor:
        """The result for latents (batch, latent_dim), labels (batch,), or both."""
        parts = [] if latents is None else [_unit(latents)]
        if self.embedding is not None:
            one_hot = tf.one_hot(tf.cast(labels, tf.int32), self.num_classes)
            parts.append(_unit(self.embedding(tf.cast(one_hot, self.compute_dtype))))
        features = tf.concat(parts, axis=1)
        gain = tf.cast(math.sqrt(2.0), features.dtype)
        for dense in self.stack:
            features = tf.nn.leaky_relu(dense(features), 0.2) * gain
        return features

    def _parts(self, inputs: Any) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        if isinstance(inputs, (list, tuple)):
            latents, labels = inputs
            return latents, labels
        return (None, inputs) if len(inputs.shape) == 1 else (inputs, None)

    def call(self, inputs: Any) -> Any:
        return self.mapped(*self._parts(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = input_shape[0] if _is_several(input_shape) else input_shape
        return (first[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "depth": self.depth,
            "num_classes": self.num_classes,
            "rate_multiplier": self.rate_multiplier,
        }


@keras.saving.register_keras_serializable(package="kgan")
class StyleMapping(LabelledMapping):
    """Latents to styles: one for each layer of the synthesis.

    In training, styles are mixed: those from a random layer on are of other latents. The mean
    style is averaged, and outside of training `truncated` can pull styles towards it, or towards
    that of a class.

    Args:
        units: Length of a style.
        style_count: Number of styles.
        depth: Number of dense layers.
        num_classes: Number of classes, or `None`.
        mixing: Probability that the styles of a batch are mixed.
        average_decay: Decay of the moving average of styles.
        seed: Seed of the draws; by default one drawn from Python's generator.

    Shapes: latents (batch, latent_dim), or `[latents, labels]`, to (batch, style_count, units).
    """

    def __init__(
        self,
        units: int,
        style_count: int,
        *,
        mixing: float = 0.9,
        average_decay: float = 0.995,
        seed: int | None = None,
        **options,
    ):
        super().__init__(units, **options)
        if style_count < 1:
            raise ValueError(f"style_count must be at least 1, got {style_count}.")
        if not 0 <= mixing <= 1:
            raise ValueError(f"mixing must be in [0, 1], got {mixing}.")
        self.style_count = style_count
        self.mixing = mixing
        self.average_decay = average_decay
        self.seed = _drawn_seed(seed)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.average_style = self.add_weight(
            name="average_style",
            shape=(self.units,),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        latents, labels = self._parts(inputs)
        if not training:
            return self.spread(self.mapped(latents, labels))
        styles = self.mapped(latents, labels)
        previous = tf.convert_to_tensor(self.average_style)
        mean = tf.cast(tf.reduce_mean(styles, axis=0), tf.float32)
        self.average_style.assign(mean + self.average_decay * (previous - mean))
        return self._mix(styles, latents, labels)

    def mixed(self, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """The styles of a pass in training, which move no average."""
        return self._mix(self.mapped(latents, labels), latents, labels)

    def spread(self, styles: tf.Tensor) -> tf.Tensor:
        """Styles (batch, units) for every layer: (batch, style_count, units)."""
        return tf.repeat(styles[:, None], self.style_count, axis=1)

    def truncated(
        self,
        styles: tf.Tensor,
        share: tf.Tensor,
        cutoff: tf.Tensor,
        centre: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Styles whose first layers are pulled towards the mean style, or another one.

        Args:
            styles: (batch, style_count, units).
            share: What is kept of the distance from the mean (psi), float32 (batch,).
            cutoff: How many of the first layers are pulled, whole numbers (batch,).
            centre: What they are pulled to, (batch, units); default the mean of all classes.
        """
        middle = self.average_style if centre is None else centre[:, None]
        average = tf.cast(tf.convert_to_tensor(middle), styles.dtype)
        first = tf.range(self.style_count)[None] < tf.cast(cutoff, tf.int32)[:, None]
        kept = tf.where(first, tf.cast(share, styles.dtype)[:, None], tf.ones([], styles.dtype))
        return average + kept[:, :, None] * (styles - average)

    def _mix(self, styles, latents, labels):
        spread = self.spread(styles)
        if self.mixing == 0 or self.style_count == 1:
            return spread
        seed = kgan.random.layer_seed(self.name, self.seed)
        # One layer for the whole batch, the same on every replica.
        draws = kgan.random.stateless_uniform(tf.random.fold_in(seed, _MIXING), [2])
        layer = 1 + tf.cast(draws[0] * (self.style_count - 1), tf.int32)
        layer = tf.where(draws[1] < self.mixing, layer, self.style_count)
        shape = tf.shape(latents)
        others = kgan.random.normal(tf.random.fold_in(seed, _LATENTS), [shape[0], shape[1]])
        others = self.spread(self.mapped(tf.cast(others, latents.dtype), labels))
        return tf.where((tf.range(self.style_count) < layer)[None, :, None], spread, others)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, units = super().compute_output_shape(input_shape)
        return (batch, self.style_count, units)

    def get_config(self):
        return {
            **super().get_config(),
            "style_count": self.style_count,
            "mixing": self.mixing,
            "average_decay": self.average_decay,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="kgan")
class ModulatedConv2D(keras.layers.Layer):
    """A convolution whose kernel each sample's style scales, input channel by input channel.

    The features are scaled before and after one convolution, which equals a kernel for each sample.

    Args:
        filters: Number of output channels.
        kernel_size: Side of the kernel.
        style_index: Which of the styles it takes.
        demodulate: Whether each output channel of the scaled kernel is brought to norm 1.
        strides: 2 or 1 for the height and the width: how much larger the map becomes.

    Shapes: `[features (batch, height, width, channels), styles (batch, style_count, units)]` to
    (batch, height * strides, width * strides, filters).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        *,
        style_index: int = 0,
        demodulate: bool = True,
        strides: Strides = (1, 1),
        **options,
    ):
        super().__init__(**options)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}.")
        self.filters = filters
        self.kernel_size = kernel_size
        self.style_index = style_index
        self.demodulate = demodulate
        self.strides: Strides = (strides[0], strides[1])
        if max(strides) > 1 and kernel_size != 3:
            raise ValueError(f"kernel_size must be 3 where strides are {strides}: {kernel_size}.")

    def build(self, input_shape: Any) -> None:
        features, styles = input_shape
        channels = features[-1]
        self.affine = EqualizedDense(
            channels, bias_initializer="ones", dtype=self.dtype_policy, name="affine"
        )
        self.affine.build((None, styles[-1]))
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        features, styles = inputs
        style = self.affine(styles[:, self.style_index])
        kernel = tf.cast(self.kernel, "float32")
        kernel = kernel / math.sqrt(math.prod(kernel.shape[:-1]))
        if self.demodulate and self.compute_dtype == "float16":
            # The scale of a style is without effect, and large ones overflow.
            style = style / tf.reduce_max(tf.abs(style), axis=1, keepdims=True)
        outputs = self._convolve(features * style[:, None, None], tf.cast(kernel, features.dtype))
        if self.demodulate:
            squares = tf.square(tf.cast(style, "float32"))
            norms = squares @ tf.reduce_sum(tf.square(kernel), axis=(0, 1))
            scale = tf.math.rsqrt(norms + 1e-8)
            outputs = outputs * tf.cast(scale[:, None, None], outputs.dtype)
        return outputs + tf.cast(self.bias, outputs.dtype)

    def _convolve(self, features, kernel):
        if self.strides == (1, 1):
            return tf.nn.conv2d(features, kernel, 1, "SAME")
        # Zeros between the pixels, the convolution and then the filter, in this cheap order.
        shape = tf.shape(features)
        sides = [
            side * stride + 3 - stride
            for side, stride in zip(features.shape[1:3], self.strides, strict=True)
        ]
        spread = tf.nn.conv2d_transpose(
            features,
            tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2]),
            [shape[0], *sides, self.filters],
            self.strides,
            "VALID",
        )
        padding = [(1, 1) if stride == 2 else (-1, -1) for stride in self.strides]
        gain = tf.cast(math.prod(self.strides), spread.dtype)
        return filtered(spread, self.strides, *padding) * gain

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, width, _ = input_shape[0]
        return (batch, height * self.strides[0], width * self.strides[1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "style_index": self.style_index,
            "demodulate": self.demodulate,
            "strides": self.strides,
        }


@keras.saving.register_keras_serializable(package="kgan")
class NoiseInput(keras.layers.Layer):
    """Adds one map of noise to all channels, times a learned strength that starts at 0.

    In training each sample has a map of its own in each pass. Outside of it all have the same one,
    so that an image is a function of its latents.

    Args:
        seed: Seed of the draws; by default one drawn from Python's generator.

    Shapes: (batch, height, width, channels), unchanged.
    """

    def __init__(self, *, seed: int | None = None, **options):
        super().__init__(**options)
        self.seed = _drawn_seed(seed)

    def build(self, input_shape: Any) -> None:
        self.strength = self.add_weight(name="strength", shape=(), initializer="zeros")
        self.constant = self.add_weight(
            name="constant",
            shape=(*input_shape[1:3], 1),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            seed = kgan.random.layer_seed(self.name, self.seed)
            noise = kgan.random.normal(seed, [tf.shape(inputs)[0], *self.constant.shape])
        else:
            noise = tf.convert_to_tensor(self.constant)[None]
        strength = tf.cast(self.strength, inputs.dtype)
        return inputs + tf.cast(noise, inputs.dtype) * strength

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgan")
class LearnedConstant(keras.layers.Layer):
    """One learned map, the same for every sample, from which a synthesis starts.

    Args:
        shape: (height, width, channels).

    Shapes: anything (batch, ...) to (batch, height, width, channels).
    """

    def __init__(self, shape: tuple[int, int, int], **options):
        super().__init__(**options)
        self.shape = tuple(shape)

    def build(self, input_shape: Any) -> None:
        self.map = self.add_weight(
            name="map", shape=self.shape, initializer=keras.initializers.RandomNormal(stddev=1.0)
        )

    def call(self, inputs: Any) -> Any:
        constant = tf.cast(self.map, self.compute_dtype)
        return tf.repeat(constant[None], tf.shape(inputs)[0], axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.shape)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}


def _is_several(shape: Any) -> bool:
    """Whether these are several shapes; a file holds one as a list too."""
    return isinstance(shape[0], (list, tuple))


def _unit(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors divided by their root mean square."""
    squares = tf.reduce_mean(tf.square(vectors), axis=1, keepdims=True)
    return vectors * tf.math.rsqrt(squares + 1e-8)
