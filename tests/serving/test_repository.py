"""Versions that come, go, and cannot be loaded; with a loader that reads a text file."""

import dataclasses
import gc
import logging
import weakref
from pathlib import Path

import pytest

from kgan.serving.errors import ServingError
from kgan.serving.repository import Model, Repository


@dataclasses.dataclass
class Loaded:
    name: str
    version: int
    folder: Path


def load(name, version, folder):
    if (folder / "saved_model.pb").read_text() != "good":
        raise ValueError("corrupt")
    return Loaded(name, version, folder)


def put(folder, version, content="good"):
    (folder / str(version)).mkdir(parents=True, exist_ok=True)
    (folder / str(version) / "saved_model.pb").write_text(content)


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, 1)
    return tmp_path


def make(folder, **options):
    model = Model("m", folder, load=load, **options)
    model.poll()
    return model


def test_roll_out_and_roll_back(folder):
    model = make(folder)
    assert model.get().version == 1
    put(folder, 2)
    (folder / "latest").mkdir()
    (folder / ".tmp-1234-3").mkdir()
    model.poll()
    assert model.get().version == 2
    with pytest.raises(ServingError, match="version 1 of 'm'"):
        model.get(1)
    assert {v: s.state for v, s in model.states.items()} == {1: "END", 2: "AVAILABLE"}
    (folder / "2").rename(folder / "withdrawn-2")
    model.poll()
    assert model.get().version == 1
    assert {v: s.state for v, s in model.states.items()} == {1: "AVAILABLE", 2: "END"}


def test_versions_are_numbers_not_names(folder):
    for version in (9, 10):
        put(folder, version)
    assert make(folder).get().version == 10


def test_a_corrupt_version_leaves_the_old_one(folder, caplog):
    model = make(folder)
    put(folder, 2, "corrupt")
    caplog.clear()
    for _ in range(3):
        model.poll()
        assert model.get().version == 1
    # Told once, and tried once, for as long as its files stay the same.
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "version 2 cannot be loaded: ValueError: corrupt" in caplog.text
    assert model.states[2].state == "END"
    assert model.states[2].error == "ValueError: corrupt"
    put(folder, 2, "good")
    model.poll()
    assert model.get().version == 2


def test_a_half_copied_version_is_loaded_when_it_is_whole(folder):
    model = make(folder)
    (folder / "2").mkdir()
    model.poll()
    assert model.get().version == 1
    put(folder, 2)
    model.poll()
    assert model.get().version == 2


def test_at_the_start_the_newest_that_loads_is_served(folder):
    put(folder, 2, "corrupt")
    assert make(folder).get().version == 1


def test_what_is_in_memory_stays_when_the_folder_goes(folder, caplog):
    model = make(folder)
    (folder / "1").rename(folder / "x")
    model.poll()
    assert model.get().version == 1
    folder.rename(folder.with_name("gone"))
    model.poll()
    assert model.get().version == 1
    assert "cannot be read" in caplog.text


def test_a_version_is_freed_when_its_last_request_is_answered(folder):
    model = make(folder)
    in_flight = model.get()
    gone = weakref.ref(in_flight)
    put(folder, 2)
    model.poll()
    assert gone() is not None
    del in_flight
    gc.collect()
    assert gone() is None


def test_chosen_versions_and_labels(folder):
    for version in (2, 3):
        put(folder, version)
    model = make(folder, versions=(1, 2), labels={"stable": 1, "canary": 2, "lost": 7})
    assert model.get().version == 2
    assert model.get(1).version == 1
    assert model.get(label="stable").version == 1
    assert model.get(label="canary").version == 2
    for asked, code in (
        ({"version": 3}, "NOT_FOUND"),
        ({"label": "lost"}, "NOT_FOUND"),
        ({"label": "nope"}, "INVALID_ARGUMENT"),
    ):
        with pytest.raises(ServingError) as caught:
            model.get(**asked)
        assert caught.value.code == code


def test_a_chosen_version_that_is_not_there_is_told_once_and_served_when_it_comes(folder, caplog):
    model = make(folder, versions=(1, 9))
    model.poll()
    assert [record.message for record in caplog.records if "no version" in record.message] == [
        f"m: {folder} has no version 9"
    ]
    assert model.missing == [9]
    put(folder, 9)
    model.poll()
    assert model.get().version == 9


def test_a_server_without_a_version_says_so(tmp_path):
    repository = Repository([Model("m", tmp_path, load=load)])
    repository.poll()
    assert not repository.model("m").ready
    with pytest.raises(ServingError, match="Latest of 'm'"):
        repository.model("m").get()
    with pytest.raises(ServingError, match="'other'"):
        repository.model("other")


def test_memory_is_looked_at_only_where_something_came_or_went(folder):
    looks = []
    repository = Repository(
        [Model("m", folder, load=load)], settle=lambda: looks.append(len(looks))
    )
    repository.poll()
    assert len(looks) == 1
    # Nobody held anything before the first one: no pause for those who ask now.
    repository.poll()
    assert len(looks) == 1
    put(folder, 2)
    repository.poll()
    repository.poll()
    # The second look is for what requests in flight held.
    assert len(looks) == 3
    repository.poll()
    assert len(looks) == 3
