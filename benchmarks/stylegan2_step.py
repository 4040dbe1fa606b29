"""A training step of StyleGAN2 beside `stylegan2-pytorch` 1.9 (pip, --no-deps, with its imports).

    TF_NUM_INTRAOP_THREADS=1 python benchmarks/stylegan2_step.py --side 64 --batch 16

Both: colour images, 32 channels at full size and at most 128 inward (`--width`), latents of 128,
hinge loss, R1 of the real images every 4 steps, Adam, style mixing, an average of the generator.
The package's networks differ from the published ones: a second convolution at 4x4, bilinear
upsampling before a convolution in place of a filtered transposed one, three convolutions a block of
the discriminator; so the floating-point operations of each forward pass are printed too. Its
training loop asks for a GPU; the step here is written anew around its networks. Rounds alternate.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable

import numpy as np
import torch
import torch._dynamo  # before TensorFlow: torch's optimizers crash where this comes later
from torch.utils.flop_counter import FlopCounterMode

import kgan.data  # isort: skip
import tensorflow as tf  # isort: skip

import image_peers
from scaling import operations

from kgan.recipes import GANRecipe
from kgan.settings import PRESETS

INTERVAL = 4
LATENTS = 128


def forward_flops(network: tf.keras.Model, batch: int) -> float:
    """Floating-point operations of a call, in 1e9, by TensorFlow's profiler."""
    inputs = [tf.TensorSpec((batch, *i.shape[1:]), i.dtype) for i in network.inputs]
    call = tf.function(lambda *given: network(list(given) if len(given) > 1 else given[0]))
    return operations(call.get_concrete_function(*inputs).graph) / 1e9


def ours(images: np.ndarray, batch: int, width: int) -> Callable[[], None]:
    data = kgan.data.Dataset("noise", images)
    settings = dataclasses.replace(
        PRESETS["stylegan2"],
        generator_width=width,
        discriminator_width=width,
        latent_dim=LATENTS,
        loss="hinge",
        penalty=("r1",),
        penalty_weight=5.0,
        penalty_interval=INTERVAL,
        batch_size=batch,
    )
    recipe = GANRecipe(settings)
    model, first = recipe.model(data), next(iter(recipe.feed(data)))
    step = tf.function(model.train_step)
    step(first)
    for name, network in (("generator", model.generator), ("discriminator", model.discriminator)):
        print(f"kgan {name}: {network.count_params():,} weights, ", end="")
        print(f"{forward_flops(network, batch):.2f} GFLOP forward")
    return lambda: step(first)


def package(images: np.ndarray, batch: int, width: int) -> Callable[[], None]:
    theirs = image_peers.package()
    side = images.shape[1]
    mapping = theirs.StyleVectorizer(LATENTS, 2, lr_mul=0.01)
    generator = theirs.Generator(side, LATENTS, width // 2, fmap_max=4 * width)
    discriminator = theirs.Discriminator(side, width // 4, fmap_max=4 * width)
    made = torch.nn.ModuleList([mapping, generator])
    average = [p.detach().clone() for p in made.parameters()]
    rates = {"lr": 2.5e-3, "betas": (0.0, 0.99)}
    g_optimizer = torch.optim.Adam(made.parameters(), **rates)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), **rates)
    real = torch.tensor(images[:batch]).permute(0, 3, 1, 2).float() / 127.5 - 1
    layers = generator.num_layers
    count = 0

    def fakes() -> torch.Tensor:
        one, other = (mapping(torch.randn(batch, LATENTS)) for _ in range(2))
        cut = int(torch.randint(layers, ()))
        styles = torch.stack([one] * cut + [other] * (layers - cut), 1)
        return generator(styles, torch.rand(batch, side, side, 1))

    def step() -> None:
        nonlocal count
        d_optimizer.zero_grad()
        with torch.no_grad():
            fake = fakes()
        seen = real.clone().requires_grad_(count % INTERVAL == 0)
        logits = discriminator(seen)[0]
        loss = (1 - logits).relu().mean() + (1 + discriminator(fake)[0]).relu().mean()
        if seen.requires_grad:
            (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
            loss = loss + INTERVAL * 5.0 * slope.square().sum((1, 2, 3)).mean()
        loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        (-discriminator(fakes())[0].mean()).backward()
        g_optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(made.parameters()), 0.002)
        count += 1

    for name, network, call in (
        ("generator", made, fakes),
        ("discriminator", discriminator, lambda: discriminator(real)),
    ):
        with FlopCounterMode(display=False) as flops:
            call()
        weights = sum(p.numel() for p in network.parameters())
        print(f"stylegan2-pytorch {name}: {weights:,} weights, ", end="")
        print(f"{flops.get_total_flops() / 1e9:.2f} GFLOP forward")
    step()
    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(tf.config.threading.get_intra_op_parallelism_threads() or 2)
    shape = (4 * given.batch, given.side, given.side, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    steps = {
        "kgan": ours(images, given.batch, given.width),
        "stylegan2-pytorch": package(images, given.batch, given.width),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(given.rounds + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(2 * INTERVAL):
                step()
            if number:
                seconds[name].append((time.perf_counter() - begin) / (2 * INTERVAL))
    for name, taken in seconds.items():
        median = float(np.median(taken))
        print(f"{name}: {1000 * median:.0f} ms a step, {given.batch / median:.1f} images/s")
    ratios = np.divide(seconds["stylegan2-pytorch"], seconds["kgan"])
    print(
        f"kgan is {np.median(ratios):.2f} times as fast ({ratios.min():.2f} to {ratios.max():.2f})"
    )


if __name__ == "__main__":
    main()
