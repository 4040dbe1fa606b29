"""The user's choices: a flat, frozen dataclass for each family or command, and presets.

Each default is stated once, in its field, and the command line is made from the fields. Nothing
here imports TensorFlow.
"""

from kgan.settings import classifier, cut, cyclegan, gan, hardening, paired, table, vae
from kgan.settings.attack import AttackSettings
from kgan.settings.audit import AuditSettings
from kgan.settings.cache import CacheSettings
from kgan.settings.classifier import ClassifierSettings
from kgan.settings.cut import CUTSettings
from kgan.settings.cyclegan import CycleGANSettings
from kgan.settings.evaluate import EvaluateSettings
from kgan.settings.export import ExportSettings
from kgan.settings.gan import GANSettings
from kgan.settings.groups import Output, Settings
from kgan.settings.hardening import HardeningSettings
from kgan.settings.latents import LatentsSettings
from kgan.settings.paired import PairedSettings
from kgan.settings.sample import SampleSettings
from kgan.settings.serve import ServeSettings
from kgan.settings.table import TableSettings
from kgan.settings.translate import TranslateSettings
from kgan.settings.vae import VAESettings

FAMILIES: dict[str, type[Settings]] = {
    settings.family: settings
    for settings in (
        GANSettings,
        VAESettings,
        CycleGANSettings,
        CUTSettings,
        PairedSettings,
        TableSettings,
    )
}
"""The settings of each family of generative models."""

PRESETS: dict[str, Settings] = {
    **gan.PRESETS,
    **vae.PRESETS,
    **cyclegan.PRESETS,
    **cut.PRESETS,
    **paired.PRESETS,
    **table.PRESETS,
}
"""What `kgan train` knows by name, of all families."""

CLASSIFIER_PRESETS = classifier.PRESETS
HARDENING_PRESETS = hardening.PRESETS

__all__ = [
    "CLASSIFIER_PRESETS",
    "FAMILIES",
    "HARDENING_PRESETS",
    "PRESETS",
    "AttackSettings",
    "AuditSettings",
    "CUTSettings",
    "CacheSettings",
    "ClassifierSettings",
    "CycleGANSettings",
    "EvaluateSettings",
    "ExportSettings",
    "GANSettings",
    "HardeningSettings",
    "LatentsSettings",
    "Output",
    "PairedSettings",
    "SampleSettings",
    "ServeSettings",
    "Settings",
    "TableSettings",
    "TranslateSettings",
    "VAESettings",
]
