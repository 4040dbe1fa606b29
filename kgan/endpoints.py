"""Endpoints of a model: named functions of batches, which an export writes as signatures."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from kgan.kinds import Kind

Request = dict[str, tf.Tensor]

# How far rounding may take a sample beyond its kind's bounds.
_ROUNDING = 1e-3


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function of batches that a server can call.

    Attributes:
        function: Graph function from a dict of tensors to a dict of tensors.
        inputs: Shapes and types of the inputs, by name; the first dimension counts rows.
        role: Purpose: "generate" (samples of seeds), "latents" (of seeds), "decode" (samples
            of latents), "interpolate", "style" (styles of latents), "synthesize" (samples of
            styles), "truncate", "mix", "move", "score", "encode" (latents of samples),
            "project" (latents whose samples are nearest to given ones, looked for in so many
            steps), "reconstruct", "translate" (samples of another domain), "translate_files" (the
            same of image files, as bytes), "translate_tile" (the same of a tile of a larger image,
            by given statistics), "vary" (the same by a code, which a seed tells), "classify",
            "perturb". A page shows a panel for each role that it knows.
        gives: What a sample is that it gives, where that is not what the model's samples are.
        row_wise: Whether each row of an output depends on the same row of the inputs alone, so
            that a server may join and pad requests. Where it does not, such as for a mean of all
            rows, each request is answered alone.
        takes: What a sample is that it takes, where the inputs leave sizes free.
        least_side: The smallest height and width that it takes, where it takes images of any size
            from that on; `None` where it takes one size alone.
    """

    function: Callable[[Request], Request]
    inputs: Mapping[str, tf.TensorSpec]
    role: str
    gives: Kind | None = None
    row_wise: bool = True
    takes: Kind | None = None
    least_side: int | None = None


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """All endpoints of a model, and what a server or an export needs to know about it.

    Attributes:
        family: Name of the model's family, such as "gan".
        kind: Kind of the samples that it gives, or takes where it gives none; `None` where neither.
        endpoints: The endpoints by name; the first one is the default.
        tracked: The networks and layers whose variables the functions use.
        details: Plain values for the manifest, such as `latent_dim` and `num_classes`.
        network: The network that a file for another runtime holds, if one alone is worth having.
    """

    family: str
    kind: Kind | None
    endpoints: Mapping[str, Endpoint]
    tracked: Sequence[Any]
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    network: Any = None


def takes(**inputs: tuple[Sequence[int], tf.DType]) -> dict[str, tf.TensorSpec]:
    """The inputs of an endpoint: by name, the shape of one row and the type of a value."""
    return {
        name: tf.TensorSpec([None, *shape], dtype, name) for name, (shape, dtype) in inputs.items()
    }


def check_labels(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Labels as int32, checked where the graph runs: no label that is no class is ever answered.

    Args:
        labels: int32 or int64 (n,).
        num_classes: How many classes there are.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs on another label.
    """
    wide = check_range("labels", tf.cast(labels, tf.int64), 0, num_classes - 1)
    return tf.cast(wide, tf.int32)


def check_range(name: str, values: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Numbers as they are, checked where the graph runs.

    Args:
        name: What they are called.
        values: Numbers of any shape.
        low: The smallest that is allowed.
        high: The largest.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs on others, or on what is no number.
    """
    inside = tf.reduce_all((values >= low) & (values <= high))
    told = [f"{name} must be in [{low:g}, {high:g}], got", values]
    with tf.control_dependencies([tf.debugging.Assert(inside, told)]):
        return tf.identity(values)


def check_samples(request: Request, kind: Kind) -> tf.Tensor:
    """The samples of a request as they are, checked where its graph runs.

    Args:
        request: The request, which has them under their kind's name.
        kind: What a sample is.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs on samples beyond their kind's bounds,
            such as images in [0, 255], or on what is no number.
    """
    samples = request[kind.plural]
    if kind.bounds is None:
        return _finite(samples, f"{kind.plural} must be")
    low, high = kind.bounds
    least, most = tf.reduce_min(samples), tf.reduce_max(samples)
    inside = (samples >= low - _ROUNDING) & (samples <= high + _ROUNDING)
    told = [f"{kind.plural} must be in [{low:g}, {high:g}], got", least, "to", most]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), told)]):
        return tf.identity(samples)


def finite(
    function: Callable[[Request], Request], *, may_miss: bool = False
) -> Callable[[Request], Request]:
    """A function of an endpoint that answers with finite numbers or not at all.

    It raises `tf.errors.InvalidArgumentError` where its graph runs on others, or on such large ones
    that the answer is none.

    Args:
        function: The function.
        may_miss: Whether NaN stands for a missing value in an answer, as in a table's, so that only
            what is asked has to be finite.
    """

    def checked(request: Request) -> Request:
        given = {name: _finite(value, f"{name} must be") for name, value in request.items()}
        answer = function(given)
        if may_miss:
            return answer
        words = " or ".join(name for name, value in given.items() if value.dtype.is_floating)
        return {
            name: _finite(value, f"{words} must be such that {name} are")
            for name, value in answer.items()
        }

    return checked


def _finite(values: tf.Tensor, words: str) -> tf.Tensor:
    if not values.dtype.is_floating:
        return values
    # A sum of which one is not finite is neither.
    told = [f"{words} finite, got", tf.reduce_sum(values)]
    test = tf.reduce_all(tf.math.is_finite(values))
    with tf.control_dependencies([tf.debugging.Assert(test, told)]):
        return tf.identity(values)
