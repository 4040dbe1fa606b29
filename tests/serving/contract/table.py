"""What TensorFlow Serving answers over REST, with the place in its sources that says so.

Each row is a question: what is sent, the status, and the reply's text, or for an error a part of
its message. `STRICTER` rows are those where kgan refuses what the official server answers
with another value than was sent, and `ABSENT` those of README's list of what is absent.
"""

from typing import NamedTuple

JSON = "util/json_tensor.cc"
API = "model_servers/http_rest_api_util.cc"
GUIDE = "g3doc/api_rest.md"
MODEL = "/v1/models/m"
PREDICT = f"{MODEL}:predict"


class Row(NamedTuple):
    """One question and its answer."""

    body: str
    status: int
    reply: str
    source: str = JSON
    path: str = PREDICT
    method: str = "POST"


def _value(kind, value, text):
    """A value as a scalar, in lists, and by row."""
    body = f'{{"signature_name":"{kind}",'
    return [
        Row(f'{body}"inputs":{value}}}', 200, f'{{"outputs":{text}}}'),
        Row(f'{body}"inputs":[[{value}],[{value}]]}}', 200, f'{{"outputs":[[{text}],[{text}]]}}'),
        Row(f'{body}"instances":[{value},{value}]}}', 200, f'{{"predictions":[{text},{text}]}}'),
    ]


def _bad(kind, value, message="not of expected type", status=400):
    return Row(f'{{"signature_name":"{kind}","inputs":[{value}]}}', status, message)


# util/json_tensor.cc: AddValueToTensor, WriteDecimal, AddSingleValueAndAdvance.
VALUES = [
    ("float", "1", "1.0"),
    ("float", "1.5", "1.5"),
    ("float", "0.2", "0.2"),
    ("float", "-0.0", "-0.0"),
    ("float", "9000000", "9e+06"),
    ("float", "0.00003", "3e-05"),
    ("float", "0.333333333", "0.333333343"),
    ("float", "123456", "123456.0"),
    ("float", "1234567", "1234567.0"),
    ("float", "16777217", "16777216.0"),
    ("float", "18446744073709551616", "1.84467441e+19"),
    ("float", "1e39", "Infinity"),
    ("float", "-1e39", "-Infinity"),
    ("float", "1e-50", "0.0"),
    ("float", "NaN", "NaN"),
    ("float", "Infinity", "Infinity"),
    ("float", "-Infinity", "-Infinity"),
    ("float", "Inf", "Infinity"),
    ("double", "0.1", "0.1"),
    ("double", "0.3333333333333333", "0.33333333333333331"),
    ("double", "1e39", "1e+39"),
    ("double", "9007199254740993", "9007199254740992.0"),
    ("int8", "-128", "-128"),
    ("int8", "127", "127"),
    ("int16", "-32768", "-32768"),
    ("int16", "32767", "32767"),
    ("int32", "-2147483648", "-2147483648"),
    ("int32", "2147483647", "2147483647"),
    ("int64", "-9223372036854775808", "-9223372036854775808"),
    ("int64", "9223372036854775807", "9223372036854775807"),
    ("uint8", "255", "255"),
    ("uint32", "4294967295", "4294967295"),
    ("uint64", "18446744073709551615", "18446744073709551615"),
    ("bool", "true", "true"),
    ("bool", "false", "false"),
    ("string", '"abc"', '"abc"'),
    ("string", '""', '""'),
    ("string", '"\\u00e9\\n\\"\\\\/\\u0001"', '"é\\n\\"\\\\/\\u0001"'),
    ("string", '{"b64":"aGVsbG8="}', '"hello"'),
    ("string", '{"b64":"aGVsbG8"}', '"hello"'),
    ("string", '{"b64":" aGVs\\nbG8=\\n"}', '"hello"'),
]

REFUSED = [
    *(_bad(kind, "1.0") for kind in ("int8", "int16", "int32", "int64", "uint8", "uint32")),
    *(_bad(kind, '"1"') for kind in ("float", "double", "int32", "int64", "uint64", "bool")),
    *(_bad(kind, "true") for kind in ("float", "double", "int8", "int32", "uint32", "uint64")),
    *(_bad(kind, "null") for kind in ("float", "double", "int32", "int64", "uint8", "bool")),
    *(_bad(kind, '{"a":1}') for kind in ("float", "int64", "bool")),
    *(_bad(kind, "-1") for kind in ("uint32", "uint64")),
    _bad("int32", "2147483648"),
    _bad("int64", "9223372036854775808"),
    _bad("uint32", "4294967296"),
    _bad("uint64", "18446744073709551616"),
    _bad("bool", "1"),
    _bad("string", "1", "must hold strings"),
    _bad("string", "null", "must hold strings"),
    _bad("string", "true", "must hold strings"),
    _bad("string", '{"b65":"aGk="}', "must hold strings"),
    _bad("string", '{"b64":"a"}', "bad base64"),
    _bad("string", '{"b64":"aGk=="}', "bad base64"),
    _bad("string", '{"b64":"é"}', "bad base64"),
    _bad("string", '"\\ud800"', "surrogate"),
    _bad("double", "1e400", "JSON Parse error"),
    *(
        _bad(kind, "1", "Conversion of JSON Value", 501)
        for kind in ("uint16", "half", "bfloat16", "complex64")
    ),
]

STRICTER = [
    *(_bad("int8", value) for value in ("128", "-129")),
    *(_bad("int16", value) for value in ("32768", "-32769")),
    *(_bad("uint8", value) for value in ("256", "-1")),
]

# What README's list says of JSON: here the official server answers, or answers otherwise.
ABSENT = [
    Row('{"inputs":1,"inputs":2}', 200, '{"outputs":3.0}'),
    Row('{"signature_name":"float","inputs":' + "[" * 33 + "1" + "]" * 33 + "}", 400, "deep"),
]

# util/json_tensor.cc: FillPredictRequestFromJson, MakeJsonFromTensors; the tests beside it.
BODIES = [
    # The guide's first request, and its own tests': the rank of an input is the graph's matter.
    Row('{"instances":[1.0,2.0]}', 200, '{"predictions":[2.5,3.0]}', GUIDE),
    Row('{"instances":[[1.0],[2.0]]}', 200, '{"predictions":[[2.5],[3.0]]}', GUIDE),
    Row('{"instances":[[1.0,2.0],[3.0,4.0]]}', 200, '{"predictions":[[2.5,3.0],[3.5,4.0]]}'),
    Row('{"inputs":[3.0,4.0]}', 200, '{"outputs":[3.5,4.0]}', GUIDE),
    Row('{"inputs":3.0}', 200, '{"outputs":3.5}', GUIDE),
    Row('{"inputs":{"x":[3.0,4.0]}}', 200, '{"outputs":[3.5,4.0]}', GUIDE),
    Row('{"inputs":{"x":3,"y":"passed over"}}', 200, '{"outputs":3.5}'),
    Row('{"instances":[{"x":1.0},{"x":2.0}]}', 200, '{"predictions":[2.5,3.0]}', GUIDE),
    Row('{"signature_name":"serving_default","inputs":1}', 200, '{"outputs":2.5}', GUIDE),
    Row('{"signature_name":"","inputs":1}', 200, '{"outputs":2.5}'),
    Row('{"inputs":1,"else":[{}]}', 200, '{"outputs":2.5}'),
    Row('{"inputs":1} and what follows', 200, '{"outputs":2.5}'),
    Row('\ufeff{"inputs":1}', 200, '{"outputs":2.5}'),
    Row(' \n\t{"inputs":1}', 200, '{"outputs":2.5}'),
    Row('{"inputs":[]}', 200, '{"outputs":[]}'),
    Row('{"inputs":[[],[]]}', 200, '{"outputs":[[],[]]}'),
    Row(
        '{"signature_name":"flat","instances":[[1,2],[3,4],[5,6]]}',
        200,
        '{"predictions":[1.0,2.0,3.0,4.0,5.0,6.0]}',
        "servables/tensorflow/predict_util.cc",
    ),
    Row(
        '{"signature_name":"centred","instances":[0,0,3]}',
        200,
        '{"predictions":[-1.0,-1.0,2.0]}',
        "servables/tensorflow/predict_util.cc",
    ),
    Row(
        '{"signature_name":"join","inputs":{"a":[1,2],"b":[3]}}',
        200,
        '{"outputs":[1.0,2.0,3.0]}',
        "servables/tensorflow/predict_util.cc",
    ),
    Row('{"signature_name":"total","inputs":[1,2]}', 200, '{"outputs":{"count":2,"sum":3.0}}'),
    # Whole numbers on both sides of 2**63.
    Row(
        '{"signature_name":"uint64","inputs":[[18446744073709551615,0],[1,9223372036854775808]]}',
        200,
        '{"outputs":[[18446744073709551615,0],[1,9223372036854775808]]}',
    ),
    Row(
        '{"signature_name":"uint64","instances":[9223372036854775809,1]}',
        200,
        '{"predictions":[9223372036854775809,1]}',
    ),
    Row('{"signature_name":"uint64","inputs":[9223372036854775808,-1]}', 400, "expected type"),
    Row('{"signature_name":"uint64","inputs":[9223372036854775808,1.0]}', 400, "expected type"),
    Row('{"signature_name":"int64","inputs":[9223372036854775808,-1]}', 400, "expected type"),
    Row('{"signature_name":"uint64","inputs":[18446744073709551616,1]}', 400, "expected type"),
    Row(
        '{"signature_name":"double","inputs":[9223372036854775808,-1]}',
        200,
        '{"outputs":[9.2233720368547758e+18,-1.0]}',
    ),
    Row(
        '{"signature_name":"several","inputs":[1,2]}',
        200,
        '{"outputs":{"a":[1.0,2.0],"b_bytes":[{"b64":"MS4w"},{"b64":"Mi4w"}]}}',
    ),
    Row(
        '{"signature_name":"several","instances":[1,2]}',
        200,
        '{"predictions":[{"a":1.0,"b_bytes":{"b64":"MS4w"}},{"a":2.0,"b_bytes":{"b64":"Mi4w"}}]}',
    ),
    Row('{"signature_name":"several","inputs":[]}', 200, '{"outputs":{"a":[],"b_bytes":[]}}'),
    Row(
        '{"signature_name":"longer","inputs":[1,2]}',
        200,
        '{"outputs":{"a":[1.0,2.0],"b":[1.0,2.0,1.0,2.0]}}',
    ),
    Row('{"signature_name":"longer","instances":[1,2]}', 400, "inconsistent batch size"),
    Row('{"signature_name":"total","instances":[1,2]}', 400, "has no shape information"),
    Row('{"signature_name":"positive","inputs":[1]}', 200, '{"outputs":[1.0]}'),
    Row('{"signature_name":"positive","inputs":[-1]}', 400, "must be positive"),
    Row('{"signature_name":"nothing","inputs":[]}', 400, "Failed to get input map"),
    Row('{"signature_name":"nothing","instances":[1]}', 400, "Failed to get input map"),
    Row(
        '{"signature_name":"nope","inputs":1}',
        400,
        'name: "nope" not found',
        "model_servers/http_rest_api_handler.cc",
    ),
    Row('{"signature_name":5,"inputs":1}', 400, "key must be a string value"),
    Row('{"signature_name":null,"inputs":1}', 400, "key must be a string value"),
    Row("", 400, "The document is empty"),
    Row("{", 400, "JSON Parse error"),
    Row("nothing", 400, "JSON Parse error"),
    Row("{'inputs':1}", 400, "JSON Parse error"),
    Row('{"inputs":[1,]}', 400, "JSON Parse error"),
    Row('{"inputs":01}', 400, "JSON Parse error"),
    Row("[]", 400, "Is not object"),
    Row("1", 400, "Is not object"),
    Row('"x"', 400, "Is not object"),
    Row("null", 400, "Is not object"),
    Row("{}", 400, "Missing 'inputs' or 'instances' key"),
    Row('{"inputs":1,"instances":[1]}', 400, "only one of"),
    Row('{"instances":1}', 400, "to be an list/array"),
    Row('{"instances":{"x":1}}', 400, "to be an list/array"),
    Row('{"instances":[]}', 400, "No values in 'instances'"),
    Row('{"instances":[[1],[1,2]]}', 400, "unexpected size"),
    Row('{"instances":[[1],2]}', 400, "unexpected size"),
    Row('{"instances":[1,[2]]}', 400, "unexpected size"),
    Row('{"inputs":[[1,2],[3]]}', 400, "unexpected size"),
    Row('{"instances":[{"x":1},2]}', 400, "Expecting object but got list at item 1"),
    Row('{"instances":[1,{"x":2}]}', 400, "Expecting value/list but got object"),
    Row('{"instances":[{"y":1}]}', 400, "keys must be equal to: x"),
    Row('{"instances":[{"x":1,"y":1}]}', 400, "keys must be equal to: x"),
    Row('{"instances":[{}]}', 400, "keys must be equal to: x"),
    Row('{"inputs":{}}', 400, "Missing named input: x"),
    Row('{"inputs":{"y":1}}', 400, "Missing named input: x"),
    Row('{"signature_name":"join","inputs":[1]}', 400, "expecting an object as multiple"),
    Row('{"signature_name":"join","instances":[1]}', 400, "expecting list of objects as multiple"),
    Row('{"signature_name":"join","inputs":{"a":[1]}}', 400, "Missing named input: b"),
    Row('{"signature_name":"join","instances":[{"a":1}]}', 400, "keys must be equal to: a, b"),
    Row('{"signature_name":"join","instances":[{"a":1,"b":2}]}', 200, '{"predictions":[1.0,2.0]}'),
]

CLASSIFY, REGRESS = f"{MODEL}:classify", f"{MODEL}:regress"


def _examples(path, signature, examples, status, reply, more=""):
    body = f'{{"signature_name":"{signature}",{more}"examples":{examples}}}'
    return Row(body, status, reply, "util/json_tensor.cc, servables/tensorflow/classifier.cc", path)


EXAMPLES = [
    _examples(REGRESS, "regress", '[{"x":[2.0]},{"x":[4.0]}]', 200, '{"results":[3.0,4.0]}'),
    _examples(REGRESS, "regress", '[{"x":2.0}]', 200, '{"results":[3.0]}'),
    _examples(REGRESS, "regress", "[{}]", 200, '{"results":[2.0]}'),
    _examples(REGRESS, "regress", "[{},{}]", 200, '{"results":[4.0,4.0]}', '"context":{"x":4.0},'),
    _examples(REGRESS, "regress", '[{"x":2}]', 400, "Data types don't match"),
    _examples(REGRESS, "regress", '[{"x":"a"}]', 400, "Data types don't match"),
    _examples(REGRESS, "regress", '[{"x":[1.0,2.0]}]', 400, "Key: x"),
    _examples(
        CLASSIFY, "classify", '[{"x":0.25}]', 200, '{"results":[[["yes",0.25],["no",0.75]]]}'
    ),
    _examples(CLASSIFY, "scores", '[{"x":0.5},{}]', 200, '{"results":[[["",0.5]],[["",0.0]]]}'),
    _examples(CLASSIFY, "regress", "[{}]", 400, "classes or scores"),
    _examples(REGRESS, "classify", "[{}]", 400, "Expected one output Tensor"),
    _examples(REGRESS, "scores", "[{}]", 400, "Expected regression signature outputs"),
    _examples(CLASSIFY, "join", "[{}]", 400, "Expected one input Tensor"),
    _examples(CLASSIFY, "flat", "[{}]", 400, "No classification inputs"),
    _examples(REGRESS, "flat", "[{}]", 400, "No regression inputs"),
    _examples(CLASSIFY, "nope", "[{}]", 400, "No signature was found with the name: nope"),
    _examples(REGRESS, "regress", "[]", 400, "is an empty array"),
    _examples(REGRESS, "regress", "{}", 400, "to be an list/array"),
    _examples(REGRESS, "regress", "1", 400, "to be an list/array"),
    _examples(REGRESS, "regress", "[1]", 400, "Example must be JSON object"),
    _examples(REGRESS, "regress", "[[]]", 400, "Example must be JSON object"),
    _examples(REGRESS, "regress", '[{"x":null}]', 400, "unexpected JSON type"),
    _examples(REGRESS, "regress", '[{"x":[[1.0]]}]', 400, "unexpected JSON type"),
    _examples(REGRESS, "regress", '[{"x":{"a":1}}]', 400, "unexpected JSON type"),
    _examples(REGRESS, "regress", '[{"x":[1.0,2]}]', 400, "Unexpected element type"),
    _examples(REGRESS, "regress", '[{"x":[1,"a"]}]', 400, "Unexpected element type"),
    _examples(REGRESS, "regress", '[{"x":[1.0,true]}]', 400, "Unexpected element type"),
    _examples(
        REGRESS, "regress", '[{"x":[9223372036854775808]}]', 400, "Only int64_t is supported"
    ),
    _examples(REGRESS, "regress", "[{}]", 400, "Example must be JSON object", '"context":1,'),
    Row('{"signature_name":"regress"}', 400, "'examples' is expected", path=REGRESS),
    Row('{"signature_name":1,"examples":[{}]}', 400, "must be a string value", path=CLASSIFY),
    Row("[", 400, "JSON Parse error", path=CLASSIFY),
]

_ONE = '{"inputs":1}'


def _path(path, status, reply, method="POST", source=API):
    return Row(_ONE if method == "POST" else "", status, reply, source, path, method)


PATHS = [
    _path(f"{MODEL}/versions/123:predict", 200, '{"outputs":2.5}'),
    _path(f"{MODEL}/versions/00000123:predict", 200, '{"outputs":2.5}'),
    _path(f"{MODEL}/labels/stable:predict", 200, '{"outputs":2.5}'),
    _path("/V1/Models/m:PREDICT", 200, '{"outputs":2.5}'),
    _path("/v1/models/%6d:predict", 200, '{"outputs":2.5}'),
    _path(f"{MODEL}/labels/st%61ble:predict", 200, '{"outputs":2.5}'),
    _path(f"{PREDICT}?x=1", 200, '{"outputs":2.5}'),
    _path(f"{MODEL}/versions/7:predict", 404, "Servable not found"),
    _path(f"{MODEL}/labels/gone:predict", 404, "Servable not found"),
    _path(f"{MODEL}/labels/nope:predict", 400, "Unrecognized servable version label"),
    _path(f"{MODEL}/versions/9223372036854775808:predict", 400, "Failed to convert version"),
    _path(f"{MODEL}/versions/{'9' * 5000}:predict", 400, "Failed to convert version"),
    _path(f"{MODEL}/versions/-1:predict", 400, "Malformed request"),
    _path(f"{MODEL}/versions/x:predict", 400, "Malformed request"),
    _path(f"{MODEL}/versions/123/labels/stable:predict", 400, "Malformed request"),
    _path("/v1/models/other:predict", 404, "Servable not found"),
    _path(f"{MODEL}:guess", 400, "Malformed request"),
    _path(MODEL, 400, "Malformed request"),
    _path(f"{PREDICT}/", 400, "Malformed request"),
    _path("/v1/models/:predict", 400, "Malformed request"),
    _path("/v1/elsewhere", 400, "Malformed request"),
    _path("/elsewhere", 404, "nothing at /elsewhere"),
    _path(MODEL, 200, '"state": "AVAILABLE"', "GET"),
    _path(MODEL, 200, '"version": "123"', "GET"),
    _path(f"{MODEL}/versions/123", 200, '"error_code": "OK"', "GET"),
    _path(f"{MODEL}/labels/stable", 200, '"version": "123"', "GET"),
    _path(f"{MODEL}/metadata", 200, '"method_name": "tensorflow/serving/predict"', "GET"),
    _path(f"{MODEL}/versions/123/metadata", 200, '"name": "m"', "GET"),
    _path(f"{MODEL}/versions/7", 404, "Could not find version 7", "GET"),
    _path("/v1/models/other", 404, "Could not find any versions of model other", "GET"),
    _path("/v1/models/other/metadata", 404, "Servable not found", "GET"),
    _path("/v1/models", 400, "Missing model name", "GET"),
    _path("/v1/models/metadata", 404, "Could not find any versions of model metadata", "GET"),
    _path(PREDICT, 400, "Malformed request", "GET"),
    _path(PREDICT, 400, "Malformed request", "PUT"),
    _path(PREDICT, 400, "Malformed request", "DELETE"),
]

ROWS = [
    *(row for value in VALUES for row in _value(*value)),
    *REFUSED,
    *STRICTER,
    *ABSENT,
    *BODIES,
    *EXAMPLES,
    *PATHS,
]
