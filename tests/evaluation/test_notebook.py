"""What a notebook shows of data and of scores."""

import numpy as np

import kgan.data
import kgan.evaluation
from kgan.evaluation import Protocol, Score, Scored


def test_a_data_set_is_told_in_a_line():
    images = np.zeros((1200, 8, 6, 1), np.uint8)
    names = ("cats", "dogs")
    data = kgan.data.Dataset("pets", images, np.zeros(1200, np.int32), names)
    assert repr(data) == ("Dataset('pets': 1,200 images of 8x6x1, 2 classes: cats 1,200, dogs 0)")
    assert repr(kgan.data.Dataset("dots", np.zeros((5, 2), np.float32))) == (
        "Dataset('dots': 5 samples of 2)"
    )


def test_scores_are_a_table():
    protocol = Protocol("fid", "a<b", "train", "", 10, 20, None, "none", {}, "seeds")
    score = Score("fid[x@1]", 3.25, 3.0, 3.5, True, 0.5, 20, (0, 1), (3.0, 3.5), protocol)
    scored = Scored([score], [], None, None)
    assert repr(scored) == "Scored(fid[x@1] 3.25)"
    page = scored._repr_html_()
    for cell in ("fid[x@1]", "3.25", "3 to 3.5", "0.5", "lower", "20 samples, a&lt;b train"):
        assert f"<td>{cell}</td>" in page
    assert "a<b" not in page
