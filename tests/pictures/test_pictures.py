"""Pictures of samples, by their kind."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import kgan.data
import kgan.pictures
from kgan.kinds import Images, Kind, Points
from kgan.pictures import grid
from kgan.pictures.curves import draw_curves, draw_panels
from kgan.rows import Rows


def test_grid_places_images():
    images = np.zeros((5, 40, 40, 1), np.float32)
    images[3] = 1.0
    picture = np.asarray(grid(images, 2))
    assert picture.shape == (3 * 41 + 1, 2 * 41 + 1)
    assert (picture[42:82, 42:82] == 255).all()
    assert (picture[42:82, 1:41] == 0).all()
    # The empty place of the last row is white.
    assert (picture[83:123, 42:82] == 255).all()


def test_bytes_are_drawn_as_the_floats_that_they_mean():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    of_bytes, of_floats = (
        np.asarray(kgan.pictures.grid(one)) for one in (images, images / np.float32(255))
    )
    np.testing.assert_array_equal(of_bytes, of_floats)
    # A cell is enlarged by 4 and lies behind a pixel of white.
    np.testing.assert_array_equal(of_bytes[1:33:4, 1:33:4], images[0])


@pytest.mark.parametrize(
    ("shape", "columns"), [((0, 8, 8, 1), None), ((8, 8, 1), None), ((2, 8, 8, 1), -1)]
)
def test_what_makes_no_grid_is_refused(shape, columns):
    with pytest.raises(ValueError, match="images must be some of shape"):
        kgan.pictures.grid(np.zeros(shape, np.float32), columns)


def test_colour_images_stay_in_colour():
    picture = kgan.pictures.samples(Images(2, 2, 3), np.full((1, 2, 2, 3), [1.0, 0.0, 0.5]))
    assert picture.mode == "RGB"
    assert picture.getpixel((5, 5)) == (255, 0, 128)


def test_images_are_drawn_in_so_many_columns_and_points_over_real_ones():
    images = np.zeros((6, 40, 40, 1), np.float32)
    assert kgan.pictures.samples(Images(40, 40, 1), images, columns=3).size == (3 * 41 + 1, 83)
    points = np.random.default_rng(0).random((5, 2))
    alone = kgan.pictures.samples(Points(2), points)
    beside = kgan.pictures.samples(Points(2), points, real=points + np.array([1.0, 2.0]))
    assert alone.size == beside.size == (500, 500)
    assert np.any(np.asarray(alone) != np.asarray(beside))


def test_rows_are_drawn_column_by_column_over_real_ones():
    data = kgan.data.load("breast-cancer")
    rows = data.samples[:50]
    picture = kgan.pictures.samples(data.kind, rows, real=data.samples)
    alone = kgan.pictures.samples(data.kind, rows)
    assert picture.size[0] > 1000
    red, grey = (
        [np.all(np.asarray(one) == colour, axis=-1).sum() for one in (picture, alone)]
        for colour in ((214, 39, 40), (191, 191, 191))
    )
    assert min(red) > 1000
    assert grey[0] > 50 * grey[1]  # Letters have edges of any grey.
    # Many columns, long names and many categories, one of them missing.
    names = [f"a column with a very long name {i}" for i in range(60)]
    values = np.array([f"value {i % 30}" if i % 30 else "" for i in range(90)], object)
    wide = Rows(dict.fromkeys(names, values))
    assert kgan.pictures.marginals(wide, wide).size[1] < 3000
    assert kgan.pictures.marginals(Rows({"a": np.zeros(3)})).size[0] > 100


def test_a_kind_without_a_picture_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Smells(Kind):
        plural: ClassVar[str] = "smells"

    with pytest.raises(ValueError, match="smells cannot be drawn, only images, points, rows"):
        kgan.pictures.samples(Smells(), [])


def test_one_step_alone_is_drawn_as_a_dot(tmp_path):
    blue = {}
    for value in (float("nan"), 0.5):
        path = tmp_path / "curves.png"
        draw_curves([{"step": 1.0, "loss": value}], ("loss",), path, axis_name="loss")
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        blue[value == 0.5] = (pixels == (31, 119, 180)).all(axis=-1).sum()
    # The legend has the colour too.
    assert blue[True] > blue[False]


def test_curves_leave_out_what_no_row_has(tmp_path):
    rows = [{"step": 1.0, "loss": 2.0}, {"step": 2.0, "loss": 1.0, "fid": 3.0}]
    draw_curves(rows, ("loss", "nothing"), tmp_path / "curves.png", axis_name="loss")
    draw_panels(rows, ("loss", "fid"), tmp_path / "panels.png")
    sizes = {}
    for name in ("curves", "panels"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            sizes[name] = picture.size
    assert sizes == {"curves": (700, 400), "panels": (700, 440)}
    draw_panels(rows, (), tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()


@pytest.mark.parametrize(
    ("classes", "n", "aspect", "columns", "rows"),
    [
        (10, 100, 1, 10, 10),  # A column for each class.
        (3, 6, 1, 3, 2),
        (2, 64, 1, 8, 8),  # Four rows for each class.
        (3, 64, 1, 8, 9),
        (2, 10, 1, 3, 4),
        (1, 9, 1, 3, 3),
        (2, 64, 4, 4, 16),  # Wide images.
    ],
)
def test_the_grid_that_a_person_would_choose(classes, n, aspect, columns, rows):
    labels = np.resize(np.arange(classes), n)
    cells, found = kgan.pictures.by_class(labels, aspect=aspect)
    assert (found, -(-len(cells) // found)) == (columns, rows)
    assert sorted(cells[cells >= 0]) == list(range(n))
    # A row holds one class, or a column does.
    grid = np.pad(cells, (0, -len(cells) % found), constant_values=-1).reshape(-1, found)
    for lines in (grid, grid.T):
        if all(len(set(labels[line[line >= 0]])) == 1 for line in lines):
            return
    raise AssertionError(grid)


def test_pictures_show_declared_channels():
    images = np.zeros((1, 2, 2, 5), np.float32)
    images[..., 4] = 1.0
    assert kgan.pictures.samples(Images(2, 2, 5), images).getpixel((5, 5)) == (0, 0, 0)
    kind = Images(2, 2, 5, shown=(4, 0, 4))
    assert kgan.pictures.samples(kind, images).getpixel((5, 5)) == (255, 0, 255)
    # Transparent is white.
    rgba = Images(2, 2, 4, shown=(0, 1, 2, 3))
    assert kgan.pictures.samples(rgba, images[..., :4]).getpixel((5, 5)) == (255, 255, 255)
