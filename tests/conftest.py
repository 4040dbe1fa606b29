"""Fixtures that several test files need."""

import atexit
import gc
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As the commands do, which import kgan before TensorFlow.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# As many processes run as there are cores: threads of small products of matrices would wait for
# each other, spinning, which made half a minute of a second of k-means.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import keras
import numpy as np
import pytest

import kgan.export
import kgan.models
import kgan.networks

ROOT = Path(__file__).parents[1]

# Traced graphs are many objects in cycles: with the default of 700, 7% of the time is collecting.
gc.set_threshold(20_000, 20, 20)
# Nor is anything that is left at the end looked at.
atexit.register(gc.freeze)


@pytest.fixture(scope="module", autouse=True)
def settled():
    """What a file leaves behind is collected once, and not looked at again.

    A server collects when it has loaded a model. Over all that hundreds of tests left, that takes
    ten seconds and more.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tfds_data_dir():
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder:
        pytest.skip("TFDS_DATA_DIR is not set: it names a folder of prepared tensorflow-datasets")
    return folder


def build_gan(*, num_classes=None, optimizer=None, discriminator=None, **options):
    """A small compiled GAN of 8x8 images; equal arguments give equal weights."""
    keras.utils.set_random_seed(1)
    packing = options.get("packing", 1)
    gan = kgan.models.GAN(
        kgan.networks.dcgan_generator((8, 8, 1), 6, num_classes=num_classes, width=4),
        kgan.networks.dcgan_discriminator(
            (8, 8, packing), num_classes=num_classes, width=4, **(discriminator or {})
        ),
        num_classes=num_classes,
        **options,
    )
    make_optimizer = optimizer or (lambda: keras.optimizers.Adam(1e-3, beta_1=0.5))
    gan.compile(g_optimizer=make_optimizer(), d_optimizer=make_optimizer())
    return gan


def build_growing_gan(*, phase_steps=1):
    """A small compiled GAN of 8x8 images that has its full size after step 4 * phase_steps."""
    keras.utils.set_random_seed(1)
    gan = kgan.models.GAN(
        kgan.networks.progan_generator((8, 8, 1), 4, width=2),
        kgan.networks.progan_discriminator((8, 8, 1), width=2),
        phase_steps=phase_steps,
    )
    gan.compile(g_optimizer="sgd", d_optimizer="sgd")
    return gan


@pytest.fixture
def make_gan():
    return build_gan


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A tiny conditional GAN, exported as `toy`: its folder and the GAN. Not to be changed."""
    gan = build_gan(num_classes=3)
    folder = tmp_path_factory.mktemp("exported") / "toy"
    kgan.export.export(gan, folder, class_names=("a", "b", "c"))
    return folder, gan


@pytest.fixture
def images():
    return np.random.default_rng(0).random((16, 8, 8, 1), dtype=np.float32)


def slow_but(values, *few):
    """Parameters of which only a few are in the default run."""
    return [
        value if value in few else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]


def run_python(*arguments, check=True, **options):
    """Runs Python in a process of its own, from the project's root."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=options.pop("cwd", ROOT),
        capture_output=True,
        text=True,
        check=check,
        timeout=options.pop("timeout", 300),
        **options,
    )


@pytest.fixture(name="run_python")
def run_python_fixture():
    return run_python
