"""Translation that learns from pairs: near the target, and not to be told from targets."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

import kgan.latents
import kgan.losses
import kgan.names
import kgan.random
from kgan.endpoints import Endpoint, Endpoints, Request, check_samples, takes
from kgan.kinds import Images, Kind
from kgan.losses.likelihood import gaussian_divergence
from kgan.models.codes import by_the_middle_code, with_codes
from kgan.models.translation import Translation, of_one_input


@keras.saving.register_keras_serializable(package="kgan")
class PairedGAN(Translation):
    """A generator from samples of A to those of B, and a discriminator that judges what it makes.

    The generator's loss is a weighted sum: it must fool the discriminator, and come near to the
    target, value by value and, where asked, in the features of another network. A step is a
    half-step of the discriminator and then one of the generator, with the same translations.
    `compile` takes `g_optimizer` and `d_optimizer`.

    Args:
        generator: Built Keras model, samples of A (batch, ...) to samples of B. Images are in
            [0, 1]; those of B may be larger by a whole factor.
        discriminator: Built Keras model of samples, of one input, to logits: one a sample, a map
            of them, or a list of maps (of several scales), of which each counts alike. `None`
            leaves the adversary out, and learns by the distance alone.
        loss: A key of `kgan.losses.LOSSES`, an `AdversarialLoss`, or a pair of callables
            `(real_logits, fake_logits) -> loss of each logit`.
        distance: A key of `kgan.losses.DISTANCES`: "l1", "mse" or "charbonnier".
        reconstruction_weight: Weight of the distance from the target, for images in [-1, 1], as
            papers state it.
        adversarial_weight: Weight of fooling the discriminator, above 0 where there is one.
        conditional: Whether the discriminator is also shown what the sample is made of: its input
            has the channels of A, then those of B.
        features: Keras model of samples of B, whose features are compared too; it does not learn.
        feature_weight: Weight of the distance of the features, above 0 where there are some.
        feature_layers: Names of the layers that give them; see `kgan.losses.FeatureDistance`.
        encoder: Built Keras model of samples of B to `mean` and `log_variance` of codes (batch,
            latent_dim), such as `kgan.networks.dcgan_encoder`: then one input has many outputs.
            The generator takes the channels of A and then as many that hold a code, constant over
            the image, and `None` leaves codes out. Its output must come near to the target by the
            target's code; by a random code it must fool the discriminator, and the encoder must
            find that code again, so it is not ignored.
        code_weight: Weight of finding the code again (mean absolute difference).
        divergence_weight: Weight of the divergence of the targets' codes from N(0, 1), in nats.
        seed: Seed of the codes, an int in [0, 2**31 - 1].
        kind_a: What a sample of A is; where `None`, what `kgan.kinds.of_array` says of its shape.
        kind_b: The same for B.

    `fit` takes batches `(a, b)` of pairs, such as those of `kgan.data.feed_pairs` or
    `kgan.data.feed_damaged`. Logs: `d_loss` and `g_loss` (adversarial), `reconstruction` (the
    distance, not weighted, of values in [-1, 1] for images) and `features` (likewise); with codes
    `code` (mean absolute difference) and `divergence` (nats).

    Reference:
        Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
        section 3 (arXiv:1611.07004); with a squared distance, Pathak et al. 2016, section 3.2
        (arXiv:1604.07379); codes: Zhu et al. 2017, "Toward multimodal image-to-image translation",
        section 3 (arXiv:1711.11586), whose weights are 10 for the distance (L1) and the defaults.

    Example:

    ```python
    shape = (64, 64, 3)
    gan = kgan.models.PairedGAN(
        kgan.networks.unet_generator(shape),
        kgan.networks.patch_discriminator((64, 64, 6)),
    )
    gan.compile(
        g_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
        d_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    gan.fit(kgan.data.feed_pairs(pairs, batch_size=1), steps_per_epoch=1000, epochs=200)
    maps = gan.translate(photos)
    ```
    """

    optimizers: ClassVar = {
        "g_optimizer": ("generator", "encoder"),
        "d_optimizer": ("discriminator",),
    }
    logs: tuple[str, ...] = (
        *("d_loss", "g_loss", "reconstruction", "features"),
        *("code", "divergence"),
    )
    judges: ClassVar = ("discriminator",)
    family: ClassVar = "paired"
    trains_on: ClassVar = "pairs: kgan.data.feed_pairs(pairs, batch_size) gives them"

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        loss: str | kgan.losses.AdversarialLoss | tuple = "non_saturating",
        distance: str = "l1",
        reconstruction_weight: float = 100.0,
        adversarial_weight: float = 1.0,
        conditional: bool = True,
        features: keras.Model | None = None,
        feature_weight: float = 0.0,
        feature_layers: Sequence[str] = (),
        encoder: keras.Model | None = None,
        code_weight: float = 0.5,
        divergence_weight: float = 0.01,
        seed: int = 0,
        kind_a: Kind | None = None,
        kind_b: Kind | None = None,
        **options,
    ):
        super().__init__(**options)
        kgan.names.check("distance", distance, kgan.losses.DISTANCES)
        _check_weights(
            reconstruction_weight=reconstruction_weight,
            adversarial_weight=adversarial_weight,
            feature_weight=feature_weight,
        )
        _check_at_least_0(code_weight=code_weight, divergence_weight=divergence_weight)
        if discriminator is not None and adversarial_weight == 0:
            raise ValueError(
                "discriminator must be left out where adversarial_weight is 0: nothing would learn "
                "from it."
            )
        if (features is None) != (feature_weight == 0):
            raise ValueError(
                "features and a feature_weight above 0 belong together, got "
                f"{'none' if features is None else features.name} and {feature_weight}."
            )
        self.generator, self.discriminator = generator, discriminator
        self.encoder = encoder
        self.features = features
        self.conditional = conditional
        self.latent_dim = 0 if encoder is None else _checked_latent_dim(encoder, generator)
        shapes = _checked_shapes(generator, discriminator, conditional, self.latent_dim)
        self._take_kinds(kind_a, kind_b, shapes)
        self.loss_spec = loss
        self.adversarial_loss = kgan.losses.get(loss)
        self.distance = distance
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.code_weight, self.divergence_weight = code_weight, divergence_weight
        self.seed = kgan.random.check_seed(seed)
        self.feature_weight = feature_weight
        self.feature_layers = tuple(feature_layers)
        self._feature_distance = None
        if features is not None:
            features.trainable = False
            compared = kgan.losses.FeatureDistance(features, feature_layers)
            # A function, so that Keras does not save the features' weights twice.
            self._feature_distance = compared.__call__
        has = {"d_loss": discriminator, "g_loss": discriminator, "features": features}
        has |= {"code": encoder, "divergence": encoder}
        self.logs = tuple(name for name in self.logs if has.get(name, True) is not None)
        if encoder is not None:
            middle = by_the_middle_code(generator, self.latent_dim)
            # A function, so that Keras does not save the generator's weights twice.
            self._by_the_middle_code = lambda: middle
        self._start()

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        a, b = self._taken(data)
        if self.encoder is not None:
            return self._step_with_codes(a, b)
        with tf.GradientTape() as made:
            fake = self.generator(a, training=True)
        if self.discriminator is not None:
            self._minimise("d_optimizer", lambda: self._discriminator_loss(a, b, fake))
        # The generator has not changed since: its gradient goes back through the pass of before.
        self._minimise(
            "g_optimizer", lambda: self._generator_losses(a, b, fake), through=(fake, made)
        )
        return self._end_step()

    def _step_with_codes(self, a, b) -> dict[str, tf.Tensor]:
        fakes: list[tf.Tensor] = []

        def losses():
            near, drawn, found = self._losses_with_codes(a, b, training=True)
            fakes[:] = [near, drawn]
            return found

        self._minimise("g_optimizer", losses)
        near, drawn = map(tf.stop_gradient, fakes)
        if self.discriminator is not None:
            self._minimise(
                "d_optimizer",
                lambda: [self._discriminator_loss(a, b, fake) for fake in (near, drawn)],
            )
        return self._end_step()

    def _losses_with_codes(self, a, b, *, training: bool) -> tuple[tf.Tensor, tf.Tensor, list]:
        """What is made by the target's code and by a random one; and values per sample."""
        assert self.encoder is not None
        random, noise = (
            kgan.random.normal(
                kgan.random.step_seed(self.seed, self._step(), purpose),
                [tf.shape(a)[0], self.latent_dim],
            )
            for purpose in ("code", "posterior")
        )
        mean, log_variance = self.encoder(b, training=training)
        near = self._made(a, mean + tf.exp(0.5 * log_variance) * noise, training)
        drawn = self._made(a, random, training)
        divergence = tf.reduce_sum(gaussian_divergence(mean, log_variance), axis=1)
        # The generator alone learns to keep the code: the encoder would hide it.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(drawn)
            code = kgan.losses.l1(self.encoder(drawn, training=training)[0], random)
        away = tape.gradient(code, drawn)
        axes = list(range(1, drawn.shape.rank))
        kept = tf.reduce_sum(tf.stop_gradient(away) * drawn, axis=axes)
        self._log(code=code, divergence=divergence)
        weighted = [
            *self._generator_losses(a, b, near, training=training),
            self.divergence_weight * divergence,
            # Its value does not count, and its gradient is that of the code's distance.
            self.code_weight * (kept - tf.stop_gradient(kept) + tf.stop_gradient(code)),
        ]
        if self.discriminator is not None:
            weighted.append(self.adversarial_weight * self._fool(a, b, drawn, training))
        return near, drawn, weighted

    def _made(self, a, codes, training: bool) -> tf.Tensor:
        return self.generator(with_codes(a, codes), training=training)

    def _discriminator_loss(self, a, b, fake, *, training: bool = True) -> tf.Tensor:
        loss = self._over_maps(
            self.adversarial_loss.discriminator,
            self._judge(a, b, training),
            self._judge(a, fake, training),
        )
        self._log(d_loss=loss)
        return loss

    def _generator_losses(self, a, b, fake, *, training: bool = True) -> list[tf.Tensor]:
        """Values per sample, weighted: adversarial, of the distance, and of the features."""
        weighted = []
        if self.discriminator is not None:
            weighted.append(self.adversarial_weight * self._fool(a, b, fake, training))
        fake = tf.cast(fake, tf.float32)
        # Weights are stated for images in [-1, 1], whose distances are wider.
        width = self.kind.published_width
        distance = kgan.losses.DISTANCES[self.distance](width * fake, width * b)
        self._log(reconstruction=distance)
        weighted.append(self.reconstruction_weight * distance)
        if self._feature_distance is not None:
            features = self._feature_distance(fake, b)
            self._log(features=features)
            weighted.append(self.feature_weight * features)
        return weighted

    def _fool(self, a, b, fake, training: bool) -> tf.Tensor:
        needs_real = self.adversarial_loss.generator_needs_real
        fakes = self._judge(a, fake, training)
        reals = self._judge(a, b, training) if needs_real else [None] * len(fakes)
        adversarial = self._over_maps(self.adversarial_loss.generator, reals, fakes)
        self._log(g_loss=adversarial)
        return adversarial

    def _judge(self, a, samples, training: bool) -> list[tf.Tensor]:
        """Maps of logits, one a scale."""
        assert self.discriminator is not None
        shown = samples
        if self.conditional:
            given = tf.cast(a, samples.dtype)
            if isinstance(self.kind, Images):
                factor = self.kind.shape[0] // self.kinds[0].shape[0]
                for axis in (1, 2) if factor > 1 else ():
                    given = tf.repeat(given, factor, axis=axis)
            shown = tf.concat([given, samples], axis=-1)
        logits = self.discriminator(shown, training=training)
        maps = logits if isinstance(logits, list | tuple) else [logits]
        return [tf.cast(one, tf.float32) for one in maps]

    def _over_maps(self, loss, reals, fakes) -> tf.Tensor:
        """The mean of a loss over several maps, for each sample."""
        found = [
            kgan.losses.per_sample(loss(real, fake))
            for real, fake in zip(reals, fakes, strict=True)
        ]
        return tf.add_n(found) / len(found)

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """The losses in inference mode; no weight is updated."""
        a, b = self._taken(data)
        if self.encoder is not None:
            fake, *_ = self._losses_with_codes(a, b, training=False)
        else:
            fake = self.generator(a, training=False)
            self._generator_losses(a, b, fake, training=False)
        if self.discriminator is not None:
            self._discriminator_loss(a, b, fake, training=False)
        return self._result(*self.logs)

    # Use

    def _translator(self, direction: str) -> keras.Model:
        """The generator; with codes, by the code in their middle."""
        return self.generator if self.encoder is None else self._by_the_middle_code()

    def vary(self, samples: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Samples of A as samples of B, each by a random code.

        Args:
            samples: Samples (n, ...) in their kind's units; images also as uint8.
            seeds: int64 (n,): each tells the code of one output, whatever the others are.

        Returns:
            float32 array (n, ...).

        Raises:
            ValueError: If it learnt without codes, or the seeds are not as many as the samples.
        """
        if self.encoder is None:
            raise ValueError("vary needs a PairedGAN with an encoder: this one knows no codes.")
        source, target = self.kinds
        source.check("what is translated", samples)
        if np.shape(seeds) != (len(samples),):
            raise ValueError(
                f"seeds must be one for each of the {len(samples)} samples, got the shape "
                f"{np.shape(seeds)}."
            )
        made = [
            self._varied(given[np.newaxis], tf.constant([seed], tf.int64)).numpy()
            for given, seed in zip(source.as_float(samples), seeds, strict=True)
        ]
        return np.concatenate(made) if made else np.zeros((0, *target.shape), np.float32)

    @tf.function(reduce_retracing=True)
    def _varied(self, samples, seeds):
        codes = kgan.latents.from_seeds(seeds, self.latent_dim)
        return self._made(samples, codes, training=False)

    def endpoints(self) -> Endpoints:
        """What it can be asked; with codes also `vary`: images and seeds to images."""
        found = super().endpoints()
        if self.encoder is None:
            return found
        source, target = self.kinds

        def vary(request: Request) -> Request:
            given = check_samples(request, source)
            return {target.plural: self._varied(given, request["seeds"])}

        inputs = {source.plural: (source.shape, tf.float32), "seeds": ((), tf.int64)}
        endpoint = Endpoint(vary, takes(**inputs), "vary", gives=target, takes=source)
        return dataclasses.replace(
            found,
            endpoints={**found.endpoints, "vary": endpoint},
            tracked=(*found.tracked, self.generator),
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        features = self.features
        return {
            **super().get_config(),
            "loss": self.loss_spec,
            "distance": self.distance,
            "reconstruction_weight": self.reconstruction_weight,
            "adversarial_weight": self.adversarial_weight,
            "conditional": self.conditional,
            "features": None if features is None else keras.saving.serialize_keras_object(features),
            "feature_weight": self.feature_weight,
            "feature_layers": list(self.feature_layers),
            "code_weight": self.code_weight,
            "divergence_weight": self.divergence_weight,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> Self:
        restored = {}
        if config["features"] is not None:
            restored["features"] = keras.saving.deserialize_keras_object(
                config["features"], custom_objects=custom_objects
            )
        return super().from_config({**config, **restored}, custom_objects)


def _check_at_least_0(**weights: float) -> None:
    for name, weight in weights.items():
        if not weight >= 0:
            raise ValueError(f"{name} must be at least 0, got {weight}.")


def _check_weights(**weights: float) -> None:
    _check_at_least_0(**weights)
    if not any(weights.values()):
        raise ValueError(f"one of {', '.join(weights)} must be above 0: nothing would be learnt.")


def _checked_latent_dim(encoder: keras.Model, generator: keras.Model) -> int:
    """Length of a code, on which encoder and generator must agree."""
    of_one_input({"encoder": encoder, "generator": generator})
    taken, wanted = encoder.inputs[0].shape[1:], generator.outputs[0].shape[1:]
    if taken != wanted:
        raise ValueError(f"encoder must take samples of B, {tuple(wanted)}, got {tuple(taken)}.")
    given = [tuple(one.shape[1:]) for one in encoder.outputs]
    if len(given) != 2 or given[0] != given[1] or len(given[0]) != 1:
        raise ValueError(
            f"encoder must give mean and log_variance (batch, latent_dim), got outputs of {given}."
        )
    return given[0][0]


def _checked_shapes(
    generator: keras.Model,
    discriminator: keras.Model | None,
    conditional: bool,
    latent_dim: int,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of a sample of A and of one of B, on which both networks must agree."""
    of_one_input({"generator": generator, "discriminator": discriminator})
    a, b = (tuple(one[0].shape[1:]) for one in (generator.inputs, generator.outputs))
    if latent_dim and (len(a) != 3 or (a[-1] or 0) <= latent_dim):
        raise ValueError(
            f"generator must take images of the channels of A and then {latent_dim} of the code, "
            f"got {a}."
        )
    a = (*a[:-1], a[-1] - latent_dim) if latent_dim else a
    if None in a or None in b:
        raise ValueError(f"generator must take and give samples of one shape, got {a} to {b}.")
    if len(a) != len(b) or (len(a) == 3 and (b[0] % a[0] or b[1] * a[0] != a[1] * b[0])):
        raise ValueError(
            f"generator must give samples of the size of those it takes, or of a whole multiple of "
            f"it, got {a} to {b}."
        )
    if discriminator is not None:
        wanted = (*b[:-1], a[-1] + b[-1]) if conditional else b
        taken = tuple(discriminator.inputs[0].shape[1:])
        if taken != wanted:
            what = "the channels of A and then those of B (conditional)" if conditional else "B"
            raise ValueError(
                f"discriminator must take samples of the shape {wanted}, {what}, got {taken}."
            )
    return a, b
