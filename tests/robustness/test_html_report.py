import dataclasses
import html

import keras
import numpy as np
import pytest
from PIL import Image

from kgan.attacks import FGSM, PGD
from kgan.robustness.evaluation import evaluate
from kgan.robustness.html_report import write_html
from kgan.robustness.masking import Flag
from kgan.robustness.report_pictures import draw_curves, draw_examples

NAMES = ["<b>cat</b>", "a very long name of a class", "dog & co"]


@pytest.fixture(scope="module")
def report():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    images = np.random.default_rng(0).uniform(size=(20, 6, 5, 3)).astype("float32")
    attacks = [FGSM(), PGD(steps=3)]
    return evaluate(model, images, attacks=attacks, epsilons=[0.1], class_names=NAMES)


def test_a_page_escapes_names_and_holds_every_row_and_flag(report, tmp_path):
    flag = Flag("zero gradients", "3 < 4 images", "what it means")
    report = dataclasses.replace(report, flags=[flag], unchecked=["that: needs <this>"])
    write_html(report, tmp_path / "page.html", curves=None, examples={})
    page = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;cat&lt;/b&gt;" in page
    assert "<b>cat</b>" not in page
    assert "dog &amp; co" in page
    assert "3 &lt; 4 images" in page
    assert "needs &lt;this&gt;" in page
    for row in report.rows:
        assert f"{row.robust_accuracy:.1%}</td>" in page
    for text in report.assumptions:
        assert html.escape(text) in page
    assert "$" not in page


def test_pictures_of_colour_images_are_drawn(report, tmp_path):
    draw_curves(report, tmp_path / "curves.png")
    draw_examples(report.examples, "PGD", tmp_path / "pgd.png", class_names=report.class_names)
    for name in ("curves.png", "pgd.png"):
        picture = np.asarray(Image.open(tmp_path / name).convert("RGB"))
        assert picture.std() > 10  # Not blank.


def test_a_name_that_looks_like_a_formula_is_drawn_as_it_is(report, tmp_path):
    names = [r"$\frac$ $x", "two\nlines", "$$"]
    draw_examples(report.examples, "PGD", tmp_path / "pgd.png", class_names=names)
    assert (tmp_path / "pgd.png").is_file()
