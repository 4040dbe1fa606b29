"""TensorFlow Serving's REST contract, end to end on an exported model."""

import asyncio
import base64
import json
import time

import numpy as np
import pytest
import tensorflow as tf

import kgan.latents
from tests.serving.rows import CITIES, KEY

PREDICT = "/v1/models/toy:predict"
LABELS = "labels must be in [0, 2], got"


def post(call, body, path=PREDICT, **limits):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def ask(client, app):
        return await client.post(path, content=content)

    return call(ask, **limits)


def get(call, path):
    async def ask(client, app):
        return await client.get(path)

    return call(ask)


def test_columns_and_rows_give_the_images_of_keras(call, exported):
    _, gan = exported
    seeds = kgan.latents.example_seeds(7, 3).numpy().tolist()
    expected = gan.generate(3, [0, 1, 2], seed=7)
    reply = post(call, {"inputs": {"seeds": seeds, "labels": [0, 1, 2]}})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    np.testing.assert_allclose(reply.json()["outputs"], expected, atol=1e-5)
    rows = [{"seeds": seed, "labels": label} for label, seed in enumerate(seeds)]
    reply = post(call, {"instances": rows, "signature_name": "generate"})
    np.testing.assert_allclose(reply.json()["predictions"], expected, atol=1e-5)


def test_several_outputs_keep_their_names(call):
    image = np.zeros((8, 8, 1)).tolist()
    body = {"signature_name": "score", "instances": [{"images": image, "labels": 0}]}
    (row,) = post(call, body).json()["predictions"]
    assert row["probabilities"] == pytest.approx(1 / (1 + np.exp(-row["logits"])), abs=1e-6)
    body = {"signature_name": "score", "inputs": {"images": [image], "labels": [0]}}
    assert set(post(call, body).json()["outputs"]) == {"logits", "probabilities"}


@pytest.mark.parametrize(
    "path",
    ["/v1/models/toy/versions/1", "/v1/models/toy/labels/stable", "/V1/MODELS/toy"],
)
def test_versions_labels_and_any_case(call, path):
    reply = post(call, {"inputs": {"seeds": [1], "labels": [0]}}, f"{path}:predict")
    assert reply.status_code == 200


def test_status(call):
    told = {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    for path in ("", "/versions/1", "/labels/stable"):
        assert get(call, f"/v1/models/toy{path}").json() == told


def test_metadata(call):
    reply = get(call, "/v1/models/toy/metadata").json()
    assert reply["model_spec"] == {"name": "toy", "signature_name": "", "version": "1"}
    signatures = reply["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "generate", "decode", "score"} <= set(signatures)
    latents = signatures["decode"]["inputs"]["latents"]
    assert latents["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in latents["tensor_shape"]["dim"]] == ["-1", "6"]
    assert latents["tensor_shape"]["unknown_rank"] is False
    assert signatures["decode"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models", 400, "Missing model name"),
        ("/v1/models/other", 404, "Could not find any versions of model other"),
        ("/v1/models/other/metadata", 404, "Servable not found"),
        ("/v1/models/toy/versions/9", 404, "Could not find version 9 of model toy"),
        ("/v1/models/toy/labels/nope", 400, "no version label 'nope'"),
        (f"/v1/models/toy/versions/{2**63}", 400, "Failed to convert version"),
        ("/v1/models/toy:predict", 400, "Malformed request: GET"),
        ("/v1/else", 400, "Malformed request: GET /v1/else"),
        ("/else", 404, "nothing at /else"),
    ],
)
def test_errors_of_get(call, path, status, message):
    reply = get(call, path)
    assert reply.status_code == status
    assert message in reply.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (PREDICT, b"{", 400, "JSON Parse error"),
        (PREDICT, {"inputs": {"seeds": [1]}}, 400, "Missing named input: labels"),
        (PREDICT, {"inputs": {"seeds": [1], "labels": [[0]]}}, 400, "must have the shape [any]"),
        (PREDICT, {"inputs": {"seeds": [1, 2], "labels": [0]}}, 400, "as many rows"),
        (PREDICT, {"inputs": {"seeds": [1.5], "labels": [0]}}, 400, "of expected type: int64"),
        (PREDICT, {"inputs": {"seeds": [1], "labels": [99]}}, 400, f"{LABELS} 99"),
        (PREDICT, {"inputs": {"seeds": [1], "labels": [-1]}}, 400, f"{LABELS} -1"),
        (PREDICT, {"inputs": {"seeds": [1], "labels": [2**32 + 2]}}, 400, f"{LABELS} 4294967298"),
        (
            PREDICT,
            {"signature_name": "x", "inputs": 1},
            400,
            '"x" not found in signature def; choose from',
        ),
        ("/v1/models/other:predict", {"inputs": 1}, 404, "Servable not found"),
        ("/v1/models/toy/versions/2:predict", {"inputs": 1}, 404, "version 2 of 'toy'"),
        ("/v1/models/toy:classify", {}, 400, "key 'examples' is expected"),
        ("/v1/models/toy", {}, 400, "Malformed request: POST"),
        (
            PREDICT,
            {
                "signature_name": "decode",
                "inputs": {"latents": np.zeros((2, 5)).tolist(), "labels": [0, 0]},
            },
            400,
            "'latents' must have the shape [any, 6], got [2, 5]",
        ),
    ],
)
def test_errors_of_predict(call, path, body, status, message):
    reply = post(call, body, path)
    assert reply.status_code == status
    assert message in reply.json()["error"]


def test_nan_latents_are_refused_and_harm_nobody_else(call, exported):
    _, gan = exported
    clean = np.random.default_rng(0).standard_normal((2, 6)).astype(np.float32)

    async def both(client, app):
        bodies = [
            json.dumps({"signature_name": "decode", "inputs": {"latents": z, "labels": [0, 1]}})
            for z in ([[float("nan")] * 6] * 2, clean.tolist())
        ]
        replies = await asyncio.gather(*(client.post(PREDICT, content=b) for b in bodies))
        assert app.service.measures.batch_requests._sum.get() == 2
        return replies

    poisoned, other = call(both, batch_timeout=0.1)
    assert poisoned.status_code == 400
    assert b"latents must be finite, got nan" in poisoned.content
    np.testing.assert_allclose(other.json()["outputs"], gan.decode(clean, [0, 1]), atol=1e-5)


def test_a_bad_label_fails_its_own_request_only(call):
    async def several(client, app):
        bodies = [
            {"inputs": {"seeds": [n], "labels": [label]}} for n, label in enumerate((0, 9, 1))
        ]
        return await asyncio.gather(*(client.post(PREDICT, json=body) for body in bodies))

    replies = call(several, batch_timeout=0.1)
    assert [reply.status_code for reply in replies] == [200, 400, 200]


def test_an_empty_batch_is_answered_empty(call):
    assert post(call, {"inputs": {"seeds": [], "labels": []}}).json() == {"outputs": []}


ROWS = "/v1/models/rows:predict"


def test_rows_of_a_table_with_strings(call):
    """As TensorFlow Serving writes them: text as strings, base64 where the name ends in _bytes."""
    asked = {"seeds": [0, 5], "labels": [0, 1]}
    key = {"b64": base64.b64encode(KEY).decode()}
    columns = {
        "id": [2**60, 2**60 + 5],
        "2020": [0, 5],
        "size (cm)": pytest.approx([0.1, 5.1], abs=1e-6),
        "city, country": list(CITIES),
        "key_bytes": [key, key],
    }
    assert post(call, {"inputs": asked}, ROWS).json() == {"outputs": columns}
    rows = [dict(zip(asked, values, strict=True)) for values in zip(*asked.values(), strict=True)]
    found = post(call, {"instances": rows}, ROWS).json()["predictions"]
    assert [row["city, country"] for row in found] == list(CITIES)
    assert [row["id"] for row in found] == columns["id"]
    assert [row["key_bytes"] for row in found] == [key, key]
    # What is missing does not spoil the rest.
    reply = post(call, {"inputs": {"seeds": [3], "labels": [1]}}, ROWS)
    assert b'"size (cm)":[NaN]' in reply.content
    assert json.loads(reply.content)["outputs"]["city, country"] == [CITIES[1]]
    reply = post(call, {"inputs": {"seeds": [], "labels": []}}, ROWS)
    assert reply.json()["outputs"]["city, country"] == []


def test_strings_that_are_joined_and_padded(call):
    """Three requests of one row and two in one call of eight rows."""

    async def several(client, app):
        bodies = [
            {"first": ["ä", {"b64": "/w=="}], "second": ["", "é\u0000"]},
            {"first": ["b"], "second": ["c"]},
            {"first": [], "second": []},
            {"first": ["d"] * 2, "second": ["e"] * 2},
        ]
        bodies = [{"signature_name": "join", "inputs": body} for body in bodies]
        replies = await asyncio.gather(*(client.post(ROWS, json=body) for body in bodies))
        return [reply.content for reply in replies]

    # Bytes that are no UTF-8 come as they are: another character would be a wrong answer.
    assert call(several, batch_timeout=0.1, max_batch=8) == [
        b'{"outputs":["\xc3\xa4-","\xff-\xc3\xa9\\u0000"]}',
        b'{"outputs":["b-c"]}',
        b'{"outputs":[]}',
        b'{"outputs":["d-e","d-e"]}',
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b'[["a"], ["b", "c"]]', "lists of unexpected size"),
        (b'[["a"], "b"]', "lists of unexpected size"),
        (b'["a", 1]', "must hold strings, got 1"),
        (b'["\\ud800"]', "holds half of a surrogate pair"),
        (b'[["a"]]', "must have the shape [any], got [1, 1]"),
    ],
)
def test_bad_strings(call, value, message):
    body = b'{"signature_name": "join", "inputs": {"first": %s, "second": ["x"]}}' % value
    reply = post(call, body, ROWS)
    assert reply.status_code == 400
    assert message in reply.json()["error"]


def test_limits_on_samples_and_bytes(call):
    body = {"inputs": {"seeds": [0] * 9, "labels": [0] * 9}}
    assert post(call, body, max_rows=9, max_batch=4).status_code == 200
    reply = post(call, body, max_rows=8)
    assert reply.status_code == 400
    assert reply.json()["error"] == "a request may have 8 rows, got 9."
    reply = post(call, body, max_body=40)
    assert reply.status_code == 413
    assert "a body may have 40 bytes" in reply.json()["error"]


def test_a_full_queue_is_429_and_a_late_answer_504(call, repository, monkeypatch):
    signature = repository.model("toy").get().signature("")

    def slow(seeds, labels):
        time.sleep(0.5)
        return {"images": tf.zeros((len(seeds), 8, 8, 1))}

    monkeypatch.setattr(signature, "_function", slow)

    async def flood(client, app):
        body = {"inputs": {"seeds": [1], "labels": [0]}}
        return await asyncio.gather(*(client.post(PREDICT, json=body) for _ in range(6)))

    replies = call(flood, threads=1, queue_size=2, max_batch=1)
    codes = sorted(reply.status_code for reply in replies)
    assert codes == [200, 200, 429, 429, 429, 429]
    assert {reply.headers.get("Retry-After") for reply in replies} == {None, "1"}
    replies = call(flood, threads=1, max_batch=1, timeout=0.2)
    assert {reply.status_code for reply in replies} == {504}


def test_metrics(call):
    async def body(client, app):
        for label in (0, 9):
            await client.post(PREDICT, json={"inputs": {"seeds": [1], "labels": [label]}})
        await client.post("/v1/models/made-up:predict", json={"inputs": 1})
        return (await client.get("/monitoring/prometheus/metrics")).text

    text = call(body)
    assert 'kgan_serving_requests_total{api="rest",code="OK",model="toy"} 1.0' in text
    assert 'code="INVALID_ARGUMENT",model="toy"} 1.0' in text
    assert 'kgan_serving_model_version{model="toy",version="1"} 1.0' in text
    assert "kgan_serving_queue_requests 0.0" in text
    assert "made-up" not in text
