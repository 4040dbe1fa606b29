"""AdvGAN: a generator that is trained to make adversarial images in one forward pass."""

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kgan.data
import kgan.export
import kgan.models
import kgan.pixels
from kgan.attacks import demands
from kgan.attacks.attack import Attack
from kgan.attacks.attack_batch import AttackBatch, State
from kgan.attacks.checks import (
    check_count,
    check_images,
    check_norm,
    check_pixels,
    check_radius,
)
from kgan.attacks.norms import project
from kgan.attacks.result import Result
from kgan.attacks.substitute import substitute_network
from kgan.attacks.victim import Victim, victim_of
from kgan.files import atomic_path
from kgan.labels import class_numbers
from kgan.models.norm_ball import usual_radius
from kgan.models.perturbation_gan import PerturbationGAN, check_weights
from kgan.networks import dcgan_discriminator, perturbation_network
from kgan.random import check_seed

_SETTINGS = "advgan.json"


class _Decline(keras.callbacks.Callback):
    """Lowers the learning rate linearly to zero over the second half of the updates."""

    def __init__(self, learning_rate: float, updates: int):
        super().__init__()
        self.learning_rate, self.updates, self.done = learning_rate, updates, 0

    def on_train_batch_begin(self, batch, logs=None):
        rate = self.learning_rate * min(1.0, 2.0 * (1.0 - self.done / self.updates))
        network = self.model
        for optimizer in (network.g_optimizer, network.d_optimizer, network.s_optimizer):
            if optimizer is not None:
                optimizer.learning_rate = rate
        self.done += 1


@keras.saving.register_keras_serializable(package="kgan")
class AdvGAN(Attack):
    """A generator of perturbations, trained once against a classifier.

    After `fit` it is used like any other attack, at the cost of one forward pass. It trains a
    `kgan.models.PerturbationGAN`, which documents the terms of the loss.

    Args:
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
            After `fit`, `replace` can make it smaller but not larger.
        norm: "linf" or "l2".
        least_epsilon: Where given, one network is trained for all radii from this one to `epsilon`.
        targets: `None`: leave the label; a class: reach that one; "any": one network for all
            targets. Attack with `targets=` just where this is not `None`.
        black_box: Whether the victim only answers: a surrogate is distilled from its
            probabilities in turn with the generator's training.
        features: Name of a layer of the victim whose features to push away from the clean image's,
            beside (or with `weights` in place of) the logits.
        weights: Weights of the terms of the generator's loss, see `kgan.models.PerturbationGAN`.
        kappa: Logits by which the victim is to be wrong; more helps on images not seen in training.
        bound: l2 norm from which a perturbation costs; by default half of what the ball allows.
        gan_loss: A key of `kgan.losses.LOSSES`.
        width: Channels of the generator at the image's resolution.
        blocks: Residual blocks of the generator.
        normalization: "instance" or `None`.
        steps: Updates that `fit` makes unless it is told `epochs`.
        batch_size: Images in each update.
        learning_rate: Adam's learning rate for generator, discriminator and surrogate; it falls to
            zero over the second half of each `fit`.
        quantize: Whether the results have 8 bits a value; see `Attack`.
        network: A trained `PerturbationGAN`; `fit` and `load` set it.
        seed: Seed of the weights and of all draws of the training.

    Example:

    ```python
    attack = kgan.attacks.AdvGAN(0.3)
    attack.fit(classifier, train_images, train_labels, epochs=5)
    adversarial = attack(classifier, test_images, test_labels)
    attack.save("attack.keras")
    ```

    Reference:
        Xiao et al., "Generating adversarial examples with adversarial networks", 2018.
        Black box: its section 3.3, dynamic distillation.
    """

    norms = ("linf", "l2")
    needs_classes = True
    tensors: tuple[str, ...] = ("epsilon", "seed")
    has_last_iterate = True
    adapts = False
    needs = "nothing"
    needs_pixels = True
    suffix = ".keras"

    def __init__(
        self,
        epsilon: float | None = None,
        *,
        norm: str = "linf",
        least_epsilon: float | None = None,
        targets: int | str | None = None,
        black_box: bool = False,
        features: str | None = None,
        weights: Mapping[str, float] | None = None,
        kappa: float = 5.0,
        bound: float | None = None,
        gan_loss: str = "least_squares",
        width: int = 8,
        blocks: int = 4,
        normalization: str | None = "instance",
        steps: int = 1000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        network: PerturbationGAN | None = None,
        quantize: bool = False,
        seed: int = 0,
    ):
        self.norm = check_norm(norm, self.norms)
        self.epsilon = check_radius("epsilon", usual_radius(epsilon, norm), norm)
        self.least_epsilon = least_epsilon
        self.targets = targets
        self.needs_targets = targets is not None
        self.black_box = bool(black_box)
        if self.black_box:
            self.category = "black-box"
        self.features = features
        self.weights = None if weights is None else dict(weights)
        check_weights(weights)
        self.kappa = float(kappa)
        self.bound = bound
        self.gan_loss = gan_loss
        self.width = check_count("width", width)
        self.blocks = check_count("blocks", blocks)
        self.normalization = normalization
        self.steps = check_count("steps", steps)
        self.batch_size = check_count("batch_size", batch_size)
        self.learning_rate = float(learning_rate)
        self.network = network
        self.quantize = bool(quantize)
        self.seed = check_seed(seed)
        if network is not None:
            self._check_settings(network)

    # Training

    def fit(
        self,
        model: keras.Model | Victim,
        images: Any,
        labels: Any = None,
        *,
        epochs: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 0,
    ) -> keras.callbacks.History:
        """Trains the generator against a classifier, which does not change.

        A fitted attack continues its training, also on another classifier.

        Args:
            model: The classifier to fool.
            images: (n, height, width, channels) in [0, 1], or uint8; or a `tf.data.Dataset` of
                batches of float images, or of (images, labels).
            labels: Integers, a column, or one-hot; the model's own predictions if None.
            epochs: Passes over the images; by default what `steps` updates take.
            callbacks: Callbacks for Keras's `fit`.
            verbose: As for Keras's `fit`.

        Returns:
            Keras's history of `PerturbationGAN`'s logs, one entry an epoch.
        """
        if isinstance(images, tf.data.Dataset):
            if labels is not None:
                raise ValueError("labels must be left out where images is a tf.data.Dataset.")
            sample = _first_images(images)
            victim = self._checked(victim_of(model, check_images(sample)))
            per_epoch = int(images.cardinality())
            if per_epoch < 1 and epochs is not None:
                raise ValueError("epochs must be None for a dataset of unknown length; set steps.")
            batches = images.repeat()
        else:
            images = sample = check_images(kgan.pixels.to_float(np.asarray(images)))
            victim = self._checked(victim_of(model, images[:32]))
            if labels is None:
                labels = victim.predict(images).argmax(axis=1)
            labels = class_numbers(labels, len(images), victim.classes)
            names = tuple(map(str, range(victim.classes)))
            data = kgan.data.Dataset("images", images, labels, names)
            batch_size = min(self.batch_size, len(images))
            per_epoch = kgan.data.steps_per_epoch(data, batch_size)
            done = 0 if self.network is None else int(self.network.step.numpy())
            batches = kgan.data.feed(data, batch_size, seed=self.seed, start=done)
        network = self.network
        if network is None:
            network = self.new_network(victim, tuple(sample.shape[1:]))
        else:
            self._check_against(victim, tuple(sample.shape[1:]))
        lead = victim.criterion.margin
        network.set_victim(victim.logits, self._features_of(victim), lead=lead)
        victim.rewind(self.seed)
        if epochs is None:
            epochs = 1 if per_epoch < 1 else math.ceil(self.steps / per_epoch)
            per_epoch = math.ceil(self.steps / epochs)
        # Set last, so that a `fit` that was refused leaves no untrained network behind.
        self.network = network
        return network.fit(
            batches,
            epochs=epochs,
            steps_per_epoch=per_epoch,
            callbacks=[_Decline(self.learning_rate, epochs * per_epoch), *callbacks],
            shuffle=False,
            verbose=verbose,
        )

    def _checked(self, victim: Victim) -> Victim:
        demands.check_criterion(self, victim)
        return victim

    def prepared(self, model: keras.Model | Victim, images: np.ndarray) -> Attack:
        """This attack if it is fitted, else a copy that is fitted on these images."""
        if self.network is not None:
            return self
        attack: Any = self.replace()
        attack.fit(model, images)
        return attack

    def new_network(self, victim: Victim, shape: tuple[int, ...]) -> PerturbationGAN:
        """The untrained network that `fit` trains, for images of this shape."""
        size = check_pixels("AdvGAN", shape)
        if isinstance(self.targets, int) and not 0 <= self.targets < victim.classes:
            raise ValueError(
                f"targets must be a class from 0 to {victim.classes - 1}, got {self.targets}."
            )
        keras.utils.set_random_seed(self.seed)
        network = PerturbationGAN(
            perturbation_network(
                size,
                num_classes=victim.classes if self.targets == "any" else None,
                epsilon=self.least_epsilon is not None,
                width=self.width,
                blocks=self.blocks,
                normalization=self.normalization,
            ),
            dcgan_discriminator(size, width=8),
            epsilon=self.epsilon,
            least_epsilon=self.least_epsilon,
            norm=self.norm,
            targets=self.targets,
            weights=self._weights(),
            kappa=self.kappa,
            bound=self.bound,
            gan_loss=self.gan_loss,
            surrogate=substitute_network(shape, victim.classes, self.seed)
            if self.black_box
            else None,
            seed=self.seed,
        )

        def adam():
            return keras.optimizers.Adam(self.learning_rate, beta_1=0.5)

        network.compile(
            g_optimizer=adam(),
            d_optimizer=adam(),
            s_optimizer=keras.optimizers.Adam(self.learning_rate) if self.black_box else None,
        )
        return network

    def _weights(self) -> dict[str, float]:
        """The given weights; if `features` is set, its term gets the weight of the margin."""
        weights = dict(self.weights or {})
        if self.features is not None:
            weights.setdefault("features", check_weights(None)["margin"])
        return weights

    def _features_of(self, victim: Victim):
        if self.features is None:
            return None
        model = victim.model
        try:
            layer = model.get_layer(self.features)
            inner = keras.Model(model.inputs[0], layer.output)
        except (ValueError, AttributeError, TypeError) as error:
            names = ", ".join(layer.name for layer in getattr(model, "layers", []))
            raise ValueError(
                f"features must name a layer of {victim.name}, a functional or Sequential model: "
                f"{names or 'it has none'}; got {self.features!r}."
            ) from error

        def features(images: tf.Tensor) -> tf.Tensor:
            with keras.StatelessScope():
                return tf.cast(inner(victim.intake(images), training=False), tf.float32)

        return features

    # Attacking

    def _attack(self, batch: AttackBatch) -> State:
        network = self._fitted(batch.targeted)
        state = batch.start()
        moved = network.perturb(batch.images, batch.labels, self.epsilon)
        return batch.record(state, project(moved, batch.images, self.epsilon, self.norm))

    @property
    def is_fitted(self) -> bool:
        return self.network is not None

    def _fitted(self, targeted: bool) -> PerturbationGAN:
        if self.network is None:
            raise ValueError(
                "AdvGAN is not fitted yet: call attack.fit(model, images, labels) first, or "
                'kgan.attacks.AdvGAN.load("attack.keras").'
            )
        if targeted and self.targets is None:
            raise ValueError(
                "this AdvGAN was fitted to leave labels: pass labels, or fit one with "
                'targets="any".'
            )
        if not targeted and self.targets is not None:
            raise ValueError(
                f"this AdvGAN was fitted with targets={self.targets!r}: pass the targets to reach."
            )
        return self.network

    def _prepare(
        self, model: Any, images: Any, labels: Any, targets: Any, batch_size: int, indices: Any
    ) -> tuple[Victim, Result, np.ndarray]:
        self._fitted(targets is not None)
        prepared = super()._prepare(model, images, labels, targets, batch_size, indices)
        wanted = prepared[1].labels
        if isinstance(self.targets, int) and np.any(wanted != self.targets):
            raise ValueError(
                f"targets must all be {self.targets}, for which this AdvGAN was fitted, "
                f"got {sorted(set(wanted.tolist()))}."
            )
        return prepared

    def _check_settings(self, network: PerturbationGAN) -> None:
        """Raises `ValueError` if the network was trained with other settings than these."""
        if self.epsilon > network.epsilon:
            raise ValueError(
                f"epsilon must be at most {network.epsilon:g}, for which the network was trained, "
                f"got {self.epsilon:g}. Fit a new AdvGAN({self.epsilon:g})."
            )
        for name in ("norm", "targets", "least_epsilon"):
            own, trained = getattr(self, name), getattr(network, name)
            if own != trained:
                raise ValueError(
                    f"{name} must be {trained!r}, for which the network was trained, got {own!r}. "
                    f"Fit a new AdvGAN({name}={own!r})."
                )

    def _check_against(self, victim: Victim, shape: tuple[int, ...]) -> None:
        if self.network is None:
            return  # It learns from images of the right shape before it runs.
        if shape != self.network.image_shape:
            raise ValueError(
                f"images must have the shape {self.network.image_shape} that AdvGAN was fitted "
                f"on, got {shape}."
            )

    # Saving

    def save(self, path: str | Path) -> Path:
        """Writes networks, optimizers and settings to one `.keras` file; see `load`."""
        path = Path(path)
        if path.suffix != ".keras":
            raise ValueError(f"path must end in .keras, got {path}.")
        network = self._fitted(self.targets is not None)
        settings = {name: value for name, value in self.get_config().items() if name != "network"}
        with atomic_path(path) as temporary:
            network.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(_SETTINGS, json.dumps(settings))
        return path

    @classmethod
    def load(cls, path: str | Path) -> "AdvGAN":
        """A fitted attack from a file that `save` wrote; `fit` continues its training."""
        network = kgan.models.load(path)
        with zipfile.ZipFile(path) as archive:
            if _SETTINGS not in archive.namelist():
                raise ValueError(f"{path} is a Keras model, but not one that AdvGAN.save wrote.")
            settings = json.loads(archive.read(_SETTINGS))
        return cls(**settings, network=network)

    def export(self, folder: str | Path) -> Path:
        """Writes the generator as a SavedModel, the next version in `folder`.

        Its signature `perturb` (also `serving_default`) takes `images` float32 (n, ...) in [0, 1]
        and `epsilon` float32 (n,), which is cut to the trained radius. A network for all targets
        also takes `targets` int64 (n,). The signature returns the adversarial `images`, whether
        they fool the classifier or not.

        Returns:
            The version's folder.
        """
        network = self._fitted(self.targets is not None)
        return kgan.export.write(network.endpoints(), folder)


def _first_images(batches: tf.data.Dataset) -> np.ndarray:
    """Some images of the first batch."""
    for batch in batches.take(1):
        images = batch[0] if isinstance(batch, tuple) else batch
        if not isinstance(images, tf.Tensor):
            raise ValueError(
                "images must be a dataset of batches of images, or of (images, labels), got "
                f"batches of {type(images).__name__}."
            )
        return images.numpy()[:32]
    raise ValueError("images must not be an empty dataset.")
