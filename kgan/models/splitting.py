"""How a batch is divided: among half-steps, and into packs that are judged together."""

import tensorflow as tf

from kgan.models.batches import require


def check_divides(name: str, value: int, samples: tf.Tensor) -> tf.Tensor:
    """The samples, checked to be a multiple of `value`: now, or in the graph where it is unknown.

    Args:
        name: Setting whose value it is; the error names it.
        value: Number that must divide the batch.
        samples: Shape (batch, ...).
    """
    batch = samples.shape[0]
    remedy = "Batch with drop_remainder=True."
    if batch is not None and batch % value:
        raise ValueError(f"{name} must divide the batch of {batch} samples, got {value}. {remedy}")
    if batch is not None or value == 1:
        return samples
    message = f"{name} must divide every batch, got {value}. {remedy} The batch has"
    size = tf.shape(samples)[0]
    return require(samples, tf.equal(size % value, 0), message, size)


def part_of(batch: tf.Tensor, part: int, parts: int) -> tf.Tensor:
    """Every `parts`-th row, beginning with row `part`.

    A replica's contiguous share of the global batch then holds its share of each part.
    """
    return batch if parts == 1 else batch[part::parts]


def pack(samples: tf.Tensor, packing: int) -> tf.Tensor:
    """Puts `packing` neighbouring samples side by side in the channels.

    Args:
        samples: Shape (batch, ..., channels).
        packing: How many; it must divide the batch.

    Returns:
        Shape (batch / packing, ..., packing * channels).

    Reference: Lin et al. 2018, PacGAN (arXiv:1712.04086).
    """
    if packing == 1:
        return samples
    samples = check_divides("packing", packing, samples)
    rank = len(samples.shape)
    packs = tf.reshape(samples, [-1, packing, *samples.shape[1:]])
    order = [0, *range(2, rank), 1, rank]
    channels = packing * samples.shape[-1]
    return tf.reshape(tf.transpose(packs, order), [-1, *samples.shape[1:-1], channels])
