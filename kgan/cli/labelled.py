"""Images with labels, as a command's options ask for them."""

from kgan.config import AttackConfig, ClassifierConfig


def load_labelled(config: AttackConfig | ClassifierConfig, name: str, split: str):
    """The data of that name, resized as configured; errors where there are no labelled images."""
    import kgan.data

    size = config.image_size
    data = kgan.data.load(
        name,
        split,
        data_dir=config.data_dir,
        image_size=None if size is None else (size[0], size[-1]),
        download=config.download,
    )
    if not data.is_images or data.labels is None:
        raise ValueError(f"a classifier needs images with labels; {name} has none.")
    return data
