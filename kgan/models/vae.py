"""The variational autoencoder: one player, no adversary."""

from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.kinds
import kgan.latents
import kgan.random
from kgan.counter import add_counter
from kgan.endpoints import Endpoint, Endpoints, Request, check_samples, takes
from kgan.kinds import Images, Kind
from kgan.losses.likelihood import (
    bits_per_dimension,
    gaussian_divergence,
    gaussian_log_density,
    get_likelihood,
    log_likelihood,
)
from kgan.models.average import average_of, update_average
from kgan.models.batches import Batch, labels_of, parts_of, samples_of, told, warn_of_labels
from kgan.models.generation import Generation
from kgan.models.players import Players

ACTIVE_NATS = 0.01
"""A latent is active where it tells the decoder more than this, on average over samples."""

# Images in one call of what is no step.
_BATCH = 64
_AT_ONCE = 16 * _BATCH
# The values of sample i are drawn with the seed of sample i + 2^31, which no request reaches.
_SEEDS_OF_VALUES = 2**31


@keras.saving.register_keras_serializable(package="kgan")
class VAE(Generation, Players):
    """A variational autoencoder that trains with `fit`.

    The encoder gives a diagonal Gaussian of latents for each image, the decoder a distribution of
    each value of the image for latents. Both learn to make the evidence lower bound large: log
    p(image | latents) minus `beta` times the divergence of the encoder's Gaussian from N(0, 1).

    `fit` takes batches of images, float32 in [0, 1], or `(images, labels)` where conditional. Logs,
    all of them means over samples: `loss`, what is minimised; `reconstruction`, which is -log
    p(image | latents), and `kl`, both in nats; `bits_per_dimension`, the bound's whatever `beta`
    is, and 8 where all images are equally likely; and `active_units`, the number of latents that
    carry more than 0.01 nats.

    Args:
        encoder: Built Keras model of `images`, or `[images, labels]`, to two outputs (batch,
            latent_dim): the mean and the logarithm of the variance.
        decoder: Built Keras model of `latents` (batch, latent_dim), or `[latents, labels]`, to two
            outputs of the images' shape: the location and the logarithm of the scale of each value.
        num_classes: Number of classes of a conditional model, else `None`.
        likelihood: A key of `kgan.losses.likelihood.LIKELIHOODS`.
        beta: Weight of the divergence, at least 0. Above 1 latents say less, and samples of N(0, 1)
            look more like reconstructions; below 1 the reverse. Only 1 makes the loss a bound.
        draws: Whether `generate` draws the values of an image from the decoder's distribution. By
            default, and in all else, an image is the decoder's most likely one.
        ema_decay: Decay of the decoder's moving average, in [0, 1), with which everything but the
            training is done. It ramps up as min(ema_decay, (1 + step) / (10 + step)).
        seed: Seed of all noise, an int in [0, 2**31 - 1].
        kind: What a sample is; where `None`, images of the decoder's shape.

    Example:

    ```python
    encoder = kgan.networks.dcgan_encoder((28, 28, 1), latent_dim=32)
    decoder = kgan.networks.dcgan_decoder((28, 28, 1), latent_dim=32)
    vae = kgan.models.VAE(encoder, decoder)
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    vae.fit(dataset, validation_data=held_out, epochs=10)
    images = vae.generate(16, seed=0)
    same = vae.decode(vae.encode(images))
    ```

    Reference:
        Kingma & Welling 2014, "Auto-encoding variational Bayes" (arXiv:1312.6114); `beta`: Higgins
        et al. 2017, "beta-VAE".
    """

    optimizers: ClassVar = {"optimizer": ("encoder", "decoder")}
    logs: tuple[str, ...] = ("loss", "reconstruction", "kl", "bits_per_dimension", "active_units")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        num_classes: int | None = None,
        likelihood: str = "discretised_logistic",
        beta: float = 1.0,
        draws: bool = False,
        ema_decay: float = 0.999,
        seed: int = 0,
        kind: Kind | None = None,
        **options,
    ):
        super().__init__(**options)
        if not beta >= 0:
            raise ValueError(f"beta must be at least 0, got {beta}.")
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), got {ema_decay}.")
        _check_networks(encoder, decoder, conditional=num_classes is not None)
        self.encoder = encoder
        self.decoder = decoder
        self.num_classes = num_classes
        self.likelihood_name = likelihood
        self.likelihood = get_likelihood(likelihood)
        self.beta = beta
        self.draws = draws
        self.ema_decay = ema_decay
        self.seed = kgan.random.check_seed(seed)
        self.latent_dim = int(decoder.inputs[0].shape[-1])
        self.sample_shape = tuple(decoder.outputs[0].shape[1:])
        self.dimensions = int(np.prod(self.sample_shape))
        self._declare(kind)
        if not isinstance(self.kind, Images):
            raise ValueError(f"kind must be images, got {self.kind.plural}: a VAE is of images.")

        self.ema_decoder = average_of(decoder)
        self._start()
        self._trackers["active_units"] = _ActiveUnits(self.latent_dim, name="active_units")
        self._test_batch = add_counter(self, "test_batch")

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        images, labels = self._taken(data)
        self._minimise("optimizer", lambda: self._objective(images, labels))
        update_average(self.ema_decoder, self.decoder, decay=self.ema_decay, step=self._step())
        return self._end_step()

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """The logs in inference mode, of the averaged decoder; repeatable, no weight is updated."""
        images, labels = self._taken(data)
        batch = tf.convert_to_tensor(self._test_batch)
        self._test_batch.assign_add(1)
        self._bound(images, labels, batch, "test ", decoder=self.ema_decoder, training=False)
        return self._result(*self.logs)

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self._test_batch.assign(0)

    def _objective(self, images, labels) -> list[tf.Tensor]:
        reconstruction, divergence = self._bound(
            images, labels, self._step(), "", decoder=self.decoder, training=True
        )
        return [reconstruction, self.beta * divergence]

    def _bound(
        self, images, labels, step, purpose: str, *, decoder, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """-log p(image | latents) and the divergence, in nats (batch,); both are logged."""
        mean, log_variance = _network(self.encoder, images, labels, training=training)
        batch = tf.shape(images)[0]
        seed = self._seed(step, f"{purpose}posterior")
        noise = kgan.random.normal(seed, [batch, self.latent_dim])
        latents = mean + tf.exp(0.5 * log_variance) * noise
        location, log_scale = _network(decoder, latents, labels, training=training)
        noise = tf.zeros_like(images)
        if self.likelihood.uses_noise:
            seed = self._seed(step, f"{purpose}values")
            noise = kgan.random.uniform(seed, [batch, *self.sample_shape])
        reconstruction = -log_likelihood(self.likelihood, images, location, log_scale, noise)
        of_latents = gaussian_divergence(mean, log_variance)
        divergence = tf.reduce_sum(of_latents, axis=1)
        self._log(
            loss=reconstruction + self.beta * divergence,
            reconstruction=reconstruction,
            kl=divergence,
            bits_per_dimension=bits_per_dimension(-reconstruction - divergence, self.dimensions),
            active_units=of_latents,
        )
        return reconstruction, divergence

    def _seed(self, step, purpose: str) -> tf.Tensor:
        return kgan.random.step_seed(self.seed, step, purpose)

    def _unpack(self, data: Any) -> Batch:
        images, labels = parts_of(data, "VAE")
        images = samples_of(
            images, self.sample_shape, self.kind, what="images", whose="the decoder's"
        )
        if self.num_classes is None:
            if labels is not None and isinstance(data, (tuple, list)):
                warn_of_labels("VAE")
            return Batch(images)
        if labels is None:
            raise ValueError(
                f"a conditional VAE with {self.num_classes} classes trains on batches of "
                "(images, labels), got batches without labels."
            )
        return Batch(images, labels_of(labels, self.num_classes))

    # Use

    def _samples(self, latents, labels) -> tf.Tensor:
        return self.likelihood.most_likely(
            *_network(self.ema_decoder, latents, labels, training=False)
        )

    def _drawn(self, seeds, labels) -> tf.Tensor:
        """Images of seeds, their values drawn from the decoder's distribution."""
        latents = kgan.latents.from_seeds(seeds, self.latent_dim)
        noise = kgan.latents.from_seeds(seeds + _SEEDS_OF_VALUES, self.dimensions)
        location, log_scale = _network(self.ema_decoder, latents, labels, training=False)
        share = _uniform(noise, tf.shape(location))
        return self.likelihood.quantile(share, location, log_scale)

    def call(self, latents, labels=None, training=False):
        """The most likely images of latents, in inference mode.

        Args:
            latents: (batch, latent_dim), or the pair `(latents, labels)` (as `predict` passes it).
            labels: (batch,) class numbers where conditional.
            training: Ignored: the step calls the networks themselves.
        """
        if isinstance(latents, (list, tuple)):
            latents, labels = latents
        if labels is None and self.num_classes is not None:
            raise ValueError(f"labels must be given: the VAE has {self.num_classes} classes.")
        return self._samples(latents, labels)

    def generate(self, n: int, labels=None, *, seed: int = 0) -> np.ndarray:
        """New images: image i depends on (seed, i, its label) alone.

        An image is the most likely one for its latents; with `draws` its values are drawn from the
        decoder's distribution, which then shows its noise too.

        Args:
            n: How many.
            labels: Class numbers, shape (n,), or one number for all; where conditional and
                `None`, the classes in turn.
            seed: Seed of the latents, an int in [0, 2**31 - 1].

        Returns:
            float32 array of shape (n, ...) in [0, 1].
        """
        if not self.draws or n == 0:
            return super().generate(n, labels, seed=seed)
        seeds = kgan.latents.example_seeds(seed, n)
        return _in_batches(self._draw, seeds, self.check_labels(labels, n))[0]

    def posterior(self, images, labels=None) -> tuple[np.ndarray, np.ndarray]:
        """The encoder's Gaussian of latents for each image.

        Args:
            images: float32 (n, ...) in [0, 1].
            labels: Class numbers (n,), where conditional.

        Returns:
            Mean and logarithm of the variance, float32 (n, latent_dim) each.
        """
        mean, log_variance = _in_batches(self._encode, *self._checked(images, labels))
        return mean, log_variance

    def encode(self, images, labels=None) -> np.ndarray:
        """Latents of images: the mean of `posterior`, (n, latent_dim), for `decode`."""
        return self.posterior(images, labels)[0]

    def reconstruct(self, images, labels=None) -> np.ndarray:
        """The most likely images of the latents of images; arguments as for `posterior`."""
        latents = self.encode(images, labels)
        return self.decode(latents, None if labels is None else np.asarray(labels, np.int32))

    def log_likelihood(
        self, images, labels=None, *, importance_samples: int = 1, seed: int = 0
    ) -> np.ndarray:
        """A lower bound of the log-likelihood of each image, in nats.

        Args:
            images: float32 (n, ...) in [0, 1].
            labels: Class numbers (n,), where conditional.
            importance_samples: With 1, the evidence lower bound, its divergence in closed form.
                With k, the bound of k weighted draws of latents: the larger k, the tighter.
            seed: Seed of the draws, an int in [0, 2**31 - 1].

        Returns:
            float32 (n,).

        Reference: Burda et al. 2016, "Importance weighted autoencoders", equation 8
            (arXiv:1509.00519).
        """
        if importance_samples < 1:
            raise ValueError(f"importance_samples must be at least 1, got {importance_samples}.")
        seeds = kgan.latents.example_seeds(seed, len(images) * importance_samples)
        seeds = tf.reshape(seeds, [len(images), importance_samples])
        exact = importance_samples == 1
        found = []
        # Of images on disk no more than these come into memory.
        for start in range(0, max(1, len(images)), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            some, own = self._checked(images[rows], None if labels is None else labels[rows])
            batches = _in_batches(lambda *batch: self._weigh(*batch, exact), some, seeds[rows], own)
            found.append(batches[0])
        return np.concatenate(found)

    @tf.function(reduce_retracing=True)
    def _draw(self, seeds, labels):
        return [self._drawn(seeds, labels)]

    @tf.function(reduce_retracing=True)
    def _encode(self, images, labels):
        return _network(self.encoder, images, labels, training=False)

    @tf.function(reduce_retracing=True)
    def _weigh(self, images, seeds, labels, exact: bool):
        mean, log_variance = _network(self.encoder, images, labels, training=False)
        divergence = tf.reduce_sum(gaussian_divergence(mean, log_variance), axis=1)

        def log_weight(own):
            numbers = self.latent_dim + (self.dimensions if self.likelihood.uses_noise else 0)
            drawn = kgan.latents.from_seeds(own, numbers)
            latents = mean + tf.exp(0.5 * log_variance) * drawn[:, : self.latent_dim]
            location, log_scale = _network(self.ema_decoder, latents, labels, training=False)
            noise = tf.zeros_like(images)
            if self.likelihood.uses_noise:
                noise = _uniform(drawn[:, self.latent_dim :], tf.shape(images))
            likely = log_likelihood(self.likelihood, images, location, log_scale, noise)
            if exact:
                return likely - divergence
            prior = gaussian_log_density(latents, 0.0, 0.0)
            posterior = gaussian_log_density(latents, mean, log_variance)
            return likely + tf.reduce_sum(prior - posterior, axis=1)

        weights = tf.map_fn(log_weight, tf.transpose(seeds), fn_output_signature=tf.float32)
        many = tf.cast(tf.shape(weights)[0], tf.float32)
        return [tf.reduce_logsumexp(weights, axis=0) - tf.math.log(many)]

    def _checked(self, images, labels) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Images and labels as tensors; no label is made up for an image that is given."""
        if len(images) == 0:
            raise ValueError("images must not be empty.")
        with told():
            return self._unpack((images, labels))

    def endpoints(self) -> Endpoints:
        """What it can be asked: new images, latents of images, and images of latents."""
        plural = self.kind.plural
        inputs = {**takes(**{plural: (self.sample_shape, tf.float32)}), **self._takes_labels()}

        def draw(request: Request) -> Request:
            return {plural: self._drawn(request["seeds"], self._requested_labels(request))}

        def encode(request: Request) -> Request:
            labels = self._requested_labels(request)
            samples = check_samples(request, self.kind)
            mean, log_variance = _network(self.encoder, samples, labels, training=False)
            return {"latents": mean, "log_variance": log_variance}

        def reconstruct(request: Request) -> Request:
            latents = encode(request)["latents"]
            return {plural: self._samples(latents, self._requested_labels(request))}

        endpoints = self._latent_endpoints()
        if self.draws:
            generate = endpoints["generate"]
            endpoints["generate"] = Endpoint(draw, generate.inputs, generate.role)
        endpoints["encode"] = Endpoint(encode, inputs, "encode")
        endpoints["reconstruct"] = Endpoint(reconstruct, inputs, "reconstruct")
        decoder = self.ema_decoder
        return Endpoints(
            family="vae",
            kind=self.kind,
            endpoints=endpoints,
            tracked=(self.encoder, decoder),
            details={
                "latent_dim": self.latent_dim,
                "sample_shape": list(self.sample_shape),
                "num_classes": self.num_classes,
                "likelihood": self.likelihood_name,
                "draws": self.draws,
            },
            network=keras.Model(
                decoder.inputs, self.likelihood.most_likely(*decoder.outputs), name="decoder"
            ),
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "likelihood": self.likelihood_name,
            "beta": self.beta,
            "draws": self.draws,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "kind": None if self._kind is None else self._kind.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        if config["kind"] is not None:
            config = {**config, "kind": kgan.kinds.from_config(config["kind"])}
        return super().from_config(config, custom_objects)


class _ActiveUnits(keras.metrics.Metric):
    """How many latents have a divergence above `ACTIVE_NATS`, on average over samples.

    Args:
        latent_dim: Number of latents.
    """

    def __init__(self, latent_dim: int, **options):
        super().__init__(**options)
        self.total = self.add_variable((latent_dim,), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, divergence: tf.Tensor) -> None:
        """Counts divergences of each latent, (batch, latent_dim)."""
        self.total.assign_add(tf.reduce_sum(divergence, axis=0))
        self.count.assign_add(tf.cast(tf.shape(divergence)[0], tf.float32))

    def result(self) -> tf.Tensor:
        mean = self.total / tf.maximum(self.count, 1.0)
        return tf.reduce_sum(tf.cast(mean > ACTIVE_NATS, tf.float32))


def _network(network, inputs, labels, *, training: bool):
    mean, log_scale = network(inputs if labels is None else [inputs, labels], training=training)
    return tf.cast(mean, tf.float32), tf.cast(log_scale, tf.float32)


def _uniform(normal: tf.Tensor, shape) -> tf.Tensor:
    """Draws from N(0, 1) as draws from U(0, 1), of that shape."""
    return tf.reshape(tf.math.erfc(-normal / np.sqrt(2.0)) / 2, shape)


def _in_batches(function, first, *others) -> list[np.ndarray]:
    """The outputs of a function of batches, for all rows.

    Always of a full batch, so that every row takes the same arithmetic path.
    """
    n = len(first)
    batches = []
    for start in range(0, n, _BATCH):
        rows = tf.minimum(tf.range(start, start + _BATCH), n - 1)
        batch = [None if one is None else tf.gather(one, rows) for one in (first, *others)]
        batches.append([output.numpy()[: n - start] for output in function(*batch)])
    return [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]


def _check_networks(encoder: keras.Model, decoder: keras.Model, *, conditional: bool) -> None:
    inputs = 2 if conditional else 1
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if getattr(network, "inputs", None) is None:
            raise ValueError(
                f"{name} must be a built functional Keras model, got "
                f"{type(network).__name__} without inputs. Wrap it: "
                "keras.Model(inputs, network(inputs))."
            )
        if len(network.inputs) != inputs:
            what = "a conditional" if conditional else "an unconditional"
            raise ValueError(
                f"{name} of {what} VAE must have {inputs} input(s), got {len(network.inputs)}. "
                "Check num_classes."
            )
        if len(network.outputs) != 2 or network.outputs[0].shape != network.outputs[1].shape:
            what = "mean and log_variance" if name == "encoder" else "location and log_scale"
            shapes = [tuple(output.shape) for output in network.outputs]
            raise ValueError(f"{name} must have two outputs of one shape, {what}, got {shapes}.")
    if encoder.outputs[0].shape != decoder.inputs[0].shape:
        raise ValueError(
            f"the encoder's outputs must have the shape of the decoder's latents, "
            f"{tuple(decoder.inputs[0].shape)}, got {tuple(encoder.outputs[0].shape)}."
        )
    if encoder.inputs[0].shape != decoder.outputs[0].shape:
        raise ValueError(
            f"the decoder's outputs must have the shape of the encoder's images, "
            f"{tuple(encoder.inputs[0].shape)}, got {tuple(decoder.outputs[0].shape)}."
        )
