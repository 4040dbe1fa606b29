"""The generative adversarial network: two half-steps, and everything else by composition."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

import kgan.kinds
import kgan.latents
import kgan.losses
import kgan.penalties
import kgan.random
from kgan.augmentation import Augmentation
from kgan.counter import add_counter
from kgan.endpoints import Endpoint, Endpoints, Request, check_samples, takes
from kgan.generator_penalties import GeneratorPenalty
from kgan.kinds import Images, Kind
from kgan.losses import AdversarialLoss, LossFunction
from kgan.models.average import average_of, update_average
from kgan.models.batches import Batch, labels_of, parts_of, samples_of, warn_of_labels
from kgan.models.generation import Generation
from kgan.models.growing import faded, grow, growing, level_at, not_grown, reached
from kgan.models.nearest import project_endpoint
from kgan.models.players import Players
from kgan.models.self_supervision import check_decodes, decoding_error, revealing
from kgan.models.splitting import check_divides, pack, part_of
from kgan.models.styles import Styles, check_cutoff, check_share, style_endpoints


@keras.saving.register_keras_serializable(package="kgan")
class GAN(Generation, Players):
    """A GAN that trains with `fit`: loss x penalties x networks x augmentation x conditioning.

    A step is a discriminator half-step (`n_critic` of them) and then a generator half-step, which
    reuses the last half-step's generator pass. All noise is a pure function of
    (`seed`, step, position in the global batch). `compile` takes `g_optimizer` and `d_optimizer`.

    Args:
        generator: Built Keras model, `latents` (batch, latent_dim) to samples, or
            `[latents, labels]` to samples where conditional. Images are in [0, 1].
        discriminator: Built Keras model, samples to logits, or `[samples, labels]`: one logit a
            sample (batch,) or a map of them (batch, ...), whose mean counts. With `packing` m its
            samples have m times the channels.
        num_classes: Number of classes of a conditional GAN, else `None`.
        loss: A key of `kgan.losses.LOSSES`, an `AdversarialLoss`, or a pair of callables
            `(real_logits, fake_logits) -> loss of each logit`.
        label_smoothing: How far the real label is moved from 1, in [0, 1).
        penalties: Instances of `kgan.penalties.Penalty`.
        generator_penalties: Instances of `kgan.generator_penalties.GeneratorPenalty`.
        augmentation: An `kgan.augmentation.Augmentation` through which the discriminator sees all
            images in training, real and generated; images without packing only. Penalties are of
            the gradient by the images as they were before.
        decoder: Built Keras model that draws real images from the discriminator's layer `decoded`
            and so teaches it what they hold (as FastGAN does), trained by `d_optimizer`; its
            absolute error is part of the discriminator's loss. See `kgan.networks.fastgan_decoder`.
        decoding_weight: Weight of that error; published: 1, which the authors' code sums over
            batches of 8.
        phase_steps: Steps of each phase of networks that grow (networks progan): one for the
            smallest size, then for each doubling one that fades it in and one that lets it settle.
            `None` trains them at their full size.
        n_critic: Discriminator half-steps for each generator half-step. Each takes its own part of
            the batch, so `fit`'s batch holds `n_critic` times what a half-step sees.
        packing: How many samples the discriminator judges at once (PacGAN, Lin et al. 2018,
            arXiv:1712.04086); 1 is the ordinary GAN. Unconditional only.
        ema_decay: Decay of the generator's moving average, in [0, 1). It ramps up as
            min(ema_decay, (1 + step) / (10 + step)) and covers batch-norm statistics too.
        seed: Seed of all noise, an int in [0, 2**31 - 1].
        kind: What a sample is; where `None`, what `kgan.kinds.of_array` says of the generator's
            output shape.

    `fit` takes batches of samples, or `(samples, labels)` where conditional, or dicts as
    tensorflow-datasets gives them; generated samples get the labels of the real ones. Samples are
    float32 (images in [0, 1]), or uint8 images; labels class numbers from 0 on, or one-hot. Logs:
    `d_loss` and `g_loss` (unscaled means), `penalty`, and `d_real` and `d_fake`, the mean sigmoids
    of the logits of real and generated samples (probabilities where the loss is a cross-entropy):
    at equilibrium one number for both, 0.5 where the loss's neutral logit is 0. Where there are
    penalties of the generator, also their sum `g_penalty`; with a decoder its error `decoding`;
    where the augmentation adapts, also its strength `augmentation`; of networks that grow their
    `level`, the doublings by the last step.

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

    optimizers: ClassVar = {
        "g_optimizer": ("generator",),
        "d_optimizer": ("discriminator", "decoder"),
    }
    logs: tuple[str, ...] = ("d_loss", "g_loss", "penalty", "d_real", "d_fake")
    judges: ClassVar = ("discriminator",)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        num_classes: int | None = None,
        loss: str | AdversarialLoss | tuple[LossFunction, LossFunction] = "non_saturating",
        label_smoothing: float = 0.0,
        penalties: Sequence[kgan.penalties.Penalty] = (),
        generator_penalties: Sequence[GeneratorPenalty] = (),
        augmentation: Augmentation | None = None,
        decoder: keras.Model | None = None,
        decoding_weight: float = 1.0,
        phase_steps: int | None = None,
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
        if num_classes is not None:
            _check_classes("generator", generator, num_classes)
            _check_classes("discriminator", discriminator, num_classes)
        self.generator = generator
        self.discriminator = discriminator
        self.decoder = decoder
        self.decoding_weight = decoding_weight
        self.num_classes = num_classes
        self.loss_spec = loss
        self.label_smoothing = label_smoothing
        self.adversarial_loss = kgan.losses.get(loss, label_smoothing=label_smoothing)
        self.penalties = kgan.penalties.listed(penalties)
        for penalty in generator_penalties:
            penalty.check(generator)
        self.generator_penalties = list(generator_penalties)
        self.augmentation = augmentation
        self.n_critic = n_critic
        self.packing = packing
        self.ema_decay = ema_decay
        self.seed = kgan.random.check_seed(seed)
        self.latent_dim = int(generator.inputs[0].shape[-1])
        self.sample_shape = tuple(generator.outputs[0].shape[1:])
        self._declare(kind)
        if augmentation is not None:
            if packing > 1:
                raise ValueError(f"packing must be 1 with an augmentation, got {packing}.")
            if not isinstance(self._known_kind(), Images):
                raise ValueError(
                    f"augmentation must be None: it changes images, and this GAN makes "
                    f"{self.kind.plural}."
                )
            self.logs = (*self.logs, *augmentation.logs())
        if self.generator_penalties:
            self.logs = (*self.logs, "g_penalty")
        if decoder is not None:
            _check_range("packing", packing, packing == 1, "1 with a decoder")
            _check_range("decoding_weight", decoding_weight, decoding_weight >= 0, "at least 0")
            check_decodes(discriminator, decoder)
            self.logs = (*self.logs, "decoding")
        self.phase_steps = phase_steps
        if phase_steps is not None:
            _check_range("phase_steps", phase_steps, phase_steps >= 1, "at least 1")
            if not (growing(generator) and growing(discriminator)):
                raise ValueError(
                    f"phase_steps must be None, got {phase_steps}: the generator and the "
                    "discriminator do not both grow, as networks progan do."
                )
            self.logs = (*self.logs, "level")

        _check_pair(generator, discriminator, packing)
        self.ema_generator = average_of(generator)
        self._start()
        self._test_batch = add_counter(self, "test_batch")

    # Training

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        samples, labels = self._taken(data)
        samples = check_divides("n_critic", self.n_critic, samples)
        if self.phase_steps is not None:
            level = level_at(self._step(), self.phase_steps)
            grow(self.generator, level)
            grow(self.discriminator, level)
            # How far it has come, not the mean of the epoch.
            self._trackers["level"].reset_state()
            self._log(level=level)
            samples = faded(samples, self.discriminator, level)
        for part in range(self.n_critic):
            real = part_of(samples, part, self.n_critic)
            real_labels = None if labels is None else part_of(labels, part, self.n_critic)
            latents = self._latents(tf.shape(real)[0], f"latents {part}")
            with tf.GradientTape() as generator_tape, self._drawing(f"generator {part}"):
                fakes = self._network(self.generator, latents, real_labels, training=True)
                fakes = tf.cast(fakes, tf.float32)
            self._discriminator_half_step(real, fakes, real_labels, part)
        self._generator_half_step(real, fakes, real_labels, latents, generator_tape)
        self._adapt(tf.shape(samples)[0])
        update_average(self.ema_generator, self.generator, decay=self.ema_decay, step=self._step())
        if self.phase_steps is not None:
            # The level itself is no average.
            grow(self.ema_generator, level)
        return self._end_step()

    def _discriminator_half_step(self, real, fakes, labels, part: int) -> None:
        def losses():
            real_logits, missed = self._judge_real(real, labels, part)
            fake_logits = self._judge(fakes, labels, training=True, draw=f"fake {part}")
            if self.augmentation is not None:
                per_sample = map(kgan.losses.per_sample, (real_logits, fake_logits))
                self.augmentation.observe(self.adversarial_loss.margins(*per_sample))
            loss = self.adversarial_loss.discriminator(real_logits, fake_logits)
            penalties = [
                self._penalty(penalty, real, fakes, labels, part) for penalty in self.penalties
            ]
            self._log(
                d_loss=loss,
                penalty=sum(map(tf.reduce_mean, penalties), tf.constant(0.0)),
                d_real=tf.sigmoid(real_logits),
                d_fake=tf.sigmoid(fake_logits),
            )
            return [loss, *penalties, *missed]

        self._minimise("d_optimizer", losses)

    def _judge_real(self, real, labels, part: int) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Logits of real samples, and where there is a decoder what it missed of them."""
        if self.decoder is None:
            return self._judge(real, labels, training=True, draw=f"real {part}"), []
        seen = self._augmented(real, f"real {part}")
        logits, features = self._network(revealing(self.discriminator), seen, labels, training=True)
        error = decoding_error(self.decoder, seen, features, self._seed(f"decoding {part}"))
        self._log(decoding=error)
        return tf.cast(logits, tf.float32), [self.decoding_weight * error]

    def _generator_half_step(self, real, fakes, labels, latents, generator_tape) -> None:
        def losses():
            fake_logits = self._judge(fakes, labels, training=True, draw="fake")
            real_logits = None
            if self.adversarial_loss.generator_needs_real:
                real_logits = self._judge(real, labels, training=True, draw="real")
            loss = self.adversarial_loss.generator(real_logits, fake_logits)
            self._log(g_loss=loss)
            return loss

        # The discriminator has changed since `fakes` were made and the generator has not: their
        # gradient is taken with the new discriminator and carried back through the old pass.
        self._minimise(
            "g_optimizer",
            losses,
            through=(fakes, generator_tape),
            also=self._generator_penalties(latents, labels) if self.generator_penalties else None,
        )

    def _generator_penalties(self, latents, labels):
        """The function that makes the losses of all penalties of the generator."""

        def losses():
            found = []
            for number, penalty in enumerate(self.generator_penalties):
                seed = self._seed(f"{type(penalty).__name__} of the generator {number}")
                found.append(
                    penalty.weighted(self.generator, latents, labels, seed=seed, step=self._step())
                )
            self._log(g_penalty=sum(map(tf.reduce_mean, found), tf.constant(0.0)))
            return found

        return losses

    def _adapt(self, batch) -> None:
        if self.augmentation is None:
            return
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.augmentation.adapt(self._step(), batch * replicas)
        self._log(**self.augmentation.logs())

    def _penalty(self, penalty, real, fakes, labels, part: int) -> tf.Tensor:
        name = f"{type(penalty).__name__} {part}"

        def discriminator(inputs):
            inputs = self._augmented(inputs, name)
            logits = self._network(self.discriminator, inputs, labels, training=True)
            return kgan.losses.per_sample(logits)

        packs = pack(real, self.packing), pack(fakes, self.packing)
        return penalty.weighted(discriminator, *packs, seed=self._seed(name), step=self._step())

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Losses and probabilities in inference mode; repeatable, no weight is updated."""
        real, labels = self._taken(data)
        batch = tf.convert_to_tensor(self._test_batch)
        seed = kgan.random.step_seed(self.seed, batch, "test latents")
        latents = kgan.random.normal(seed, [tf.shape(real)[0], self.latent_dim])
        self._test_batch.assign_add(1)
        fakes = self._network(self.generator, latents, labels, training=False)
        if self.phase_steps is not None:
            real = faded(real, self.discriminator, reached(self.discriminator))
        real_logits = self._judge(real, labels, training=False)
        fake_logits = self._judge(fakes, labels, training=False)
        self._log(
            d_loss=self.adversarial_loss.discriminator(real_logits, fake_logits),
            g_loss=self.adversarial_loss.generator(real_logits, fake_logits),
            d_real=tf.sigmoid(real_logits),
            d_fake=tf.sigmoid(fake_logits),
        )
        return self._result("d_loss", "g_loss", "d_real", "d_fake")

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self._test_batch.assign(0)

    # Parts of a step

    def _latents(self, batch, purpose: str) -> tf.Tensor:
        return kgan.random.normal(self._seed(purpose), [batch, self.latent_dim])

    def _seed(self, purpose: str) -> tf.Tensor:
        return kgan.random.step_seed(self.seed, self._step(), purpose)

    def _drawing(self, purpose: str):
        return kgan.random.drawing(self._seed(f"layers of {purpose}"))

    def _augmented(self, images, purpose: str) -> tf.Tensor:
        if self.augmentation is None:
            return images
        return self.augmentation(images, self._seed(f"augmentation of {purpose}"))

    def _network(self, network, inputs, labels, *, training: bool) -> tf.Tensor:
        return network(inputs if labels is None else [inputs, labels], training=training)

    def _judge(self, samples, labels, *, training: bool, draw: str | None = None) -> tf.Tensor:
        """Logits of samples; those of the draw of that name see them augmented."""
        seen = samples if draw is None else self._augmented(samples, draw)
        packs = pack(seen, self.packing)
        logits = self._network(self.discriminator, packs, labels, training=training)
        return tf.cast(logits, tf.float32)

    def _image_makers(self) -> Sequence[str]:
        return ("generator",) if isinstance(self._known_kind(), Images) else ()

    def _unpack(self, data: Any) -> Batch:
        samples, labels = parts_of(data, "GAN")
        samples = self._checked_samples(samples)
        if self.num_classes is None:
            if labels is not None and isinstance(data, (tuple, list)):
                warn_of_labels("GAN")
            return Batch(samples)
        if labels is None:
            raise ValueError(
                f"a conditional GAN with {self.num_classes} classes trains on batches of "
                "(samples, labels), got batches without labels."
            )
        return Batch(samples, labels_of(labels, self.num_classes))

    def _checked_samples(self, samples: Any) -> tf.Tensor:
        return samples_of(
            samples,
            self.sample_shape,
            self._known_kind(),
            what="samples",
            whose="the generator's",
        )

    # Use

    def _samples(self, latents, labels) -> tf.Tensor:
        made = self._network(self.ema_generator, latents, labels, training=False)
        return tf.cast(made, tf.float32)

    def call(
        self, latents: Any, labels: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """Samples of the averaged generator in inference mode.

        Args:
            latents: (batch, latent_dim), or the pair `(latents, labels)` (as `predict` passes it).
            labels: (batch,) class numbers where conditional.
            training: Ignored: the half-steps call the generator themselves.
        """
        if isinstance(latents, (list, tuple)):
            latents, labels = latents
        return self._samples(latents, self._checked_labels(labels))

    def _checked_labels(self, labels: Any) -> tf.Tensor | None:
        if self.num_classes is None:
            return labels
        if labels is None:
            raise ValueError(f"labels must be given: the GAN has {self.num_classes} classes.")
        return labels_of(labels, self.num_classes)

    def generate_truncated(
        self,
        n: int,
        truncation: float,
        labels: ArrayLike | None = None,
        *,
        seed: int = 0,
        cutoff: int | None = None,
    ) -> np.ndarray:
        """Samples as `generate` makes them, but nearer to the typical one, and less diverse.

        Statistics of batch normalisation are those of all samples; those of truncated ones are made
        by `kgan.models.standing.stand_for`.

        Args:
            n: Number of samples.
            truncation: Of a generator with styles, what is kept of their distance from the mean
                style of their class (psi), at most 2: 1 changes nothing, 0 is the typical sample.
                Of any other, the largest absolute value of a latent, above 0: 2 is mild, 0.5
                strong.
            labels: As for `generate`.
            seed: As for `generate`.
            cutoff: Of a generator with styles, how many of the first are pulled, which decide the
                shape; default all.

        Returns:
            float32 array of shape (n, ...).

        Raises:
            ValueError: For a generator without styles that normalises its latents, or is given a
                cutoff.

        Reference: Brock et al. 2019, section 3.1 (arXiv:1809.11096); of styles, Karras et al. 2019
            (arXiv:1812.04948), appendix B.
        """
        if not truncation >= 0:
            raise ValueError(f"truncation must be at least 0, got {truncation}.")
        found = kgan.latents.from_seeds(kgan.latents.example_seeds(seed, n), self.latent_dim)
        checked, styles = self.check_labels(labels, n), Styles.of(self.ema_generator)
        check_cutoff(cutoff, None if styles is None else styles.shape[0])
        if styles is None:
            first = None if checked is None else checked[:1]
            kgan.latents.check_truncates(lambda latents: self.decode(latents, first), found)
            return self.decode(kgan.latents.truncated(found, truncation), checked)
        check_share(truncation)
        centre = styles.centre(checked, latent_dim=self.latent_dim, num_classes=self.num_classes)
        parts = []
        for start in range(0, n, self._decode_batch):
            part = slice(start, start + self._decode_batch)
            mapped = styles.styles(found[part], None if checked is None else checked[part])
            middle = None if centre is None else centre[part]
            near = styles.truncated(mapped, truncation, cutoff, centre=middle)
            parts.append(styles.images(near).numpy())
        return np.concatenate(parts) if parts else np.zeros((0, *self.sample_shape), np.float32)

    def styles(self) -> Styles:
        """The averaged generator cut in two, where it has styles.

        Raises:
            ValueError: For a generator without styles.
        """
        found = Styles.of(self.ema_generator)
        if found is None:
            raise ValueError(
                "the generator must have styles for this, such as networks stylegan2 have: layers "
                "mapping and synthesis."
            )
        return found

    def judge(self, samples: ArrayLike, labels: ArrayLike | None = None) -> tf.Tensor:
        """The discriminator's logits in inference mode: one for each pack of `packing` samples.

        Args:
            samples: (n, ...), as `fit` takes them.
            labels: (n,) where conditional, as `fit` takes them.

        Returns:
            float32 tensor of shape (n / packing,): means over patches, where it judges patches.
        """
        found = self._checked_samples(samples)
        logits = self._judge(found, self._checked_labels(labels), training=False)
        return kgan.losses.per_sample(logits)

    def endpoints(self) -> Endpoints:
        """What it can be asked: samples of its averaged generator, and how real samples look.

        A generator with styles has `style`, `synthesize`, `truncate`, `mix` and `move` too; one of
        images `project`, the latents whose images are nearest to given ones.

        `score` gives the discriminator's logits, the higher the more real, and probabilities where
        the loss knows them (`AdversarialLoss.probability`). It is left out with packing, where the
        discriminator judges several samples at once.
        """
        plural, growing = self.kind.plural, not_grown(self)
        endpoints = self._latent_endpoints()
        styles = Styles.of(self.ema_generator)
        if styles is not None:
            endpoints |= style_endpoints(
                styles,
                plural,
                latent_dim=self.latent_dim,
                num_classes=self.num_classes,
                label_inputs=self._takes_labels(),
                labels_of=self._requested_labels,
            )
        if isinstance(self.kind, Images):
            endpoints["project"] = project_endpoint(
                self.ema_generator,
                self._samples,
                self.kind,
                latent_dim=self.latent_dim,
                sample_shape=self.sample_shape,
                label_inputs=self._takes_labels(),
                labels_of=self._requested_labels,
            )
        if self.packing == 1:
            probability = self.adversarial_loss.probability

            def score(request: Request) -> Request:
                samples, labels = check_samples(request, self.kind), self._requested_labels(request)
                logits = kgan.losses.per_sample(self._judge(samples, labels, training=False))
                if probability is None:
                    return {"logits": logits}
                return {"logits": logits, "probabilities": probability(logits)}

            inputs = {**takes(**{plural: (self.sample_shape, tf.float32)}), **self._takes_labels()}
            endpoints["score"] = Endpoint(score, inputs, "score")
        return Endpoints(
            family="gan",
            kind=self.kind,
            endpoints=endpoints,
            tracked=(self.ema_generator, self.discriminator),
            details={
                "latent_dim": self.latent_dim,
                "sample_shape": list(self.sample_shape),
                "num_classes": self.num_classes,
                **({"growing": growing} if growing else {}),
            },
            network=self.ema_generator,
        )

    # Saving

    def get_config(self) -> dict[str, Any]:
        loss = self.loss_spec
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "loss": loss if isinstance(loss, str) else _serialize_pair(self.adversarial_loss),
            "label_smoothing": self.label_smoothing,
            "penalties": [keras.saving.serialize_keras_object(one) for one in self.penalties],
            "generator_penalties": [
                keras.saving.serialize_keras_object(one) for one in self.generator_penalties
            ],
            "augmentation": None
            if self.augmentation is None
            else keras.saving.serialize_keras_object(self.augmentation),
            "decoding_weight": self.decoding_weight,
            "phase_steps": self.phase_steps,
            "n_critic": self.n_critic,
            "packing": self.packing,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "kind": None if self._kind is None else self._kind.get_config(),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        deserialize = keras.saving.deserialize_keras_object
        # Files of earlier versions know no penalties of the generator, no augmentation, no decoder.
        config = {"generator_penalties": [], "augmentation": None, "decoder": None, **config}
        for name in ("penalties", "generator_penalties"):
            config[name] = [deserialize(one) for one in config[name]]
        if config["augmentation"] is not None:
            config["augmentation"] = deserialize(config["augmentation"])
        if isinstance(config["loss"], dict):
            pair = {name: deserialize(value) for name, value in config["loss"].items()}
            config["loss"] = AdversarialLoss(**pair)
        # Files of earlier versions say nothing of the kind.
        if config.get("kind") is not None:
            config["kind"] = kgan.kinds.from_config(config["kind"])
        return super().from_config(config, custom_objects)


def _serialize_pair(loss: AdversarialLoss) -> dict:
    return {
        "discriminator": keras.saving.serialize_keras_object(loss.discriminator),
        "generator": keras.saving.serialize_keras_object(loss.generator),
        "generator_needs_real": loss.generator_needs_real,
        "neutral": loss.neutral,
        "probability": keras.saving.serialize_keras_object(loss.probability),
    }


def _check_range(name: str, value, ok: bool, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{name} must be {allowed}, got {value}.")


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


def _check_pair(generator: keras.Model, discriminator: keras.Model, packing: int) -> None:
    """Raises where the discriminator does not see samples of the generator's shape."""
    made, seen = generator.outputs[0].shape[1:], tuple(discriminator.inputs[0].shape[1:])
    if len(made) != len(seen) or None in made:
        # Keras adds or drops a last axis of 1.
        return
    made = (*made[:-1], made[-1] * packing)
    if not tf.TensorShape(made).is_compatible_with(seen):
        packs = "" if packing == 1 else f" for {packing} samples at once"
        raise ValueError(
            f"the discriminator must take the shape that the generator gives, {made}{packs}, got "
            f"one that takes {seen}."
        )


def _check_classes(name: str, network: keras.Model, num_classes: int) -> None:
    """Raises where a layer that takes the labels knows fewer classes."""
    carried = {id(network.inputs[1])}
    for layer in network.layers:
        for node in layer._inbound_nodes:
            if carried.isdisjoint(map(id, node.input_tensors)):
                continue
            if isinstance(layer, keras.layers.Reshape):
                carried.update(map(id, node.output_tensors))
            facts = (
                getattr(layer, one, None) for one in ("num_classes", "input_dim", "num_tokens")
            )
            known = next((one for one in facts if isinstance(one, int)), num_classes)
            # More may be there, such as a spare class.
            if known < num_classes:
                raise ValueError(
                    f"num_classes must be at most that of the {name}'s layer {layer.name}, "
                    f"{known}, got {num_classes}."
                )
