"""One client against both contracts."""

import numpy as np
import pytest

import kgan.latents
from kgan.client import Client, ServerError
from kgan.client.rest import Rest
from tests.serving import in_thread
from tests.serving.conftest import exported_rows, repository  # noqa: F401
from tests.serving.rows import CITIES, COLUMNS, KEY


@pytest.fixture(scope="module")
def addresses(repository):  # noqa: F811
    """A server in a thread of its own."""
    with in_thread.running(repository) as (port, grpc_port):
        yield {"rest": f"http://127.0.0.1:{port}", "grpc": f"grpc://127.0.0.1:{grpc_port}"}


@pytest.fixture(params=["rest", "grpc"])
def client(request, addresses):
    return Client(addresses[request.param], "toy")


@pytest.fixture(params=["rest", "grpc"])
def rows(request, addresses):
    return Client(addresses[request.param], "rows")


def test_generate(client, exported):
    _, gan = exported
    seeds = kgan.latents.example_seeds(5, 3).numpy()
    images = client.generate(seeds=seeds, labels=[0, 1, 2])
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, gan.generate(3, [0, 1, 2], seed=5), atol=1e-5)


def test_predict_with_several_outputs(client):
    outputs = client.predict("score", images=np.zeros((2, 8, 8, 1)), labels=[0, 1])
    assert set(outputs) == {"logits", "probabilities"}
    np.testing.assert_allclose(
        outputs["probabilities"], 1 / (1 + np.exp(-outputs["logits"])), atol=1e-6
    )


def test_rows_of_a_table_are_columns(rows):
    found = rows.generate(seeds=[0, 3], labels=[0, 1])
    assert set(found) == set(COLUMNS)
    np.testing.assert_array_equal(found["id"], [2**60, 2**60 + 3])
    np.testing.assert_allclose(found["size (cm)"], [0.1, np.nan], atol=1e-6)
    assert found["city, country"].tolist() == list(CITIES)
    assert found["key_bytes"].tolist() == [KEY, KEY]


def test_strings_go_both_ways(rows):
    both = rows.predict("join", first=["ä", "b"], second=np.array([b"c", b"\x00"], object))
    assert both.tolist() == ["ä-c", "b-\x00"]
    # numpy's own type for bytes would drop the zero.
    assert rows.predict("join", first=["a\x00"], second=[b"b\x00"]).tolist() == ["a\x00-b\x00"]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_whole_numbers_of_any_type(client, exported, dtype):
    """Over gRPC too, whoever serves: TensorFlow Serving takes the signature's own type alone."""
    _, gan = exported
    latents = np.zeros((2, 6), np.float64)
    found = client.predict("decode", latents=latents, labels=np.array([0, 2], dtype))
    np.testing.assert_allclose(found, gan.decode(latents.astype(np.float32), [0, 2]), atol=1e-5)


def test_grpc_sends_the_signatures_own_types(addresses):
    client = Client(addresses["grpc"], "toy")
    sent = []
    predict = client._transport._prediction.Predict
    client._transport._prediction.Predict = lambda request, **options: (
        sent.append(request) or predict(request, **options)
    )
    client.predict("decode", latents=[[0] * 6], labels=np.array([1], np.int8))
    (request,) = sent
    types = {name: proto.dtype for name, proto in request.inputs.items()}
    assert types == {"latents": 1, "labels": 9}  # DT_FLOAT, DT_INT64.


def test_nan_reaches_the_model_which_refuses_it(client):
    """On its way back it is in `test_rows_of_a_table_are_columns`."""
    with pytest.raises(ServerError, match="latents must be finite, got nan"):
        client.predict("decode", latents=np.full((1, 6), np.nan), labels=[0])


def test_status_and_metadata(client):
    (version,) = client.status()
    assert (version["version"], version["state"]) == (1, "AVAILABLE")
    assert version["status"]["error_code"] == "OK"
    assert client.metadata()["decode"]["inputs"]["latents"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize("scheme", ["rest", "grpc"])
def test_errors_carry_the_servers_message(addresses, scheme):
    bad = {"rest": 400, "grpc": "INVALID_ARGUMENT"}[scheme]
    missing = {"rest": 404, "grpc": "NOT_FOUND"}[scheme]
    for options, labels, code, message in (
        ({}, [99], bad, "labels must be in [0, 2], got"),
        ({"version": 1}, [99], bad, "got 99"),
        ({"version": 7}, [0], missing, "version 7 of 'toy'"),
        ({"label": "stable"}, [99], bad, "got 99"),
        ({"label": "nope"}, [0], bad, "no version label 'nope'"),
    ):
        with pytest.raises(ServerError) as caught:
            Client(addresses[scheme], "toy", **options).generate([1], labels)
        assert caught.value.code == code
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("url", "code"), [("http://127.0.0.1:9", 0), ("grpc://127.0.0.1:9", "UNAVAILABLE")]
)
def test_no_server(url, code):
    with pytest.raises(ServerError) as caught:
        Client(url, "toy", timeout=20).status()
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://x", "http://"])
def test_bad_urls(url):
    with pytest.raises(ValueError, match="url must be like"):
        Client(url, "toy")


@pytest.mark.parametrize("seeds", [[1.5, 2.0], [2**63], 7, [[1], [2]]])
def test_seeds_are_a_list_of_whole_numbers(seeds):
    with pytest.raises(ValueError, match="seeds must be whole numbers, a list of them, got "):
        Client("http://127.0.0.1:9", "toy").generate(seeds=seeds)


def test_images_of_another_range_are_not_sent():
    client = Client("http://127.0.0.1:9", "toy")
    with pytest.raises(ValueError, match=r"translate takes .* got 0 to 200: divide by 255"):
        client.translate(np.array([[[0.0], [200.0]]]))
    with pytest.raises(ValueError, match="translate takes images that are uint8 or floats"):
        client.translate(np.zeros((2, 8, 8, 1), int))


def test_version_or_label():
    with pytest.raises(ValueError, match="a version or a label"):
        Client("http://x", "toy", version=1, label="stable")


def test_rest_does_not_import_tensorflow(run_python, addresses):
    script = (
        "import sys; from kgan.client import Client;"
        "print(Client(sys.argv[1], 'toy').generate([1], [0]).shape);"
        "assert not {'tensorflow', 'keras', 'grpc', 'starlette'} & set(sys.modules)"
    )
    assert run_python("-c", script, addresses["rest"]).stdout.strip() == "(1, 8, 8, 1)"


def test_whole_numbers_that_float32_has_not_come_whole_over_rest(monkeypatch):
    """As of a column of whole numbers of which some are missing, which is float64."""
    rest = Rest("http://nowhere", "rows", None, None, 1.0)
    large = 2.0**40 + 1
    types = {"wide": "DT_DOUBLE", "plain": "DT_FLOAT"}
    outputs = {name: {"dtype": one} for name, one in types.items()}
    known = {"signature_def": {"signature_def": {"generate": {"outputs": outputs}}}}
    answers = {
        ":predict": {"outputs": {"wide": [large, float("nan")], "plain": [large, 0.1]}},
        "/metadata": {"metadata": known},
    }
    monkeypatch.setattr(rest, "_ask", lambda path, body=None: answers[path])
    found = rest.predict("generate", {})
    assert found["wide"].dtype == np.float64
    assert found["wide"][0] == large
    assert found["plain"].dtype == np.float32
    # Of one output alone the server tells no name.
    outputs.pop("plain")
    answers[":predict"] = {"outputs": [large]}
    assert rest.predict("generate", {}).tolist() == [large]
