"""A table's export gives its own names, numbers and texts to whoever asks."""

import json

import numpy as np
import pytest

import kgan.dates
import kgan.export
import kgan.latents
from kgan.data.table import table
from kgan.serving.repository import Model, Repository
from tests.models.people import build

N = 12


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
            "day": np.array(["31.12.1999", "29.02.2000", ""] * 30, object),
            "gap": np.where(np.arange(90) % 3, np.nan, 2.0**40 + np.arange(90)),
            "flag": random.random(90) < 0.5,
        },
        {"gap": "integer"},
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
    # A missing date is an empty text, a missing number NaN; whole numbers keep every digit.
    assert outputs["day"] == kgan.dates.spell(expected["day"], "%d.%m.%Y")
    assert "" in outputs["day"]
    np.testing.assert_array_equal(np.array(outputs["gap"]), expected["gap"])
    assert np.isnan(outputs["gap"]).any()
    assert np.nanmax(outputs["gap"]) > 2**40
    assert set(outputs["flag"]) <= {"True", "False"}


def test_rows_that_are_asked_for_over_rest(call, exported_table):
    folder, _ = exported_table
    repository = Repository([Model("awkward", folder)])
    repository.poll()
    asked = [{"seeds": 5, "where": [" Ulm", "*", "True"]}, {"seeds": 6, "where": ["*", "2", "*"]}]

    async def ask(client, app):
        body = {"signature_name": "generate_where", "instances": asked}
        return await client.post("/v1/models/awkward:predict", content=json.dumps(body))

    answer = call(ask, served=repository)
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["predictions"]
    assert (first["city"], first["flag"], second["2020"]) == (" Ulm", "True", 2)


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
    found, expected = gan.kind.of_answer(json.loads(said.stdout)), gan.generate(N, seed=3)
    assert sorted(found.columns) == sorted(expected.columns)
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(found[name], values)
