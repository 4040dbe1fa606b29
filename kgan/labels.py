"""Class labels in the formats that users have them in."""

from typing import Any

import numpy as np


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
    array = np.asarray(labels)
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
    numbers = array.astype(np.int64)
    if not np.array_equal(numbers, array):
        raise ValueError(f"{what} must be whole numbers, got {array[numbers != array][0]!r}.")
    if classes is not None and n and not (numbers.min() >= 0 and numbers.max() < classes):
        wrong = numbers[(numbers < 0) | (numbers >= classes)][0]
        raise ValueError(f"{what} must be in [0, {classes - 1}], got {wrong}.")
    return numbers.astype(np.int32)
