"""What a network ends in, as far as its layers say so."""

import keras

PROBABILITIES = ("sigmoid", "hard_sigmoid", "sparse_sigmoid", "softmax")
"""Activations that make probabilities, where logits are meant."""

SIGNED = ("tanh", "hard_tanh", "tanh_shrink", "softsign")
"""Activations that give negative values, where [0, 1] is meant."""

BOUNDED_BELOW = (
    "relu", "relu6", "softplus", "elu", "selu", "celu", "gelu", "silu", "mish", "squareplus",
    "exponential", "exp", "threshold", "sparse_plus", "square", "abs",
)  # fmt: skip
"""Activations that give no logits below some number."""

# They change no value.
_SHAPES = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Cropping2D,
    keras.layers.Identity,
    keras.layers.Dropout,
)


def last_activation(network: keras.Model) -> str | None:
    """Name of the activation that a network's first output is the result of, such as "sigmoid".

    `None` where there is none, or where something else comes after it. Only what the network's
    graph shows is known: a layer of a user's own may do anything inside.
    """
    tensor = network.outputs[0]
    while True:
        history = tensor._keras_history
        operation = history.operation
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            tensor = operation.outputs[history.tensor_index]
            continue
        name = _activation(operation)
        passes = isinstance(operation, _SHAPES) or (
            isinstance(operation, keras.layers.Activation) and name == "linear"
        )
        inputs = operation._inbound_nodes[history.node_index].input_tensors
        if not passes or not inputs:
            return None if name == "linear" else name
        tensor = inputs[0]


def check_logits(what: str, network: keras.Model) -> None:
    """Raises `ValueError` for a network whose last activation keeps it from giving any logit."""
    name = last_activation(network)
    why = next((why for names, why in _NO_LOGITS.items() if _is_one(name, names)), None)
    if why is not None:
        raise ValueError(
            f"{what} must give logits, and its last activation is {name}, {why}: end it in a layer "
            "without one, such as keras.layers.Dense(1). The losses take logits, and probabilities "
            "are made where they are shown."
        )


def check_unsigned(what: str, network: keras.Model) -> None:
    """Raises `ValueError` for a network that gives [-1, 1] where images in [0, 1] are meant."""
    name = last_activation(network)
    if _is_one(name, SIGNED):
        raise ValueError(
            f"{what} must give images in [0, 1], and its last activation is {name}, which gives "
            'negative values: end it in a "sigmoid", or add keras.layers.Rescaling(0.5, 0.5).'
        )


_NO_LOGITS = {
    PROBABILITIES: "which makes probabilities",
    (*SIGNED, "log_sigmoid", "log_softmax"): "which gives none that is large",
    BOUNDED_BELOW: "which gives none that is far below 0",
}


def _is_one(name: str | None, names: tuple[str, ...]) -> bool:
    """Whether an activation is one of these, as a function or as a layer of that name."""
    return name is not None and name.replace("_", "") in {one.replace("_", "") for one in names}


def _activation(operation: keras.Operation) -> str | None:
    """Name of what an operation applies last."""
    if isinstance(operation, _SHAPES):
        return None
    activation = getattr(operation, "activation", None)
    if activation is None:
        # `keras.ops.sigmoid(x)` and `keras.layers.Softmax()` are operations of that name.
        return type(operation).__name__.lower()
    return getattr(activation, "__name__", type(activation).__name__.lower())
