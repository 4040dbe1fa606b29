"""Base of all models whose networks have their own optimizers."""

import functools
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

import kgan.losses
from kgan.counter import add_counter
from kgan.models.batches import Batch, in_slices, no_weights, told
from kgan.models.gradient_update import apply_gradients
from kgan.models.mended_fit import MendedFit, built_on
from kgan.models.optimizer_callbacks import with_optimizers
from kgan.models.output_activation import check_logits, check_unsigned
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

    `fit` is Keras's, with two differences. Weights of samples or classes are refused, as is all
    data that the model's `_unpack` refuses: arrays before the training begins, other data in its
    step. And Keras's callbacks that act on `model.optimizer` (`LearningRateScheduler`,
    `ReduceLROnPlateau`, `SwapEMAWeights`) act on each player's optimizer, or on one where
    `kgan.callbacks.OfOptimizer` names it. `TerminateOnNaN` looks at all losses. The learning rates
    are logged: `g_learning_rate` is that of `g_optimizer`.

    Attributes:
        optimizers: The players: name of an optimizer's attribute, to the names of the attributes
            of the networks that it trains. A network may be `None`; a player without any network
            does not play, and its optimizer is `None`.
        logs: Names of what `_log` takes and `fit` reports.
        judges: Names of the networks that must give logits.
        in_one_kernel: Whether Adam updates a weight by one kernel. That is faster and rounds
            otherwise than Keras's formula does: a family whose runs of 0.1.0 go on to the bit has
            it off.
        step: Number of steps trained so far, an integer variable that is saved with the weights.
    """

    optimizers: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    logs: tuple[str, ...] = ()
    judges: ClassVar[tuple[str, ...]] = ()
    in_one_kernel: ClassVar[bool] = False

    def _start(self) -> None:
        self._trained: tuple[int, ...] = ()
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
        optimizer: keras.optimizers.Optimizer | str | None = None,
        *,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        auto_scale_loss: bool = True,
        **optimizers: keras.optimizers.Optimizer | str | None,
    ) -> None:
        """Sets the optimizers and builds them, so that their state saves and restores.

        Args:
            optimizer: A Keras optimizer, or the name of one, of which each player gets a copy; in
                place of one for each.
            jit_compile: Whether XLA compiles the step. It is slower on a CPU.
            steps_per_execution: Steps that `fit` runs in one call into TensorFlow; on several
                replicas each is a call.
            run_eagerly: Whether to run the step in Python, for debugging.
            auto_scale_loss: Whether the optimizer of a network that computes in float16 becomes a
                `LossScaleOptimizer`, without which small gradients are lost.
            **optimizers: A Keras optimizer, or the name of one, for each player (`optimizers` of
                the class names them): all of them different objects.

        Raises:
            ValueError: For a player without an optimizer, an optimizer without a player, one
                optimizer for two players, or what Keras's `compile` takes and this does not.
        """
        playing = self.playing
        if optimizer is not None and not optimizers and "optimizer" not in self.optimizers:
            optimizers = {name: _copy(optimizer) for name in playing}
        elif optimizer is not None:
            optimizers = {"optimizer": optimizer, **optimizers}
        named = {name: value for name, value in optimizers.items() if value is not None}
        if set(named) != set(playing):
            raise ValueError(self._right_call(named))
        given = {name: keras.optimizers.get(value) for name, value in named.items()}
        if len({id(optimizer) for optimizer in given.values()}) < len(given):
            raise ValueError(f"{_listed(playing)} must be different objects, got the same one.")
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        for name in self.optimizers:
            own = given.get(name)
            if own is not None:
                if auto_scale_loss and _is_float16(self._networks(name)):
                    own = _scaled(own)
                if not own.built:
                    own.build(self._variables(name))
            setattr(self, name, own)
        warn_of_equal_draws(*(network for name in playing for network in self._networks(name)))

    def _right_call(self, given: Mapping[str, Any]) -> str:
        """What `compile` wants, for one that got something else."""
        hints = [_ELSEWHERE[name] for name in given if name in _ELSEWHERE]
        return " ".join(
            [
                f"compile must be given {_listed(self.playing)} for this {type(self).__name__}, "
                f"got {_listed(given) or 'none'}. Call {self._call_of_compile()}.",
                *hints,
            ]
        )

    def _call_of_compile(self) -> str:
        call = ", ".join(f'{name}="adam"' for name in self.playing)
        both = "" if "optimizer" in self.optimizers else ', or compile("adam") for a copy each'
        return f"compile({call}){both}"

    @property
    def playing(self) -> list[str]:
        """Names of the optimizers whose players have a network."""
        return [name for name in self.optimizers if self._networks(name)]

    def learning_rates(self) -> dict[str, float]:
        """The present learning rate of each optimizer: `g_learning_rate` is `g_optimizer`'s."""
        return {
            name.replace("optimizer", "learning_rate"): float(
                keras.ops.convert_to_numpy(getattr(self, name).learning_rate)
            )
            for name in self.playing
        }

    def _networks(self, optimizer: str) -> list[keras.Model]:
        found = [getattr(self, name) for name in self.optimizers[optimizer]]
        return [network for network in found if network is not None]

    def _variables(self, optimizer: str) -> list[keras.Variable]:
        networks = self._networks(optimizer)
        return [variable for network in networks for variable in network.trainable_variables]

    def _weights_of(self, optimizer: str) -> list[keras.Variable]:
        return [weight for network in self._networks(optimizer) for weight in network.weights]

    # Training

    def fit(self, *args: Any, **options: Any) -> keras.callbacks.History:
        """As Keras's `fit`; see the class for what differs."""
        self._check_compiled("fit")
        given = inspect.signature(keras.Model.fit).bind(self, *args, **options).arguments
        given.pop("self")
        if any(given.get(name) is not None for name in ("class_weight", "sample_weight")):
            raise ValueError(no_weights(type(self).__name__))
        data, labels = given.get("x"), given.get("y")
        with told():
            for each in (data if labels is None else (data, labels), given.get("validation_data")):
                for rows in in_slices(each):
                    self._unpack(rows)
        if getattr(self, "jit_compile", False) and isinstance(data, tf.data.Dataset):
            # XLA leaves assertions out, so this data is checked before it comes there.
            given["x"] = data.map(self._unpack).prefetch(1)
        given["callbacks"] = with_optimizers(given.get("callbacks"), self.playing)
        return super().fit(**given)

    def make_train_function(self, force: bool = False) -> Any:
        self._check_players()
        # What was frozen since the step was traced is frozen in the step from now on.
        trained = tuple(id(one) for name in self.playing for one in self._variables(name))
        changed, self._trained = trained != self._trained, trained
        return super().make_train_function(force or changed)

    def _check_players(self) -> None:
        """Raises where a player would not learn, or learn something else than it is meant to."""
        for name in self.playing:
            networks = [one for one in self.optimizers[name] if getattr(self, one) is not None]
            variables = self._variables(name)
            if not variables:
                raise ValueError(
                    f"{_listed(networks)} must have something to train, got only what is frozen: "
                    f"{name} would never change it. Set trainable = True, and compile again."
                )
            known = set(map(id, _inner(getattr(self, name))._trainable_variables))
            if new := [one.path for one in variables if id(one) not in known]:
                raise ValueError(
                    f"{name} must be built on all that it trains, and {new[0]} was frozen when "
                    "compile was called: compile again."
                )
        for judge in self.judges:
            if getattr(self, judge) is not None:
                check_logits(judge, getattr(self, judge))
        for maker in self._image_makers():
            check_unsigned(maker, getattr(self, maker))

    def _warn_if_trainable_state_changed(self) -> None:
        """Keras would ask for `compile` where something was frozen, which is not needed here."""

    def _image_makers(self) -> Sequence[str]:
        """Names of the networks that give images in [0, 1]."""
        return ()

    def _taken(self, data: Any) -> Any:
        return data if isinstance(data, Batch) else self._unpack(data)

    def _unpack(self, data: Any) -> Any:
        """A batch of `fit` as a `Batch`, checked; raises for what the steps do not take."""
        return data

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        raise ValueError(
            f"validation_data must be left out, and evaluate: a {type(self).__name__} has no "
            "losses of held-out data. Measure what it makes, such as with kgan.evaluation."
        )

    # Parts of a step

    def _minimise(
        self,
        optimizer: str,
        losses: Losses,
        *,
        through: tuple[tf.Tensor, tf.GradientTape] | None = None,
        also: Losses | None = None,
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
            also: Makes further losses, whose gradient is taken at the player's own weights.
        """
        own = getattr(self, optimizer)
        self._refresh(*self._networks(optimizer))
        with tf.GradientTape(watch_accessed_variables=through is None) as tape:
            if through is not None:
                tape.watch(through[0])
            scaled = own.scale_loss(_total(losses()))
        variables = self._variables(optimizer)
        if through is None:
            gradients = tape.gradient(scaled, variables)
        else:
            samples, made = through
            gradients = made.gradient(
                samples, variables, output_gradients=tape.gradient(scaled, samples)
            )
        if also is not None:
            with tf.GradientTape() as tape:
                scaled = own.scale_loss(_total(also()))
            gradients = list(map(_sum, gradients, tape.gradient(scaled, variables)))
        apply_gradients(own, gradients, variables, in_one_kernel=self.in_one_kernel)

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
            if config.get(name) is not None
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
            # An optimizer has a state for all that it was built on, frozen since or not.
            "trained": {
                name: built_on(optimizer, self._weights_of(name))
                for name, optimizer in optimizers.items()
                if optimizer is not None
            },
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        optimizers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in self.optimizers
            # A player that an earlier version did not know does not play in its files.
            if config.get(name) is not None
        }
        # Files of earlier versions do not tell: there all is as it was when it was compiled.
        for name, numbers in config.get("trained", {}).items():
            weights = self._weights_of(name)
            optimizers[name].build([weights[number] for number in numbers])
        options = {name: value for name, value in config.items() if name != "trained"}
        self.compile(**{**options, **optimizers}, auto_scale_loss=False)

    @classmethod
    def _network_names(cls) -> list[str]:
        return [name for names in cls.optimizers.values() for name in names]


_ELSEWHERE = {
    "loss": 'The loss is given when the model is made, such as GAN(..., loss="hinge").',
    "metrics": "Its logs are fixed; kgan.callbacks.MetricMonitor adds scores of samples.",
    "loss_weights": "Weights of terms are given when the model is made.",
}
"""Where that is given which Keras's `compile` takes and this one does not."""


def _total(losses: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
    """The sum of the losses' means over the global batch, as this replica's share of it."""
    means = map(kgan.losses.reduce, [losses] if tf.is_tensor(losses) else losses)
    return functools.reduce(operator.add, means)


def _sum(one: Any, other: Any) -> Any:
    """Of two gradients, each of which may be `None`."""
    if one is None or other is None:
        return other if one is None else one
    return tf.convert_to_tensor(one) + tf.convert_to_tensor(other)


def _listed(names) -> str:
    return ", ".join(names)


def _inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return getattr(optimizer, "inner_optimizer", optimizer)


def _copy(optimizer: keras.optimizers.Optimizer | str) -> keras.optimizers.Optimizer:
    """A new optimizer like this one, without its state."""
    found = keras.optimizers.get(optimizer)
    return type(found).from_config(found.get_config())


def _is_float16(networks: Sequence[keras.Model]) -> bool:
    return any(
        layer.compute_dtype == "float16" for one in networks for layer in one._flatten_layers()
    )


def _scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer, with the scaling of losses that float16 needs."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
