"""Base of all models whose networks have their own optimizers."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

import kgan.losses
from kgan.counter import add_counter
from kgan.models.gradient_update import apply_gradients
from kgan.models.mended_fit import MendedFit
from kgan.models.replica_noise import warn_of_equal_draws

Losses = Callable[[], tf.Tensor | Sequence[tf.Tensor]]


class Players(MendedFit):
    """A model of networks that train with `fit`, each player with an optimizer of its own.

    A subclass declares its players and its logs, takes its networks in `__init__` and calls
    `_start()` at the end of it. Its `train_step` is written in `_minimise` and `_log`, and returns
    `_end_step()`:

    ```python
    class Autoencoder(Players):
        optimizers: ClassVar = {"optimizer": ("encoder", "decoder")}
        logs = ("loss",)

        def __init__(self, encoder, decoder, **options):
            super().__init__(**options)
            self.encoder, self.decoder = encoder, decoder
            self._start()

        def train_step(self, samples):
            self._minimise("optimizer", lambda: self._squares(samples))
            return self._end_step()

        def _squares(self, samples):
            made = self.decoder(self.encoder(samples, training=True), training=True)
            loss = kgan.losses.l2(made, samples)
            self._log(loss=loss)
            return loss
    ```

    Attributes:
        optimizers: The players: name of an optimizer's attribute, to the names of the attributes
            of the networks that it trains. A network may be `None`; a player without any network
            does not play, and its optimizer is `None`.
        logs: Names of what `_log` takes and `fit` reports.
        step: Number of steps trained so far, an integer variable that is saved with the weights.
    """

    optimizers: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    logs: tuple[str, ...] = ()

    def _start(self) -> None:
        self.step = add_counter(self, "step")
        self._trackers = {name: keras.metrics.Mean(name=name) for name in self.logs}
        self.built = True

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        # Keras would add up the replicas' batches in order to build what is built already, and
        # texts have no sum.
        if self.distribute_strategy.num_replicas_in_sync == 1:
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    # Compiling

    def compile(
        self,
        *,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        **optimizers: keras.optimizers.Optimizer | str | None,
    ) -> None:
        """Sets the optimizers and builds them, so that their state saves and restores.

        Args:
            jit_compile: Whether XLA compiles the step. It is slower on a CPU.
            steps_per_execution: Steps that `fit` runs in one call into TensorFlow.
            run_eagerly: Whether to run the step in Python, for debugging.
            **optimizers: A Keras optimizer, or the name of one, for each player (`optimizers` of
                the class names them): all of them different objects. For float16 a
                `LossScaleOptimizer`.

        Raises:
            ValueError: For a player without an optimizer, an optimizer without a player, or one
                optimizer for two players.
        """
        given = {
            name: keras.optimizers.get(optimizer)
            for name, optimizer in optimizers.items()
            if optimizer is not None
        }
        playing = [name for name in self.optimizers if self._networks(name)]
        if set(given) != set(playing):
            raise ValueError(
                f"compile must be given {_listed(playing)} for this {type(self).__name__}, "
                f"got {_listed(given) or 'none'}."
            )
        if len({id(optimizer) for optimizer in given.values()}) < len(given):
            raise ValueError(f"{_listed(playing)} must be different objects, got the same one.")
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        for name in self.optimizers:
            setattr(self, name, given.get(name))
        for name, optimizer in given.items():
            optimizer.build(self._variables(name))
        warn_of_equal_draws(*(network for name in playing for network in self._networks(name)))

    def _networks(self, optimizer: str) -> list[keras.Model]:
        found = [getattr(self, name) for name in self.optimizers[optimizer]]
        return [network for network in found if network is not None]

    def _variables(self, optimizer: str) -> list[keras.Variable]:
        networks = self._networks(optimizer)
        return [variable for network in networks for variable in network.trainable_variables]

    # Parts of a step

    def _minimise(
        self,
        optimizer: str,
        losses: Losses,
        *,
        through: tuple[tf.Tensor, tf.GradientTape] | None = None,
    ) -> None:
        """One update of a player: the one place that reduces, scales, differentiates and applies.

        Args:
            optimizer: The player's name in `optimizers`.
            losses: Makes a forward pass and returns what to minimise: one or several tensors of
                values per sample, (batch,) or (batch, ...). The mean of each over the global batch
                counts, and their sum.
            through: Samples, and the tape that recorded how the player's networks made them. Then
                the losses' gradient is taken at the samples alone and carried back through that
                pass, which need not be made again.
        """
        own = getattr(self, optimizer)
        self._refresh(*self._networks(optimizer))
        with tf.GradientTape(watch_accessed_variables=through is None) as tape:
            if through is not None:
                tape.watch(through[0])
            found = losses()
            means = map(kgan.losses.reduce, [found] if tf.is_tensor(found) else found)
            scaled = own.scale_loss(functools.reduce(operator.add, means))
        variables = self._variables(optimizer)
        if through is None:
            gradients = tape.gradient(scaled, variables)
        else:
            samples, made = through
            gradients = made.gradient(
                samples, variables, output_gradients=tape.gradient(scaled, samples)
            )
        apply_gradients(own, gradients, variables)

    def _refresh(self, *networks: keras.Model) -> None:
        """What a network does once for each of its updates: a round of the power iteration."""
        for network in networks:
            for layer in network._flatten_layers():
                if hasattr(layer, "power_iteration"):
                    layer.power_iteration()

    def _log(self, **values: tf.Tensor) -> None:
        """Counts values, of any shape, into the means that `fit` reports."""
        for name, value in values.items():
            self._trackers[name].update_state(value)

    def _end_step(self) -> dict[str, tf.Tensor]:
        """Counts the step, and returns its logs."""
        self.step.assign_add(1)
        return self._result(*self.logs)

    def _result(self, *names: str) -> dict[str, tf.Tensor]:
        """The means so far, by the names of their logs."""
        return {name: self._trackers[name].result() for name in names}

    def _step(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.step)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._trackers.values())

    # Saving

    def get_config(self) -> dict[str, Any]:
        networks = {name: getattr(self, name) for name in self._network_names()}
        return {
            **super().get_config(),
            **{
                name: None if network is None else keras.saving.serialize_keras_object(network)
                for name, network in networks.items()
            },
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in cls._network_names()
            if config[name] is not None
        }
        return cls(**{**config, **networks})

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        optimizers = {name: getattr(self, name) for name in self.optimizers}
        return {
            **{
                name: None if optimizer is None else keras.saving.serialize_keras_object(optimizer)
                for name, optimizer in optimizers.items()
            },
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        optimizers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in self.optimizers
            if config[name] is not None
        }
        self.compile(**{**config, **optimizers})

    @classmethod
    def _network_names(cls) -> list[str]:
        return [name for names in cls.optimizers.values() for name in names]


def _listed(names) -> str:
    return ", ".join(names)
