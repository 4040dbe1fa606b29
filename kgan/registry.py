"""Makes a file of kgan's load in one line, without importing TensorFlow before there is a file.

`keras.saving.load_model("gan.keras")` looks the classes that the file names up in Keras's registry,
where a class is put when its module is imported. `import kgan` imports no module, as that would
import TensorFlow. So it puts a stand-in for each class there, under the class's name. The first
one that Keras asks to make an object imports kgan's modules, whose classes then take the places of
all stand-ins, and hands on to its own class.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

REGISTERED = {
    "kgan.models": (
        "CUT",
        "CycleGAN",
        "ConstantThenLinear",
        "GAN",
        "ImagePool",
        "MiddleCode",
        "PairedGAN",
        "PerturbationGAN",
        "PrivateGAN",
        "PrivateTableGAN",
        "TableCopula",
        "TableGAN",
        "TableVAE",
        "VAE",
    ),
    "kgan.networks": (
        "AddToImage",
        "BatchNormalization",
        "Blank",
        "BlockConv2D",
        "ClassCopula",
        "ClassLatents",
        "ConditionalBatchNormalization",
        "Dropout",
        "EqualizedConv2D",
        "EqualizedDense",
        "FadeIn",
        "FilteredConv2D",
        "FilteredDownsampling2D",
        "FilteredUpsampling2D",
        "FirstChannels",
        "FourierFeatures",
        "GatedLinear",
        "GaussianCopula",
        "GaussianNoise",
        "GroupedConv2D",
        "GrowingConvolutions",
        "InstanceNormalization",
        "KeepBrightness",
        "KeepKnown",
        "LabelledMapping",
        "LatentChunk",
        "LearnedConstant",
        "LearntDeviations",
        "LinearImages",
        "MinibatchStandardDeviation",
        "ModulatedConv2D",
        "NoiseInput",
        "PixelNormalization",
        "PixelShuffle",
        "Projection",
        "ReflectionPadding2D",
        "RepeatedUpsampling2D",
        "ScaledLeakyReLU",
        "SelfAttention",
        "SpectralConv2D",
        "SpectralDense",
        "SpectralEmbedding",
        "SteeredBatchNormalization",
        "StyleMapping",
        "TableEncoder",
        "_Between",
    ),
    "kgan.augmentation": ("ADA", "DiffAugment"),
    "kgan.generator_penalties": ("Orthogonal", "PathLength"),
    "kgan.losses": ("RareClassCrossentropy",),
    "kgan.latents": ("Encoder",),
    "kgan.penalties": ("DRAGAN", "GradientPenalty", "R1", "R2"),
    "kgan.restarting_adam": ("RestartingAdam",),
    "kgan.defenses": (
        "AdversarialTraining",
        "DefenseGAN",
        "DivergencePGD",
        "FastStep",
        "GenerativeAdversarialTraining",
        "IntervalTraining",
    ),
    "kgan.attacks": (
        "APGD",
        "AdvGAN",
        "AutoAttack",
        "BPDA",
        "Boundary",
        "CarliniWagner",
        "Confidence",
        "Custom",
        "DDN",
        "DeepFool",
        "Distance",
        "ElasticNet",
        "FAB",
        "FGSM",
        "FMN",
        "Guided",
        "HopSkipJump",
        "JSMA",
        "Misclassification",
        "MomentumPGD",
        "MultiLabel",
        "OnePixel",
        "PGD",
        "Patch",
        "RandomNoise",
        "SigmaZero",
        "SparseRS",
        "Spatial",
        "Square",
        "TopK",
        "Universal",
    ),
}
"""What a file may name, by the module whose import registers it."""


class StandIn:
    """Takes a class's place in Keras's registry until it is needed.

    Args:
        name: The name that the class is registered by, such as "kgan>GAN".
    """

    def __init__(self, name: str):
        self.name = name

    def from_config(self, config: dict[str, Any], **options: Any) -> Any:
        """An object of the class, which is imported now."""
        for module in REGISTERED:
            importlib.import_module(module)
        # Not by `get_registered_object`: while a file is read it still knows the stand-ins.
        own = sys.modules["keras"].saving.get_custom_objects()[self.name]
        return own.from_config(config, **options)


def register() -> None:
    """Puts the stand-ins into Keras's registry: now, or as soon as Keras is imported."""
    keras = sys.modules.get("keras")
    if keras is None:
        sys.meta_path.insert(0, _WithKeras())
    elif hasattr(keras, "saving"):
        _put_into(keras)


def _put_into(keras: ModuleType) -> None:
    known = keras.saving.get_custom_objects()
    for names in REGISTERED.values():
        for name in names:
            known.setdefault(f"kgan>{name}", StandIn(f"kgan>{name}"))


class _WithKeras(importlib.abc.MetaPathFinder):
    """Finds Keras as Python does, and registers the stand-ins once it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _put_into(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
