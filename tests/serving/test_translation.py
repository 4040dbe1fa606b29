"""A served translation: images of any size and files, over both contracts and by the client."""

import base64
import io

import keras
import numpy as np
import pytest
from PIL import Image

import kgan.export
import kgan.models
import kgan.networks
from kgan.client import Client, ServerError
from kgan.serving.repository import Model, Repository
from tests.serving import in_thread

SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def gan():
    keras.utils.set_random_seed(0)
    generator = kgan.networks.translation_generator(SHAPE, width=4, blocks=1)
    return kgan.models.PairedGAN(generator)


@pytest.fixture(scope="module")
def repository(gan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "restore"
    kgan.export.export(gan, folder)
    repository = Repository([Model("restore", folder)])
    repository.poll()
    return repository


@pytest.fixture(scope="module")
def addresses(repository):
    """A server in a thread of its own."""
    with in_thread.running(repository) as (port, grpc_port):
        yield {"rest": f"http://127.0.0.1:{port}", "grpc": f"grpc://127.0.0.1:{grpc_port}"}


@pytest.fixture(params=["rest", "grpc"])
def client(request, addresses):
    return Client(addresses[request.param], "restore")


def test_arrays_of_any_size(client, gan):
    images = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
    np.testing.assert_allclose(client.translate(images), gan.translate(images), atol=1e-5)
    bytes_ = np.round(images[0] * 255).astype(np.uint8)
    np.testing.assert_allclose(client.translate(bytes_), gan.translate(bytes_[None])[0], atol=1e-5)
    assert client.translate(np.zeros((21, 34, 3), np.float32)).shape == (21, 34, 3)
    with pytest.raises(ServerError, match="images must have sides of at least 4"):
        client.translate(np.zeros((3, 34, 3), np.float32))
    with pytest.raises(ServerError, match='"b_to_a" not found'):
        client.translate(images, "b-to-a")
    with pytest.raises(ValueError, match="images must be an image file, or an array"):
        client.translate([1.0, 2.0])


def test_files(client, gan, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    expected = gan.translate(pixels[None])[0]
    for given in (tmp_path / "photo.png", (tmp_path / "photo.png").read_bytes()):
        found = client.translate(given)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=0.51 / 255 + 1e-5)
    with pytest.raises(ServerError, match="image"):
        client.translate(b"no image")


def test_tensorflow_servings_form_of_a_file(repository, call, gan):
    pixels = np.random.default_rng(1).integers(0, 256, SHAPE, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    content = {"b64": base64.b64encode(file.getvalue()).decode()}
    body = {"signature_name": "translate_png", "instances": [{"image_bytes": content}]}

    async def ask(client, app):
        answer = await client.post("/v1/models/restore:predict", json=body)
        told = await client.get("/kgan/models")
        return answer.json(), told.json()

    answer, told = call(ask, served=repository)
    [made] = answer["predictions"]
    with Image.open(io.BytesIO(base64.b64decode(made["b64"]))) as image:
        difference = np.asarray(image) / 255 - gan.translate(pixels[None])[0]
    assert np.abs(difference).max() <= 0.51 / 255 + 1e-5
    # What the page needs to send a picture in its own size.
    by_name = {one["name"]: one for one in told["models"][0]["endpoints"]}
    assert by_name["translate"]["least_side"] == 4
    assert by_name["translate"]["takes"]["height"] == 16
    assert by_name["translate_png"]["role"] == "translate_files"


def _file(*sizes, format="PNG", **options):
    file = io.BytesIO()
    first, *others = [Image.new("RGB", size, (shade,) * 3) for shade, size in enumerate(sizes)]
    first.save(file, format, **({"save_all": True, "append_images": others} if others else options))
    return file.getvalue()


def test_files_that_hold_more_than_they_are_are_refused_before_they_are_decoded(
    addresses, repository, monkeypatch
):
    """Of 8,000 by 8,000 pixels a PNG file has 0.2 MB, and TensorFlow took some 30 GB for it."""
    signature = repository.model("restore").get().signature("translate_png")
    assert not signature.batchable
    asked = []
    monkeypatch.setattr(signature, "_function", lambda **inputs: asked.append(inputs))
    client = Client(addresses["grpc"], "restore")
    for files, message in (
        ([_file((8000, 8000))], "8000x8000 pixels. Send smaller ones"),
        ([_file((8000, 8000), format="JPEG")], "8000x8000"),
        ([_file((700, 700))] * 3, "16,777,216 bytes together"),
        ([_file((16, 16), (16, 17), format="GIF")], "an animated GIF"),
        ([_file((16, 16), format="TIFF")], "must hold files of PNG, JPEG, GIF, BMP"),
        ([b""], "must hold files of"),
    ):
        with pytest.raises(ServerError, match=message):
            client.predict("translate_png", image_bytes=np.array(files, object))
    assert not asked
