"""TensorFlow Serving's models.config: which models, which of their versions, and labels."""

import ntpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from kgan.serving.errors import invalid
from kgan.serving.repository import Model
from kgan.serving.servable import Servable

Load = Callable[[str, int, Path], Servable]


def read(path: Path) -> Any:
    """The ModelServerConfig in a file.

    Raises:
        ValueError: For a file that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no models.config: {error}") from None


def models_of(config: Any, load: Load, *, within: Sequence[Path] | None = None) -> list[Model]:
    """The models of a ModelServerConfig.

    Args:
        config: The message.
        load: Function that reads a version, from name, number and folder.
        within: Folders below which the models must lie: a SavedModel is code, so a client must
            not choose any folder. Anywhere if `None`.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("ServerModelConfig type not supported: give a model_config_list.")
    made: dict[str, Model] = {}
    for one in config.model_config_list.config:
        if not one.name or ntpath.basename(one.name) != one.name or ":" in one.name:
            raise invalid(f"model_config_list must have plain names of models, got {one.name!r}.")
        if one.name in made:
            raise invalid(f"model_config_list has two models of the name {one.name!r}.")
        if one.model_platform not in ("", "tensorflow"):
            raise invalid(
                f"model_platform of {one.name!r} must be tensorflow, got {one.model_platform!r}."
            )
        folder = Path(one.base_path).expanduser()
        if not one.base_path or not folder.is_absolute():
            raise invalid(f"base_path of {one.name!r} must be absolute, got {one.base_path!r}.")
        folder = folder.resolve()
        if within is not None and not any(folder.is_relative_to(place) for place in within):
            raise invalid(
                f"base_path of {one.name!r} must lie in "
                f"{', '.join(sorted(map(str, within)))}, got {one.base_path!r}."
            )
        made[one.name] = Model(
            one.name, folder, labels=dict(one.version_labels), load=load, **_policy(one)
        )
    if not made:
        raise invalid("model_config_list must have a model.")
    return list(made.values())


def places(models: Sequence[Model]) -> list[Path]:
    """The folders beside and below which a client may choose others."""
    return sorted({model.folder.parent for model in models})


def _policy(one: Any) -> dict[str, Any]:
    policy = one.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        return {"versions": tuple(policy.specific.versions)}
    return {"latest": None if choice == "all" else max(1, policy.latest.num_versions)}
