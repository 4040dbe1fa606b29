"""A table's export gives its own names, numbers and texts to whoever asks."""

import json

import numpy as np
import pytest

import kgan.export
import kgan.latents
from kgan.data.table import table
from kgan.rows import Rows
from kgan.serving.repository import Model, Repository
from tests.models.people import build

N = 6


@pytest.fixture(scope="module")
def exported_table(tmp_path_factory):
    """An untrained model of columns with awkward names and values, and its export."""
    random = np.random.default_rng(0)
    data = table(
        "awkward",
        {
            "weight (kg)": np.round(random.normal(70, 10, 90), 1),
            "id, large": 2**52 + random.integers(0, 1000, 90),
            "city": random.choice(['Köln, "Dom"', " Ulm", "東京", ""], 90).astype(object),
            "2020": random.integers(0, 3, 90),
        },
    )
    gan = build(data)
    folder = tmp_path_factory.mktemp("exported") / "awkward"
    kgan.export.export(gan, folder)
    return folder, gan


def test_over_rest(call, exported_table):
    folder, gan = exported_table
    repository = Repository([Model("awkward", folder)])
    repository.poll()
    seeds = kgan.latents.example_seeds(7, N).numpy().tolist()
    expected = gan.generate(N, seed=7)

    async def ask(client, app):
        columns = await client.post(
            "/v1/models/awkward:predict", content=json.dumps({"inputs": {"seeds": seeds}})
        )
        rows = await client.post(
            "/v1/models/awkward:predict", content=json.dumps({"instances": seeds})
        )
        return columns, rows

    columns, rows = call(ask, served=repository)
    assert columns.status_code == rows.status_code == 200
    outputs = columns.json()["outputs"]
    assert set(outputs) == set(expected.columns)
    assert outputs["city"] == expected["city"].tolist()
    assert outputs["id, large"] == expected["id, large"].tolist()
    np.testing.assert_array_equal(
        np.array(outputs["weight (kg)"], np.float32), expected["weight (kg)"]
    )
    assert [row["city"] for row in rows.json()["predictions"]] == expected["city"].tolist()


def test_with_tensorflow_alone(exported_table, run_python, tmp_path):
    folder, gan = exported_table
    script = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
assert "kgan" not in sys.modules
answer = model.signatures["serving_default"](seeds=tf.constant(json.loads(sys.argv[2])))
print(json.dumps({
    name: [one.decode() if isinstance(one, bytes) else one for one in values.numpy().tolist()]
    for name, values in answer.items()
}))
"""
    seeds = json.dumps(kgan.latents.example_seeds(3, N).numpy().tolist())
    said = run_python("-c", script, folder / "1", seeds, cwd=tmp_path)
    found, expected = Rows(json.loads(said.stdout)), gan.generate(N, seed=3)
    assert sorted(found.columns) == sorted(expected.columns)
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(found[name], values)
