"""Certified robustness of small networks by interval bounds.

An attack shows that an image can be fooled; it never shows that it cannot. Interval bounds do: they
carry a box around the image through the network, layer by layer, and give for every class how far
its logit stays behind that of the true class at worst. Where all these margins are positive, no
image in the ball fools the classifier. The bounds are loose for networks that were not trained for
them (`kgan.defenses.IntervalTraining`).

Reference: Gowal et al. 2018, "On the effectiveness of interval bound propagation for training
verifiably robust models", sections 3.1 and 3.2 (arXiv:1810.12715).
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks.checks import check_count, check_images, check_radius
from kgan.attacks.class_criteria import Misclassification
from kgan.attacks.victim import Victim
from kgan.labels import class_numbers

# Of the largest logit's size: what float32 may add to a margin by rounding, many times over.
_ROUNDING = 1e-4

_SHAPELESS = (
    "{} must be a built Sequential or functional model of one input and one output: interval "
    "bounds follow its layers."
)

Box = tuple[tf.Tensor, tf.Tensor]
"""Lower and upper bounds of a layer's values, of equal shape."""

_INCREASING = ("relu", "relu6", "linear", "sigmoid", "tanh", "softplus", "elu", "selu", "softsign")


def margins(
    model: keras.Model | Victim, images: tf.Tensor, labels: tf.Tensor, epsilon: tf.Tensor | float
) -> tf.Tensor:
    """Lower bounds of z_label - z_class over all images within `epsilon`, for every class.

    Args:
        model: A Sequential or functional classifier of logits (a softmax at its end is left out),
            made of the layers in `LAYERS`; or a `Victim` that declares the range, mean and layout
            of its images.
        images: float32 tensor of shape (batch, ...) in [0, 1].
        labels: int32 tensor of shape (batch,).
        epsilon: Radius of the linf ball, which is cut to [0, 1].

    Returns:
        float32 tensor of shape (batch, classes), 0 at the label. The bounds hold in exact
        arithmetic; float32 adds rounding errors.

    Raises:
        ValueError: For a layer whose bounds are unknown, or a single output.
    """
    units_of(model)
    box = tf.maximum(images - epsilon, 0.0), tf.minimum(images + epsilon, 1.0)
    if isinstance(model, Victim):
        # Each value grows with the image's.
        box = model.intake(box[0]), model.intake(box[1])
        model = model.model
    head = _dense_end(model)
    lower, upper = _through(model, box, end=head)
    if head is None:
        gap = tf.gather(lower, labels, batch_dims=1)[:, None] - upper
        return gap * (1.0 - tf.one_hot(labels, tf.shape(gap)[1]))
    # The last layer is bounded together with the difference of two of its outputs (section 3.2).
    kernel = tf.convert_to_tensor(head.kernel)
    bias = tf.convert_to_tensor(head.bias) if head.use_bias else tf.zeros([head.units])
    difference = tf.gather(tf.transpose(kernel), labels)[:, :, None] - kernel
    center, radius = (lower + upper) / 2.0, (upper - lower) / 2.0
    middle = tf.einsum("bi,bic->bc", center, difference)
    reach = tf.einsum("bi,bic->bc", radius, tf.abs(difference))
    return middle - reach + tf.gather(bias, labels)[:, None] - bias


def certified(
    model: keras.Model | Victim,
    images: np.ndarray,
    labels: Any,
    *,
    epsilon: float,
    batch_size: int = 256,
) -> np.ndarray:
    """Which images no change within `epsilon` can make the classifier misjudge.

    Args:
        model: A classifier as for `margins`.
        images: float32 array of shape (n, ...) in [0, 1].
        labels: The true classes: integers (n,), a column, or one-hot.
        epsilon: Radius of the linf ball.
        batch_size: Number of images at a time.

    Returns:
        bool array of shape (n,). An image that is misjudged without any change is not certified.

    Raises:
        ValueError: For images that are not in [0, 1], a layer whose bounds are unknown, or a model
            with a single output.
    """
    check_radius("epsilon", epsilon, "linf")
    check_count("batch_size", batch_size)
    # A box around values beyond [0, 1] would be cut to one that holds nothing.
    images = check_images(images)
    labels = class_numbers(labels, len(images), units_of(model))

    @tf.function(autograph=False)
    def safe(images, labels):
        gap = margins(model, images, labels, epsilon)
        others = gap + tf.one_hot(labels, tf.shape(gap)[1], on_value=np.inf)
        largest = tf.reduce_max(tf.abs(gap), axis=1)
        return tf.reduce_min(others, axis=1) > _ROUNDING * largest

    batches = [
        safe(tf.constant(images[rows], tf.float32), tf.constant(labels[rows], tf.int32)).numpy()
        for rows in (slice(at, at + batch_size) for at in range(0, len(images), batch_size))
    ]
    return np.concatenate(batches) if batches else np.zeros(0, bool)


def units_of(model: keras.Model | Victim) -> int:
    """The number of the model's outputs; raises `ValueError` where these are no classes."""
    if isinstance(model, Victim):
        _check_declared(model)
        model = model.model
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}.")
    try:
        units = int(model.output_shape[-1])
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(_SHAPELESS.format(model.name)) from error
    if units < 2:
        # With no other class, every margin would hold.
        raise ValueError(
            f"{model.name} must have an output for each class for interval bounds, got {units}: "
            "make it anew with two, such as Dense(2)."
        )
    return units


def _check_declared(victim: Victim) -> None:
    """Raises `ValueError` for what no bounds are known for."""
    others = [name for name in ("output", "input", "held") if victim.declared[name] is not None]
    others += ["a model that only answers"] if victim.black_box else []
    others += ["a model of whole numbers"] if victim.intake.whole else []
    others += (
        [repr(victim.criterion)] if not isinstance(victim.criterion, Misclassification) else []
    )
    if others:
        raise ValueError(
            f"interval bounds are for one input and the classes of one output, not for "
            f"{', '.join(others)}: {victim.name}."
        )


def _dense_end(model: keras.Model) -> keras.layers.Dense | None:
    """The model's last layer where that is a dense one of logits, whatever softmax follows."""
    layers = list(getattr(model, "layers", ()))
    if layers and _is_softmax(layers[-1]):
        layers.pop()
    last = layers[-1] if layers else None
    if isinstance(last, keras.layers.Dense) and _name(last.activation) in ("linear", "softmax"):
        return last
    return None


def _is_softmax(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.Softmax):
        return True
    return isinstance(layer, keras.layers.Activation) and _name(layer.activation) == "softmax"


def _through(model: keras.Model, box: Box, end: keras.layers.Layer | None = None) -> Box:
    """The bounds at the input of the layer `end`, or else at the model's output."""
    try:
        known = {id(model.inputs[0]): box}
        (output,) = model.outputs
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(_SHAPELESS.format(model.name)) from error
    graph = getattr(model, "_functional", None) or model
    nodes = {id(node) for depth in graph._nodes_by_depth.values() for node in depth}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        # A layer has a node in each graph that was ever made of it, such as each time it is loaded.
        places = [node for node in layer._inbound_nodes if id(node) in nodes]
        if len(places) != 1:
            raise ValueError(
                f"interval bounds cannot follow {layer.name}, which is used in {len(places)} "
                "places. Build one model in which each layer has one place."
            )
        boxes = [known[id(one)] for one in places[0].input_tensors]
        if layer is end:
            return boxes[0]
        known[id(places[0].outputs[0])] = _layer(layer, boxes)
    return known[id(output)]


def _layer(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    if isinstance(layer, keras.Model):
        return _through(layer, boxes[0])
    if getattr(layer, "quantization_mode", None) or layer.compute_dtype != "float32":
        raise ValueError(
            f"interval bounds need layers that compute in float32; {layer.name} is "
            f"{getattr(layer, 'quantization_mode', None) or layer.compute_dtype}."
        )
    for kind, rule in LAYERS.items():
        if type(layer) is kind:
            return rule(layer, boxes)
    known = ", ".join(kind.__name__ for kind in LAYERS)
    raise ValueError(
        f"interval bounds are unknown for the layer {layer.name} ({type(layer).__name__}); they "
        f"are known for {known}."
    )


def _increasing(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    """A layer each of whose outputs grows with its inputs, or does not depend on them."""
    lower, upper = boxes[0]
    return layer(lower, training=False), layer(upper, training=False)


def _plain(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    """The same for layers that take no `training`."""
    lower, upper = boxes[0]
    return layer(lower), layer(upper)


def _activation(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    return _activated(layer, boxes[0])


def _activated(layer: keras.layers.Layer, box: Box) -> Box:
    name = _name(layer.activation)
    # The function itself: another one may have such a name.
    if name not in _INCREASING or layer.activation is not keras.activations.get(name):
        raise ValueError(
            f"interval bounds need an increasing activation, one of {', '.join(_INCREASING)}; "
            f"{layer.name} has {name}."
        )
    return layer.activation(box[0]), layer.activation(box[1])


def _dense(layer: keras.layers.Dense, boxes: list[Box]) -> Box:
    return _affine(layer, boxes[0], lambda values, kernel: tf.linalg.matmul(values, kernel))


def _convolution(layer: Any, boxes: list[Box]) -> Box:
    return _affine(layer, boxes[0], layer.convolution_op)


def _affine(layer: Any, box: Box, apply: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Box:
    """Center and radius of A x + b are A center + b and |A| radius (section 3.1, equation 6)."""
    center, radius = (box[0] + box[1]) / 2.0, (box[1] - box[0]) / 2.0
    kernel = tf.convert_to_tensor(layer.kernel)
    middle, reach = apply(center, kernel), apply(radius, tf.abs(kernel))
    if layer.use_bias:
        middle += tf.convert_to_tensor(layer.bias)
    return _activated(layer, (middle - reach, middle + reach))


def _each_scaled(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    """A layer that scales and shifts each value by itself, up or down."""
    ends = [layer(end, training=False) for end in boxes[0]]
    return tf.minimum(*ends), tf.maximum(*ends)


def _each_scaled_plain(layer: keras.layers.Layer, boxes: list[Box]) -> Box:
    ends = [layer(end) for end in boxes[0]]
    return tf.minimum(*ends), tf.maximum(*ends)


def _add(layer: keras.layers.Add, boxes: list[Box]) -> Box:
    return tf.add_n([lower for lower, _ in boxes]), tf.add_n([upper for _, upper in boxes])


def _name(activation: Any) -> str:
    return getattr(activation, "__name__", str(activation))


LAYERS: Mapping[type[keras.layers.Layer], Callable[[Any, list[Box]], Box]] = {
    keras.layers.Dense: _dense,
    keras.layers.Conv1D: _convolution,
    keras.layers.Conv2D: _convolution,
    keras.layers.Activation: _activation,
    keras.layers.ReLU: _plain,
    keras.layers.LeakyReLU: _plain,
    keras.layers.Flatten: _plain,
    keras.layers.Reshape: _plain,
    keras.layers.Permute: _plain,
    keras.layers.ZeroPadding2D: _plain,
    keras.layers.Cropping2D: _plain,
    keras.layers.MaxPooling2D: _plain,
    keras.layers.AveragePooling2D: _plain,
    keras.layers.GlobalAveragePooling2D: _plain,
    keras.layers.GlobalMaxPooling2D: _plain,
    keras.layers.Dropout: _increasing,
    keras.layers.GaussianNoise: _increasing,
    keras.layers.BatchNormalization: _each_scaled,
    keras.layers.Rescaling: _each_scaled_plain,
    keras.layers.Normalization: _each_scaled_plain,
    keras.layers.Add: _add,
}
"""How a box passes each type of layer."""
