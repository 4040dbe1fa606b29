"""Pictures and animations as files."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from kgan.files import atomic_path


def save_image(image: Image.Image, path: Path) -> None:
    """Writes the image whole or not at all; the suffix tells the format."""
    with atomic_path(path) as temporary:
        image.save(temporary)


def save_animation(frames: Sequence[Path], path: Path, *, milliseconds: int = 150) -> None:
    """A GIF of the frames' files that rests on the last one.

    Args:
        frames: The files, in order; nothing is written where there are none.
        path: The GIF.
        milliseconds: How long each frame is shown.
    """
    images = []
    for frame in frames:
        with Image.open(frame) as image:
            images.append(image.convert("RGB"))
    if not images:
        return
    durations = [milliseconds] * (len(images) - 1) + [2000]
    with atomic_path(path) as temporary:
        images[0].save(
            temporary, save_all=True, append_images=images[1:], duration=durations, loop=0
        )
