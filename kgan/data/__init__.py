"""Loads data sets and feeds them to `fit`."""

from kgan.data.arrays import load_arrays
from kgan.data.dataset import Dataset
from kgan.data.digits import load_digits
from kgan.data.domains import Domains, Pairs, feed_apart
from kgan.data.fakes import fill
from kgan.data.feed import feed, steps_per_epoch, to_float
from kgan.data.folder import load_folder
from kgan.data.labelled import load_labelled, train_and_test
from kgan.data.load import COMPOSED, DATASETS, load
from kgan.data.slanted import load_slanted_digits, load_slanted_pairs, slant, slanted
from kgan.data.stacked import StackedImages, load_stacked_mnist
from kgan.data.subsets import class_counts, labelled_share, long_tailed
from kgan.data.synthetic import MIXTURES, load_grid, load_ring
from kgan.data.tfds import load_tfds

__all__ = [
    "COMPOSED",
    "DATASETS",
    "MIXTURES",
    "Dataset",
    "Domains",
    "Pairs",
    "StackedImages",
    "class_counts",
    "feed",
    "feed_apart",
    "fill",
    "labelled_share",
    "load",
    "load_arrays",
    "load_digits",
    "load_folder",
    "load_grid",
    "load_labelled",
    "load_ring",
    "load_slanted_digits",
    "load_slanted_pairs",
    "load_stacked_mnist",
    "load_tfds",
    "long_tailed",
    "slant",
    "slanted",
    "steps_per_epoch",
    "to_float",
    "train_and_test",
]
