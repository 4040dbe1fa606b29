"""Class labels in the formats that users have them in."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import kgan.names

_LIMIT = 2**31


def class_numbers(
    labels: Any, n: int, classes: int | None = None, *, what: str = "labels"
) -> np.ndarray:
    """Labels as class numbers.

    Args:
        labels: Integers (or whole floats) of shape (n,) or (n, 1), or one-hot rows (n, classes).
        n: How many samples there are.
        classes: How many classes there are; `None` where only the labels tell, whose range is then
            not checked.
        what: Whose labels these are; an error begins with it.

    Returns:
        int32 array of shape (n,).

    Raises:
        ValueError: When the shape, the values or the rows are none of these.
    """
    try:
        array = np.asarray(labels)
    except ValueError:  # Rows of different lengths.
        raise ValueError(f"{what} must be a number or a one-hot row for each sample.") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what} must be whole numbers or one-hot rows, got {array.dtype}.")
    columns = array.shape[1] if array.ndim == 2 else 1
    if array.shape == (n, classes or columns) and columns > 1:
        one_hot = np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
        if not one_hot:
            raise ValueError(
                f"{what} of shape {array.shape} must be one-hot rows (one 1, else 0); "
                "soft labels name no class."
            )
        return array.argmax(axis=1).astype(np.int32)
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,):
        raise ValueError(
            f"{what} must have the shape ({n},), ({n}, 1) or ({n}, {classes or 'classes'}), "
            f"got {array.shape}."
        )
    with np.errstate(invalid="ignore"):
        numbers = array.astype(np.int64)
    if not np.array_equal(numbers, array):
        raise ValueError(f"{what} must be whole numbers, got {array[numbers != array][0]:g}.")
    if n and not -_LIMIT <= numbers.min() <= numbers.max() < _LIMIT:
        # As 32 bits they would be other classes.
        wrong = numbers[(numbers < -_LIMIT) | (numbers >= _LIMIT)][0]
        raise ValueError(f"{what} must be class numbers below 2^31, got {wrong}.")
    if classes is not None and n and not (numbers.min() >= 0 and numbers.max() < classes):
        wrong = numbers[(numbers < 0) | (numbers >= classes)][0]
        raise ValueError(f"{what} must be in [0, {classes - 1}], got {wrong}.")
    return numbers.astype(np.int32)


def class_number(
    label: int | str, class_names: Sequence[str] | None, classes: int, *, what: str = "labels"
) -> int:
    """The number of a class that is given by its name or by its number.

    Args:
        label: The name or the number; a text that is a name is that class, whatever its digits.
        class_names: What the classes are called; `None` where they have no names.
        classes: How many there are.
        what: Where the class was given; an error begins with it.

    Raises:
        ValueError: Where there is no such class, or several have this name.
    """
    text = str(label)
    if isinstance(label, str) and class_names is not None and text in class_names:
        called = [number for number, name in enumerate(class_names) if name == text]
        if len(called) > 1:
            numbers = ", ".join(map(str, called))
            raise ValueError(
                f"{what} must be numbers for {text!r}, which the classes {numbers} are called."
            )
        return list(class_names).index(text)
    try:
        number = int(text)
    except ValueError:
        if class_names is None:
            raise ValueError(
                f"{what} must be numbers in [0, {classes - 1}], as the classes have no names here, "
                f"got {text!r}."
            ) from None
        known = ", ".join(list(class_names)[:20]) + ", ..." * (len(class_names) > 20)
        hint = kgan.names.suggestion(text, class_names)
        raise ValueError(f"{what} must be classes of {known}, got {text!r}.{hint}") from None
    if not 0 <= number < classes:
        raise ValueError(f"{what} must be in [0, {classes - 1}], got {number}.")
    return number
