"""Loads data sets and feeds them to `fit`."""

from kgan.data.arrays import load_arrays
from kgan.data.breast_cancer import load_breast_cancer
from kgan.data.canaries import Canaries, with_canaries
from kgan.data.cropping import cropped_kind, middle
from kgan.data.dataset import Dataset
from kgan.data.digits import load_digits
from kgan.data.domains import Domains, Pairs, feed_apart, feed_pairs
from kgan.data.fakes import fill
from kgan.data.feed import Part, feed, steps_per_epoch, to_float
from kgan.data.folder import folder_splits, load_folder
from kgan.data.given import load_given
from kgan.data.labelled import (
    held_out_rows,
    held_out_split,
    load_labelled,
    train_and_test,
)
from kgan.data.load import COMPOSED, DATASETS, TARGETS, is_set, load
from kgan.data.pairs import load_pairs
from kgan.data.private_feed import private_feed, private_rows
from kgan.data.restoration import TASKS, Restoration, damaged, feed_damaged, task
from kgan.data.slanted import (
    load_slanted_digits,
    load_slanted_pairs,
    load_slanted_training_pairs,
    slant,
    slanted,
)
from kgan.data.smote import smote
from kgan.data.stacked import StackedImages, load_stacked_mnist
from kgan.data.subsets import class_counts, labelled_share, long_tailed
from kgan.data.synthetic import MIXTURES, load_grid, load_ring
from kgan.data.table import SUFFIXES as TABLE_SUFFIXES
from kgan.data.table import load_rows, load_table
from kgan.data.table_feed import feed_rows
from kgan.data.tfds import load_tfds
from kgan.decoding.reading import Reading

__all__ = [
    "COMPOSED",
    "DATASETS",
    "MIXTURES",
    "TABLE_SUFFIXES",
    "TARGETS",
    "TASKS",
    "Canaries",
    "Dataset",
    "Domains",
    "Pairs",
    "Part",
    "Reading",
    "Restoration",
    "StackedImages",
    "class_counts",
    "cropped_kind",
    "damaged",
    "feed",
    "feed_apart",
    "feed_damaged",
    "feed_pairs",
    "feed_rows",
    "fill",
    "folder_splits",
    "held_out_rows",
    "held_out_split",
    "is_set",
    "labelled_share",
    "load",
    "load_arrays",
    "load_breast_cancer",
    "load_digits",
    "load_folder",
    "load_given",
    "load_grid",
    "load_labelled",
    "load_pairs",
    "load_ring",
    "load_rows",
    "load_slanted_digits",
    "load_slanted_pairs",
    "load_slanted_training_pairs",
    "load_stacked_mnist",
    "load_table",
    "load_tfds",
    "long_tailed",
    "middle",
    "private_feed",
    "private_rows",
    "slant",
    "slanted",
    "smote",
    "steps_per_epoch",
    "task",
    "to_float",
    "train_and_test",
    "with_canaries",
]
