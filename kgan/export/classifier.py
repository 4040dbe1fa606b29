"""The endpoints of a Keras classifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import kgan.kinds
import kgan.names
from kgan.endpoints import Endpoint, Endpoints, check_samples, finite, takes
from kgan.export.saved_model import write

HEADS = ("logits", "softmax", "sigmoid")


def classifier_endpoints(
    model: keras.Model,
    *,
    head: str = "logits",
    kind: kgan.kinds.Kind | None = None,
    row_wise: bool = True,
) -> Endpoints:
    """What a classifier can be asked: `classify`.

    It takes samples by their kind's name, such as `images` float32 (n, height, width, channels) in
    [0, 1], and gives `probabilities` float32 (n, classes) and `classes` int64 (n,), the likeliest.
    Images in another range are refused where it is asked; a model that wants them begins with a
    layer such as `keras.layers.Rescaling(255)`.

    Args:
        model: A built Keras classifier of one input.
        head: Kind of the model's output: "logits", "softmax", or "sigmoid" (one unit, two
            classes); `kgan.attacks.victim_of(model, images).head` finds it.
        kind: Kind of the samples; by default images or points, by the model's input shape.
        row_wise: Whether the model classifies each sample apart from the others of its batch;
            otherwise a server answers each request alone.
    """
    kgan.names.check("head", head, HEADS)
    if not isinstance(model.input_shape, tuple) or len(model.output_shape) != 2:
        raise ValueError(
            f"model must be a classifier, of one input and outputs (n, classes), got inputs of "
            f"{model.input_shape} and outputs of {model.output_shape}."
        )
    shape = tuple(model.input_shape[1:])
    kind = kind or _kind(model, shape)
    samples = "images" if kind is None else kind.plural

    def classify(request):
        given = request[samples] if kind is None else check_samples(request, kind)
        outputs = tf.cast(model(given, training=False), tf.float32)
        if outputs.shape[-1] == 1:
            share = outputs if head == "sigmoid" else tf.sigmoid(outputs)
            probabilities = tf.concat([1.0 - share, share], axis=1)
        else:
            probabilities = outputs if head == "softmax" else tf.nn.softmax(outputs)
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=1)}

    inputs = takes(**{samples: (shape, tf.float32)})
    return Endpoints(
        family="classifier",
        kind=kind,
        endpoints={"classify": Endpoint(finite(classify), inputs, "classify", row_wise=row_wise)},
        tracked=(model,),
        details={"image_shape": list(shape), "num_classes": max(2, int(model.output_shape[-1]))},
        network=model,
    )


def export_classifier(
    model: keras.Model,
    folder: str | Path,
    *,
    head: str = "logits",
    row_wise: bool = True,
    class_names: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a classifier as the next version in `folder`; see `classifier_endpoints`.

    Args:
        model: A built Keras classifier of one input.
        folder: The servable's folder.
        head: Kind of the model's output: "logits", "softmax", or "sigmoid".
        row_wise: Whether the model classifies each sample apart from the others of its batch.
        class_names: A name for each class.
        origin: Plain values for the manifest that tell where the model comes from.

    Returns:
        The version's folder.
    """
    endpoints = classifier_endpoints(model, head=head, row_wise=row_wise)
    return write(endpoints, folder, class_names=class_names, origin=origin)


def _kind(model: keras.Model, shape: tuple[int | None, ...]) -> kgan.kinds.Kind | None:
    """The kind of a sample of that shape, where there is one."""
    sizes = tuple(size for size in shape if size is not None)
    try:
        kind = kgan.kinds.of_array(model.name, (0, *sizes))
    except ValueError:
        return None
    return kind if kind.shape == shape else None
