"""Names of classifiers' files: nothing is replaced, and presets keep theirs."""

import pytest

from kgan.runs.classifier_file import new_name


def test_a_new_classifier_replaces_none(tmp_path, capsys):
    assert new_name(tmp_path, "mine", data="mine.npz") == "mine"
    assert capsys.readouterr().out == ""
    for name in ("mine", "mine-2"):
        (tmp_path / f"{name}.keras").write_text("")
    assert new_name(tmp_path, "mine", data="mine.npz") == "mine-3"
    assert "mine.keras is kept; the new classifier will be mine-3.keras" in capsys.readouterr().out


def test_what_is_no_presets_classifier_does_not_get_its_name(tmp_path):
    assert new_name(tmp_path, "mnist", data="mnist") == "mnist"
    for data in (None, "mnist.npz"):
        with pytest.raises(ValueError, match="name must not be mnist"):
            new_name(tmp_path, "mnist", data=data)
