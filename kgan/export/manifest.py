"""The manifest of an exported version: a JSON file beside the model that describes it.

    {"format": 3, "kgan": "0.1.0", "family": "gan", "kind": {"kind": "images", "height": 28, ...},
     "endpoints": {"generate": {"role": "generate"}, ...},
     "row_wise": {"generate": true, ..., "serving_default": true}, "class_names": null,
     "latent_dim": 64, ..., "preset": "mnist", "scores": {...}, "config": {...}}

Only this module knows where the file lies. Files of format 1 had neither `format` nor family, kind
and endpoints; what those are is read from the keys that they had. In files of formats 1 and 2 all
signatures answer row by row.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kgan
import kgan.kinds
from kgan.decoding.reading import Reading
from kgan.endpoints import Endpoints

FORMAT = 3
_PATH = "assets.extra/manifest.json"
# What a picture of any size and form needs.
_READING = ("resize", "background")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest that was read; without a family where kgan did not write the version.

    Attributes:
        family: Which family the model is of, such as "gan".
        kind: What a sample is, as `Kind.get_config` has it; `None` where the model has no samples.
        roles: What each endpoint is for, by its name; see `kgan.endpoints.Endpoint.role`.
        gives: What a sample is that an endpoint gives, where it differs from `kind`, by the
            endpoint's name.
        takes: What a sample is that an endpoint takes, where it says so, by the endpoint's name.
        least_sides: The smallest side of images of endpoints that take any size from that on, by
            the endpoint's name.
        class_names: What the classes are called, where they have names.
        row_wise: Whether each row of a signature's answer depends on the same row of the request
            alone, so that a server may join and pad requests, by the signature's name; one value
            for all where an earlier version of kgan wrote the file.
        content: Everything in the file: details such as `latent_dim` and `num_classes`, and where
            the model comes from.
    """

    family: str | None = None
    kind: Mapping[str, Any] | None = None
    roles: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gives: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    takes: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    least_sides: Mapping[str, int] = dataclasses.field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    row_wise: Mapping[str, bool] | bool = False
    content: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """A value of the file; `None` for a key that it lacks."""
        return self.content.get(key)

    @property
    def reading(self) -> Reading:
        """How pictures become samples: the resizing and the background of the training's settings.

        Where the file tells none, or none that there are, they are those of a default `Reading`.
        """
        config = self["config"]
        told = config if isinstance(config, Mapping) else {}
        try:
            return Reading(**{name: told[name] for name in _READING if name in told})
        except (TypeError, ValueError):
            return Reading()

    def is_row_wise(self, signature: str) -> bool:
        """Whether a signature is declared to answer row by row; not where nothing says so."""
        if isinstance(self.row_wise, bool):
            return self.row_wise
        return self.row_wise.get(signature) is True


def write(
    version: Path,
    endpoints: Endpoints,
    *,
    row_wise: Mapping[str, bool],
    class_names: tuple[str, ...] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the manifest of a version.

    Args:
        version: The version's folder.
        endpoints: What the model can be asked.
        row_wise: Which of the version's signatures answer row by row, by name.
        class_names: What the classes are called.
        origin: Plain values that tell where the model comes from.

    Returns:
        The file.
    """
    content = {
        "format": FORMAT,
        "kgan": kgan.__version__,
        "family": endpoints.family,
        "kind": None if endpoints.kind is None else endpoints.kind.get_config(),
        "endpoints": {
            name: {"role": one.role}
            | ({"kind": one.gives.get_config()} if one.gives else {})
            | ({"takes": one.takes.get_config()} if one.takes else {})
            | ({"least_side": one.least_side} if one.least_side else {})
            for name, one in endpoints.endpoints.items()
        },
        "row_wise": dict(row_wise),
        "class_names": None if class_names is None else list(class_names),
    }
    for key, value in {**endpoints.details, **(origin or {})}.items():
        if content.get(key, value) != value:
            raise ValueError(f"the manifest's {key!r} is {content[key]!r}, got {value!r} for it.")
        content[key] = value
    path = version / _PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    return path


def read(version: str | Path) -> Manifest:
    """The manifest of a version; an empty one for a SavedModel that kgan did not write.

    Args:
        version: The version's folder.

    Raises:
        ValueError: For a file that is damaged.
    """
    path = Path(version) / _PATH
    if not path.is_file():
        return Manifest()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged: {error} Export the model again, or remove the file."
        ) from None
    # Another tool may have a file of that name.
    if not isinstance(content, dict) or "kgan" not in content:
        return Manifest()
    if "format" not in content:
        content = {**content, **_what_format_1_left_out(content)}
    names = content.get("class_names")
    endpoints = content.get("endpoints", {})

    def told(key: str) -> dict[str, Any]:
        return {name: one[key] for name, one in endpoints.items() if key in one}

    return Manifest(
        family=content.get("family"),
        kind=content.get("kind"),
        roles=told("role"),
        gives=told("kind"),
        takes=told("takes"),
        least_sides=told("least_side"),
        class_names=None if names is None else tuple(names),
        row_wise=_row_wise(content.get("row_wise")),
        content=content,
    )


def _row_wise(content: Any) -> Mapping[str, bool] | bool:
    return content if isinstance(content, dict) else content is True


def _what_format_1_left_out(content: Mapping[str, Any]) -> dict[str, Any]:
    # Its endpoints were called by their roles.
    roles: tuple[str, ...]
    if "latent_dim" in content:
        family, roles = "gan", ("generate", "latents", "decode", "interpolate", "score")
    elif "epsilon" in content:
        family, roles = "advgan", ("perturb",)
    else:
        family, roles = "classifier", ("classify",)
    shape = content.get("sample_shape") or content.get("image_shape") or ()
    kind = None
    with contextlib.suppress(ValueError):
        kind = kgan.kinds.of_array("the exported model", (0, *shape)).get_config()
    return {
        "family": family,
        "kind": kind,
        "endpoints": {name: {"role": name} for name in roles},
        "row_wise": True,
    }
