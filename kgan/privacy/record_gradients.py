"""The gradients of the loss of each record, of which none is made whole.

One way back gives, for each layer, the gradients of what came out of it, a row for each record.
With what went in they give the length of each record's gradient, weighted sums of them, and their
inner products with each other and with anything else.

Reference: Goodfellow 2015 (arXiv:1510.01799) for the lengths; Bu et al. 2023 (arXiv:2210.00038) for
the sum without a second way back.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

# Values of whole gradients that are held at a time.
_HELD = 2**25


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


class RecordGradients:
    """The gradient of each record's loss for all trainable variables together.

    Args:
        network: Built network of Keras layers, in float32, whose output for a record depends on
            that record alone; see `kgan.privacy.refuse_mixing`.
        inputs: What it takes: a tensor (batch, ...) or a list of them.
        losses: Maps its outputs (batch, ...) to the loss of each record (batch,).

    Raises:
        ValueError: For a trainable variable that belongs to no layer of the network, or to one that
            this pass did not call.
    """

    def __init__(self, network: keras.Model, inputs: Any, losses: Callable[[tf.Tensor], tf.Tensor]):
        with tf.GradientTape() as tape, _recorded(network) as uses:
            found = losses(network(inputs, training=True))
        if found.shape.rank != 1:
            raise ValueError(
                f"losses must give a number for each record, (batch,), got {found.shape}."
            )
        by_layer: dict[int, list[_Use]] = {}
        for use in uses:
            by_layer.setdefault(id(use.layer), []).append(use)
        _check_all_called(network, by_layer)
        # Of the sum over records: what comes back to a record's row is of its own loss alone.
        back = tape.gradient(
            found, [use.outputs for use in uses], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        for use, arrived in zip(uses, back, strict=True):
            use.arrived = arrived
        self._network = network
        self._groups = list(by_layer.values())

    def lengths(self) -> tf.Tensor:
        """Length of each, float32 (batch,)."""
        return tf.sqrt(tf.add_n([_square_lengths(group) for group in self._groups]))

    def sum(self, shares: tf.Tensor) -> list[tf.Tensor]:
        """The sum of a share of each, for each trainable variable in their order.

        Args:
            shares: At least 0, float32 (batch,). A record of 0 adds nothing, whatever it holds.
        """
        sums = {
            id(variable): total
            for group in self._groups
            for variable, total in zip(
                _own_variables(group[0].layer), _weighted_sums(group, shares), strict=True
            )
        }
        return [sums[id(variable)] for variable in self._network.trainable_variables]

    def along(self, direction: Sequence[tf.Tensor], shares: tf.Tensor) -> tf.Tensor:
        """Inner product of a share of each with one direction, float32 (batch,).

        Args:
            direction: For each trainable variable a tensor of its shape.
            shares: As for `sum`.
        """
        # The sum is linear in the shares: its derivative is what each record adds.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(shares)
            sums = self.sum(shares)
            total = tf.add_n(
                [tf.reduce_sum(one * two) for one, two in zip(sums, direction, strict=True)]
            )
        return tf.math.multiply_no_nan(tape.gradient(total, shares), shares)

    def products(self, shares: tf.Tensor, weights: Sequence[Any] | None = None) -> tf.Tensor:
        """Inner products of a share of each with a share of each, float32 (batch, batch).

        Args:
            shares: As for `sum`.
            weights: For each trainable variable how much it counts, a number of at least 0; by
                default 1.
        """
        variables = self._network.trainable_variables
        given = [1.0] * len(variables) if weights is None else weights
        counts = {id(variable): one for variable, one in zip(variables, given, strict=True)}
        found = tf.add_n(
            [
                _products(group, [counts[id(one)] for one in _own_variables(group[0].layer)])
                for group in self._groups
            ]
        )
        return tf.math.multiply_no_nan(found, shares[:, tf.newaxis] * shares)


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


def _products(uses: Sequence[_Use], weights: Sequence[Any]) -> tf.Tensor:
    """Weighted inner products of all gradients of a layer's own variables, (batch, batch)."""
    layer = uses[0].layer
    entered, arrived = tf.convert_to_tensor(uses[0].arguments[0]), uses[0].arrived
    if _looks_up_one(uses):
        same = tf.equal(entered[:, tf.newaxis], entered)
        return tf.where(same, weights[0] * _with_each_other(arrived), 0.0)
    if len(uses) > 1 or not _is_linear(layer):
        return _with_each_other(_general_gradients(uses, weights))
    of = dict(zip([one.name for one in _own_variables(layer)], weights, strict=True))
    if arrived.shape.rank == 2:
        found = of["kernel"] * _with_each_other(entered) + of.get("bias", 0.0)
        return found * _with_each_other(arrived)
    if isinstance(layer, keras.layers.Conv2D):
        entered = _patches(layer, entered)
    entered, arrived = _in_rows(entered), _in_rows(arrived)
    bias = of.get("bias", 0.0) * _with_each_other(tf.reduce_sum(arrived, axis=1))
    # Of some outputs at a time, as whole gradients of a convolution would fill the memory.
    some = max(_HELD // ((entered.shape[0] or 1024) * entered.shape[-1]), 1)
    kernels = [
        _with_each_other(tf.matmul(entered, arrived[..., first : first + some], transpose_a=True))
        for first in range(0, arrived.shape[-1], some)
    ]
    return of["kernel"] * tf.add_n(kernels) + bias


def _with_each_other(rows: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(rows, [tf.shape(rows)[0], -1])
    return tf.matmul(flat, flat, transpose_b=True)


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

    def squares(gradients: list[tf.Tensor]) -> tf.Tensor:
        return tf.add_n([tf.reduce_sum(tf.square(one)) for one in gradients])

    return _of_each(uses, squares)


def _general_gradients(uses: Sequence[_Use], weights: Sequence[Any]) -> tf.Tensor:
    """For any layer: the gradient of each record, times roots of weights, (batch, values)."""

    def flat(gradients: list[tf.Tensor]) -> tf.Tensor:
        parts = [
            tf.reshape(one, [-1]) * tf.sqrt(tf.cast(weight, tf.float32))
            for one, weight in zip(gradients, weights, strict=True)
        ]
        return tf.concat(parts, 0)

    return _of_each(uses, flat)


def _of_each(uses: Sequence[_Use], wanted: Callable[[list[tf.Tensor]], tf.Tensor]) -> tf.Tensor:
    """What is wanted of the gradient of each record."""
    given = [[tf.convert_to_tensor(one) for one in tf.nest.flatten(use.arguments)] for use in uses]

    def of_record(row: tuple[Any, Any]) -> tf.Tensor:
        entered, arrived = tf.nest.map_structure(lambda one: one[tf.newaxis], row)
        again = [
            dataclasses.replace(use, arguments=tf.nest.pack_sequence_as(use.arguments, part))
            for use, part in zip(uses, entered, strict=True)
        ]
        return wanted(_general_sums(again, arrived))

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
