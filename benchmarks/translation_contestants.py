"""pix2pix and CycleGAN by kgan, by the pattern of TensorFlow's tutorials, and in PyTorch.

All train the same networks (widths, norms, borders, noise), losses, weights of them, optimizers and
batches. The tutorials' pattern, written anew: pix2pix computes both players' losses from one
forward pass under two tapes; CycleGAN those of all four under a persistent tape, from which four
gradients are taken. Their networks are made of Keras's layers alone, with `tf.pad` for borders; a
further contestant gives the same pattern kgan's networks. In PyTorch a step is two half-steps, as
in its users' code. kgan's CycleGAN and PyTorch's have a pool of earlier images, the tutorials' has
none.
"""

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kgan.models
import kgan.networks

RATE, BETA = 2e-4, 0.5
BLOCKS = 3
POOL = 50
# Published for images in [-1, 1], which are twice as wide as these; a CycleGAN's stand beside
# squared distances, of which its losses here are half.
L1, CYCLE, IDENTITY = 2 * 100.0, 10.0, 5.0


@dataclasses.dataclass(frozen=True)
class Contestant:
    """Attributes:
    batch: NumPy images (batch, height, width, 3) to what a step takes.
    step: One step of training on a batch of A and one of B.
    translate: Images of A to images of B, NumPy to NumPy, as the network does for use.
    networks: In the order generators, discriminators.
    """

    batch: Callable[[np.ndarray], Any]
    step: Callable[[Any, Any], None]
    translate: Callable[[np.ndarray], np.ndarray]
    networks: Sequence[Any]


def _adam(rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(rate, beta_1=BETA)


# kgan


def _paired_networks(side: int, width: int) -> list[keras.Model]:
    return [
        kgan.networks.unet_generator((side, side, 3), width=width),
        kgan.networks.patch_discriminator((side, side, 6), width=width),
    ]


def _cycle_networks(side: int, width: int) -> list[keras.Model]:
    shape = (side, side, 3)
    return [
        *(kgan.networks.translation_generator(shape, width=width, blocks=BLOCKS) for _ in "ab"),
        *(kgan.networks.patch_discriminator(shape, width=width) for _ in "ab"),
    ]


def _translate(generator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.asarray(generator.predict(images, batch_size=64, verbose=0))


def _own(model: Any, networks: list[keras.Model], rate: float) -> Contestant:
    model.compile(g_optimizer=_adam(rate), d_optimizer=_adam(rate))

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        model.train_step((a, b))

    return Contestant(tf.constant, step, _translate(networks[0]), networks)


def own_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    networks = _paired_networks(side, width)
    return _own(kgan.models.PairedGAN(*networks), networks, rate)


def own_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    networks = _cycle_networks(side, width)
    return _own(kgan.models.CycleGAN(*networks), networks, rate)


# The tutorials' pattern


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _norm() -> layers.Layer:
    return layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)


@keras.saving.register_keras_serializable(package="tutorial")
class Reflected(layers.Layer):
    """A reflected border by `tf.pad`."""

    def __init__(self, border: int, **options):
        super().__init__(**options)
        self.border = border

    def call(self, inputs):
        sides = [self.border, self.border]
        return tf.pad(inputs, [[0, 0], sides, sides, [0, 0]], "REFLECT")


def _stock_unet(side: int, width: int) -> keras.Model:
    inputs = keras.Input((side, side, 3))
    features = layers.Rescaling(2.0, -1.0)(inputs)
    halvings = int(np.log2(side)) - 1
    kept = []
    for stage in range(halvings):
        edge = stage in (0, halvings - 1)
        features = layers.LeakyReLU(0.2)(features) if stage else features
        features = layers.Conv2D(
            width * min(2**stage, 8), 4, 2, "same", use_bias=edge, kernel_initializer=_normal()
        )(features)
        features = features if edge else _norm()(features)
        kept.append(features)
    for stage in range(halvings - 1, 0, -1):
        features = layers.Conv2DTranspose(
            width * min(2 ** (stage - 1), 8),
            4,
            2,
            "same",
            use_bias=False,
            kernel_initializer=_normal(),
        )(layers.ReLU()(features))
        features = _norm()(features)
        if stage >= halvings - max(1, halvings - 4):
            features = layers.Dropout(0.5)(features)
        features = layers.Concatenate()([features, kept[stage - 1]])
    features = layers.Conv2DTranspose(
        3, 4, 2, "same", activation="tanh", kernel_initializer=_normal()
    )(layers.ReLU()(features))
    return keras.Model(inputs, layers.Rescaling(0.5, 0.5)(features))


def _stock_resnet(side: int, width: int) -> keras.Model:
    def convolution(features, kernel: int, filters: int, strides: int = 1):
        features = Reflected(kernel // 2)(features)
        features = layers.Conv2D(
            filters, kernel, strides, use_bias=False, kernel_initializer=_normal()
        )(features)
        return _norm()(features)

    inputs = keras.Input((side, side, 3))
    features = layers.ReLU()(convolution(layers.Rescaling(2.0, -1.0)(inputs), 7, width))
    for factor in (2, 4):
        features = layers.ReLU()(convolution(features, 3, factor * width, 2))
    for _ in range(BLOCKS):
        residual = layers.ReLU()(convolution(features, 3, 4 * width))
        features = layers.Add()([features, convolution(residual, 3, 4 * width)])
    for factor in (2, 1):
        features = convolution(layers.UpSampling2D()(features), 3, factor * width)
        features = layers.ReLU()(features)
    features = layers.Conv2D(3, 7, activation="tanh", kernel_initializer=_normal())(
        Reflected(3)(features)
    )
    return keras.Model(inputs, layers.Rescaling(0.5, 0.5)(features))


def _stages(side: int) -> int:
    return 1 if side < 32 else 2 if side < 128 else 3


def _stock_judge(side: int, width: int, channels: int) -> keras.Model:
    inputs = keras.Input((side, side, channels))
    features = layers.Rescaling(2.0, -1.0)(inputs)
    stages = _stages(side)
    for stage in range(stages + 1):
        features = layers.Conv2D(
            width * min(2**stage, 8),
            4,
            2 if stage < stages else 1,
            use_bias=stage == 0,
            kernel_initializer=_normal(),
        )(layers.ZeroPadding2D(1)(features))
        features = layers.LeakyReLU(0.2)(_norm()(features) if stage else features)
    logits = layers.Conv2D(1, 4, kernel_initializer=_normal())(layers.ZeroPadding2D(1)(features))
    return keras.Model(inputs, logits)


def _stock_paired(side: int, width: int) -> list[keras.Model]:
    return [_stock_unet(side, width), _stock_judge(side, width, 6)]


def _stock_cycle(side: int, width: int) -> list[keras.Model]:
    return [
        *(_stock_resnet(side, width) for _ in "ab"),
        *(_stock_judge(side, width, 3) for _ in "ab"),
    ]


def _cross_entropy(logits: tf.Tensor, real: bool) -> tf.Tensor:
    labels = tf.ones_like(logits) if real else tf.zeros_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def _distance(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.abs(one - other))


def _squares(logits: tf.Tensor, real: bool) -> tf.Tensor:
    return 0.5 * tf.reduce_mean(tf.square(logits - float(real)))


def _optimizers(networks: Sequence[keras.Model], rate: float) -> list[keras.optimizers.Optimizer]:
    optimizers = [_adam(rate) for _ in networks]
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    return optimizers


def _tutorial_pix2pix(networks: list[keras.Model], rate: float) -> Contestant:
    generator, discriminator = networks
    optimizers = _optimizers(networks, rate)

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            made = generator(a, training=True)
            real = discriminator(tf.concat([a, b], -1), training=True)
            fake = discriminator(tf.concat([a, made], -1), training=True)
            g_loss = _cross_entropy(fake, True) + L1 * _distance(b, made)
            d_loss = _cross_entropy(real, True) + _cross_entropy(fake, False)
        for tape, loss, network, optimizer in zip(
            (g_tape, d_tape), (g_loss, d_loss), networks, optimizers, strict=True
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return Contestant(tf.constant, step, _translate(generator), networks)


def _tutorial_cyclegan(networks: list[keras.Model], rate: float) -> Contestant:
    to_b, to_a, judge_a, judge_b = networks
    optimizers = _optimizers(networks, rate)

    @tf.function
    def step(a: tf.Tensor, b: tf.Tensor) -> None:
        with tf.GradientTape(persistent=True) as tape:
            fake_b, fake_a = to_b(a, training=True), to_a(b, training=True)
            there, back = to_a(fake_b, training=True), to_b(fake_a, training=True)
            same_a, same_b = to_a(a, training=True), to_b(b, training=True)
            real_a, real_b = judge_a(a, training=True), judge_b(b, training=True)
            seen_a, seen_b = judge_a(fake_a, training=True), judge_b(fake_b, training=True)
            cycle = CYCLE * (_distance(a, there) + _distance(b, back))
            losses = [
                _squares(seen_b, True) + cycle + IDENTITY * _distance(b, same_b),
                _squares(seen_a, True) + cycle + IDENTITY * _distance(a, same_a),
                _squares(real_a, True) + _squares(seen_a, False),
                _squares(real_b, True) + _squares(seen_b, False),
            ]
        for loss, network, optimizer in zip(losses, networks, optimizers, strict=True):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return Contestant(tf.constant, step, _translate(to_b), networks)


def tutorial_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_pix2pix(_stock_paired(side, width), rate)


def tutorial_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_cyclegan(_stock_cycle(side, width), rate)


def borrowing_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_pix2pix(_paired_networks(side, width), rate)


def borrowing_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    return _tutorial_cyclegan(_cycle_networks(side, width), rate)


# PyTorch


def _torch_networks() -> tuple[Any, Any, Any]:
    """The classes of the U-Net, the residual network and the discriminator."""
    import torch
    from torch import nn

    def norm(channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, eps=1e-5)

    class Images(nn.Module):
        """Takes images in [0, 1] to [-1, 1], and what a network makes of them back."""

        def forward(self, images):
            return 0.5 * torch.tanh(self.made(2.0 * images - 1.0)) + 0.5

    class UNet(Images):
        def __init__(self, side: int, width: int):
            super().__init__()
            halvings = int(np.log2(side)) - 1
            widths = [width * min(2**stage, 8) for stage in range(halvings)]
            self.down, self.up = nn.ModuleList(), nn.ModuleList()
            given = 3
            for stage, made in enumerate(widths):
                edge = stage in (0, halvings - 1)
                parts = [nn.LeakyReLU(0.2)] if stage else []
                parts.append(nn.Conv2d(given, made, 4, 2, 1, bias=edge))
                self.down.append(nn.Sequential(*parts, *([] if edge else [norm(made)])))
                given = made
            noisy = max(1, halvings - 4)
            for stage in range(halvings - 1, 0, -1):
                made = widths[stage - 1]
                noise = [nn.Dropout(0.5)] if stage >= halvings - noisy else []
                convolution = nn.ConvTranspose2d(given, made, 4, 2, 1, bias=False)
                self.up.append(nn.Sequential(nn.ReLU(), convolution, norm(made), *noise))
                given = 2 * made
            self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(given, 3, 4, 2, 1))

        def made(self, features):
            kept = []
            for part in self.down:
                features = part(features)
                kept.append(features)
            for part, past in zip(self.up, kept[-2::-1], strict=True):
                features = torch.cat([part(features), past], 1)
            return self.last(features)

    def convolution(given: int, made: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        return [
            nn.ReflectionPad2d(kernel // 2),
            nn.Conv2d(given, made, kernel, stride, bias=False),
            norm(made),
        ]

    class Residual(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.parts = nn.Sequential(
                *convolution(width, width, 3), nn.ReLU(), *convolution(width, width, 3)
            )

        def forward(self, features):
            return features + self.parts(features)

    class ResNet(Images):
        def __init__(self, width: int):
            super().__init__()
            parts = [*convolution(3, width, 7), nn.ReLU()]
            for factor in (1, 2):
                parts += [*convolution(factor * width, 2 * factor * width, 3, 2), nn.ReLU()]
            parts += [Residual(4 * width) for _ in range(BLOCKS)]
            for factor in (4, 2):
                parts.append(nn.Upsample(scale_factor=2))
                parts += [*convolution(factor * width, factor * width // 2, 3), nn.ReLU()]
            self.made = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7))

    class Judge(nn.Module):
        def __init__(self, side: int, width: int, channels: int):
            super().__init__()
            parts, given, stages = [], channels, _stages(side)
            for stage in range(stages + 1):
                made = width * min(2**stage, 8)
                stride = 2 if stage < stages else 1
                parts.append(nn.Conv2d(given, made, 4, stride, 1, bias=stage == 0))
                parts += [norm(made)] if stage else []
                parts.append(nn.LeakyReLU(0.2))
                given = made
            self.parts = nn.Sequential(*parts, nn.Conv2d(given, 1, 4, 1, 1))

        def forward(self, images):
            return self.parts(2.0 * images - 1.0)

    return UNet, ResNet, Judge


def _torch_ready(networks: list[Any]) -> None:
    import torch

    for network in networks:
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                torch.nn.init.normal_(module.weight, 0.0, 0.02)
                if module.bias is not None:
                    torch.nn.init.zeros_(module.bias)
        network.to(memory_format=torch.channels_last)


def _torch_batch(images: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


def _torch_translate(generator: Any) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    def translate(images: np.ndarray) -> np.ndarray:
        generator.eval()
        with torch.no_grad():
            made = [
                generator(_torch_batch(images[first : first + 64]))
                for first in range(0, len(images), 64)
            ]
        generator.train()
        return torch.cat(made).permute(0, 2, 3, 1).contiguous().numpy()

    return translate


def _torch_adam(networks: Sequence[Any], rate: float) -> Any:
    import torch

    parameters = [one for network in networks for one in network.parameters()]
    # One kernel for each tensor, which is faster on a CPU than the default; epsilon as Keras's.
    return torch.optim.Adam(parameters, rate, (BETA, 0.999), eps=1e-7, fused=True)


def _learns(networks: Sequence[Any], does: bool) -> None:
    for network in networks:
        network.requires_grad_(does)


def torch_pix2pix(side: int, width: int, rate: float = RATE) -> Contestant:
    import torch
    from torch.nn import functional

    unet, _, judge = _torch_networks()
    generator, discriminator = networks = [unet(side, width), judge(side, width, 6)]
    _torch_ready(networks)
    g_optimizer, d_optimizer = (_torch_adam([network], rate) for network in networks)

    def step(a, b) -> None:
        made = generator(a)
        _learns([discriminator], True)
        d_optimizer.zero_grad()
        real = discriminator(torch.cat([a, b], 1))
        fake = discriminator(torch.cat([a, made.detach()], 1))
        (functional.softplus(-real).mean() + functional.softplus(fake).mean()).backward()
        d_optimizer.step()
        _learns([discriminator], False)
        g_optimizer.zero_grad()
        fake = discriminator(torch.cat([a, made], 1))
        (functional.softplus(-fake).mean() + L1 * (made - b).abs().mean()).backward()
        g_optimizer.step()

    return Contestant(_torch_batch, step, _torch_translate(generator), networks)


class _Pool:
    """Earlier images, half of which take the place of new ones."""

    def __init__(self):
        self.images: list[Any] = []

    def exchange(self, images):
        import torch

        given = []
        for image in images:
            if len(self.images) < POOL:
                self.images.append(image)
                given.append(image)
            elif random.random() < 0.5:
                place = random.randrange(POOL)
                given.append(self.images[place])
                self.images[place] = image
            else:
                given.append(image)
        return torch.stack(given)


def torch_cyclegan(side: int, width: int, rate: float = RATE) -> Contestant:
    _, resnet, judge = _torch_networks()
    generators = [resnet(width) for _ in "ab"]
    judges = [judge(side, width, 3) for _ in "ab"]
    networks = [*generators, *judges]
    _torch_ready(networks)
    (to_b, to_a), (judge_a, judge_b) = generators, judges
    g_optimizer, d_optimizer = _torch_adam(generators, rate), _torch_adam(judges, rate)
    pool_a, pool_b = _Pool(), _Pool()

    def squares(logits, real: float):
        return 0.5 * (logits - real).square().mean()

    def distance(one, other):
        return (one - other).abs().mean()

    def step(a, b) -> None:
        _learns(judges, False)
        g_optimizer.zero_grad()
        fake_b, fake_a = to_b(a), to_a(b)
        loss = squares(judge_b(fake_b), 1.0) + squares(judge_a(fake_a), 1.0)
        loss = loss + CYCLE * (distance(to_a(fake_b), a) + distance(to_b(fake_a), b))
        loss = loss + IDENTITY * (distance(to_a(a), a) + distance(to_b(b), b))
        loss.backward()
        g_optimizer.step()
        _learns(judges, True)
        d_optimizer.zero_grad()
        for discriminator, real, fake, pool in (
            (judge_a, a, fake_a, pool_a),
            (judge_b, b, fake_b, pool_b),
        ):
            fake = pool.exchange(fake.detach())
            (squares(discriminator(real), 1.0) + squares(discriminator(fake), 0.0)).backward()
        d_optimizer.step()

    return Contestant(_torch_batch, step, _torch_translate(to_b), networks)


def weights_to_torch(networks: Sequence[keras.Model], twins: Sequence[Any]) -> None:
    """Gives PyTorch's networks the weights of Keras's, kernel by kernel in their order."""
    import torch

    for network, twin in zip(networks, twins, strict=True):
        convolutions = [
            one
            for one in twin.modules()
            if isinstance(one, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
        ]
        kept = [one for one in network.layers if getattr(one, "kernel", None) is not None]
        for layer, module in zip(kept, convolutions, strict=True):
            kernel = np.array(layer.kernel).transpose(3, 2, 0, 1)
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(kernel))
                if module.bias is not None:
                    module.bias.copy_(torch.from_numpy(np.array(layer.bias)))


CONTESTANTS: dict[str, dict[str, Callable[..., Contestant]]] = {
    "pix2pix": {
        "kgan": own_pix2pix,
        "tutorial": tutorial_pix2pix,
        "tutorial, kgan's networks": borrowing_pix2pix,
        "pytorch": torch_pix2pix,
    },
    "cyclegan": {
        "kgan": own_cyclegan,
        "tutorial": tutorial_cyclegan,
        "tutorial, kgan's networks": borrowing_cyclegan,
        "pytorch": torch_cyclegan,
    },
}
