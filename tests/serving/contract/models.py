"""SavedModels without a manifest, as others write them: their signatures are known functions."""

import tensorflow as tf

KINDS = {
    "float": tf.float32,
    "double": tf.float64,
    "int8": tf.int8,
    "int16": tf.int16,
    "int32": tf.int32,
    "int64": tf.int64,
    "uint8": tf.uint8,
    "uint16": tf.uint16,
    "uint32": tf.uint32,
    "uint64": tf.uint64,
    "bool": tf.bool,
    "string": tf.string,
    "half": tf.float16,
    "bfloat16": tf.bfloat16,
    "complex64": tf.complex64,
}


def _same(dtype):
    @tf.function(input_signature=[tf.TensorSpec(None, dtype, name="x")])
    def same(x):
        return {"y": tf.identity(x)}

    return same


def _signatures():
    number = tf.TensorSpec([None], tf.float32)
    text = tf.TensorSpec([None], tf.string, name="inputs")
    feature = {"x": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0])}

    def parsed(inputs):
        return tf.io.parse_example(inputs, feature)["x"]

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def half_plus_two(x):
        return {"y": x / 2 + 2}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def flat(x):
        return {"y": tf.reshape(x, [-1])}

    @tf.function(input_signature=[number])
    def centred(x):
        return {"y": x - tf.reduce_mean(x)}

    @tf.function(input_signature=[number, number])
    def join(a, b):
        return {"y": tf.concat([a, b], 0)}

    @tf.function(input_signature=[number])
    def total(x):
        return {"sum": tf.reduce_sum(x), "count": tf.size(x)}

    @tf.function(input_signature=[number])
    def several(x):
        return {"a": x, "b_bytes": tf.strings.as_string(x, precision=1)}

    @tf.function(input_signature=[number])
    def longer(x):
        return {"a": x, "b": tf.concat([x, x], 0)}

    @tf.function(input_signature=[])
    def nothing():
        return {"y": tf.constant([7.0])}

    @tf.function(input_signature=[text])
    def regress(inputs):
        return {"outputs": parsed(inputs) / 2 + 2}

    @tf.function(input_signature=[text])
    def classify(inputs):
        scores = tf.concat([parsed(inputs), 1 - parsed(inputs)], 1)
        return {"classes": tf.tile([["yes", "no"]], [tf.size(inputs), 1]), "scores": scores}

    @tf.function(input_signature=[text])
    def scores_alone(inputs):
        return {"scores": parsed(inputs)}

    @tf.function(input_signature=[number])
    def positive(x):
        checked = tf.debugging.assert_positive(x, message="must be positive")
        with tf.control_dependencies([checked]):
            return {"y": tf.identity(x)}

    named = {
        "serving_default": half_plus_two,
        "flat": flat,
        "centred": centred,
        "join": join,
        "total": total,
        "several": several,
        "longer": longer,
        "nothing": nothing,
        "regress": regress,
        "classify": classify,
        "scores": scores_alone,
        "positive": positive,
    }
    return named | {kind: _same(dtype) for kind, dtype in KINDS.items()}


def write(folder):
    """Version 123 of a model, in a folder with leading zeros."""
    module = tf.Module()
    signatures = _signatures()
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(folder / "00000123"), signatures=signatures)
    return folder
