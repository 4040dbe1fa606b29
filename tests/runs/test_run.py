"""Who a run is: written once, read once, and never guessed from a folder's name."""

import dataclasses
import json
import shutil
import threading

import pytest

from kgan.runs.run import Run, check_same_data, check_unchanged, moved
from kgan.settings import FAMILIES, AttackSettings, GANSettings, HardeningSettings
from kgan.settings.table import TableSettings

SETTINGS = GANSettings(batch_size=64, generator_width=4, image_size=(8, 16), name="mine")


def test_what_is_written_comes_back(tmp_path):
    data = {"count": 3, "sha256": "ab"}
    run = Run.new(tmp_path, "mine", SETTINGS, model="other", preset="digits", data=data)
    found = Run.open(run.folder)
    assert found == run
    assert (found.family, found.preset, found.model) == ("gan", "digits", "other")
    assert found.data == data
    assert found.settings(GANSettings) == SETTINGS
    content = json.loads((run.folder / "config.json").read_text())
    assert content["format"] == 2
    assert set(content["versions"]) == {"tensorflow", "keras", "numpy", "kgan"}


def test_runs_that_start_together_have_a_folder_each(tmp_path):
    folders = []
    barrier = threading.Barrier(8)

    def start():
        barrier.wait()
        folders.append(Run.new(tmp_path / "runs", "mine", SETTINGS).folder.name)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folders) == ["mine", *(f"mine-{number}" for number in range(2, 9))]


def test_the_latest_run_has_the_highest_number_and_no_other_name(tmp_path):
    for name in ("mine", "mine", "mine-b", "attack-mine"):
        Run.new(tmp_path, name, SETTINGS)
    (tmp_path / "mine-7").mkdir()  # No run.
    assert Run.latest(tmp_path, "mine").folder.name == "mine-2"
    with pytest.raises(FileNotFoundError, match=r"no run 'never' in .* start one without --resume"):
        Run.latest(tmp_path, "never")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/tmp/x", "../x", ".hidden", "-x", "a\\b", "x" * 201]
)
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(ValueError, match="name must be a plain file name"):
        Run.new(tmp_path / "runs", name, SETTINGS)
    assert not (tmp_path / "runs").exists()
    if name:
        with pytest.raises(ValueError, match="name must be a plain file name"):
            GANSettings(name=name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, r"seed must be in \[0, 2147483647\], got -1"),
        ({"seed": 2**70}, r"seed must be in \[0, 2147483647\], got 11805"),
        ({"value_range": (1.0, 1.0)}, "value_range must be two finite values"),
        ({"value_range": (0.0, float("inf"))}, "value_range must be two finite values"),
    ],
)
def test_values_that_no_training_takes(values, message):
    with pytest.raises(ValueError, match=message):
        GANSettings(**values)


@pytest.mark.parametrize(
    ("values", "family"),
    [
        ({"networks": "dcgan", "name": "digits"}, "gan"),
        ({"method": "fast", "name": "digits-fast"}, "hardening"),
        ({"epsilons": [0.1], "name": None}, "attack"),
        ({}, "gan"),
    ],
)
def test_a_run_of_the_first_version_is_understood(tmp_path, values, family):
    folder = tmp_path / "old-3"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"config": values, "versions": {}}))
    run = Run.open(folder)
    assert (run.family, run.preset, run.data) == (family, None, None)
    assert run.model == (values.get("name") or "old-3")


def test_another_family_is_told(tmp_path):
    folder = Run.new(tmp_path, "attack-x", AttackSettings()).folder
    with pytest.raises(
        ValueError, match="a run of the family attack; kgan sample takes a run of gan"
    ):
        Run.open(folder, "gan", what="kgan sample")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '"x"', "null", '{"config": 3}', '{"config": {}, "format": 99}'),
        *(f'{{"config": {{}}, "format": {number}}}' for number in ('"2"', "null", "true", "[2]")),
        '{"config": {}, "format": 2, "family": "gan", "model": "../x"}',
    ],
)
def test_a_damaged_file_is_named_with_a_remedy(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(
        ValueError, match=r"config.json (cannot be read|has the format 99).*"
    ) as told:
        Run.open(tmp_path)
    assert "\n" not in str(told.value)


def test_a_run_without_a_models_name_exports_under_its_own(tmp_path):
    run = Run.new(tmp_path, "mine", SETTINGS)
    path = run.folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model": None}))
    assert Run.open(run.folder).model == "mine"


@pytest.mark.parametrize("recorded", [{}, {"count": "12"}, {"count": None}])
def test_a_damaged_fingerprint_is_another(tmp_path, recorded):
    run = Run.new(tmp_path, "mine", SETTINGS, data=recorded)
    with pytest.raises(ValueError, match=r"data changed since .*mine was begun: their content"):
        check_same_data(run, {"count": 12})


def test_fields_of_another_version_are_named(tmp_path):
    run = Run.new(tmp_path, "mine", SETTINGS)
    path = run.folder / "config.json"
    content = json.loads(path.read_text())
    content["config"]["wings"] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="other fields: wings"):
        Run.open(run.folder).settings(GANSettings)


def test_what_shaped_the_training_cannot_change():
    other = dataclasses.replace(SETTINGS, generator_width=8)
    allowed = tuple(GANSettings.may_change())
    with pytest.raises(ValueError, match=r"generator_width cannot change .* it was 4, got 8"):
        check_unchanged(SETTINGS, other, may_change=allowed)
    later = dataclasses.replace(SETTINGS, name="x", epochs=99, export=False)
    check_unchanged(SETTINGS, later, may_change=allowed)
    # The length of a classifier's training shapes its learning rate from the first step on.
    assert "epochs" not in HardeningSettings.may_change()
    # A copula is one of each category of its target; a GAN knows nothing of it.
    for model, fixed in (("copula", {"target"}), ("gan", set()), ("tvae", set())):
        assert TableSettings(model=model).shaped_by == fixed
    assert TableSettings(epsilon=1.0, packing=1).shaped_by == {"target"}


def test_other_data_are_told(tmp_path):
    run = Run.new(tmp_path, "mine", SETTINGS, data={"count": 32, "sha256": "a"})
    check_same_data(run, {"count": 32, "sha256": "a"})
    with pytest.raises(ValueError, match=r"the data changed .* 32 samples became 96"):
        check_same_data(run, {"count": 96, "sha256": "b"})
    with pytest.raises(ValueError, match=r"the data changed .* their content differs"):
        check_same_data(run, {"count": 32, "sha256": "b"})


def test_data_may_move_but_not_change(tmp_path):
    content = {"count": 32, "sha256": "a", "class_names": ["x", "y"]}
    run = Run.new(tmp_path, "mine", dataclasses.replace(SETTINGS, data="old"), data=content)
    assert moved(run, dataclasses.replace(SETTINGS, data="old", epochs=99)) == {}
    places = moved(run, dataclasses.replace(SETTINGS, data="new"))
    assert places == {"data": ("old", "new")}
    check_same_data(run, content, moved=places)
    with pytest.raises(ValueError, match=r"32 samples became 96.* place of those \(data from old"):
        check_same_data(run, {"count": 96, "sha256": "b"}, moved=places)
    with pytest.raises(ValueError, match="their classes have other names"):
        check_same_data(run, {**content, "class_names": ["x", "z"]}, moved=places)
    # Runs of 0.1.0 recorded nothing that shows whether they are the same.
    early = dataclasses.replace(run, data=None)
    check_same_data(early, content)
    with pytest.raises(ValueError, match="must stay where they were"):
        check_same_data(early, content, moved=places)


def test_each_family_says_which_of_its_settings_are_places_of_data():
    for kind in FAMILIES.values():
        fields = {field.name for field in dataclasses.fields(kind)}
        assert kind.may_move() == fields & {"data", "a", "b"}
    assert HardeningSettings.may_move() == {"data", "fakes"}


@pytest.mark.parametrize("values", [{"batch_size": "16"}, {"batch_size": None}, {"seed": [1]}])
def test_a_value_that_no_run_records_is_damage(values, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"config": values}))
    with pytest.raises(ValueError, match=r"config\.json is damaged: "):
        Run.open(tmp_path).settings(GANSettings)


def test_a_run_named_like_a_number_is_none_of_the_name_before(tmp_path):
    for name in ("mine", "mine-2024", "mine"):
        Run.new(tmp_path, name, SETTINGS)
    assert Run.latest(tmp_path, "mine").folder.name == "mine-2"
    assert Run.latest(tmp_path, "mine-2024").folder.name == "mine-2024"
    # Where there is no run of that name, the first.
    assert Run.latest(tmp_path, "mine-1").folder.name == "mine"
    Run.new(tmp_path, "mine-1", SETTINGS)
    assert Run.latest(tmp_path, "mine-1").folder.name == "mine-1"
    assert Run.latest(tmp_path, "mine").folder.name == "mine-2"


def test_a_copy_is_not_resumed_in_place_of_its_run(tmp_path):
    Run.new(tmp_path, "mine", SETTINGS)
    shutil.copytree(tmp_path / "mine", tmp_path / "mine-2024")
    assert Run.latest(tmp_path, "mine").folder.name == "mine"
    # Alone it is the run.
    shutil.rmtree(tmp_path / "mine")
    assert Run.latest(tmp_path, "mine").folder.name == "mine-2024"


def test_records_without_a_name_go_by_the_folders(tmp_path):
    for _ in range(2):
        run = Run.new(tmp_path, "mine", SETTINGS)
        content = json.loads((run.folder / "config.json").read_text())
        del content["name"], content["id"]
        (run.folder / "config.json").write_text(json.dumps(content))
    assert Run.latest(tmp_path, "mine").folder.name == "mine-2"
