"""Translation between two domains, one way, by the content of patches."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

import kgan.kinds
import kgan.losses
import kgan.names
import kgan.random
from kgan.kinds import Images, Kind
from kgan.models.translation import Translation, of_one_input

_TEMPERATURE = 0.07


@keras.saving.register_keras_serializable(package="kgan")
class CUT(Translation):
    """One generator from A to B, whose images keep what lies where in those that they are made of.

    The generator must fool the discriminator of B. Its own features, at several depths and some
    places, of what it makes must tell the place that they come from among those of the image that
    it was given (PatchNCE). Samples of B must stay as they are in the same sense (the identity).
    A step is a half-step of the generator and the projector and then one of the discriminator.
    `compile` takes `g_optimizer` and `d_optimizer`; the published optimizer of the projector has
    the generator's rate, which comes to the same.

    Args:
        generator: Built functional Keras model, images of A to images of B, in [0, 1] and of one
            size.
        discriminator: Built Keras model, images of B to logits: one an image or a map of them.
        projector: Built Keras model of features (batch, places, channels) of each depth to vectors
            of length 1, such as `kgan.networks.patch_projector`.
        layers: Names of the generator's layers whose outputs are these features.
        loss: A key of `kgan.losses.LOSSES`, an `AdversarialLoss`, or a pair of callables.
        nce_weight: Weight of the content, as published: 1, and for FastCUT 10.
        identity: Whether samples of B count too.
        flip_equivariance: Whether in half of the steps what is given is mirrored, and the features
            of what is made of it are mirrored back (FastCUT).
        patches: Places at each depth; fewer where a map has fewer. They are the same for all
            images of a step.
        seed: Seed of the places and the flips, an int in [0, 2**31 - 1].
        kind_a: What a sample of A is; where `None`, what `kgan.kinds.of_array` says of its shape.
        kind_b: The same for B.

    The published weight stands beside a squared distance of the logits from 1, of which
    `kgan.losses.least_squares` is half: so the content is halved too.

    `fit` takes batches `(a, b)`, such as those of `kgan.data.feed_apart`. Logs: `d_loss` and
    `g_loss` (adversarial), `nce` and `identity` (cross-entropies in nats, not weighted; of
    vectors that tell nothing they are the logarithm of the number of places).

    Reference:
        Park et al. 2020, "Contrastive learning for unpaired image-to-image translation"
        (arXiv:2007.15651).
    """

    optimizers: ClassVar = {
        "g_optimizer": ("generator", "projector"),
        "d_optimizer": ("discriminator",),
    }
    logs: tuple[str, ...] = ("d_loss", "g_loss", "nce", "identity")
    judges: ClassVar = ("discriminator",)
    family: ClassVar = "cut"
    trains_on: ClassVar = (
        "images of its two domains: kgan.data.feed_apart(domains, batch_size) gives them"
    )

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        projector: keras.Model,
        *,
        layers: Sequence[str],
        loss: str | kgan.losses.AdversarialLoss | tuple = "least_squares",
        nce_weight: float = 1.0,
        identity: bool = True,
        flip_equivariance: bool = False,
        patches: int = 256,
        seed: int = 0,
        kind_a: Kind | None = None,
        kind_b: Kind | None = None,
        **options,
    ):
        super().__init__(**options)
        if not nce_weight >= 0:
            raise ValueError(f"nce_weight must be at least 0, got {nce_weight}.")
        if patches < 2:
            raise ValueError(f"patches must be at least 2, got {patches}.")
        self.generator, self.discriminator = generator, discriminator
        self.projector = projector
        self.layers_compared = tuple(layers)
        shapes = _checked_shapes(generator, discriminator)
        self._encode = _with_features(generator, self.layers_compared, projector)
        self._take_kinds(kind_a, kind_b, shapes)
        self.loss_spec = loss
        self.adversarial_loss = kgan.losses.get(loss)
        self.nce_weight = nce_weight
        self.identity, self.flip_equivariance = identity, flip_equivariance
        self.patches = patches
        self.seed = kgan.random.check_seed(seed)
        if not identity:
            self.logs = tuple(name for name in self.logs if name != "identity")
        self._start()

    # Training

    def train_step(self, data) -> dict[str, tf.Tensor]:
        a, b = self._taken(data)
        made: list[tf.Tensor] = []

        def losses():
            fake, found = self._generator_losses(a, b, training=True)
            made[:] = [fake]
            return found

        self._minimise("g_optimizer", losses)
        fake = tf.stop_gradient(made[0])
        self._minimise("d_optimizer", lambda: self._discriminator_loss(b, fake))
        return self._end_step()

    def _generator_losses(self, a, b, *, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """What is made of A, and values per sample, weighted: adversarial, and of the content."""
        flipped = self._flipped() if training and self.flip_equivariance else None
        shown = a if flipped is None else tf.cond(flipped, lambda: a[:, :, ::-1], lambda: a)
        *features, fake = self._encode(shown, training=training)
        if flipped is not None:
            *features, _ = self._encode(a, training=training)
        adversarial = self._fool(b, fake, training)
        content = [self._content("places", features, fake, flipped, training)]
        self._log(g_loss=adversarial, nce=content[0])
        if self.identity:
            *features, same = self._encode(b, training=training)
            content.append(self._content("places of B", features, same, None, training))
            self._log(identity=content[1])
        weight = self.nce_weight / 2.0 / len(content)
        return fake, [adversarial, *(weight * one for one in content)]

    def _content(self, purpose, features, made, flipped, training: bool) -> tf.Tensor:
        """PatchNCE of what was made and the features of what it was made of, for each sample."""
        *found, _ = self._encode(made, training=training)
        if flipped is not None:
            found = [
                tf.cond(flipped, lambda one=one: one[:, :, ::-1], lambda one=one: one)
                for one in found
            ]
        keys: list[tf.Tensor] = []
        queries: list[tf.Tensor] = []
        for depth, (ours, theirs) in enumerate(zip(found, features, strict=True)):
            places = self._places(f"{purpose} {depth}", ours)
            for vectors, maps in ((queries, ours), (keys, tf.stop_gradient(theirs))):
                shape = tf.shape(maps)
                flat = tf.reshape(maps, [shape[0], shape[1] * shape[2], maps.shape[-1]])
                vectors.append(tf.gather(flat, places, axis=1))
        queries = _listed(self.projector(queries, training=training))
        keys = _listed(self.projector(keys, training=training))
        losses = [
            patch_nce(query, tf.stop_gradient(key))
            for query, key in zip(queries, keys, strict=True)
        ]
        return tf.add_n(losses) / len(losses)

    def _places(self, purpose: str, maps: tf.Tensor) -> tf.Tensor:
        """Numbers of some places of a map, the same for every image of the step."""
        shape = tf.shape(maps)
        count = shape[1] * shape[2]
        seed = kgan.random.step_seed(self.seed, self._step(), purpose)
        order = tf.argsort(kgan.random.stateless_uniform(seed, [count]), stable=True)
        return order[: tf.minimum(self.patches, count)]

    def _flipped(self) -> tf.Tensor:
        seed = kgan.random.step_seed(self.seed, self._step(), "flip")
        return kgan.random.stateless_uniform(seed, []) < 0.5

    def _fool(self, b, fake, training: bool) -> tf.Tensor:
        needs_real = self.adversarial_loss.generator_needs_real
        real = self._judge(b, training) if needs_real else None
        return kgan.losses.per_sample(
            self.adversarial_loss.generator(real, self._judge(fake, training))
        )

    def _discriminator_loss(self, b, fake, *, training: bool = True) -> tf.Tensor:
        loss = kgan.losses.per_sample(
            self.adversarial_loss.discriminator(
                self._judge(b, training), self._judge(fake, training)
            )
        )
        self._log(d_loss=loss)
        return loss

    def _judge(self, images, training: bool) -> tf.Tensor:
        return tf.cast(self.discriminator(images, training=training), tf.float32)

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """The losses in inference mode; no weight is updated."""
        a, b = self._taken(data)
        fake, _ = self._generator_losses(a, b, training=False)
        self._discriminator_loss(b, fake, training=False)
        return self._result(*self.logs)

    def _checked_kind(self, name: str, kind: Kind | None, shape: tuple[int, ...]) -> Kind:
        found = super()._checked_kind(name, kind, shape)
        if not isinstance(found, Images):
            raise ValueError(f"{name} must be of images, got {found}.")
        return found

    # Saving

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layers": list(self.layers_compared),
            "loss": self.loss_spec,
            "nce_weight": self.nce_weight,
            "identity": self.identity,
            "flip_equivariance": self.flip_equivariance,
            "patches": self.patches,
            "seed": self.seed,
        }


def patch_nce(queries: tf.Tensor, keys: tf.Tensor, temperature: float = _TEMPERATURE) -> tf.Tensor:
    """The cross-entropy of finding each query's own place among all places of its image.

    Args:
        queries: Vectors of length 1 (batch, places, width), of what was made.
        keys: Of the same places, of what it was made of.
        temperature: Divides the cosines.

    Returns:
        Tensor (batch,), in nats.
    """
    cosines = tf.matmul(queries, keys, transpose_b=True) / temperature
    places = tf.range(tf.shape(cosines)[1])
    labels = tf.broadcast_to(places, tf.shape(cosines)[:2])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, cosines)
    return tf.reduce_mean(losses, axis=1)


def _listed(found: Any) -> list[tf.Tensor]:
    return list(found) if isinstance(found, list | tuple) else [found]


def _with_features(
    generator: keras.Model, layers: Sequence[str], projector: keras.Model
) -> Callable[..., list[tf.Tensor]]:
    """The generator with the outputs of these layers before its own."""
    known = _outputs(generator)
    if unknown := [name for name in layers if name not in known]:
        raise ValueError(f"layers must be those of the generator, got {', '.join(unknown)}.")
    features = [known[name] for name in layers]
    taken = [one.shape[-1] for one in projector.inputs]
    if [one.shape[-1] for one in features] != taken:
        raise ValueError(
            f"projector must take {len(features)} inputs of the channels of the generator's "
            f"layers, {[one.shape[-1] for one in features]}, got {taken}."
        )
    model = keras.Model(generator.inputs[0], [*features, generator.outputs[0]])
    # A function, so that Keras does not save the generator's weights twice.
    return lambda images, training: model(images, training=training)


def _outputs(generator: keras.Model) -> dict[str, Any]:
    """The output of each layer, by name, on the way from the generator's input to its output.

    A layer's own `output` may be that of another call: a Sequential model that comes from a file
    has called its layers more than once, and the model of both ways would run them twice.
    """
    found: dict[str, Any] = {}
    waiting = [generator.outputs[0]]
    while waiting:
        tensor = waiting.pop()
        operation, number, _ = tensor._keras_history
        if operation.name not in found:
            found[operation.name] = tensor
            waiting.extend(operation._inbound_nodes[number].input_tensors)
    return found


def _checked_shapes(
    generator: keras.Model, discriminator: keras.Model
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    of_one_input({"generator": generator, "discriminator": discriminator})
    a, b = (tuple(one[0].shape[1:]) for one in (generator.inputs, generator.outputs))
    if None in a or len(a) != 3 or a != b:
        raise ValueError(
            f"generator must take and give images of one shape, got {a} to {b}: it is compared "
            "with itself on both."
        )
    taken = tuple(discriminator.inputs[0].shape[1:])
    if taken != b:
        raise ValueError(f"discriminator must take samples of the shape {b}, got {taken}.")
    return a, b
