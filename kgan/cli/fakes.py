"""Generated images for a command that trains a classifier."""

from pathlib import Path

from kgan.config import ClassifierConfig


def with_fakes(config: ClassifierConfig, data):
    """The training data with generated samples, where the configuration names a source."""
    import kgan.data

    if config.fakes is None:
        if config.fakes_per_class is not None:
            raise ValueError("fakes_per_class must be left out without --fakes SOURCE.")
        return data
    generate = _generator(config.fakes.expanduser(), data)
    filled = kgan.data.fill(data, generate, per_class=config.fakes_per_class, seed=config.seed)
    print(f"{len(data):,} images and {len(filled) - len(data):,} fakes from {config.fakes}")
    return filled


def _generator(source: Path, data):
    """`(n, labels, seed)` to samples, from a file of samples or from whatever holds a generator."""
    if source.suffix == ".npz":
        return _from_file(source)
    from kgan.cli.sample import open_source

    opened = open_source(source)
    if opened.num_classes != data.num_classes:
        raise ValueError(
            f"fakes need a generator of the {data.num_classes} classes of {data.name}; "
            f"that of {source} has {opened.num_classes or 'none'}."
        )
    return opened.generate


def _from_file(path: Path):
    import numpy as np

    import kgan.data

    fakes = kgan.data.load(str(path))
    counts = kgan.data.class_counts(fakes)
    classes = fakes.labels
    assert classes is not None

    def generate(n, labels, seed):
        order = np.random.default_rng(seed).permutation(len(fakes))
        rows = np.empty(n, int)
        for label in np.unique(labels):
            wanted = np.flatnonzero(labels == label)
            found = order[classes[order] == label]
            if len(found) < len(wanted):
                raise ValueError(
                    f"{path} must hold at least {len(wanted)} samples of class {label}, "
                    f"holds {counts[label] if label < len(counts) else 0}. "
                    "Sample more, or lower --fakes-per-class."
                )
            rows[wanted] = found[: len(wanted)]
        return fakes.take(rows).as_float()

    return generate
