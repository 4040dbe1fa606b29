"""A model's endpoints as a SavedModel in the layout that TensorFlow Serving watches.

Each endpoint is a signature of its name, with its inputs and outputs by name. Those that answer row
by row have a first dimension that counts rows everywhere, so that a server may batch requests; the
manifest says which do. The first endpoint also answers to
`serving_default`, TensorFlow Serving's name for it, and to `serve`, Keras's.

A signature has one type for each input: labels, targets and seeds are int64. `kgan serve` and
`kgan.client` take whole numbers of any other type too, where the values fit; TensorFlow Serving
itself refuses int32 over gRPC. A label that is no class is an error, INVALID_ARGUMENT, never an
answer.

A model whose classes have names tells them too: `class_names` takes `labels` and gives `names`.

Beside the model lie `assets/class_names.txt`, a line a class; the manifest (`manifest.py`), which
tells what the model is and where it comes from; and TensorFlow Serving's warm-up file.
"""

import dataclasses
import keyword
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kgan import files
from kgan.endpoints import Endpoint, Endpoints, takes
from kgan.export import apart, manifest, versions, warmup

CLASS_NAMES = "class_names"
"""The endpoint of a model whose classes have names: from `labels` to `names`, which are empty where
there is no such class."""

ALIASES = ("serve", "serving_default")
"""Further names of the first endpoint: Keras's and TensorFlow Serving's."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def export(
    model: Any,
    folder: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a model of kgan's as the next version in `folder`.

    Args:
        model: A model with `endpoints()`, such as a `kgan.models.GAN`, of which the averaged
            generator and the discriminator are written.
        folder: The servable's folder, such as `saved_models/digits`; its versions are the
            numbered folders in it.
        class_names: A name for each class.
        origin: Plain values for the manifest: preset, data, configuration, scores.

    Returns:
        The version's folder. It appears under its number only when it is complete.
    """
    if not hasattr(model, "endpoints"):
        raise TypeError(
            f"model must have endpoints(), as the models of kgan.models have, got "
            f"{type(model).__name__}. A classifier is written by kgan.export.export_classifier."
        )
    return write(model.endpoints(), folder, class_names=class_names, origin=origin)


def write(
    endpoints: Endpoints,
    folder: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes endpoints as the next version of a servable, with manifest and warm-up file.

    Args:
        endpoints: The endpoints of the model. Names of inputs must consist of letters, digits and
            underscores, since a SavedModel renames others; outputs may have any name.
        folder: The servable's folder, such as `saved_models/digits`; its versions are the
            numbered folders in it.
        class_names: What the classes are called.
        origin: Plain values for the manifest that tell where the model comes from.

    Returns:
        The version's folder. It appears under its number only when it is complete.

    Raises:
        ValueError: For endpoints that no server could answer, or names that do not fit the classes.
    """
    folder = Path(folder)
    names = None if class_names is None else tuple(class_names)
    _check_names(endpoints)
    _check_class_names(names, endpoints.details.get("num_classes"))
    endpoints = written = _with_rows_shown(endpoints)
    archive = keras.export.ExportArchive()
    for one in endpoints.tracked:
        archive.track(one)
    with tempfile.TemporaryDirectory() as assets:
        if names is not None:
            named = _asset(Path(assets) / "class_names.txt", names)
            archive.track(named)
            written = _with_class_names(endpoints, named)
        _add_endpoints(archive, written)
        folder.mkdir(parents=True, exist_ok=True)
        files.remove_left_behind(folder)
        with files.temporary_path(folder, "version") as version:
            archive.write_out(version, verbose=False)
            warmup.write(version, folder.name, _first_requests(written))
            # It has the names themselves.
            manifest.write(
                version,
                endpoints,
                row_wise={name: one.row_wise for name, one in _signatures(written)},
                class_names=names,
                origin=origin,
            )
            files.sync(version)
            return versions.add(folder, version)


def _add_endpoints(archive: keras.export.ExportArchive, endpoints: Endpoints) -> None:
    functions = []
    for name, endpoint in endpoints.endpoints.items():
        signature = {
            key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in endpoint.inputs.items()
        }
        function = archive.add_endpoint(name, endpoint.function, [signature])
        outputs = function.get_concrete_function().structured_outputs
        for key, output in outputs.items() if endpoint.row_wise else ():
            _check_rows(f"the output {key!r} of the endpoint {name!r}", output.shape)
        functions.append(function)
    # Traced already, so the file holds its graph once.
    archive.add_endpoint(ALIASES[0], functions[0])


def _with_rows_shown(endpoints: Endpoints) -> Endpoints:
    """The endpoints; those of networks of somebody else's that mix rows say so."""
    if apart.all_known(endpoints.tracked):
        return endpoints
    sample = () if endpoints.kind is None else endpoints.kind.shape
    shown = {}
    for name, endpoint in endpoints.endpoints.items():
        shown[name] = endpoint
        own = sample if endpoint.takes is None else endpoint.takes.shape
        shapes = {key: _shape(spec.shape, 4, own) for key, spec in endpoint.inputs.items()}
        known = {key: shape for key, shape in shapes.items() if shape is not None}
        files_alone = endpoint.role == "translate_files"
        if not endpoint.row_wise or files_alone or len(known) < len(shapes):
            continue
        if not apart.keeps_rows_apart(endpoint, known):
            warnings.warn(
                f"the endpoint {name!r} answers a sample otherwise beside others than alone, so "
                "a server answers each request by itself.",
                stacklevel=3,
            )
            shown[name] = dataclasses.replace(endpoint, row_wise=False)
    return dataclasses.replace(endpoints, endpoints=shown)


def _check_names(endpoints: Endpoints) -> None:
    if not endpoints.endpoints:
        raise ValueError(f"endpoints must not be empty; the family {endpoints.family!r} has none.")
    for name, endpoint in endpoints.endpoints.items():
        if name in ALIASES or not _NAME.fullmatch(name):
            raise ValueError(
                f"endpoints must have names of letters, digits and underscores other than "
                f"{', '.join(ALIASES)}, got {name!r}."
            )
        for key, spec in endpoint.inputs.items():
            if not _NAME.fullmatch(key) or keyword.iskeyword(key):
                raise ValueError(
                    f"inputs of the endpoint {name!r} must have names of letters, digits and "
                    f"underscores, got {key!r}."
                )
            if endpoint.row_wise:
                _check_rows(f"the input {key!r} of the endpoint {name!r}", spec.shape)


def _check_rows(what: str, shape: tf.TensorShape) -> None:
    if shape.rank is None or shape.rank == 0 or shape[0] is not None:
        raise ValueError(
            f"{what} must have a free first dimension, which counts rows, got the shape {shape}. "
            "tf.ensure_shape states what TensorFlow could not work out."
        )


def _check_class_names(names: tuple[str, ...] | None, num_classes: int | None) -> None:
    if names is None:
        return
    if num_classes is not None and len(names) != num_classes:
        raise ValueError(f"class_names must be {num_classes}, one a class, got {len(names)}.")
    for name in names:
        if "\n" in name or "\r" in name:
            raise ValueError(f"class_names must be of one line each, got {name!r}.")


def _asset(path: Path, lines: tuple[str, ...]) -> tf.Module:
    """A text file that becomes part of the SavedModel, as a table from line number to line."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(path),
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
        ),
        default_value="",
    )
    return module


def _with_class_names(endpoints: Endpoints, named: tf.Module) -> Endpoints:
    """The endpoints, and one that tells a client what the classes are called."""

    def tell(request):
        return {"names": named.table.lookup(request["labels"])}

    asked = Endpoint(tell, takes(labels=((), tf.int64)), CLASS_NAMES)
    return dataclasses.replace(endpoints, endpoints={**endpoints.endpoints, CLASS_NAMES: asked})


def _first_requests(endpoints: Endpoints) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """One row and eight for each signature: what warms it up."""
    sample = () if endpoints.kind is None else endpoints.kind.shape
    # A server prepares itself for each name apart, and most clients ask for the default one.
    for name, endpoint in _signatures(endpoints):
        if endpoint.role == "translate_files":
            # An empty text is no image file.
            continue
        own = sample if endpoint.takes is None else endpoint.takes.shape
        for rows in (1, 8):
            shapes = {key: _shape(spec.shape, rows, own) for key, spec in endpoint.inputs.items()}
            request = {
                key: _blank(shape, endpoint.inputs[key].dtype)
                for key, shape in shapes.items()
                if shape is not None
            }
            # Where a size is not known the first client warms the endpoint up.
            if len(request) == len(shapes):
                yield name, request


def _signatures(endpoints: Endpoints) -> Iterator[tuple[str, Endpoint]]:
    """Every name that can be asked, the first endpoint's further ones among them."""
    named = endpoints.endpoints
    yield from named.items()
    for alias in ALIASES:
        yield alias, next(iter(named.values()))


def _shape(shape: tf.TensorShape, rows: int, sample: tuple[int, ...]) -> tuple[int, ...] | None:
    """With so many rows, and a sample's sizes where it leaves them free; `None` if unknown."""
    if shape.rank is None:
        return None
    first = [rows if size is None else size for size in shape.as_list()[:1]]
    row = shape.as_list()[1:]
    if None not in row:
        return (*first, *row)
    return (*first, *sample) if len(row) == len(sample) else None


def _blank(shape: tuple[int, ...], dtype: tf.DType) -> np.ndarray:
    return np.full(shape, b"" if dtype == tf.string else 0, dtype.as_numpy_dtype)
