"""The page to play with: its files, and what it asks for beyond TensorFlow Serving's contract."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from kgan.decoding.reading import Reading
from kgan.kinds import KINDS
from kgan.serving import bodies, json_document
from kgan.serving.errors import ServingError, invalid
from kgan.serving.rest import answer
from kgan.serving.servable import Servable
from kgan.serving.service import Service
from kgan.serving.signature import Spec

_PAGE = Path(__file__).parent / "page"
# Nothing from elsewhere: the page works without internet access.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:",
    "Cache-Control": "no-cache",
}


class AttackedClassifier(NamedTuple):
    """A classifier and an attack on it, for the page.

    Attributes:
        name: The classifier's name.
        shape: Shape of the images, (height, width, channels).
        class_names: A name for each class.
        attacks: The names of the attacks, each with the norms that it knows; the first is the
            default, as is each one's first norm.
        radii: The largest epsilon for each norm.
        attack: `(image (1, h, w, c) in [0, 1], epsilon, attack, norm)` to `(adversarial image,
            probabilities before, probabilities after)`.
    """

    name: str
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    attacks: Mapping[str, Sequence[str]]
    radii: Mapping[str, float]
    attack: Callable[[np.ndarray, float, str, str], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Playground:
    """The page's endpoints."""

    def __init__(self, service: Service, *, fool: AttackedClassifier | None, max_body: int):
        self.service = service
        self.fool = fool
        self.max_body = max_body
        self._one_attack = asyncio.Semaphore(1)

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        files = [Route(f"/{path.name}", _file(path)) for path in _PAGE.iterdir() if path.is_file()]
        return [
            Route("/", _file(_PAGE / "index.html")),
            *files,
            Route("/kgan/models", self._models),
            Route("/kgan/attack", self._attack, methods=["POST"]),
        ]

    async def _models(self, request: Request) -> Response:
        """The models in memory with their endpoints, and the classifier."""
        ready = (model for model in self.service.repository.models.values() if model.ready)
        fool = self.fool
        classifier = None
        if fool is not None:
            classifier = {name: value for name, value in fool._asdict().items() if name != "attack"}
            # A file of a classifier alone does not tell.
            classifier["reading"] = _reading(Reading())
        models = [_told(model.get()) for model in ready]
        return _json({"models": models, "classifier": classifier})

    async def _attack(self, request: Request) -> Response:
        return await answer(request, self._fool)

    async def _fool(self, request: Request) -> Response:
        if self.fool is None:
            raise ServingError("NOT_FOUND", "no classifier is served: start with --classifier.")
        body = await bodies.read(request, limit=self.max_body, timeout=self.service.timeout)
        question = _question(body, self.fool)
        async with self._one_attack:
            changed, before, after = await asyncio.to_thread(self.fool.attack, *question)
        return _json(
            {
                "image": np.ascontiguousarray(changed[0], np.float32),
                "before": np.ascontiguousarray(before, np.float32),
                "after": np.ascontiguousarray(after, np.float32),
            }
        )


_KEYS = (
    *("family", "kind", "class_names", "num_classes", "latent_dim", "sample_shape", "epsilon"),
    *("preset", "data", "scores", "conditions"),
)


def _told(servable: Servable) -> dict[str, Any]:
    """What the page knows of a model: its manifest, and each endpoint with what it takes."""
    manifest = servable.manifest
    endpoints = [
        {
            "name": name,
            "role": role,
            "inputs": _specs(servable.signatures[name].inputs),
            "outputs": _specs(servable.signatures[name].outputs),
            "takes": manifest.takes.get(name),
            "least_side": manifest.least_sides.get(name),
        }
        for name, role in manifest.roles.items()
        if name in servable.signatures
    ]
    kind = KINDS.get((manifest.kind or {}).get("kind", ""))
    return {
        "name": servable.name,
        "version": servable.version,
        **{key: manifest[key] for key in _KEYS},
        "reading": _reading(manifest.reading),
        "samples": None if kind is None else kind.plural,
        "columns": _columns(manifest.kind or {}, endpoints),
        "endpoints": endpoints,
    }


def _reading(reading: Reading) -> dict[str, str]:
    """How the page reads pictures, the background as a browser has it."""
    return {"resize": reading.resize, "background": "#{:02x}{:02x}{:02x}".format(*reading.colour)}


def _specs(specs: Mapping[str, Spec]) -> dict[str, Any]:
    return {name: {"dtype": one.dtype.name, "shape": one.shape} for name, one in specs.items()}


def _columns(kind: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of a table's columns in their order, which an answer's outputs do not keep."""
    names = [column["name"] for column in kind.get("columns", ())]
    made = [one["outputs"] for one in endpoints if one["role"] == "generate"]
    return [name for name in names if any(name in outputs for outputs in made)]


def _question(body: bytes, fool: AttackedClassifier) -> tuple[np.ndarray, float, str, str]:
    """The image, epsilon, attack and norm that a request asks for."""
    document = json_document.read(body)
    for key in ("image", "epsilon"):
        if key not in document:
            found = json_document.short(list(document))
            raise invalid(f"{key} must be in the body, got the names {found}.")
    epsilon = document["epsilon"]
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float):
        raise invalid(f"epsilon must be a number, got {json_document.short(epsilon)}.")
    attack, norm = document.get("attack", next(iter(fool.attacks))), document.get("norm")
    image = _pixels(document["image"], fool.shape)
    if not isinstance(attack, str) or attack not in fool.attacks:
        raise invalid(f"attack must be one of {', '.join(fool.attacks)}, got {attack!r}.")
    norms = fool.attacks[attack]
    norm = norms[0] if norm is None else norm
    if norm not in norms:
        raise invalid(f"norm must be one of {', '.join(norms)} for {attack}, got {norm!r}.")
    if not (image.min() >= 0 and image.max() <= 1):
        raise invalid("image must be in [0, 1].")
    most = 1.0 if norm == "linf" else fool.radii[norm]
    if not 0 <= epsilon <= most:
        raise invalid(
            f"epsilon must be in [0, {most:g}] in {norm} for images in [0, 1], got {epsilon}."
        )
    return image[None], float(epsilon), attack, norm


def _pixels(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The image that a request holds as lists of numbers, float32 of that shape."""
    try:
        image = np.array(given)
    except ValueError:
        raise invalid(
            f"image must have the shape {list(shape)}, got lists of several lengths."
        ) from None
    if image.shape != shape:
        raise invalid(f"image must have the shape {list(shape)}, got {list(image.shape)}.")
    if image.dtype.kind not in "iuf":
        raise invalid(f"image must be numbers, got {json_document.short(given)}.")
    return image.astype(np.float32)


def _file(path: Path):
    async def endpoint(request: Request) -> Response:
        return FileResponse(path, headers=_HEADERS)

    return endpoint


def _json(content: Any) -> Response:
    return Response(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
    )
