"""Scores of class probabilities that are put together from others, read from the graph."""

import tensorflow as tf

_TRANSPARENT = {"Identity", "IdentityN", "Cast", "EnsureShape"}


def scores_of(shares: tf.Tensor) -> tf.Tensor | None:
    """The logs of shares (batch, units) that lose nothing where float32 rounds the shares.

    Known are a weighted sum of softmaxes, such as the mean of an ensemble, and a sigmoid beside
    what it lacks to 1.

    Args:
        shares: What ends a graph, in graph mode.

    Returns:
        float32 (batch, units), or `None` for shares that are put together otherwise.
    """
    if shares.shape.rank != 2:
        return None
    both = _sigmoid_and_rest(shares)
    if both is not None:
        return both
    terms = _terms(shares, 1.0)
    if terms is None or len(terms) < 2:
        return None
    logs = [
        tf.nn.log_softmax(tf.cast(scores, tf.float32)) + tf.math.log(weight)
        for weight, scores in terms
    ]
    return tf.reduce_logsumexp(tf.stack(logs), axis=0)


def _terms(tensor: tf.Tensor, weight: float) -> list[tuple[float, tf.Tensor]] | None:
    """The weights of softmaxes over the last axis that a tensor is the sum of, and their scores."""
    end = _source(tensor)
    inputs = list(end.op.inputs)
    if end.op.type == "Softmax":
        return [(weight, inputs[0])]
    if end.op.type in ("AddV2", "Add", "AddN"):
        return _all_terms(inputs, weight)
    if end.op.type in ("Mul", "RealDiv"):
        if end.op.type == "Mul" and inputs[0].shape.rank == 0:
            inputs.reverse()
        number = tf.get_static_value(inputs[1])
        if number is None or number.size != 1 or not float(number.reshape(-1)[0]) > 0:
            return None
        factor = float(number.reshape(-1)[0])
        return _terms(inputs[0], weight * factor if end.op.type == "Mul" else weight / factor)
    if end.op.type in ("Mean", "Sum"):
        packed, axis = _source(inputs[0]), tf.get_static_value(inputs[1])
        if packed.op.type != "Pack" or axis is None or axis.size != 1:
            return None
        rank = packed.shape.rank
        if int(axis.reshape(-1)[0]) % rank != packed.op.get_attr("axis") % rank:
            return None
        count = len(packed.op.inputs) if end.op.type == "Mean" else 1
        return _all_terms(list(packed.op.inputs), weight / count)
    return None


def _all_terms(tensors: list[tf.Tensor], weight: float) -> list[tuple[float, tf.Tensor]] | None:
    found = []
    for tensor in tensors:
        terms = _terms(tensor, weight)
        if terms is None:
            return None
        found += terms
    return found


def _sigmoid_and_rest(shares: tf.Tensor) -> tf.Tensor | None:
    """The two scores of a sigmoid p beside 1 - p, in either order."""
    if shares.op.type not in ("ConcatV2", "Pack"):
        return None
    values = [one for one in shares.op.inputs if one.dtype.is_floating]
    if len(values) != 2 or shares.shape[1] != 2:
        return None
    for number, (rest, share) in enumerate((values, values[::-1])):
        rest, share = _source(rest), _source(share)
        if rest.op.type != "Sub" or share.op.type != "Sigmoid":
            continue
        one = tf.get_static_value(rest.op.inputs[0])
        if one is None or not (one == 1).all() or _source(rest.op.inputs[1]) is not share:
            continue
        score = tf.reshape(tf.cast(share.op.inputs[0], tf.float32), [-1, 1])
        pair = [tf.zeros_like(score), score]
        return tf.concat(pair[::-1] if number else pair, axis=1)
    return None


def _source(tensor: tf.Tensor) -> tf.Tensor:
    while tensor.op.type in _TRANSPARENT:
        tensor = tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]
    return tensor
