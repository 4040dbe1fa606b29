import numpy as np
import pytest

from kgan.labels import class_number, class_numbers


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1],
        np.array([2, 0, 1], np.uint8),
        np.array([[2.0], [0.0], [1.0]]),
        np.eye(3)[[2, 0, 1]],
    ],
)
def test_formats(labels):
    numbers = class_numbers(labels, 3, 3)
    np.testing.assert_array_equal(numbers, [2, 0, 1])
    assert numbers.dtype == np.int32


@pytest.mark.parametrize("labels", [[5, 0, 7], np.eye(8)[[5, 0, 7]], np.array([[5], [0], [7]])])
def test_where_only_the_labels_tell_how_many_classes_there_are(labels):
    np.testing.assert_array_equal(class_numbers(labels, 3), [5, 0, 7])
    with pytest.raises(ValueError, match=r"labels of x must be whole numbers, got .*0\.5"):
        class_numbers([0.5, 1], 2, what="labels of x")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "shape"),
        ([[0], [1, 2], [0]], "a number or a one-hot row for each"),
        ([0, 1, 3], r"in \[0, 2\], got 3"),
        ([0, 1, -1], r"in \[0, 2\], got -1"),
        ([0, 0.5, 1], "whole numbers, got"),
        (["cat", "dog", "cat"], "whole numbers or one-hot rows, got <U3"),
        ([[0.2, 0.8, 0.0], [1, 0, 0], [0, 1, 0]], "one-hot"),
    ],
)
def test_anything_else_is_an_error(labels, message):
    with pytest.raises(ValueError, match=message):
        class_numbers(labels, 3, 3)


@pytest.mark.parametrize("label", [2**32, 2**40 + 1, -(2**33)])
def test_no_number_wraps_round_to_another_class(label):
    with pytest.raises(ValueError, match=rf"labels must be class numbers below 2\^31, got {label}"):
        class_numbers([0, label, 1], 3)
    with pytest.raises(ValueError, match=r"whole numbers, got nan"):
        class_numbers([0, float("nan"), 1], 3)


def test_a_class_by_name_or_number():
    names = ("cats", "dogs", "0")
    assert [class_number(one, names, 3) for one in ("dogs", "1", 1, "0", 0)] == [1, 1, 1, 2, 0]
    assert class_number("2", None, 3) == 2
    with pytest.raises(
        ValueError, match=r"classes of cats, dogs, 0, got 'dgos'. Did you mean 'dogs'"
    ):
        class_number("dgos", names, 3)
    with pytest.raises(ValueError, match=r"must be in \[0, 2\], got 3"):
        class_number("3", names, 3)
    with pytest.raises(ValueError, match="the classes have no names here, got 'cats'"):
        class_number("cats", None, 3)


def test_a_name_of_two_classes_names_none():
    names = ("crane", "dog", "crane")
    assert class_number("dog", names, 3) == 1
    assert class_number("2", names, 3) == 2
    with pytest.raises(ValueError, match="numbers for 'crane', which the classes 0, 2 are called"):
        class_number("crane", names, 3)
