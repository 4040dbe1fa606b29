"""A training step of pix2pix and CycleGAN beside TensorFlow's tutorials' pattern and PyTorch.

    python benchmarks/translation_step.py --model cyclegan --rounds 9

All train the same networks on the same batches; see `translation_contestants.py` for what each
does, and what kgan does more: pix2pix's generator is judged by the discriminator after its update,
as published. Rounds alternate, and are timed by the processor, which others may share. Prints
images a second of each, and the median and range of the rounds' ratios to kgan. PyTorch is left out
where it is not installed. `--check` compares the networks of all instead: the same weights and
images must give the same outputs.
"""

import argparse
import contextlib
import time

# PyTorch's compiler and TensorFlow do not load in the other order.
with contextlib.suppress(ModuleNotFoundError):
    import torch
    import torch._dynamo  # isort: skip

import keras
import numpy as np
import tensorflow as tf
from translation_contestant import Contestant
from translation_contestants import CONTESTANTS
from translation_pytorch import weights_to_torch


def made(options: argparse.Namespace) -> dict[str, Contestant]:
    found = {}
    for name, make in CONTESTANTS[options.model].items():
        try:
            found[name] = make(options.side, options.width)
        except ModuleNotFoundError as error:
            print(f"{name} is left out: {error}")
    return found


def check(contestants: dict[str, Contestant], side: int) -> None:
    """Prints the largest difference of each contestant's outputs from kgan's, in inference."""
    random = np.random.default_rng(0)
    own = contestants.pop("kgan").networks
    for name, other in contestants.items():
        if name == "pytorch":
            weights_to_torch(own, other.networks)
            for network in other.networks:
                network.eval()
        else:
            for network, twin in zip(own, other.networks, strict=True):
                weights = zip(twin.trainable_weights, network.trainable_weights, strict=True)
                for weight, own_weight in weights:
                    weight.assign(own_weight)
        for network, twin in zip(own, other.networks, strict=True):
            channels = network.input_shape[-1]
            images = random.random((2, side, side, channels), dtype=np.float32)
            expected = np.array(network(images, training=False))
            if name == "pytorch":
                found = twin(other.batch(images)).detach().permute(0, 2, 3, 1).numpy()
            else:
                found = np.array(twin(images, training=False))
            difference = np.abs(found - expected).max()
            print(f"{name}, {network.name}: {difference:.1e} from {np.abs(expected).max():.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(CONTESTANTS), default="pix2pix")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=4, help="steps of a round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="compare outputs, not times")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    contestants = made(options)
    if "pytorch" in contestants:
        torch.set_num_threads(options.threads)
    if options.check:
        check(contestants, options.side)
        return
    random = np.random.default_rng(0)
    shape = (options.batch_size, options.side, options.side, 3)
    images = [random.random(shape, dtype=np.float32) for _ in "ab"]
    batches = {name: list(map(one.batch, images)) for name, one in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for name, one in contestants.items():
        for _ in range(3):
            one.step(*batches[name])
    for _ in range(options.rounds):
        for name, one in contestants.items():
            start = time.process_time()
            for _ in range(options.steps):
                one.step(*batches[name])
            seconds[name].append(time.process_time() - start)
    count = options.batch_size * options.steps
    for name, spent in seconds.items():
        ratios = np.array(spent) / np.array(seconds["kgan"])
        low, middle, high = np.percentile(ratios, [0, 50, 100])
        print(
            f"{options.model}, {name}: {count / np.median(spent):.1f} images/s; kgan is "
            f"{middle:.2f} times as fast ({low:.2f} to {high:.2f})"
        )


if __name__ == "__main__":
    main()
