"""Mends Keras's `fit` for data of unknown length and for many workers (keras-team/keras#20585)."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from kgan.models.batches import told

Logs = dict[str, tf.Tensor]


class MendedFit(keras.Model):
    """A built model whose steps change nothing unless their batch arrived, also on many workers.

    `fit` learns that data of unknown length (a generator, a filter, a TFRecord file) have ended
    when the next batch does not come. By then TensorFlow has run whatever part of the step does not
    depend on the batch: counters, optimizers' momenta, statistics. Here every part of `train_step`
    and `test_step` depends on it.

    A check of the data that fails in a step's graph is a `ValueError` in words.

    On several replicas Keras 3.15 fails where a call into TensorFlow makes several steps: each is
    in a branch of the graph, which reads a value that nobody gives. There each step is a call.

    On many workers Keras 3.15 fails in two places: it averages a distributed batch in order to
    build the model, and it takes the mean of scalar logs along an axis.
    """

    steps_per_execution: int

    def fit(self, *args: Any, **options: Any) -> keras.callbacks.History:
        """As Keras's `fit`; raises `TypeError` for a data set that was not made batches.

        Raises `ValueError` for steps that are not whole executions, as `evaluate` does.
        """
        self._check_compiled("fit")
        self._check_steps(super().fit, args, options, "steps_per_epoch", "validation_steps")
        _check_batches(args[0] if args else options.get("x"))
        with told(), _ending_as_built(self.optimizer):
            return super().fit(*args, **options)

    def evaluate(self, *args: Any, **options: Any) -> Any:
        """As Keras's `evaluate`."""
        self._check_compiled("evaluate")
        self._check_steps(super().evaluate, args, options, "steps")
        with told():
            return super().evaluate(*args, **options)

    def predict(self, *args: Any, **options: Any) -> Any:
        """As Keras's `predict`."""
        with told():
            return super().predict(*args, **options)

    def train_on_batch(self, *args: Any, **options: Any) -> Any:
        """As Keras's `train_on_batch`."""
        self._check_compiled("train_on_batch")
        with told():
            return super().train_on_batch(*args, **options)

    def test_on_batch(self, *args: Any, **options: Any) -> Any:
        """As Keras's `test_on_batch`."""
        self._check_compiled("test_on_batch")
        with told():
            return super().test_on_batch(*args, **options)

    def save(self, filepath: Any, *args: Any, **options: Any) -> None:
        """As Keras's `save`, into a .keras file; raises `ValueError` for HDF5."""
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                f"filepath must end in .keras for a {type(self).__name__}, got {str(filepath)!r}: "
                "HDF5 does not hold several networks and optimizers."
            )
        super().save(filepath, *args, **options)

    def _check_steps(
        self, method: Callable[..., Any], args: Any, options: Any, *names: str
    ) -> None:
        """Keras would make the last execution whole, and so take more steps than were asked for."""
        given = inspect.signature(method).bind(*args, **options).arguments
        at_once: int = self.steps_per_execution
        for name in names:
            steps = given.get(name)
            if steps is not None and steps % at_once:
                whole = -(-steps // at_once) * at_once
                raise ValueError(
                    f"{name} must be a multiple of the model's steps_per_execution ({at_once}), "
                    f"got {steps}. Give {whole}, or compile the model with another one."
                )

    def _check_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"compile must be called before {method}, also on a model that was loaded with "
                f"compile=False: {self._call_of_compile()}."
            )

    def _call_of_compile(self) -> str:
        """A call of `compile` that suits this model, for an error."""
        return "compile(optimizer, loss)"

    # Saving: an optimizer has a state for each variable that it was built on, whatever is frozen

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        optimizer = self.optimizer
        if optimizer is not None and not optimizer.built:
            # Keras builds it at the first step; a file would lack the state that loading wants.
            optimizer.build(self.trainable_variables)
        trained = None if optimizer is None else built_on(optimizer, self.weights)
        return {**super().get_compile_config(), "trained": trained}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        trained = config.get("trained")
        config = {name: value for name, value in config.items() if name != "trained"}
        config = keras.saving.deserialize_keras_object(config)
        if trained is not None:
            config["optimizer"].build([self.weights[number] for number in trained])
        self.compile(**config)
        if self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _make_function(self, step_function: Callable[[Any], Logs]) -> Callable:
        def step(data: Any) -> Logs:
            with after(data):
                taken = self._taken(data)
            # A batch that is refused moves no counter either.
            with after(taken):
                return self._reducible(step_function(taken))

        made = super()._make_function(step)
        if self.steps_per_execution == 1 or self.distribute_strategy.num_replicas_in_sync == 1:
            return made
        return functools.partial(self._one_by_one, made)

    def _one_by_one(self, step: Callable[[Any], Logs], iterator: Any) -> Logs:
        """The steps of one execution, each in a call; as many as there are batches left."""
        if not isinstance(iterator, tf.distribute.DistributedIterator):
            return step(iterator)
        count: int = self.steps_per_execution
        logs: Logs = {}
        # What Keras makes of a step looks at it each time that it is traced.
        self.steps_per_execution = 1
        try:
            for _ in range(count):
                logs = step(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            if not logs:
                raise
        finally:
            self.steps_per_execution = count
        return logs

    def _taken(self, data: Any) -> Any:
        """A batch as the steps take it; raises, now or when the graph runs, for what is refused."""
        return data

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        if not self._spans_workers():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _reducible(self, logs: Logs) -> Logs:
        """The logs, each with an axis to take the mean along where Keras does so."""
        if not self._spans_workers():
            return logs
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _spans_workers(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _check_batches(data: Any) -> None:
    """Keras calls a `kgan.data.Dataset`, which it does not know, an "unrecognized data type"."""
    if type(data).__module__.startswith("kgan.data."):
        raise TypeError(
            f"x must be batches, got rows: {data!r}. kgan.data.feed(data, batch_size) makes "
            "batches of them (feed_rows of a table, feed_pairs of pairs, feed_apart of domains, "
            "feed_damaged of a restoration), an endless stream: give steps_per_epoch too, such "
            "as kgan.data.steps_per_epoch(data, batch_size)."
        )


@contextlib.contextmanager
def _ending_as_built(optimizer: keras.optimizers.Optimizer | None) -> Iterator[None]:
    """Within it, an optimizer with averages ends on the variables that it was built on.

    Keras ends it on those that are trainable then, which fails where some were frozen since.
    """
    if optimizer is None:
        yield
        return

    def finalize(variables: Any) -> None:
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        type(optimizer).finalize_variable_values(optimizer, inner._trainable_variables)

    optimizer.finalize_variable_values = finalize
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def built_on(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> list[int]:
    """Which of the variables an optimizer was built on, by their numbers in the order there."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    numbers = {id(variable): number for number, variable in enumerate(variables)}
    return [numbers[id(variable)] for variable in inner._trainable_variables]


def after(data: Any) -> contextlib.AbstractContextManager:
    """A context in which no operation of a graph runs before the tensors of `data` are there."""
    values = tf.nest.flatten(data, expand_composites=True)
    return tf.control_dependencies([value for value in values if tf.is_tensor(value)])
