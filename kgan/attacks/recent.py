"""A dict that keeps what was used last, for compiled functions, of which each takes megabytes."""

from collections import OrderedDict
from typing import Any


class Recent(OrderedDict[Any, Any]):
    """A dict of at most `size` values; a further one takes the place of the one unused longest.

    Args:
        size: Most values, an int of 1 or more.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self.move_to_end(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.size:
            del self[next(iter(self))]
