"""What the page is told of the models that are served."""

import json
import shutil

import pytest

from kgan.export import manifest
from kgan.serving.repository import Model, Repository
from tests.serving.rows import COLUMNS


def told(call, **options):
    async def ask(client, app):
        return (await client.get("/kgan/models")).json()["models"]

    return {model["name"]: model for model in call(ask, **options)}


def test_endpoints_with_their_roles_and_what_they_take(call):
    models = told(call)
    toy = models["toy"]
    assert (toy["family"], toy["samples"], toy["class_names"]) == ("gan", "images", ["a", "b", "c"])
    assert toy["kind"] == {"kind": "images", "height": 8, "width": 8, "channels": 1}
    assert toy["reading"] == {"resize": "crop", "background": "#ffffff"}
    roles = {endpoint["name"]: endpoint["role"] for endpoint in toy["endpoints"]}
    assert roles == {
        name: name for name in ("generate", "decode", "interpolate", "project", "score", "latents")
    }
    (decode,) = (endpoint for endpoint in toy["endpoints"] if endpoint["role"] == "decode")
    assert decode["inputs"] == {
        "latents": {"dtype": "float32", "shape": [None, 6]},
        "labels": {"dtype": "int64", "shape": [None]},
    }
    assert decode["outputs"] == {"images": {"dtype": "float32", "shape": [None, 8, 8, 1]}}
    # A signature's outputs have no order; a table's columns have.
    assert models["rows"]["columns"] == list(COLUMNS)


@pytest.mark.parametrize("written", ["by 0.1.0", "by another tool"])
def test_other_exports(call, exported, tmp_path, written):
    """Format 1 said no roles, which are told by its keys; what others exported is served too."""
    folder = tmp_path / "toy"
    shutil.copytree(exported[0] / "1", folder / "1")
    path = folder / "1" / "assets.extra" / "manifest.json"
    content = json.loads(path.read_text())
    new = ("format", "family", "kind", "endpoints", "row_wise")
    old = {key: value for key, value in content.items() if key not in new}
    path.write_text(json.dumps(old if written == "by 0.1.0" else {"format": 7}))
    repository = Repository([Model("toy", folder)])
    repository.poll()

    (model,) = told(call, served=repository).values()
    roles = {endpoint["name"]: endpoint["role"] for endpoint in model["endpoints"]}
    if written == "by 0.1.0":
        # Which had no search for latents.
        known = manifest.read(exported[0] / "1").roles
        assert roles == {name: role for name, role in known.items() if role != "project"}
        assert (model["family"], model["samples"]) == ("gan", "images")
    else:
        assert (roles, model["family"], model["kind"]) == ({}, None, None)
