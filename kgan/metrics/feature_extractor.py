"""A layer of a Keras model as a feature extractor."""

import hashlib
import json

import keras
import numpy as np
import tensorflow as tf

import kgan.names
from kgan.pixels import check_images, rounded_to_8_bits, to_float

_BATCH = 256


class Extractor:
    """A layer of a Keras model as a feature extractor.

    Images are rounded to 8 bits first, so that samples in memory and samples in PNG files get the
    same scores.

    Args:
        model: A functional or Sequential model of images in [0, 1]. Of several inputs (a
            conditional discriminator has labels too) the first must suffice for the layer.
        layer: Name of the layer whose output is the features; `None` takes what goes into the last
            layer that has weights. Feature maps are averaged over space.
        name: Name for the scores; default the model's.
        structure: Whether the hash is to tell layers of other settings (an activation) apart. Such
            a hash may change with Keras, so that of a pinned network is of the weights alone.

    Attributes:
        hash: The first 8 hexadecimal digits of the SHA-256 of the model's weights; with
            `structure`, of its layers' settings too.
        label: Name, layer where one was chosen, and hash: "lenet-mnist@1a2b3c4d".
        preprocessing: What happens to images first, in words.

    Raises:
        ValueError: Where there is no such layer, or it needs more than images.
    """

    preprocessing = "rounded to 8 bits"

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        *,
        name: str | None = None,
        structure: bool = False,
    ):
        self.model = model
        self.name = name or model.name
        features = _output_of(model, layer)
        self.image_shape = tuple(model.inputs[0].shape[1:])
        self.hash = weights_hash(model, structure=structure)
        chosen = "" if layer is None else f".{layer}"
        self.label = f"{self.name}{chosen}@{self.hash}"
        try:
            self._features = keras.Model(model.inputs[0], features)
        except ValueError as error:
            raise ValueError(
                f"the features of {self.name} must depend on its images alone: {error}"
            ) from error
        self._gives_probabilities: bool | None = None

    def features(self, images: np.ndarray, *, rounded: bool = True) -> np.ndarray:
        """float32 features (n, d) of images (n, ...) in [0, 1], or uint8.

        Args:
            images: The images.
            rounded: Whether floats are rounded to 8 bits; not to be for differences of features.

        Raises:
            ValueError: For images of another shape, type or range.
        """
        values = self._run(self._features, images, rounded=rounded)
        if values.ndim > 2:
            values = values.mean(axis=tuple(range(1, values.ndim - 1)))
        return values.reshape(len(values), -1)

    @property
    def is_classifier(self) -> bool:
        """Whether the model gives scores of classes, of which one holds, for images alone."""
        outputs = self.model.outputs[0].shape
        of_classes = len(outputs) == 2 and (outputs[-1] or 2) >= 2
        return len(self.model.inputs) == 1 and of_classes and not _judges_apart(self.model)

    @property
    def num_classes(self) -> int | None:
        """Classes that it tells apart; `None` where it is no classifier."""
        return self.model.outputs[0].shape[-1] if self.is_classifier else None

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """float32 class probabilities (n, classes) of images (n, ...) in [0, 1], or uint8.

        Raises:
            ValueError: Where the model is no classifier.
        """
        if not self.is_classifier:
            raise ValueError(f"{self.name} gives no class probabilities: it is no classifier.")
        # One tensor in, one out, however the model wants them wrapped.
        values = self._run(keras.Model(self.model.inputs[0], self.model.outputs[0]), images)
        if self._gives_probabilities is None:
            inside = bool(((values >= 0) & (values <= 1)).all())
            self._gives_probabilities = inside and np.allclose(values.sum(axis=1), 1, atol=1e-3)
        return values if self._gives_probabilities else tf.nn.softmax(values).numpy()

    def _run(self, model, images: np.ndarray, *, rounded: bool = True) -> np.ndarray:
        check_shape(self.name, self.image_shape, images)
        parts = []
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            if rounded:
                batch = rounded_to_8_bits(batch, self.name)
            else:
                check_images(self.name, np.asarray(batch))
                batch = to_float(batch)
            parts.append(np.asarray(model(batch, training=False)))
        return np.concatenate(parts).astype(np.float32)


def check_shape(name: str, expected: tuple, images: np.ndarray) -> None:
    """Raises `ValueError` where the images are not those that the extractor takes."""
    fits = len(images.shape) == len(expected) + 1 and all(
        want in (None, have) for want, have in zip(expected, images.shape[1:], strict=True)
    )
    if not fits or not len(images):
        shape = "x".join(map(str, expected))
        raise ValueError(
            f"{name} takes images of {shape}, got an array of shape {images.shape}. Choose another "
            "extractor (--extractor FILE.keras) or image size."
        )


def weights_hash(model: keras.Model, *, structure: bool = False) -> str:
    """8 hexadecimal digits that tell a model's weights (and layers) from any others."""
    digest = hashlib.sha256()
    if structure:
        for layer in model.layers:
            settings = {k: v for k, v in layer.get_config().items() if k != "name"}
            text = json.dumps([type(layer).__name__, settings], sort_keys=True, default=str)
            digest.update(text.encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.shape} {value.dtype}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:8]


def _judges_apart(model: keras.Model) -> bool:
    """Whether each output is a share of its own, as of labels of which several may hold."""
    last = model.outputs[0]._keras_history.operation
    return getattr(getattr(last, "activation", None), "__name__", None) == "sigmoid"


def _output_of(model: keras.Model, layer: str | None):
    """The symbolic output of the layer, or the input of the last one with weights."""
    if not getattr(model, "inputs", None):
        raise ValueError(f"{model.name} must be a built functional or Sequential Keras model.")
    names = [one.name for one in model.layers]
    if layer is not None:
        kgan.names.check(f"layer of {model.name}", layer, names)
        return model.get_layer(layer).output
    weighted = [one for one in model.layers if one.weights]
    if not weighted:
        raise ValueError(f"{model.name} has no weights, so no features.")
    # What a sample gets from its neighbours in the batch is no feature of its own.
    batchwise = [one for one in model.layers if type(one).__name__.startswith("MinibatchStandard")]
    features = (batchwise or weighted[-1:])[0].input
    return features[0] if isinstance(features, list) else features
