"""Adversarial training of a classifier against a generator of perturbations."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan.attacks import AdvGAN, Victim, victim_of
from kgan.defenses.adversarial_training import AdversarialTraining, restored_classifier
from kgan.defenses.checks import check_classifier
from kgan.models.batches import unpacked
from kgan.models.perturbation_gan import PerturbationGAN


@keras.saving.register_keras_serializable(package="kgan")
class GenerativeAdversarialTraining(AdversarialTraining):
    """Trains a classifier against a generator of perturbations that learns to fool it.

    Each step is that of `kgan.models.PerturbationGAN` against the classifier as it is now
    (discriminator, then generator), followed by that of `AdversarialTraining` with the generator's
    images in the place of an attack's. Compile, fit and use it as `AdversarialTraining`;
    `classifier` is trained in place and stays the plain model it was.

    Args:
        classifier: The classifier to train, as for `AdversarialTraining`.
        epsilon: Radius of the ball, in units of images in [0, 1]; by norm if `None`, as of `PGD`.
        norm: "linf" or "l2".
        clean_share: Share of each batch that stays clean for the classifier, in [0, 1).
        weights: Weights of the terms of the generator's loss, see `kgan.models.PerturbationGAN`.
        kappa: Margin of logits by which the generator tries to make the classifier wrong.
        width: Number of channels of the generator at the image's resolution.
        blocks: Number of residual blocks of the generator.
        normalization: Normalisation of the generator's features, "instance" or `None`.
        learning_rate: Learning rate of the generator's and the discriminator's Adam.
        players: A compiled `PerturbationGAN` of generator and discriminator, such as one with
            networks of your own, trained for at least the radius `epsilon`. Where `None`, one is
            made from the six settings before this one, which otherwise play no part.
        awp: Length of the adversarial weight perturbation, as for `AdversarialTraining`.
        warmup: Number of updates with a growing perturbation, as for `AdversarialTraining`.
        seed: Seed of all random numbers, an int in [0, 2**31 - 1].

    Logs: the compiled loss and metrics, and the `d_loss`, `g_loss`, `success` and `length` of
    `PerturbationGAN`; `success` is the share of the batch that fools the classifier.

    A generator is one fixed map from images to perturbations, so a classifier can learn to
    withstand it and nothing else: judge the result by attacks that follow its gradients, such as
    `kgan.attacks.AutoAttack`.

    Reference:
        Lee et al., "Generative adversarial trainer: defense to adversarial perturbations with
        GAN", 2017 (arXiv:1705.03387), for the game of generator and classifier; Xiao et al., 2018
        (arXiv:1801.02610), for the discriminator.
    """

    def __init__(
        self,
        classifier: keras.Model | Victim,
        *,
        epsilon: float | None = None,
        norm: str = "linf",
        clean_share: float = 0.5,
        weights: Mapping[str, float] | None = None,
        kappa: float = 0.0,
        width: int = 8,
        blocks: int = 4,
        normalization: str | None = "instance",
        learning_rate: float = 1e-3,
        players: PerturbationGAN | None = None,
        awp: float | None = None,
        warmup: int | None = None,
        seed: int = 0,
        **options,
    ):
        if not 0 <= clean_share < 1:
            raise ValueError(f"clean_share must be in [0, 1), got {clean_share}.")
        attack = AdvGAN(
            epsilon,
            norm=norm,
            weights=weights,
            kappa=kappa,
            width=width,
            blocks=blocks,
            normalization=normalization,
            learning_rate=learning_rate,
            seed=seed,
        )
        network = _made_for(classifier, attack) if players is None else players
        super().__init__(
            classifier,
            epsilon=epsilon,
            norm=norm,
            attack=attack.replace(network=network),
            shares=[1.0 - clean_share],
            method="pgd",
            beta=None,
            replays=None,
            batch_size=None,
            awp=awp,
            warmup=warmup,
            seed=seed,
            **options,
        )
        self.clean_share = clean_share
        self.players: PerturbationGAN = network
        self._players_are_given = players is not None

    def train_step(self, data) -> dict[str, tf.Tensor]:
        images, labels, _ = unpacked(data)
        images = self._check(images, labels)
        self.players.set_victim(self._victim(images).logits)
        said = self.players.train_step((images, labels))
        return {**super().train_step(data), **said}

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The classifier's: what the compiled optimizer updates."""
        return self.classifier.trainable_variables

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self.players.reset_metrics()

    def _attack_config(self) -> None:
        return None  # The generator is one of the players.

    def get_config(self) -> dict[str, Any]:
        own = self.attacks[0].get_config()
        names = ("weights", "kappa", "width", "blocks", "normalization", "learning_rate")
        of_base = ("method", "attack", "shares", "beta", "replays", "batch_size")
        config = super().get_config()
        return {
            **{name: value for name, value in config.items() if name not in of_base},
            **{name: own[name] for name in names},
            "clean_share": self.clean_share,
            "players": keras.saving.serialize_keras_object(self.players)
            if self._players_are_given
            else None,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects=None
    ) -> "GenerativeAdversarialTraining":
        config = dict(config)
        made = {"classifier": restored_classifier(config, custom_objects)}
        # Files of earlier versions have no players of the user's own.
        if config.get("players") is not None:
            made["players"] = keras.saving.deserialize_keras_object(
                config["players"], custom_objects=custom_objects
            )
        return cls(**{**config, **made})


def _made_for(classifier: keras.Model | Victim, attack: AdvGAN) -> PerturbationGAN:
    """What the attack trains, for the classifier's images and classes."""
    model = check_classifier(classifier)
    victim = classifier if isinstance(classifier, Victim) else Victim(model)
    known = victim.image_shape or (None,)
    shape = tuple(size for size in known if size is not None)
    if len(shape) != len(known):
        raise ValueError(f"the generator needs a fixed image shape, got {known}.")
    return attack.new_network(victim_of(classifier, np.zeros((2, *shape), np.float32)), shape)
