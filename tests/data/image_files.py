"""Image files that no library here writes: TIFF of any depth, byte order and number of pages."""

import struct

import numpy as np


def write_tiff(
    path, pages, *, order="<", bits=None, sample_format=1, photometric=None, extra=None, subfiles=()
):
    """An uncompressed TIFF file.

    Args:
        path: The file.
        pages: Arrays (height, width) or (height, width, channels), or (bytes, height, width) of
            packed values.
        order: "<" or ">".
        bits: Bits of a value, where they are not those of the arrays' type.
        sample_format: 1 unsigned, 2 signed, 3 floats.
        photometric: 0 white is zero, 1 black is zero, 2 colour.
        extra: Meaning of the last channel: 1 premultiplied opacity, 2 opacity.
        subfiles: Of pages that are smaller versions (1) or masks (4).
    """
    body, places = b"", []
    for number, page in enumerate(pages):
        if isinstance(page, tuple):
            content, height, width = page
            channels, depth = 1, bits
        else:
            height, width = page.shape[:2]
            channels = page.shape[2] if page.ndim == 3 else 1
            content = page.astype(page.dtype.newbyteorder(order)).tobytes()
            depth = bits or 8 * page.dtype.itemsize
        colour = 2 if channels >= 3 else 1
        tags = {
            254: (4, [subfiles[number] if number < len(subfiles) else 0]),
            256: (3, [width]),
            257: (3, [height]),
            258: (3, [depth] * channels),
            259: (3, [1]),
            262: (3, [colour if photometric is None else photometric]),
            273: (4, [None]),
            277: (3, [channels]),
            278: (3, [height]),
            279: (4, [len(content)]),
            284: (3, [1]),
            339: (3, [sample_format] * channels),
        }
        if extra is not None:
            tags[338] = (3, [extra])
        places.append((content, dict(sorted(tags.items()))))
    # Header, then for each page its pixels, its long values and its directory.
    offset, chunks, links = 8, [], []
    for content, tags in places:
        start, offset = offset, offset + len(content) + len(content) % 2
        chunk = content + b"\0" * (len(content) % 2)
        entries = b""
        for tag, (kind, values) in tags.items():
            values = [start if value is None else value for value in values]
            code, size = ("H", 2) if kind == 3 else ("I", 4)
            packed = struct.pack(f"{order}{len(values)}{code}", *values)
            if len(values) * size > 4:
                chunk += packed
                place, offset = offset, offset + len(packed)
                packed = struct.pack(order + "I", place)
            entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        links.append(offset)
        chunk += struct.pack(order + "H", len(tags)) + entries
        offset += 2 + len(entries) + 4
        chunks.append(chunk)
    body = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", links[0])
    for number, chunk in enumerate(chunks):
        following = links[number + 1] if number + 1 < len(links) else 0
        body += chunk + struct.pack(order + "I", following)
    path.write_bytes(body)


def packed_12_bits(values):
    """Whole numbers below 4,096, two in three bytes."""
    first, second = values.ravel()[::2].astype(int), values.ravel()[1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    return packed.astype(np.uint8).tobytes()
