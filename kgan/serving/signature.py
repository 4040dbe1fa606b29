"""One function of an exported model: its inputs checked, and the call into TensorFlow."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from kgan.serving.errors import HTTP_STATUS, ServingError, invalid

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Spec:
    """What a signature says of one tensor.

    Attributes:
        dtype: TensorFlow's type.
        shape: `None` for each free dimension; `None` where the rank is free.
    """

    dtype: tf.DType
    shape: tuple[int | None, ...] | None

    @property
    def has_rows(self) -> bool:
        """Whether the first dimension is free, so that requests can be joined along it."""
        return bool(self.shape) and self.shape[0] is None  # type: ignore[index]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of that shape may be fed."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            want in (None, have) for want, have in zip(self.shape, shape, strict=True)
        )


class Signature:
    """One function of a model, by the names of its inputs and outputs.

    Args:
        model: The model's name.
        name: The signature's name.
        definition: Its SignatureDef.
        function: Takes tensors by name and gives them by name.
        row_wise: Whether each row of an output depends on the same row of the inputs alone. Where
            nobody says so, requests are answered one by one, as they came.
        strict: Whether inputs of another shape than the signature's are refused here. Otherwise
            the graph decides, as in TensorFlow Serving, which feeds what it gets.
        file_channels: Channels of the images that its strings are files of; `None` for other
            strings. The graph decodes them one by one, so requests are not joined.

    Attributes:
        inputs, outputs: `Spec` by name.
        defaults: TensorProtos of the inputs that a request may leave out, by name.
        batchable: Whether requests may be joined and padded: it is declared, and all inputs and
            outputs have free rows.
    """

    def __init__(
        self,
        model: str,
        name: str,
        definition: SignatureDef,
        function: Callable[..., dict[str, tf.Tensor]],
        *,
        row_wise: bool = False,
        strict: bool = False,
        file_channels: int | None = None,
    ):
        self.file_channels = file_channels
        self.model = model
        self.name = name
        self.inputs = {key: _spec(info) for key, info in sorted(definition.inputs.items())}
        self.outputs = {key: _spec(info) for key, info in sorted(definition.outputs.items())}
        self.defaults = dict(definition.defaults)
        specs = [*self.inputs.values(), *self.outputs.values()]
        apart = row_wise and file_channels is None
        self.batchable = apart and bool(self.inputs) and all(spec.has_rows for spec in specs)
        self._strict = strict
        self._function = function

    def fit(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """The inputs with whole numbers as the signature's own type, where their values fit it.

        A signature has one type for each input, such as int64 for labels; a client need not know
        which. Everything else is left to `check`.
        """
        return {
            name: _fitted(array, self.inputs[name]) if name in self.inputs else array
            for name, array in inputs.items()
        }

    def check_names(self, names: Collection[str]) -> None:
        """Refuses inputs that are missing or unknown, before anything is read from them.

        Raises:
            ServingError: INVALID_ARGUMENT.
        """
        extra = sorted(set(names) - set(self.inputs))
        missing = sorted(set(self.inputs) - set(names) - set(self.defaults))
        if extra or missing:
            raise invalid(
                f"input size does not match signature: {self.name!r} takes the inputs "
                f"{_names(self.inputs)}, got {_names(names)}. Sent extra: {_names(extra)}. "
                f"Missing but required: {_names(missing)}."
            )

    def check(self, inputs: Mapping[str, np.ndarray]) -> int | None:
        """The number of rows of a request; `None` where it must be answered alone.

        Raises:
            ServingError: INVALID_ARGUMENT for missing or unknown inputs, wrong types or shapes.
        """
        self.check_names(inputs)
        fits = True
        for name, array in inputs.items():
            spec = self.inputs[name]
            if array.dtype != spec.dtype.as_numpy_dtype:
                raise invalid(
                    f"the input {name!r} must be {spec.dtype.name}, got {array.dtype.name}."
                )
            if not spec.fits(array.shape):
                fits = False
                if self._strict:
                    want = ["any" if size is None else size for size in spec.shape or ()]
                    raise invalid(
                        f"the input {name!r} must have the shape [{', '.join(map(str, want))}], "
                        f"got {list(array.shape)}."
                    )
        if not fits:
            return None
        rows = {name: len(array) for name, array in inputs.items() if self.inputs[name].has_rows}
        alike = len(set(rows.values())) <= 1
        if self._strict and not alike:
            raise invalid(f"all inputs must have as many rows, got {rows}.")
        return next(iter(rows.values())) if self.batchable and alike else None

    def least_bytes(self, rows: int | None) -> int:
        """What is known, before the call, of the bytes in the outputs for so many rows.

        An output with a free dimension, other than that of the rows, counts as nothing.
        """
        known = 0
        for spec in self.outputs.values():
            sizes = (rows, *spec.shape[1:]) if self.batchable and spec.shape else spec.shape
            if sizes is not None and None not in sizes:
                known += math.prod(size or 0 for size in sizes) * spec.dtype.size
        return known

    def run(
        self,
        inputs: Mapping[str, np.ndarray],
        sizes: Sequence[int] = (),
        *,
        limit: float = math.inf,
    ) -> Arrays:
        """Calls TensorFlow.

        Args:
            inputs: What `check` accepted.
            sizes: The row counts that TensorFlow may see, ascending, for a request with rows: they
                are padded (what is answered to the padding is dropped), and more rows than the
                last size come in several calls. Any count if empty.
            limit: Most bytes in the outputs of a call; nothing is copied from larger ones.

        Returns:
            The outputs by name.

        Raises:
            ServingError: What TensorFlow found; FAILED_PRECONDITION where an output has other
                rows than the inputs, so that nobody knows whose they are.
        """
        rows = len(next(iter(inputs.values()))) if sizes else 0
        if rows == 0:
            return self._call(inputs, limit)
        parts = []
        for start in range(0, rows, sizes[-1]):
            part = {name: array[start : start + sizes[-1]] for name, array in inputs.items()}
            count = min(rows - start, sizes[-1])
            padded = next(size for size in sizes if size >= count)
            outputs = self._call(_pad(part, padded), limit * padded / count)
            _check_rows(outputs, padded)
            parts.append({name: array[:count] for name, array in outputs.items()})
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _empty(self, inputs: Mapping[str, np.ndarray]) -> Arrays | None:
        """The answer to no rows, where the signature tells it: some networks fail without any."""
        specs = [*self.inputs.values(), *self.outputs.values()]
        if not (self._strict and inputs and all(spec.has_rows for spec in specs)):
            return None
        sizes = {name: (spec.shape or ())[1:] for name, spec in self.outputs.items()}
        if any(map(len, inputs.values())) or any(None in one for one in sizes.values()):
            return None
        return {
            name: np.zeros([0, *map(int, one)], self.outputs[name].dtype.as_numpy_dtype)  # type: ignore[arg-type]
            for name, one in sizes.items()
        }

    def _call(self, inputs: Mapping[str, np.ndarray], limit: float) -> Arrays:
        if (empty := self._empty(inputs)) is not None:
            return empty
        try:
            tensors = {
                name: tf.constant(array, self.inputs[name].dtype) for name, array in inputs.items()
            }
            # In order: TensorFlow's own changes from one loading to the next.
            found = sorted(self._function(**tensors).items())
            check_size(sum(_bytes_of(value) for _, value in found), limit)
            return {name: _numpy(value) for name, value in found}
        except tf.errors.OpError as error:
            code = _CODES.get(type(error), "INTERNAL")
            raise ServingError(code, _reason(error.message)) from error
        except (TypeError, ValueError) as error:
            raise invalid(_reason(str(error))) from error


def _check_rows(outputs: Arrays, rows: int) -> None:
    for name, array in outputs.items():
        if array.ndim == 0 or len(array) != rows:
            raise ServingError(
                "FAILED_PRECONDITION",
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
                f"sizes of the input tensors: the output {name!r} has the shape "
                f"{list(array.shape)} for {rows} rows. Serve it without --batch.",
            )


def check_size(size: float, limit: float) -> None:
    """Refuses an answer of more bytes than the limit.

    Raises:
        ServingError: RESOURCE_EXHAUSTED, with status 400: asking again later does not help.
    """
    if size > limit:
        raise ServingError(
            "RESOURCE_EXHAUSTED",
            f"the answer would hold {size:,} bytes, and {limit:,.0f} are allowed: ask for less, or "
            "start the server with a larger --max-reply-mb.",
            http_status=400,
        )


def bytes_of(outputs: Arrays) -> int:
    """The bytes in outputs; a string counts as its own and 8 more."""
    return sum(
        array.nbytes + (sum(map(len, array.flat)) if array.dtype == object else 0)
        for array in outputs.values()
    )


def _bytes_of(value: tf.Tensor) -> int:
    size = int(np.prod(value.shape.as_list(), dtype=np.int64))
    if value.dtype == tf.string:
        return 8 * size + int(tf.reduce_sum(tf.strings.length(value)))
    return size * value.dtype.size


def batch_sizes(largest: int) -> tuple[int, ...]:
    """The powers of two below `largest`, and `largest`: what TensorFlow may see."""
    return (*(2**power for power in range(math.ceil(math.log2(largest)))), largest)


def _pad(inputs: Mapping[str, np.ndarray], rows: int) -> Mapping[str, np.ndarray]:
    missing = rows - len(next(iter(inputs.values())))
    if not missing:
        return inputs
    # Copies of a row that the client sent: valid whatever the model asks of its inputs.
    return {
        name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
        for name, array in inputs.items()
    }


def _fitted(array: np.ndarray, spec: Spec) -> np.ndarray:
    wanted = np.dtype(spec.dtype.as_numpy_dtype)
    if array.dtype == wanted or array.dtype.kind not in "iu" or wanted.kind not in "iu":
        return array
    info = np.iinfo(wanted)
    if array.size and not (int(array.min()) >= info.min and int(array.max()) <= info.max):
        return array
    return array.astype(wanted)


def _numpy(value: tf.Tensor) -> np.ndarray:
    # A scalar of TensorFlow's is no array, and a string of bytes would lose zeros at its end.
    array = value.numpy()
    if isinstance(array, np.ndarray):
        return array
    made = np.empty((), value.dtype.as_numpy_dtype)
    made[()] = array
    return made


def _spec(info) -> Spec:
    shape = info.tensor_shape
    sizes = None
    if not shape.unknown_rank:
        sizes = tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return Spec(tf.dtypes.as_dtype(info.dtype), sizes)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


_FAILED = "assertion failed: ["
_NUMBER = r"[-+]?(?:\d[-+.e\d]*|inf|nan)"
_NUMBERS = re.compile(rf"\[*{_NUMBER}(?:[\[\] ]+{_NUMBER})+(?:\.\.\.)?\]*")


def _reason(message: str) -> str:
    """The line of TensorFlow's that tells what was wrong with the request."""
    lines = [line for line in message.splitlines() if line.strip()] or ["no message"]
    # It stands before the name of the node, after where the node was defined.
    node = next((number for number, line in enumerate(lines) if "[[{{node" in line), 1)
    line = lines[max(0, node - 1)].strip()
    if not line.startswith(_FAILED):
        return line
    # A model's own check, such as that of labels: what it says, with values between or behind.
    said = line.removeprefix(_FAILED).rpartition("]")[0]
    if not said:
        # A value over several lines.
        return line
    parts = said.replace("\\'", "'").split("] [")
    return " ".join(f"[{part}]" if _NUMBERS.fullmatch(part) else part for part in parts)


_CODES = {
    getattr(tf.errors, "".join(part.title() for part in code.split("_")) + "Error", None): code
    for code in HTTP_STATUS
}
