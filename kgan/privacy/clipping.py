"""The sum of a network's gradients for each record, each one at most as long as a given norm.

The gradient of one record is never kept. One way back gives, for each layer, the gradients of what
came out of it, a row for each record; with what went in, they give the length of each record's
gradient, and then the sum in which each row is shortened as its record asks.

Reference: Abadi et al. 2016, algorithm 1 (arXiv:1607.00133); Goodfellow 2015 (arXiv:1510.01799) for
the lengths; Bu et al. 2023 (arXiv:2210.00038) for the sum without a second way back.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf


@dataclasses.dataclass
class _Use:
    """One call of a layer: what went in, what came out, and the gradient that came back there.

    A linear layer is called without its activation, which follows it.
    """

    layer: keras.layers.Layer
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    outputs: Any = None
    arrived: Any = None


def clipped_sum(
    network: keras.Model,
    inputs: Any,
    losses: Callable[[tf.Tensor], tf.Tensor],
    *,
    clip_norm: float,
    mask: tf.Tensor | None = None,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Clips the gradient of each record to `clip_norm`, and adds them up.

    So one record changes the sum by at most `clip_norm`, whatever it is: one whose gradient is not
    finite, or too long for its length to be told, adds nothing.

    Args:
        network: Built network of Keras layers, in float32, whose output for a record depends on
            that record alone; see `refuse_mixing`.
        inputs: What it takes: a tensor (batch, ...) or a list of them.
        losses: Maps its outputs (batch, ...) to the loss of each record (batch,).
        clip_norm: The longest that the gradient of a record may be, over all trainable variables
            together; above 0.
        mask: Which records count, bool (batch,); all where `None`. The others add nothing.

    Returns:
        The sum for each trainable variable, in their order; and the length of each record's
        gradient before it was clipped, float32 (batch,).

    Raises:
        ValueError: For a trainable variable that belongs to no layer of the network, or to one that
            this pass did not call.
    """
    if not clip_norm > 0:
        raise ValueError(f"clip_norm must be above 0, got {clip_norm}.")
    with tf.GradientTape() as tape, _recorded(network) as uses:
        found = losses(network(inputs, training=True))
    if found.shape.rank != 1:
        raise ValueError(f"losses must give a number for each record, (batch,), got {found.shape}.")
    by_layer: dict[int, list[_Use]] = {}
    for use in uses:
        by_layer.setdefault(id(use.layer), []).append(use)
    _check_all_called(network, by_layer)
    # Of the sum over records: what comes back to a record's row is the gradient of its own loss.
    back = tape.gradient(
        found, [use.outputs for use in uses], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    for use, arrived in zip(uses, back, strict=True):
        use.arrived = arrived
    lengths = tf.sqrt(tf.add_n([_square_lengths(group) for group in by_layer.values()]))
    shares = tf.minimum(1.0, clip_norm / tf.maximum(lengths, 1e-12))
    shares = tf.where(tf.math.is_finite(lengths), shares, 0.0)
    if mask is not None:
        shares = tf.where(mask, shares, 0.0)
    sums = {
        id(variable): total
        for group in by_layer.values()
        for variable, total in zip(
            _own_variables(group[0].layer), _weighted_sums(group, shares), strict=True
        )
    }
    return [sums[id(variable)] for variable in network.trainable_variables], lengths


def refuse_mixing(network: keras.Model, *, name: str = "network") -> None:
    """Raises for a network in which the output for one record depends on others of its batch.

    Then no record's influence is bounded by a clipped gradient. Batch normalisation and statistics
    of the batch are found by what they do, in training mode, on random inputs.

    Args:
        network: Built network.
        name: What the network is called, for the error.
    """
    kept = [(weight, weight.numpy()) for weight in network.non_trainable_variables]
    one, other = _random_inputs(network, 0), _random_inputs(network, 1)
    mixed = [
        tf.concat([first[:1], second[1:]], 0) for first, second in zip(one, other, strict=True)
    ]

    def first_row(inputs: list[tf.Tensor], training: bool) -> tf.Tensor:
        for weight, value in kept:
            weight.assign(value)
        return network(inputs if len(inputs) > 1 else inputs[0], training=training)[:1]

    try:
        for training in (True, False):
            same = first_row(one, training)
            spread = tf.reduce_max(tf.abs(same)) * 1e-4 + 1e-6
            if tf.reduce_max(tf.abs(same - first_row(one, training))) > spread:
                continue  # Its layers draw: what it does to a batch is seen without training.
            if tf.reduce_max(tf.abs(same - first_row(mixed, training))) > spread:
                raise ValueError(
                    f"{name} must judge each record for itself under differential privacy, and its "
                    "output for one record depends on the others of its batch. Leave out batch "
                    "normalisation and minibatch statistics; layer or group normalisation does."
                )
    finally:
        for weight, value in kept:
            weight.assign(value)


def _random_inputs(network: keras.Model, seed: int) -> list[tf.Tensor]:
    drawn = []
    for number, given in enumerate(network.inputs):
        shape = [4, *(side or 8 for side in given.shape[1:])]
        place = tf.constant([seed, number], tf.int32)
        if "int" in given.dtype:
            drawn.append(tf.zeros(shape, given.dtype))
        else:
            drawn.append(tf.cast(tf.random.stateless_uniform(shape, place), given.dtype))
    return drawn


@contextlib.contextmanager
def _recorded(network: keras.Model) -> Iterator[list[_Use]]:
    """Within it, each call of a layer that has something to train is written down."""
    uses: list[_Use] = []
    layers = [layer for layer in network._flatten_layers() if _own_variables(layer)]
    calls = {id(layer): layer.call for layer in layers}

    def recording(layer: keras.layers.Layer) -> Callable[..., Any]:
        original = calls[id(layer)]

        def without_activation(*arguments: Any, **options: Any) -> Any:
            activation, layer.activation = layer.activation, None
            try:
                return original(*arguments, **options)
            finally:
                layer.activation = activation

        bare = without_activation if _is_linear(layer) else original

        def call(*arguments: Any, **options: Any) -> Any:
            use = _Use(layer, bare, arguments, options, bare(*arguments, **options))
            uses.append(use)
            if bare is original or layer.activation is None:
                return use.outputs
            return layer.activation(use.outputs)

        return call

    try:
        for layer in layers:
            # Not by Keras's own `__setattr__`, which would look for state in it.
            object.__setattr__(layer, "call", recording(layer))
        yield uses
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    if not layer.trainable:
        return []
    return [variable for variable in layer._trainable_variables if variable.trainable]


def _check_all_called(network: keras.Model, called: dict[int, list[_Use]]) -> None:
    known = {id(variable) for uses in called.values() for variable in _own_variables(uses[0].layer)}
    missing = [one.path for one in network.trainable_variables if id(one) not in known]
    if missing:
        raise ValueError(
            f"each trainable variable must belong to a layer that the pass calls, and {missing[0]} "
            "does not. Freeze it, or build the network of layers."
        )


def _is_linear(layer: keras.layers.Layer) -> bool:
    """Whether it is a layer whose gradients have a short form; not what derives from one."""
    if len(_own_variables(layer)) < len(layer._trainable_variables):
        return False
    if type(layer) is keras.layers.Dense:
        return not layer.lora_enabled and layer.quantization_mode is None
    if type(layer) is keras.layers.Conv2D:
        return (
            layer.groups == 1
            and layer.data_format == "channels_last"
            and layer.padding in ("same", "valid")
            and not layer.lora_enabled
        )
    return False


def _looks_up_one(uses: Sequence[_Use]) -> bool:
    """Whether it is an embedding of one number a record."""
    layer, *rest = (use.layer for use in uses)
    if type(layer) is not keras.layers.Embedding or rest or layer.lora_enabled:
        return False
    return len(uses[0].arguments[0].shape) == 1


def _square_lengths(uses: Sequence[_Use]) -> tf.Tensor:
    """Squared length of each record's gradient of a layer's own variables, float32 (batch,)."""
    layer = uses[0].layer
    if _looks_up_one(uses):
        return _squares(uses[0].arrived)
    if len(uses) > 1 or not _is_linear(layer):
        return _general_square_lengths(uses)
    entered, arrived = tf.convert_to_tensor(uses[0].arguments[0]), uses[0].arrived
    if arrived.shape.rank == 2:
        # The gradient is the outer product of what entered and what came back.
        bias = _squares(arrived)
        kernel = _squares(entered) * bias
    else:
        if isinstance(layer, keras.layers.Conv2D):
            entered = _patches(layer, entered)
        entered, arrived = _in_rows(entered), _in_rows(arrived)
        kernel = _squares(tf.matmul(entered, arrived, transpose_a=True))
        bias = _squares(tf.reduce_sum(arrived, axis=1))
    return kernel + bias if layer.use_bias else kernel


def _weighted_sums(uses: Sequence[_Use], shares: tf.Tensor) -> list[tf.Tensor]:
    """The sum over records of a share of each one's gradient, for each own variable of a layer."""
    layer = uses[0].layer
    arrived = [_share_of(use.arrived, shares) for use in uses]
    if _looks_up_one(uses):
        rows = tf.convert_to_tensor(uses[0].arguments[0])
        return [tf.math.unsorted_segment_sum(arrived[0], rows, layer.input_dim)]
    # What is not finite would make zero times it NaN.
    counted = tf.cast(shares > 0, tf.float32)
    uses = [dataclasses.replace(use, arguments=_counted(use.arguments, counted)) for use in uses]
    if len(uses) > 1 or not _is_linear(layer):
        return _general_sums(uses, arrived)
    entered = uses[0].arguments[0]
    if isinstance(layer, keras.layers.Conv2D):
        if max(layer.dilation_rate) > 1:
            return _general_sums(uses, arrived)
        kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=entered,
            filter_sizes=layer.kernel.shape,
            out_backprop=arrived[0],
            strides=[1, *layer.strides, 1],
            padding=layer.padding.upper(),
        )
    else:
        kernel = tf.matmul(_all_rows(entered), _all_rows(arrived[0]), transpose_a=True)
    found = {"kernel": kernel, "bias": tf.reduce_sum(_all_rows(arrived[0]), axis=0)}
    return [found[variable.name] for variable in _own_variables(layer)]


def _share_of(values: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Each record's row times its share; zeros of a share of 0, whatever the row holds."""
    shares = tf.cast(tf.reshape(shares, [-1, *[1] * (values.shape.rank - 1)]), values.dtype)
    return tf.math.multiply_no_nan(values, shares)


def _counted(arguments: tuple[Any, ...], counted: tf.Tensor) -> Any:
    """What went into a layer, zeros for the records that do not count."""
    return tf.nest.map_structure(
        lambda one: _share_of(one, counted) if one.dtype.is_floating else one,
        tf.nest.map_structure(tf.convert_to_tensor, arguments),
    )


def _squares(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(values), axis=list(range(1, values.shape.rank)))


def _all_rows(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1, values.shape[-1]])


def _in_rows(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [tf.shape(values)[0], -1, values.shape[-1]])


def _patches(layer: keras.layers.Conv2D, images: tf.Tensor) -> tf.Tensor:
    """What each output of a convolution sees, (batch, height, width, kernel values)."""
    return tf.image.extract_patches(
        images,
        sizes=[1, *layer.kernel_size, 1],
        strides=[1, *layer.strides, 1],
        rates=[1, *layer.dilation_rate, 1],
        padding=layer.padding.upper(),
    )


def _general_square_lengths(uses: Sequence[_Use]) -> tf.Tensor:
    """For any layer: the gradients are made record by record, in vectorised form."""
    given = [[tf.convert_to_tensor(one) for one in tf.nest.flatten(use.arguments)] for use in uses]

    def of_record(row: tuple[Any, Any]) -> tf.Tensor:
        entered, arrived = tf.nest.map_structure(lambda one: one[tf.newaxis], row)
        again = [
            dataclasses.replace(use, arguments=tf.nest.pack_sequence_as(use.arguments, part))
            for use, part in zip(uses, entered, strict=True)
        ]
        return tf.add_n([tf.reduce_sum(tf.square(one)) for one in _general_sums(again, arrived)])

    return tf.vectorized_map(of_record, (given, [use.arrived for use in uses]))


def _general_sums(uses: Sequence[_Use], arrived: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """For any layer: its gradients for what came back to it, summed over the batch."""
    with tf.GradientTape() as tape:
        made = [use.call(*use.arguments, **use.options) for use in uses]
    variables = [variable.value for variable in _own_variables(uses[0].layer)]
    gradients = tape.gradient(
        made,
        variables,
        output_gradients=list(arrived),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return [tf.convert_to_tensor(one) for one in gradients]
