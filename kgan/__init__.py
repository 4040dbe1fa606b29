"""Adversarial learning for Keras 3 on TensorFlow.

Submodules load on first use, so that `import kgan` and `kgan --help` do not wait for TensorFlow:
`kgan.models`, `kgan.networks`, `kgan.losses`, `kgan.penalties`, `kgan.generator_penalties`,
`kgan.augmentation`, `kgan.latents`, `kgan.data`, `kgan.callbacks`,
`kgan.attacks`, `kgan.certificates`, `kgan.defenses`, `kgan.robustness`, `kgan.metrics`,
`kgan.evaluation`, `kgan.pictures`, `kgan.export`, `kgan.client`, `kgan.distribution`,
`kgan.recipes`, `kgan.settings`.
"""

import importlib
import os
import pkgutil
import sys
from types import ModuleType

from kgan import registry

__version__ = "0.1.0"


def _require_tensorflow_backend() -> None:
    keras = sys.modules.get("keras")
    # Setting the variable also overrides ~/.keras/keras.json.
    name = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if keras is not None and hasattr(keras, "config"):
        name = keras.config.backend()
    if name != "tensorflow":
        raise ImportError(
            f"kgan runs on Keras's TensorFlow backend, but the backend here is {name!r}. "
            "Unset KERAS_BACKEND (or set it to 'tensorflow') and start Python again."
        )


_require_tensorflow_backend()
registry.register()
# TensorFlow leaves oneDNN off on processors without AVX-512, where convolutions then take twice as
# long. It reads this once, when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# On one core it has one thread for operations, which a Python function holds while it runs: one
# that itself asks a Keras model, such as a function that is attacked, would wait for ever. Where
# TensorFlow runs already that is fixed, and `kgan.attacks` warns of it.
_one_core = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1
if _one_core and "TF_NUM_INTEROP_THREADS" not in os.environ:
    _threads = getattr(getattr(sys.modules.get("tensorflow"), "config", None), "threading", None)
    try:
        if _threads is not None and not _threads.get_inter_op_parallelism_threads():
            _threads.set_inter_op_parallelism_threads(2)
        os.environ["TF_NUM_INTEROP_THREADS"] = "2"
    except RuntimeError:
        pass
if "ipykernel" in sys.modules:
    # In a notebook its messages about the hardware would stand above each first result.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_SUBMODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"kgan.{name}")
    raise AttributeError(f"module 'kgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
