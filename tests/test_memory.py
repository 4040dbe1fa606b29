"""Memory stays flat: what a process does again and again holds nothing of the time before.

Each script prints the resident megabytes after some rounds and after many; what grows in between is
held against what a leak of the least kind (a graph, a figure, a model a round) would take.
"""

import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the resident memory is read from /proc"),
]

# What the allocator keeps of what was freed comes and goes; it is given back first.
RESIDENT = """
import ctypes, gc, os
def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
"""

TRAINING = """
import sys, tempfile
import kgan.callbacks, kgan.cli
write = kgan.callbacks.HistoryTable.on_epoch_end
def noted(self, epoch, logs=None):
    write(self, epoch, logs)
    if epoch + 1 in (20, 60):
        print("resident", resident())
kgan.callbacks.HistoryTable.on_epoch_end = noted
folder = tempfile.mkdtemp()
kgan.cli.main(["train", "digits", "--epochs", "60", "--steps-per-epoch", "4", "--batch-size", "8",
    "--generator-width", "4", "--discriminator-width", "4", "--evaluate-every", "8",
    "--evaluate-samples", "100", "--patience", "99", "--runs-dir", folder, "--no-export"])
"""

# Of each checkpoint Keras keeps some memory for good: 70 kB for a plain `keras.Sequential` of 40
# dense layers, 140 kB for these models. So epochs are long: it is steps that are counted here.
TRANSLATING = (
    TRAINING.partition("folder =")[0].replace("(20, 60)", "(5, 20)")
    + """
folder = tempfile.mkdtemp()
kgan.cli.main(["train", "PRESET", "--epochs", "20", "--steps-per-epoch", "100", "--batch-size", "4",
    "--generator-width", "4", "--discriminator-width", "4", "--runs-dir", folder, "--no-export"])
"""
)

ATTACKS = """
import keras, numpy as np
import kgan.attacks.victim
from kgan.attacks import FGSM
kgan.attacks.victim._FUNCTIONS = 8
inputs = keras.Input((None, None, 1))
pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, padding="same")(inputs))
model = keras.Model(inputs, keras.layers.Dense(3)(pooled))
for number in range(60):
    shape = (1 + number % 7, 4 + number, 5, 1)
    FGSM(0.1)(model, np.full(shape, 0.5, np.float32), np.zeros(shape[0], int))
    if number in (19, 59):
        print("resident", resident())
"""

EXPORTS = """
import shutil, tempfile
import kgan.export
from tests.conftest import build_gan
folder = tempfile.mkdtemp()
for number in range(12):
    kgan.export.export(build_gan(), folder + "/toy")
    shutil.rmtree(folder + "/toy")
    if number in (5, 11):
        print("resident", resident())
"""

# A plain `keras.Sequential` leaves two graphs of each `fit` of a new model, here 6 MB a round.
FIT_AND_EXPORT = """
import gc, shutil, tempfile, weakref, numpy as np
import kgan.export
from tests.conftest import build_gan
folder = tempfile.mkdtemp()
images = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
seen = []
for number in range(10):
    gan = build_gan()
    gan.fit(images, batch_size=8, verbose=0)
    kgan.export.export(gan, folder + "/toy")
    shutil.rmtree(folder + "/toy")
    seen.append(weakref.ref(gan))
    # What waits for a collection is no leak, and would leave holes in the memory.
    gc.collect()
    if number in (3, 9):
        print("resident", resident())
del gan
gc.collect()
assert not any(one() for one in seen)
"""


@pytest.mark.parametrize(
    ("script", "most"),
    [
        pytest.param(TRAINING, 10, id="240 steps with every callback"),
        *(
            pytest.param(TRANSLATING.replace("PRESET", one), 10, id=f"2000 steps of {one}")
            for one in ("cyclegan", "cut", "pix2pix")
        ),
        pytest.param(ATTACKS, 40, id="60 attacks of different shapes"),
        pytest.param(EXPORTS, 15, id="12 exports"),
        pytest.param(FIT_AND_EXPORT, 15, id="10 times fit and export"),
    ],
)
def test_it_is_flat(script, most, run_python):
    said = run_python("-c", RESIDENT + script, timeout=1800).stdout
    middle, end = (float(line.split()[1]) for line in said.splitlines() if "resident " in line)
    assert end - middle < most, (middle, end)
