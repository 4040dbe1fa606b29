"""Images a second of kgan's `fit`, side by side with the same DCGAN elsewhere.

    pip install torch
    python benchmarks/train_step.py

One process a contestant, alternating rounds in one run, medians; the networks, the batch (64 images
of 28x28) and Adam are the same. Contestants:

- kgan: `fit`, in float32, and in bfloat16 where the processor has it;
- bare loop: kgan's `train_step` in a `tf.function` called from Python, without `fit`;
- keras.io pattern: Keras's layers, a generator pass for each half-step, real and fake concatenated;
- PyTorch: eager, channels last, one generator pass shared by both half-steps.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

BATCH = 64
STEPS = 30
CONTESTANTS = ("kgan", "kgan bfloat16", "bare loop", "keras.io", "torch")


def build_gan(precision: str):
    """kgan's DCGAN for 28x28 grey images, and its data."""
    import numpy as np

    from kgan.data import Dataset
    from kgan.recipes import GANRecipe
    from kgan.settings import GANSettings

    images = np.random.default_rng(0).integers(0, 256, (6400, 28, 28, 1), dtype=np.uint8)
    data = Dataset("noise", images)
    settings = GANSettings(
        conditional=False, penalty=(), batch_size=BATCH, latent_dim=128, precision=precision
    )
    recipe = GANRecipe(settings)
    return recipe.model(data), recipe.feed(data)


def kgan_fit(precision: str):
    """A round is STEPS steps inside `fit`."""
    gan, feed = build_gan(precision)
    return lambda: timed_fit(gan, feed)


def timed_fit(model, feed) -> float:
    """Seconds of STEPS steps inside `fit`, after its first two: starting it is paid once a run."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.begin

    clock = Clock()
    model.fit(
        feed, epochs=1, steps_per_epoch=STEPS + 2, shuffle=False, verbose=0, callbacks=[clock]
    )
    return clock.seconds


def bare_loop():
    """A round calls the compiled step STEPS times."""
    import tensorflow as tf

    gan, feed = build_gan("float32")
    step = tf.function(gan.train_step)
    batches = iter(feed)

    def round_() -> float:
        begin = time.perf_counter()
        for _ in range(STEPS):
            logs = step(next(batches))
        float(logs["d_loss"])
        return time.perf_counter() - begin

    return round_


def keras_layer(layer):
    """The layer, or Keras's own batch normalisation for kgan's."""
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon)
    return type(layer).from_config(layer.get_config())


def keras_io():
    """The pattern of keras.io's `dcgan_overriding_train_step`, written anew, on Keras's layers."""
    import keras
    import tensorflow as tf

    gan, feed = build_gan("float32")
    generator = keras.models.clone_model(gan.generator, clone_function=keras_layer)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    class Pattern(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = generator, gan.discriminator
            self.g_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
            self.d_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
            self.d_mean = keras.metrics.Mean(name="d_loss")
            self.g_mean = keras.metrics.Mean(name="g_loss")

        def train_step(self, real):
            size = tf.shape(real)[0]
            fake = self.generator(tf.random.normal([size, 128]), training=True)
            both = tf.concat([fake, real], axis=0)
            targets = tf.concat([tf.zeros([size, 1]), tf.ones([size, 1])], axis=0)
            with tf.GradientTape() as tape:
                logits = self.discriminator(both, training=True)[:, None]
                d_loss = cross_entropy(targets, logits)
            variables = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(
                zip(tape.gradient(d_loss, variables), variables, strict=True)
            )
            with tf.GradientTape() as tape:
                fake = self.generator(tf.random.normal([size, 128]), training=True)
                logits = self.discriminator(fake, training=True)[:, None]
                g_loss = cross_entropy(tf.ones([size, 1]), logits)
            variables = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(
                zip(tape.gradient(g_loss, variables), variables, strict=True)
            )
            self.d_mean.update_state(d_loss)
            self.g_mean.update_state(g_loss)
            return {"d_loss": self.d_mean.result(), "g_loss": self.g_mean.result()}

    model = Pattern()
    model.compile()
    return lambda: timed_fit(model, feed)


def torch_eager():
    """The same networks, losses and order in PyTorch, one generator pass shared."""
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    torch.manual_seed(0)
    generator = nn.Sequential(
        nn.Linear(128, 256 * 4 * 4, bias=False),
        nn.Unflatten(1, (256, 4, 4)),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
        # 8 to 7 pixels.
        nn.ZeroPad2d((0, -1, 0, -1)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    ).to(memory_format=torch.channels_last)
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1),
        nn.LeakyReLU(0.2),
        # 7 to 4 pixels, with the padding that TensorFlow takes.
        nn.ZeroPad2d((1, 2, 1, 2)),
        nn.Conv2d(128, 256, 4, 2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(256 * 4 * 4, 1),
    ).to(memory_format=torch.channels_last)
    average = [weight.detach().clone() for weight in generator.state_dict().values()]
    g_optimizer = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    images = torch.randint(0, 256, (6400, 1, 28, 28), dtype=torch.uint8)

    def round_() -> float:
        begin = time.perf_counter()
        for _ in range(STEPS):
            rows = torch.randint(0, len(images), (BATCH,))
            real = (images[rows].float() / 127.5 - 1).to(memory_format=torch.channels_last)
            fake = generator(torch.randn(BATCH, 128))
            real_logits = discriminator(real)
            fake_logits = discriminator(fake.detach())
            d_loss = (softplus(-real_logits) + softplus(fake_logits)).mean()
            d_optimizer.zero_grad(set_to_none=True)
            d_loss.backward()
            d_optimizer.step()
            for weight in discriminator.parameters():
                weight.requires_grad_(False)
            g_loss = softplus(-discriminator(fake)).mean()
            g_optimizer.zero_grad(set_to_none=True)
            g_loss.backward()
            g_optimizer.step()
            for weight in discriminator.parameters():
                weight.requires_grad_(True)
            with torch.no_grad():
                for mean, weight in zip(average, generator.state_dict().values(), strict=True):
                    if weight.is_floating_point():
                        mean.lerp_(weight, 0.001)
            float(d_loss), float(g_loss)
        return time.perf_counter() - begin

    return round_


def worker(name: str) -> None:
    """Runs a round for each line on standard input and answers with its seconds."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    round_ = {
        "kgan": lambda: kgan_fit("float32"),
        "kgan bfloat16": lambda: kgan_fit("bfloat16"),
        "bare loop": bare_loop,
        "keras.io": keras_io,
        "torch": torch_eager,
    }[name]()
    round_()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(round_(), flush=True)


def contestants() -> list[str]:
    """Those that this machine can run; bfloat16 without hardware for it takes minutes a round."""
    import kgan.precision

    emulated = kgan.precision.policy("auto") == "float32"
    return [name for name in CONTESTANTS if not (emulated and name == "kgan bfloat16")]


def versions() -> str:
    """What computes."""
    from importlib.metadata import version

    names = ("tensorflow", "keras", "torch", "numpy")
    return ", ".join(f"{name} {version(name)}" for name in names)


def main() -> None:
    """Alternates the contestants and prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--worker", choices=CONTESTANTS)
    arguments = parser.parse_args()
    if arguments.worker:
        return worker(arguments.worker)
    processes = {}
    for name in contestants():
        processes[name] = subprocess.Popen(
            [sys.executable, __file__, "--worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while processes[name].stdout.readline().strip() != "ready":
            if processes[name].poll() is not None:
                raise SystemExit(f"{name} ended before it was ready")
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(arguments.rounds):
        for name, process in processes.items():
            # The last one's threads may still spin for a moment.
            time.sleep(1.0)
            process.stdin.write("go\n")
            process.stdin.flush()
            seconds[name].append(float(process.stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    print(versions())
    print(f"{os.cpu_count()} cores, batch {BATCH}, {arguments.rounds} rounds of {STEPS} steps\n")
    ours = [name for name in processes if name.startswith("kgan")]
    print(f"| contestant | images/s, median |{''.join(f' {own} is |' for own in ours)}")
    print(f"| --- | --- |{' --- |' * len(ours)}")
    for name, times in seconds.items():
        ratios = [
            statistics.median(b / a for a, b in zip(seconds[own], times, strict=True))
            for own in ours
        ]
        told = "".join(f" {ratio:.2f} times |" for ratio in ratios)
        print(f"| {name} | {BATCH * STEPS / statistics.median(times):,.0f} |{told}")


if __name__ == "__main__":
    main()
