"""pix2pix and CycleGAN in PyTorch, a step in two half-steps, as in its users' code."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from translation_contestant import (
    BETA,
    BLOCKS,
    CYCLE,
    IDENTITY,
    L1,
    POOL,
    RATE,
    Contestant,
    judge_stages,
)


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
            parts, given, stages = [], channels, judge_stages(side)
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
