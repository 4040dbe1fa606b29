"""The C program, compiled with the pip package's library, gives the samples of Keras."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kgan.export
from tests.conftest import ROOT, build_gan


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = Path(tf.sysconfig.get_lib())
    if not (library / "libtensorflow_cc.so.2").is_file():
        pytest.skip(f"{library} has no libtensorflow_cc.so.2: this TensorFlow has no C library")
    target = tmp_path_factory.mktemp("c") / "generate"
    subprocess.run(
        [
            compiler,
            *("-O2", "-Wall", "-Wextra", "-Werror", "-o", target),
            ROOT / "deploy" / "c" / "generate.c",
            *(f"-I{tf.sysconfig.get_include()}", f"-L{library}"),
            *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
            f"-Wl,-rpath,{library}",
        ],
        check=True,
        timeout=300,
    )
    return target


def run(program, *arguments):
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def read(done):
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.strip().splitlines()
    word, *shape = head.split()
    assert word == "samples"
    return np.array([line.split() for line in lines], np.float32).reshape([int(x) for x in shape])


def test_samples_of_a_conditional_generator(program, exported):
    folder, gan = exported
    # Example i of request 7 has the seed 7 * 2**32 + i.
    asked = [f"{7 * 2**32 + i}:{label}" for i, label in enumerate((0, 2, 1))]
    images = read(run(program, folder / "1", *asked))
    np.testing.assert_allclose(images, gan.generate(3, [0, 2, 1], seed=7), atol=1e-5)


def test_samples_of_an_unconditional_generator(program, tmp_path):
    gan = build_gan()
    folder = kgan.export.export(gan, tmp_path / "toy")
    images = read(run(program, folder, 2**32))
    np.testing.assert_allclose(images, gan.generate(1, seed=1), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "usage"),
        (("nowhere", "1"), 1, "nowhere"),
        (("MODEL", "x"), 1, "x: must be SEED"),
        (("MODEL", "1:99"), 1, "labels must be in [0, 2], got"),
    ],
)
def test_errors(program, exported, arguments, code, message):
    done = run(program, *(exported[0] / "1" if a == "MODEL" else a for a in arguments))
    assert done.returncode == code
    assert message in done.stderr
