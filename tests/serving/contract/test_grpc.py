"""gRPC, as TensorFlow Serving's sources and tests have it; the place beside each question."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.serving.contract.models import KINDS

FIELDS = {
    "float": "float_val",
    "double": "double_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "string": "string_val",
    "half": "half_val",
    "bfloat16": "half_val",
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), "int_val"),
    "complex64": "scomplex_val",
}


def asked(signature, **inputs):
    return predict_pb2.PredictRequest(
        model_spec={"name": "m", "signature_name": signature}, inputs=inputs
    )


def tensor(text):
    return text_format.Parse(text, tensor_pb2.TensorProto())


def code_of(call, request):
    try:
        return "OK", call(request, timeout=60)
    except grpc.RpcError as error:
        return error.code().name, error.details()


def value_of(kind):
    if kind == "string":
        return np.array([b"a", b"\xff\x00"], object)
    return np.array([0, 1], KINDS[kind].as_numpy_dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_both_ways_in_its_field(official, kind):
    """tensor.cc: FromProto and AsProtoField; of contents, of fields, of fewer values."""
    array = value_of(kind)
    reply = official.prediction.Predict(asked(kind, x=tf.make_tensor_proto(array))).outputs["y"]
    np.testing.assert_array_equal(tf.make_ndarray(reply), array)
    field = getattr(reply, FIELDS[kind])
    assert len(field) == (4 if kind == "complex64" else 2)
    assert not reply.tensor_content
    # What came in the field may be sent in the field.
    again = official.prediction.Predict(asked(kind, x=reply)).outputs["y"]
    assert again == reply
    # One value stands for all that follow.
    reply.tensor_shape.dim[0].size = 4
    filled = tf.make_ndarray(official.prediction.Predict(asked(kind, x=reply)).outputs["y"])
    assert filled.tolist() == [*array.tolist(), *array[1:].tolist() * 2]
    # No value at all is zero.
    reply.ClearField(FIELDS[kind])
    empty = tf.make_ndarray(official.prediction.Predict(asked(kind, x=reply)).outputs["y"])
    assert list(empty) == [b""] * 4 if kind == "string" else not empty.any()


@pytest.mark.parametrize(
    ("proto", "values"),
    [
        ("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1, 2, 3]", [1, 2]),
        ("dtype: DT_FLOAT tensor_shape { } float_val: 5", 5),
        ("dtype: DT_FLOAT tensor_shape { dim { size: 0 } }", []),
        ("dtype: DT_FLOAT tensor_shape { dim { size: 2 } dim { size: 0 } }", [[], []]),
        (
            "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } tensor_content: '\\000\\000\\200?'",
            [1],
        ),
    ],
)
def test_shapes_and_values(official, proto, values):
    reply = official.prediction.Predict(asked("float", x=tensor(proto)))
    np.testing.assert_array_equal(tf.make_ndarray(reply.outputs["y"]), values)


@pytest.mark.parametrize(
    "proto",
    [
        "tensor_shape { dim { size: 1 } }",
        "dtype: DT_RESOURCE tensor_shape { dim { size: 1 } }",
        "dtype: DT_VARIANT tensor_shape { dim { size: 1 } }",
        "dtype: DT_FLOAT_REF tensor_shape { dim { size: 1 } } float_val: 1",
        "dtype: DT_INT64 tensor_shape { dim { size: 1 } } int64_val: 1",
        "dtype: DT_FLOAT tensor_shape { unknown_rank: true } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } tensor_content: 'abc'",
        "dtype: DT_FLOAT tensor_shape { dim { size: 134217728 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: 9223372036854775807 } } float_val: 1",
        "dtype: DT_FLOAT tensor_shape { dim { size: 4294967296 } dim { size: 4294967296 } }",
        "dtype: DT_FLOAT tensor_shape { dim { size: 0 } dim { size: 9223372036854775807 } }",
        "dtype: DT_FLOAT tensor_shape { " + "dim { size: 1 } " * 40 + "} float_val: 1",
        "dtype: DT_STRING tensor_shape { dim { size: 2 } } tensor_content: '\\005a'",
    ],
)
def test_what_is_no_tensor_is_the_clients_fault(official, proto):
    """predict_util.cc: tensor parsing error; a few bytes never take the memory that they name."""
    signature = "string" if "STRING" in proto else "float"
    code, said = code_of(official.prediction.Predict, asked(signature, x=tensor(proto)))
    assert code == "INVALID_ARGUMENT", said
    assert "Error" not in said.split(":")[0]


FLOAT = tf.make_tensor_proto(np.ones(2, np.float32))


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (predict_pb2.PredictRequest(model_spec={}), "INVALID_ARGUMENT", "no name specified"),
        (predict_pb2.PredictRequest(model_spec={"name": "x"}), "NOT_FOUND", "Servable not found"),
        (asked("nope", x=FLOAT), "FAILED_PRECONDITION", 'key "nope" not found'),
        (asked(""), "INVALID_ARGUMENT", "input size does not match signature"),
        (asked("", x=FLOAT, y=FLOAT), "INVALID_ARGUMENT", "Sent extra: y"),
        (asked("join", a=FLOAT), "INVALID_ARGUMENT", "Missing but required: b"),
        (asked("join", a=FLOAT, c=FLOAT), "INVALID_ARGUMENT", "Missing but required: b"),
        (asked("int32", x=FLOAT), "INVALID_ARGUMENT", "must be int32, got float32"),
    ],
)
def test_errors_of_predict(official, request_, code, message):
    """server_core.cc and predict_util.cc."""
    found, said = code_of(official.prediction.Predict, request_)
    assert (found, message in said) == (code, True), said


@pytest.mark.parametrize(
    ("names", "code", "left"),
    [
        ([], "OK", ["count", "sum"]),
        (["sum"], "OK", ["sum"]),
        (["sum", "count"], "OK", ["count", "sum"]),
        (["sum", "sum"], "INVALID_ARGUMENT", "duplicate output tensor alias: sum"),
        (["mean"], "INVALID_ARGUMENT", "alias not found in signature: mean"),
    ],
)
def test_output_filter(official, names, code, left):
    """predict_impl_test.cc."""
    request = asked("total", x=FLOAT)
    request.output_filter.extend(names)
    found, reply = code_of(official.prediction.Predict, request)
    assert found == code
    assert left in reply if code != "OK" else sorted(reply.outputs) == left


def test_signatures_without_inputs_and_of_other_ranks(official):
    reply = official.prediction.Predict(asked("nothing"))
    assert list(reply.outputs["y"].float_val) == [7]
    reply = official.prediction.Predict(asked("", x=FLOAT))
    assert list(reply.outputs["y"].float_val) == [2.5, 2.5]
    assert reply.model_spec.version.value == 123
    assert reply.model_spec.signature_name == "serving_default"


def examples(*values, context=None):
    def example(value):
        found = example_pb2.Example()
        if value is not None:
            found.features.feature["x"].float_list.value.append(value)
        return found

    if context is None:
        return input_pb2.Input(example_list={"examples": map(example, values)})
    both = {"examples": map(example, values), "context": example(context)}
    return input_pb2.Input(example_list_with_context=both)


def test_classify_regress_and_both(official):
    """classifier_test.cc, regressor_test.cc, multi_inference_test.cc."""
    spec = {"name": "m", "signature_name": "classify"}
    request = classification_pb2.ClassificationRequest(model_spec=spec, input=examples(0.25, 0.5))
    reply = official.prediction.Classify(request)
    told = [[(one.label, one.score) for one in row.classes] for row in reply.result.classifications]
    assert told == [[("yes", 0.25), ("no", 0.75)], [("yes", 0.5), ("no", 0.5)]]
    spec = {"name": "m", "signature_name": "regress"}
    request = regression_pb2.RegressionRequest(
        model_spec=spec, input=examples(None, 6.0, context=4.0)
    )
    reply = official.prediction.Regress(request)
    assert [one.value for one in reply.result.regressions] == [4, 5]
    assert reply.model_spec.version.value == 123
    tasks = [
        {
            "model_spec": {"name": "m", "signature_name": name},
            "method_name": f"tensorflow/serving/{name}",
        }
        for name in ("regress", "classify")
    ]
    request = inference_pb2.MultiInferenceRequest(tasks=tasks, input=examples(0.5))
    reply = official.prediction.MultiInference(request)
    assert reply.results[0].regression_result.regressions[0].value == 2.25
    assert reply.results[1].classification_result.classifications[0].classes[1].score == 0.5
    twice = inference_pb2.MultiInferenceRequest(tasks=[tasks[0]] * 2, input=examples(0.5))
    code, said = code_of(official.prediction.MultiInference, twice)
    assert (code, "Duplicate evaluation" in said) == ("INVALID_ARGUMENT", True)
    request.tasks[0].method_name = "tensorflow/serving/predict"
    assert code_of(official.prediction.MultiInference, request)[0] == "UNIMPLEMENTED"
    request = regression_pb2.RegressionRequest(model_spec=spec)
    assert code_of(official.prediction.Regress, request) == ("INVALID_ARGUMENT", "Input is empty.")


def test_status_metadata_and_reload(official):
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "m"})
    (told,) = official.models.GetModelStatus(request).model_version_status
    assert (told.version, told.state) == (123, told.AVAILABLE)
    ask = get_model_metadata_pb2.GetModelMetadataRequest
    for fields, code in (([], "INVALID_ARGUMENT"), (["x"], "INVALID_ARGUMENT")):
        request = ask(model_spec={"name": "m"}, metadata_field=fields)
        assert code_of(official.prediction.GetModelMetadata, request)[0] == code
    request = ask(metadata_field=["signature_def"])
    assert code_of(official.prediction.GetModelMetadata, request)[0] == "INVALID_ARGUMENT"
    request = model_management_pb2.ReloadConfigRequest()
    assert code_of(official.models.HandleReloadConfigRequest, request)[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    ("name", "reply"),
    [(b"", b"\x08\x01"), (b"\x0a\x01m", b"\x08\x01"), (b"\x0a\x01x", "NOT_FOUND")],
)
def test_health(official, name, reply):
    """grpc/health/v1/health.proto: 1 is SERVING."""
    check = official.channel.unary_unary("/grpc.health.v1.Health/Check")
    code, told = code_of(check, name)
    assert (told if code == "OK" else code) == reply


def test_session_service_is_absent(official):
    """As README's list says."""
    call = official.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
    assert code_of(call, b"")[0] == "UNIMPLEMENTED"
