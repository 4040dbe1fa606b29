"""The generative adversarial network: two half-steps, and everything else by composition."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

import kgan.kinds
import kgan.latents
import kgan.losses
import kgan.penalties
import kgan.random
from kgan.counter import add_counter
from kgan.endpoints import Endpoint, Endpoints, Request, check_labels
from kgan.kinds import Kind
from kgan.models.draws import warn_of_equal_draws
from kgan.models.many_workers import ManyWorkers
from kgan.models.updates import apply_gradients, check_optimizer

_DECODE_BATCH = 64


@keras.saving.register_keras_serializable(package="kgan")
class GAN(ManyWorkers):
    """A GAN that trains with `fit`: loss x penalties x networks x packing x conditioning.

    A step is a discriminator half-step (`n_critic` of them) and then a generator half-step, which
    reuses the last half-step's generator pass. All noise is a pure function of
    (`seed`, step, position in the global batch).

    Args:
        generator: Built Keras model, `latents` (batch, latent_dim) to samples, or
            `[latents, labels]` to samples where conditional. Images are in [0, 1].
        discriminator: Built Keras model, samples to logits (batch,), or `[samples, labels]`. With
            `packing` m its samples have m times the channels.
        num_classes: Number of classes of a conditional GAN, else `None`.
        loss: A key of `kgan.losses.LOSSES`, an `AdversarialLoss`, or a pair of callables
            `(real_logits, fake_logits) -> per-sample loss`.
        label_smoothing: How far the real label is moved from 1, in [0, 1).
        penalties: Instances of `kgan.penalties.Penalty`.
        n_critic: Discriminator half-steps for each generator half-step. Each takes its own part of
            the batch, so `fit`'s batch holds `n_critic` times what a half-step sees.
        packing: How many samples the discriminator judges at once (PacGAN, Lin et al. 2018,
            arXiv:1712.04086); 1 is the ordinary GAN. Unconditional only.
        ema_decay: Decay of the generator's moving average, in [0, 1). It ramps up as
            min(ema_decay, (1 + step) / (10 + step)) and covers batch-norm statistics too.
        seed: Seed of all noise, an int in [0, 2**31 - 1].
        kind: What a sample is; where `None`, what `kgan.kinds.of_array` says of the generator's
            output shape.

    `fit` takes batches of samples, or `(samples, labels)` where conditional; generated samples get
    the labels of the real ones. Logs: `d_loss` and `g_loss` (unscaled means), `penalty`, and the
    mean probabilities `d_real` and `d_fake` that real and generated samples are real; at
    equilibrium both are 0.5.

    Example:

    ```python
    gan = kgan.models.GAN(generator, discriminator, loss="hinge")
    gan.compile(
        g_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    gan.fit(dataset, epochs=10)
    images = gan.generate(16, seed=0)
    ```
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        num_classes: int | None = None,
        loss: str | kgan.losses.AdversarialLoss | tuple = "non_saturating",
        label_smoothing: float = 0.0,
        penalties: Sequence[kgan.penalties.Penalty] = (),
        n_critic: int = 1,
        packing: int = 1,
        ema_decay: float = 0.999,
        seed: int = 0,
        kind: Kind | None = None,
        **options,
    ):
        super().__init__(**options)
        _check_range("n_critic", n_critic, n_critic >= 1, "at least 1")
        _check_range("packing", packing, packing >= 1, "at least 1")
        _check_range("ema_decay", ema_decay, 0 <= ema_decay < 1, "in [0, 1)")
        if packing > 1 and num_classes is not None:
            raise ValueError(
                f"packing must be 1 for a conditional GAN, got {packing}: a pack of samples has "
                "no single label. Train without labels or without packing."
            )
        _check_built("generator", generator, inputs=1 if num_classes is None else 2)
        _check_built("discriminator", discriminator, inputs=1 if num_classes is None else 2)
        self.generator = generator
        self.discriminator = discriminator
        self.num_classes = num_classes
        self.loss_spec = loss
        self.label_smoothing = label_smoothing
        self.adversarial_loss = kgan.losses.get(loss, label_smoothing=label_smoothing)
        self.penalties = list(penalties)
        self.n_critic = n_critic
        self.packing = packing
        self.ema_decay = ema_decay
        self.seed = kgan.random.check_seed(seed)
        self.latent_dim = int(generator.inputs[0].shape[-1])
        self.sample_shape = tuple(generator.outputs[0].shape[1:])
        if kind is not None and kind.shape != self.sample_shape:
            raise ValueError(
                f"kind must have the shape of the generator's samples, {self.sample_shape}, "
                f"got {kind} of shape {kind.shape}."
            )
        self._kind = kind

        self.ema_generator = keras.models.clone_model(generator)
        self.ema_generator.set_weights(generator.get_weights())
        self.ema_generator.trainable = False
        self.step = add_counter(self, "step")
        self._test_batch = add_counter(self, "test_batch")
        self._trackers = {
            name: keras.metrics.Mean(name=name)
            for name in ("d_loss", "g_loss", "penalty", "d_real", "d_fake")
        }
        self.built = True

    # Training

    def compile(
        self,
        *,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
    ) -> None:
        """Sets the optimizers and builds them, so that their state saves and restores.

        Args:
            g_optimizer: The generator's Keras optimizer; for float16 a `LossScaleOptimizer`.
            d_optimizer: The discriminator's; another object.
            jit_compile: Whether XLA compiles the step. It is slower on a CPU.
            steps_per_execution: Steps that `fit` runs in one call into TensorFlow.
            run_eagerly: Whether to run the step in Python, for debugging.
        """
        if g_optimizer is d_optimizer:
            raise ValueError("g_optimizer and d_optimizer must be two objects, got the same one.")
        for name, optimizer in (("g_optimizer", g_optimizer), ("d_optimizer", d_optimizer)):
            check_optimizer(name, optimizer)
        warn_of_equal_draws(self.generator, self.discriminator)
        super().compile(
            optimizer=None,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        self.g_optimizer = g_optimizer
        self.d_optimizer = d_optimizer
        self.g_optimizer.build(self.generator.trainable_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._trackers.values())

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self._test_batch.assign(0)

    def train_step(self, data) -> dict[str, tf.Tensor]:
        samples, labels = self._unpack(data)
        for part in range(self.n_critic):
            real = _part(samples, part, self.n_critic)
            real_labels = None if labels is None else _part(labels, part, self.n_critic)
            latents = self._latents(tf.shape(real)[0], f"latents {part}")
            with tf.GradientTape() as generator_tape:
                fakes = self._network(self.generator, latents, real_labels, training=True)
            self._discriminator_half_step(real, fakes, real_labels, part)
        self._generator_half_step(real, fakes, real_labels, generator_tape)
        self._update_ema()
        self.step.assign_add(1)
        return self.reducible({name: tracker.result() for name, tracker in self._trackers.items()})

    def _discriminator_half_step(self, real, fakes, labels, part: int) -> None:
        for layer in self.discriminator._flatten_layers():
            if hasattr(layer, "power_iteration"):
                layer.power_iteration()
        with tf.GradientTape() as tape:
            real_logits = self._judge(real, labels, training=True)
            fake_logits = self._judge(fakes, labels, training=True)
            loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
            objective = kgan.losses.reduce(loss)
            penalty = tf.constant(0.0)
            for penalty_function in self.penalties:
                per_sample = self._penalty(penalty_function, real, fakes, labels, part)
                objective += kgan.losses.reduce(per_sample)
                penalty += tf.reduce_mean(per_sample)
            scaled = self.d_optimizer.scale_loss(objective)
        variables = self.discriminator.trainable_variables
        apply_gradients(self.d_optimizer, tape.gradient(scaled, variables), variables)
        self._track(
            d_loss=loss,
            penalty=penalty,
            d_real=tf.sigmoid(real_logits),
            d_fake=tf.sigmoid(fake_logits),
        )

    def _generator_half_step(self, real, fakes, labels, generator_tape) -> None:
        # The discriminator has changed since `fakes` were made and the generator has not: their
        # gradient is taken with the new discriminator and carried back through the old pass.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fakes)
            fake_logits = self._judge(fakes, labels, training=True)
            real_logits = None
            if self.adversarial_loss.generator_needs_real:
                real_logits = self._judge(real, labels, training=True)
            loss = self.adversarial_loss.generator(real_logits, fake_logits)
            scaled = self.g_optimizer.scale_loss(kgan.losses.reduce(loss))
        variables = self.generator.trainable_variables
        gradients = generator_tape.gradient(
            fakes, variables, output_gradients=tape.gradient(scaled, fakes)
        )
        apply_gradients(self.g_optimizer, gradients, variables)
        self._track(g_loss=loss)

    def _penalty(self, penalty, real, fakes, labels, part: int) -> tf.Tensor:
        """Weighted per-sample values at every `interval`-th step, 0 at the others."""
        seed = kgan.random.step_seed(self.seed, self._step(), f"{type(penalty).__name__} {part}")

        def evaluate():
            values = penalty.per_sample(
                lambda inputs: self._network(self.discriminator, inputs, labels, training=True),
                self._pack(real),
                self._pack(fakes),
                seed,
            )
            return values * penalty.weight_at(self._step())

        if penalty.interval == 1:
            return evaluate()
        due = tf.equal(self._step() % penalty.interval, 0)
        return tf.cond(due, evaluate, lambda: tf.zeros([tf.shape(real)[0] // self.packing]))

    def _update_ema(self) -> None:
        step = tf.cast(self._step(), tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        pairs = zip(self.ema_generator.variables, self.generator.variables, strict=True)
        for average, current in pairs:
            value = tf.convert_to_tensor(current)
            if value.dtype.is_floating:
                previous = tf.convert_to_tensor(average)
                value = previous + tf.cast(1.0 - decay, value.dtype) * (value - previous)
            average.assign(value)

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Losses and probabilities in inference mode; repeatable, no weight is updated."""
        real, labels = self._unpack(data)
        batch = tf.convert_to_tensor(self._test_batch)
        seed = kgan.random.step_seed(self.seed, batch, "test latents")
        latents = kgan.random.normal(seed, [tf.shape(real)[0], self.latent_dim])
        self._test_batch.assign_add(1)
        fakes = self._network(self.generator, latents, labels, training=False)
        real_logits = self._judge(real, labels, training=False)
        fake_logits = self._judge(fakes, labels, training=False)
        self._track(
            d_loss=self.adversarial_loss.discriminator(real_logits, fake_logits),
            g_loss=self.adversarial_loss.generator(real_logits, fake_logits),
            d_real=tf.sigmoid(real_logits),
            d_fake=tf.sigmoid(fake_logits),
        )
        names = ("d_loss", "g_loss", "d_real", "d_fake")
        return self.reducible({name: self._trackers[name].result() for name in names})

    def _track(self, **values) -> None:
        for name, value in values.items():
            self._trackers[name].update_state(value)

    # Parts of a step

    def _step(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.step)

    def _latents(self, batch, purpose: str) -> tf.Tensor:
        seed = kgan.random.step_seed(self.seed, self._step(), purpose)
        return kgan.random.normal(seed, [batch, self.latent_dim])

    def _network(self, network, inputs, labels, *, training: bool) -> tf.Tensor:
        return network(inputs if labels is None else [inputs, labels], training=training)

    def _judge(self, samples, labels, *, training: bool) -> tf.Tensor:
        logits = self._network(self.discriminator, self._pack(samples), labels, training=training)
        return tf.cast(logits, tf.float32)

    def _pack(self, samples) -> tf.Tensor:
        """Puts `packing` neighbouring samples side by side in the channels."""
        if self.packing == 1:
            return samples
        samples = _check_divides("packing", self.packing, samples)
        rank = len(samples.shape)
        packs = tf.reshape(samples, [-1, self.packing, *samples.shape[1:]])
        order = [0, *range(2, rank), 1, rank]
        channels = self.packing * samples.shape[-1]
        return tf.reshape(tf.transpose(packs, order), [-1, *samples.shape[1:-1], channels])

    def _unpack(self, data):
        samples, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        if self.num_classes is None:
            labels = None
        elif labels is None:
            raise ValueError(
                f"a conditional GAN with {self.num_classes} classes trains on batches of "
                "(samples, labels), got batches without labels."
            )
        samples = tf.convert_to_tensor(samples)
        if samples.shape[1:] != self.sample_shape:
            raise ValueError(
                f"samples must have the generator's shape {self.sample_shape}, "
                f"got {tuple(samples.shape[1:])}."
            )
        if samples.dtype != tf.float32:
            raise ValueError(
                f"samples must be float32 (images in [0, 1]), got {samples.dtype.name}. "
                "Convert them, or feed them with kgan.data.feed."
            )
        samples = _check_divides("n_critic", self.n_critic, samples)
        return samples, None if labels is None else tf.reshape(tf.cast(labels, tf.int32), [-1])

    # Generation

    def call(self, latents, labels=None, training=False):
        """Samples of the averaged generator in inference mode.

        Args:
            latents: (batch, latent_dim), or the pair `(latents, labels)` (as `predict` passes it).
            labels: (batch,) class numbers where conditional.
            training: Ignored: the half-steps call the generator themselves.
        """
        if isinstance(latents, (list, tuple)):
            latents, labels = latents
        if labels is None and self.num_classes is not None:
            raise ValueError(f"labels must be given: the GAN has {self.num_classes} classes.")
        return self._network(self.ema_generator, latents, labels, training=False)

    def judge(self, samples, labels=None) -> tf.Tensor:
        """The discriminator's logits in inference mode: one for each pack of `packing` samples."""
        return self._judge(samples, labels, training=False)

    def generate(self, n: int, labels=None, *, seed: int = 0) -> np.ndarray:
        """Samples of the averaged generator: sample i depends on (seed, i, its label) alone.

        Args:
            n: How many.
            labels: Class numbers, shape (n,), or one number for all; where conditional and
                `None`, the classes in turn.
            seed: In [0, 2**31 - 1].

        Returns:
            float32 array of shape (n, ...); images in [0, 1].
        """
        labels = self.check_labels(labels, n)
        latents = kgan.latents.from_seeds(kgan.latents.example_seeds(seed, n), self.latent_dim)
        return self.decode(latents, labels)

    def decode(self, latents, labels=None) -> np.ndarray:
        """Samples of the averaged generator for latents (n, latent_dim) and labels (n,)."""
        latents = tf.convert_to_tensor(latents, tf.float32)
        n = int(latents.shape[0])
        samples = []
        for start in range(0, n, _DECODE_BATCH):
            # A full batch always, so that every sample takes the same arithmetic path.
            rows = tf.minimum(tf.range(start, start + _DECODE_BATCH), n - 1)
            part = None if labels is None else tf.gather(tf.convert_to_tensor(labels), rows)
            batch = self._decode(tf.gather(latents, rows), part)
            samples.append(batch.numpy()[: n - start])
        return np.concatenate(samples) if samples else np.zeros((0, *self.sample_shape), np.float32)

    def interpolate(
        self, start, end, *, steps: int = 8, labels=None, method: str = "spherical"
    ) -> np.ndarray:
        """Samples on the way between two latents.

        Args:
            start: Latents, shape (n, latent_dim).
            end: Latents of the same shape.
            steps: Samples on each way, both ends included; at least 2.
            labels: Class numbers, shape (n,), where conditional.
            method: "spherical" or "linear".

        Returns:
            float32 array of shape (n, steps, ...).
        """
        _check_range("steps", steps, steps >= 2, "at least 2")
        if method not in kgan.latents.INTERPOLATIONS:
            raise ValueError(
                f"method must be one of {', '.join(kgan.latents.INTERPOLATIONS)}, got {method!r}."
            )
        start, end = (tf.convert_to_tensor(side, tf.float32) for side in (start, end))
        n = int(start.shape[0])
        labels = self.check_labels(labels, n)
        share = tf.tile(tf.linspace(0.0, 1.0, steps), [n])
        latents = kgan.latents.INTERPOLATIONS[method](
            tf.repeat(start, steps, axis=0), tf.repeat(end, steps, axis=0), share
        )
        samples = self.decode(latents, None if labels is None else np.repeat(labels, steps))
        return samples.reshape(n, steps, *self.sample_shape)

    def check_labels(self, labels, n: int) -> np.ndarray | None:
        """Labels of shape (n,), checked; the classes in turn where conditional and `None`."""
        if self.num_classes is None:
            if labels is not None:
                raise ValueError("labels must be None: the GAN is unconditional.")
            return None
        if labels is None:
            return np.arange(n, dtype=np.int32) % self.num_classes
        labels = np.broadcast_to(np.asarray(labels, np.int32), (n,))
        if n and not (labels.min() >= 0 and labels.max() < self.num_classes):
            raise ValueError(
                f"labels must be in [0, {self.num_classes - 1}], "
                f"got {labels.min()} to {labels.max()}."
            )
        return labels

    @tf.function(reduce_retracing=True)
    def _decode(self, latents, labels):
        return self._network(self.ema_generator, latents, labels, training=False)

    # What can be asked

    @property
    def kind(self) -> Kind:
        """What a sample is."""
        if self._kind is not None:
            return self._kind
        found = kgan.kinds.of_array("the generator", (None, *self.sample_shape))
        if found.shape != self.sample_shape:
            raise ValueError(
                f"kind must be given to a GAN whose samples have the shape {self.sample_shape}, "
                "such as kind=kgan.kinds.Images(height, width, channels)."
            )
        return found

    def endpoints(self) -> Endpoints:
        """Its questions: of the averaged generator, and `score` of the discriminator.

        `score` is left out with packing, where the discriminator judges several samples at once.
        """
        plural = self.kind.plural
        latents = tf.TensorSpec([None, self.latent_dim], tf.float32)
        numbers = tf.TensorSpec([None], tf.int64)
        samples = tf.TensorSpec([None, *self.sample_shape], tf.float32)

        def network(model, inputs, request: Request):
            if self.num_classes is None:
                return model(inputs, training=False)
            labels = check_labels(request["labels"], self.num_classes)
            return model([inputs, labels], training=False)

        def generate(request: Request) -> Request:
            drawn = kgan.latents.from_seeds(request["seeds"], self.latent_dim)
            return {plural: network(self.ema_generator, drawn, request)}

        def decode(request: Request) -> Request:
            return {plural: network(self.ema_generator, request["latents"], request)}

        def interpolate(request: Request) -> Request:
            between = kgan.latents.spherical(request["start"], request["end"], request["share"])
            return {plural: network(self.ema_generator, between, request)}

        def score(request: Request) -> Request:
            logits = network(self.discriminator, request[plural], request)
            return {"logits": logits, "probabilities": tf.sigmoid(logits)}

        def draw(request: Request) -> Request:
            return {"latents": kgan.latents.from_seeds(request["seeds"], self.latent_dim)}

        labels = {} if self.num_classes is None else {"labels": numbers}
        share = tf.TensorSpec([None], tf.float32)
        endpoints = {
            "generate": Endpoint(generate, {"seeds": numbers, **labels}, "generate"),
            "decode": Endpoint(decode, {"latents": latents, **labels}, "decode"),
            "interpolate": Endpoint(
                interpolate,
                {"start": latents, "end": latents, "share": share, **labels},
                "interpolate",
            ),
            "score": Endpoint(score, {plural: samples, **labels}, "score"),
            "latents": Endpoint(draw, {"seeds": numbers}, "latents"),
        }
        if self.packing > 1:
            del endpoints["score"]
        return Endpoints(
            family="gan",
            kind=self.kind,
            endpoints={name: _named(one) for name, one in endpoints.items()},
            tracked=(self.ema_generator, self.discriminator),
            details={
                "latent_dim": self.latent_dim,
                "sample_shape": list(self.sample_shape),
                "num_classes": self.num_classes,
            },
            network=self.ema_generator,
        )

    # Saving

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        loss = self.loss_spec
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "num_classes": self.num_classes,
            "loss": loss if isinstance(loss, str) else _serialize_pair(self.adversarial_loss),
            "label_smoothing": self.label_smoothing,
            "penalties": [serialize(penalty) for penalty in self.penalties],
            "n_critic": self.n_critic,
            "packing": self.packing,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "kind": None if self._kind is None else self._kind.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "GAN":
        config = dict(config)
        # Files of earlier versions say nothing of the kind.
        if config.get("kind") is not None:
            config["kind"] = kgan.kinds.from_config(config["kind"])
        deserialize = keras.saving.deserialize_keras_object
        for name in ("generator", "discriminator"):
            config[name] = deserialize(config[name], custom_objects=custom_objects)
        config["penalties"] = [deserialize(penalty) for penalty in config["penalties"]]
        if isinstance(config["loss"], dict):
            pair = {name: deserialize(value) for name, value in config["loss"].items()}
            config["loss"] = kgan.losses.AdversarialLoss(**pair)
        return cls(**config)

    def get_compile_config(self) -> dict:
        return {
            "g_optimizer": keras.saving.serialize_keras_object(self.g_optimizer),
            "d_optimizer": keras.saving.serialize_keras_object(self.d_optimizer),
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict) -> None:
        optimizers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("g_optimizer", "d_optimizer")
        }
        self.compile(**{**config, **optimizers})


def _named(endpoint: Endpoint) -> Endpoint:
    """The same, each specification with the name of its input."""
    inputs = {
        name: tf.TensorSpec(one.shape, one.dtype, name) for name, one in endpoint.inputs.items()
    }
    return Endpoint(endpoint.function, inputs, endpoint.role)


def _serialize_pair(loss: kgan.losses.AdversarialLoss) -> dict:
    return {
        "discriminator": keras.saving.serialize_keras_object(loss.discriminator),
        "generator": keras.saving.serialize_keras_object(loss.generator),
        "generator_needs_real": loss.generator_needs_real,
    }


def _part(batch: tf.Tensor, part: int, parts: int) -> tf.Tensor:
    # Every `parts`-th sample: a replica's contiguous share of the global batch then holds its
    # share of each part.
    return batch if parts == 1 else batch[part::parts]


def _check_range(name: str, value, ok: bool, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{name} must be {allowed}, got {value}.")


def _check_divides(name: str, value: int, samples: tf.Tensor) -> tf.Tensor:
    batch = samples.shape[0]
    remedy = "Batch with drop_remainder=True."
    if batch is not None and batch % value:
        raise ValueError(f"{name} must divide the batch of {batch} samples, got {value}. {remedy}")
    if batch is not None or value == 1:
        return samples
    message = f"{name} must divide every batch, got {value}. {remedy}"
    check = tf.debugging.assert_equal(tf.shape(samples)[0] % value, 0, message=message)
    with tf.control_dependencies([check]):
        return tf.identity(samples)


def _check_built(name: str, network: keras.Model, *, inputs: int) -> None:
    if getattr(network, "inputs", None) is None:
        raise ValueError(
            f"{name} must be a built functional or Sequential Keras model, "
            f"got {type(network).__name__} without inputs. Wrap it: "
            "keras.Model(inputs, network(inputs))."
        )
    if len(network.inputs) != inputs:
        kind = "an unconditional" if inputs == 1 else "a conditional"
        raise ValueError(
            f"{name} of {kind} GAN must have {inputs} input(s), got {len(network.inputs)}. "
            "Check num_classes."
        )
