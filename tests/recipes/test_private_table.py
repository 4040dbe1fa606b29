"""Private training of tables from settings: what is settled, declared, fed and refused."""

import dataclasses
import json

import numpy as np
import pytest

from kgan.recipes import TableRecipe
from kgan.settings.table import TableSettings

DECLARED = {
    "age": {"type": "integer", "low": 0, "high": 100},
    "sex": {"type": "category", "values": ["f", "m"]},
}
PRIVATE = TableSettings(
    model="gan",
    packing=1,
    epsilon=6.0,
    delta=1e-3,
    batch_size=8,
    n_critic=2,
    epochs=3,
    steps_per_epoch=5,
    held_out=0.0,
    generator_width=4,
    discriminator_width=4,
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "few.csv"
    path.write_text("age,sex\n" + "".join(f"{20 + i % 50},{'fm'[i % 2]}\n" for i in range(80)))
    path.with_suffix(".columns.json").write_text(json.dumps(DECLARED))
    return TableRecipe(dataclasses.replace(PRIVATE, data=str(path)))


@pytest.fixture(scope="module")
def settled(recipe):
    return recipe.settle(recipe.data())


@pytest.mark.slow
def test_all_that_is_told_stays_within_epsilon(recipe, settled):
    data = recipe.data()
    promise = recipe.model(data).guarantee(15)
    assert 5.9 < promise.epsilon <= 6.0
    assert (promise.steps, promise.sampling_rate) == (30, 0.1)
    assert promise.released == (recipe.counts_noise,)
    assert settled[0] == f"private: {promise}"
    assert "counts with noise" in settled[0]
    again = TableRecipe(recipe.settings)
    again.settle(data)
    assert again.settings == recipe.settings
    longer = TableRecipe(dataclasses.replace(recipe.settings, epochs=4))
    with pytest.raises(ValueError, match=r"epochs must be at most 3 for epsilon 6 with noise .*4"):
        longer.settle(data)


def test_nothing_else_looks_at_the_records(recipe, settled, tmp_path):
    data = recipe.data()
    model = recipe.model(data)
    watched = recipe.watch(data, 5, table=tmp_path / "metrics.csv")
    assert [type(one).__name__ for one in watched.callbacks] == ["Calibration"]
    assert (watched.callbacks[0].rows, watched.monitor) == (None, None)
    (picture,) = recipe.pictures(data, tmp_path)
    assert picture.real is None
    # The chances are draws by a row's number, which tell nothing of what is in it.
    assert set(next(iter(recipe.feed(data)))) == {"samples", "taken", "chances"}
    assert not any("--resume" in line for line in recipe.next_steps(tmp_path, None))
    assert model.several == 0
    assert model.penalties == []


def test_rows_are_fed_as_the_restored_encoder_has_them(recipe, settled):
    """Each model has noise of its own; a resumed one has that of the first."""
    data = recipe.data()
    first = recipe.model(data)
    again = recipe.model(data)
    assert (np.asarray(first.encoder.frequencies) != np.asarray(again.encoder.frequencies)).any()
    again.set_weights(first.get_weights())
    batch = next(iter(recipe.feed(data)))
    expected = first.encoder.encoded_rows(data.samples)
    places = {tuple(one) for one in expected.places.tolist()}
    taken = batch["taken"].numpy()
    found = batch["samples"].places.numpy()[taken]
    assert len(found)
    assert {tuple(one) for one in found.tolist()} <= places


def test_a_private_copula_is_told_counts_and_correlations_once(recipe, tmp_path):
    settings = dataclasses.replace(recipe.settings, model=None, n_critic=1, noise=None)
    copula = TableRecipe(settings)
    data = copula.data()
    said = copula.settle(data)
    model = copula.model(data)
    assert 5.9 < model.promise.epsilon <= 6.0
    assert (model.promise.steps, model.promise.sampling_rate) == (1, 1.0)
    assert model.promise.released == (copula.counts_noise,)
    assert said[0] == f"private: {model.promise}"
    assert copula.pictures(data, tmp_path)[0].real is None
    assert len(model.generate(7)) == 7
    for noise, told in ((0.6, "at least .* for epsilon 6, got 0.6"), (0.01, "more for 1 steps")):
        with pytest.raises(ValueError, match=f"noise must be {told}"):
            TableRecipe(dataclasses.replace(settings, noise=noise)).settle(data)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": "tvae"}, "model must be gan or copula with epsilon, got tvae"),
        ({"model": "copula"}, "n_critic must be left out for a private copula.* got 2"),
        ({"packing": 2}, "packing must be 1 with epsilon, got 2"),
        ({"penalty_weight": 10.0}, "penalty_weight must be 0 with epsilon, got 10"),
        ({"several": 0.5}, "several must be 0 with epsilon, got 0.5"),
        ({"constraints": ("a<=b",)}, "constraints must be left out with epsilon, got a<=b"),
        ({"columns": ("a=number",)}, "columns must be left out with epsilon, got a=number"),
        ({"precision": "bfloat16"}, "precision must be float32 with epsilon"),
        ({"evaluate_every": 5, "patience": 2}, "patience must be left out with epsilon, got 2"),
        ({"evaluate_every": 200}, "evaluate_every must be left out with epsilon, got 200: scores"),
        ({"evaluate_samples": 9}, "evaluate_samples must be at least 10, got 9"),
        ({"evaluate_samples": 99}, "evaluate_samples must be left out with epsilon, got 99"),
        ({"target_loss": 1.0, "target": "sex"}, "target_loss must be 0 with epsilon, got 1: its"),
        ({"counts_share": 1.0}, r"counts_share must be in \(0, 1\), got 1.0"),
        ({"epsilon": None, "delta": 1e-5}, "n_critic must be 1 without epsilon, got 2"),
        ({"epsilon": 0.0}, "epsilon must be above 0 and finite, got 0.0"),
    ],
)
def test_what_is_not_covered_is_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(PRIVATE, **changed)


def test_data_whose_columns_are_told_by_its_records_are_refused():
    with pytest.raises(ValueError, match="data must be a file with epsilon, got breast-cancer"):
        TableRecipe(dataclasses.replace(PRIVATE, data="breast-cancer")).data()
