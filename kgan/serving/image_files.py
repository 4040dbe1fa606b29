"""Image files in requests: what they hold is bounded before TensorFlow decodes them.

A PNG file of 30 kB may hold 64 million pixels, which a network turns into gigabytes.
"""

import io
from collections.abc import Iterable

from PIL import Image

from kgan.serving.errors import ServingError, invalid

# What TensorFlow decodes.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP")


def check(name: str, files: Iterable[bytes], *, channels: int, limit: int) -> None:
    """Refuses files that hold more than an array may.

    Args:
        name: The input's name, for errors.
        files: Their contents.
        channels: Channels of the images that they are decoded to.
        limit: Most bytes of all of them together as arrays of float32.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    held = 0
    for content in files:
        width, height = _size(name, content)
        held += 4 * channels * width * height
        if held > limit:
            raise invalid(
                f"the images of {name!r} may hold {limit:,} bytes together as float32, got more: "
                f"one of {height}x{width} pixels. Send smaller ones, or start the server with a "
                "larger --max-body-mb."
            )


def _size(name: str, content: bytes) -> tuple[int, int]:
    """Width and height, read from the head of a file."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            # TensorFlow would decode all of them to take the first.
            if getattr(image, "is_animated", False) and image.format == "GIF":
                raise invalid(f"{name!r} must hold files of one image each, got an animated GIF.")
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid(f"{name!r} holds an image of more than 80 million pixels.") from None
    except ServingError:
        raise
    except Exception:
        # Pillow's readers raise whatever they meet.
        raise invalid(f"{name!r} must hold files of {', '.join(_FORMATS)}.") from None
