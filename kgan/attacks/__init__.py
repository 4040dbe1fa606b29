"""Adversarial attacks on any Keras 3 classifier, compiled.

    attack = kgan.attacks.PGD(epsilon=0.3, steps=40, step_size=0.01, norm="linf", seed=0)
    adversarial = attack(model, images, labels)       # labels optional: the model's predictions
    adversarial = attack(model, images, targets=3 * np.ones(len(images)))
    result = attack.run(model, images, labels)        # .adversarial, .success, .labels
    robust_accuracy = 1 - result.success.mean()       # misclassified clean images count as success
    for epsilon in (0.1, 0.2, 0.3):                   # compiles once
        attack.replace(epsilon=epsilon).run(model, images, labels)

The interface, the same for all:

- Images are float32 in [0, 1], numpy or TensorFlow, any shape the model takes. Labels are integers,
  a column, or one-hot. The result is of the images' kind and shape.
- The model is a `keras.Model` whose output is logits, softmax probabilities, or one sigmoid unit.
  A function goes in as a `Victim` too, and so does `black_box(source)`, a SavedModel, an ONNX file
  or a server; then only attacks that ask can be run (`Attack.needs`).
  What its graph, its compiled loss and its outputs do not show is declared, and so is another range
  than [0, 1]: `Victim(model, head="logits", bounds=(0, 255))`, wherever a model is taken;
  `victim_of(model, images).assumptions` says what was understood.
- Changes of a model in place are noticed. A model that is random at inference is asked several
  times, and its most frequent answer counts; `samples=` averages the gradient.
- What counts as fooled is the victim's criterion: another class than the label, or what is
  declared, `Victim(model, criterion=TopK(5))`, of `CRITERIA`: for labels that are decided one by
  one, for regression and embeddings, for a loss and a success of your own. Of several outputs one
  is chosen, `output=`; of several inputs one is attacked, `input=`, and the others are `held=`.
- An image that cannot be fooled comes back clean; one that is misclassified already comes back
  unchanged and counts as a success.
- An image's result depends on the seed and on its index in the data set (`indices=`), not on its
  neighbours or on `batch_size`, up to the rounding of the model's own kernels.
- `epsilon` (and `step_size`) may be an array: (n,) for one radius an image; in linf also with the
  axes of an image, such as (1, 1, 3) for its channels, or of all images. `mask=` says where images
  may change. An attack whose `takes_arrays` is False refuses both. Each image's result is as if it
  were attacked alone with its radius and mask.
- With `quantize=True` images come back with 8 bits a value, as a PNG holds them: k / 255, inside
  the ball, and judged as such. The clean images must be so too.
- Budget attacks stay within `epsilon` (attribute `norm`); those with `minimal = True` look for the
  smallest change in `norm`.
- Attacks are compiled once for a model, an image shape, and the settings that are not in
  `Attack.tensors`; `epsilon`, step sizes, step counts and seeds are fed.
- `attack.perturb(logits, images, labels, seed=...)` is the attack as graph operations, for a
  training step; with `has_last_iterate` it runs as published, to its last iterate.

A new attack is a subclass of `Attack` with `_attack` filled, and a row in `ATTACKS`; its attributes
say what it `needs` of the model, its `category`, its `norms`, and what else it takes.
"""

import importlib
from typing import Any

from kgan.attacks.advgan import AdvGAN
from kgan.attacks.apgd import APGD
from kgan.attacks.attack import Attack
from kgan.attacks.auto_attack import AutoAttack, AutoAttackResult
from kgan.attacks.black_boxes import black_box
from kgan.attacks.boundary import Boundary
from kgan.attacks.bpda import BPDA
from kgan.attacks.carlini_wagner import CarliniWagner
from kgan.attacks.class_criteria import Confidence, Misclassification, TopK
from kgan.attacks.criteria import CRITERIA, Custom, Distance, MultiLabel
from kgan.attacks.criterion import Criterion
from kgan.attacks.ddn import DDN
from kgan.attacks.deepfool import DeepFool
from kgan.attacks.elastic_net import ElasticNet
from kgan.attacks.fab import FAB
from kgan.attacks.fgsm import FGSM
from kgan.attacks.fmn import FMN
from kgan.attacks.guided import Guided, GuidedResult
from kgan.attacks.hop_skip_jump import HopSkipJump
from kgan.attacks.jsma import JSMA
from kgan.attacks.momentum_pgd import MomentumPGD
from kgan.attacks.one_pixel import OnePixel
from kgan.attacks.patch import Patch
from kgan.attacks.pgd import PGD
from kgan.attacks.random_noise import RandomNoise
from kgan.attacks.result import Result
from kgan.attacks.sigma_zero import SigmaZero
from kgan.attacks.sparse_rs import SparseRS
from kgan.attacks.spatial import Spatial
from kgan.attacks.square import Square
from kgan.attacks.substitute import distill
from kgan.attacks.universal import Universal
from kgan.attacks.victim import Victim, victim_of

ATTACKS: dict[str, type[Attack]] = {
    "noise": RandomNoise,
    "fgsm": FGSM,
    "pgd": PGD,
    "mifgsm": MomentumPGD,
    "deepfool": DeepFool,
    "cw": CarliniWagner,
    "ead": ElasticNet,
    "apgd": APGD,
    "fab": FAB,
    "square": Square,
    "autoattack": AutoAttack,
    "spatial": Spatial,
    "guided": Guided,
    "at": Guided,
    "advgan": AdvGAN,
    "boundary": Boundary,
    "ddn": DDN,
    "fmn": FMN,
    "hopskipjump": HopSkipJump,
    "jsma": JSMA,
    "one-pixel": OnePixel,
    "sigma-zero": SigmaZero,
    "patch": Patch,
    "sparse-rs": SparseRS,
    "universal": Universal,
}

__all__ = [
    "APGD",
    "ATTACKS",
    "BPDA",
    "CRITERIA",
    "DDN",
    "FAB",
    "FGSM",
    "FMN",
    "JSMA",
    "PGD",
    "AdvGAN",
    "Attack",
    "AutoAttack",
    "AutoAttackResult",
    "Boundary",
    "CarliniWagner",
    "Confidence",
    "Criterion",
    "Custom",
    "DeepFool",
    "Distance",
    "ElasticNet",
    "Guided",
    "GuidedResult",
    "HopSkipJump",
    "Misclassification",
    "MomentumPGD",
    "MultiLabel",
    "OnePixel",
    "Patch",
    "RandomNoise",
    "Result",
    "SigmaZero",
    "SparseRS",
    "Spatial",
    "Square",
    "TopK",
    "Universal",
    "Victim",
    "black_box",
    "distill",
    "victim_of",
]


# These moved to `kgan.robustness`, which imports this package; their old names still work.
_MOVED = ("evaluate", "testing")


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        return getattr(importlib.import_module("kgan.robustness"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
