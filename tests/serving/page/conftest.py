"""The page in a real browser without a screen, and what is served to it."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import kgan.export
from kgan.endpoints import Endpoint, Endpoints
from kgan.kinds import Images
from kgan.serving.playground import AttackedClassifier
from kgan.serving.repository import Model, Repository
from tests.serving import in_thread


def darken(image, epsilon, attack, norm):
    """A stand-in for an attack: the brighter the image, the surer class 1."""

    def probabilities(image):
        share = float(image.mean())
        return np.array([1 - share, share])

    # As long in l2, for 64 values.
    change = {"linf": epsilon, "l2": epsilon / 8}[norm]
    changed = np.clip(image - change, 0, 1) if attack == "darken" else image
    return changed, probabilities(image), probabilities(changed)


def pictures_endpoints():
    """What may be asked of images, as functions that are seen at a glance."""
    images = {"images": tf.TensorSpec([None, 8, 8, 1], tf.float32)}
    mean = lambda request: tf.reduce_mean(request["images"], [1, 2, 3])  # noqa: E731

    def encode(request):
        return {"latents": tf.stack([mean(request), tf.zeros_like(mean(request))], axis=1)}

    def decode(request):
        grey = request["latents"][:, 0][:, None, None, None]
        return {"images": tf.tile(grey, [1, 8, 8, 1])}

    def classify(request):
        shares = tf.stack([1.0 - mean(request), mean(request)], axis=1)
        return {"probabilities": shares, "classes": tf.argmax(shares, axis=1)}

    latents = {"latents": tf.TensorSpec([None, 2], tf.float32)}
    named = {
        "invert": Endpoint(lambda r: {"images": 1.0 - r["images"]}, images, "translate"),
        "mirror": Endpoint(lambda r: {"images": r["images"][:, :, ::-1]}, images, "translate"),
        "reconstruct": Endpoint(lambda r: {"images": 0.5 * r["images"]}, images, "reconstruct"),
        "encode": Endpoint(encode, images, "encode"),
        "decode": Endpoint(decode, latents, "decode"),
        "classify": Endpoint(classify, images, "classify"),
        "score": Endpoint(lambda r: {"log_likelihood": 2.0 * mean(r)}, images, "score"),
    }
    return Endpoints("pictures", Images(8, 8, 1), named, tracked=())


def same_endpoints(channels, shown=None):
    """Images come back as they are."""
    images = {"images": tf.TensorSpec([None, 8, 8, channels], tf.float32)}
    named = {"same": Endpoint(lambda r: {"images": r["images"]}, images, "reconstruct")}
    return Endpoints("same", Images(8, 8, channels, shown=shown), named, tracked=())


def holes_endpoints(channels):
    """Holes become white, of images whose last channel is 1 where they are known."""
    shown = (0,) if channels == 1 else (0, 1, 2, 3)
    source = Images(8, 8, channels + 1, shown=shown)
    images = {"images": tf.TensorSpec([None, *source.shape], tf.float32)}

    def fill(request):
        known = request["images"][..., -1:]
        return {"images": known * request["images"][..., :-1] + (1.0 - known)}

    named = {"translate": Endpoint(fill, images, "translate", takes=source)}
    return Endpoints("holes", Images(8, 8, channels), named, tracked=())


def layers_endpoints():
    """Images of five channels, of which the last one is shown as red."""

    def generate(request):
        layers = tf.constant([0.0, 0.2, 0.4, 0.6, 0.8])
        return {"images": tf.zeros([tf.size(request["seeds"]), 8, 8, 1]) + layers}

    seeds = {"seeds": tf.TensorSpec([None], tf.int64)}
    kind = Images(8, 8, 5, shown=(4, 0, 1))
    named = {"generate": Endpoint(generate, seeds, "generate")}
    return Endpoints("layers", kind, named, tracked=())


def styled_endpoints():
    """Four styles, each the grey of two rows of pixels; a sample's are all a tenth of its seed."""
    kind, mean = Images(8, 8, 1), 0.5

    def images(styles):
        rows = tf.repeat(styles[:, :, 0], 2, axis=1)
        return {"images": tf.clip_by_value(tf.tile(rows[:, :, None, None], [1, 1, 8, 1]), 0.0, 1.0)}

    def drawn(request):
        return tf.stack([tf.cast(request["seeds"], tf.float32) / 10.0] * 2, axis=1)

    def styles_of(latents):
        return tf.repeat(latents[:, None], 4, axis=1)

    def near(request):
        styles = styles_of(request["latents"])
        first = tf.range(4)[None] < tf.cast(request["cutoff"], tf.int32)[:, None]
        near = mean + request["share"][:, None, None] * (styles - mean)
        return tf.where(first[:, :, None], near, styles)

    def mix(request):
        first = tf.range(4)[None] < tf.cast(request["layer"], tf.int32)[:, None]
        coarse, fine = styles_of(request["coarse"]), styles_of(request["fine"])
        return images(tf.where(first[:, :, None], coarse, fine))

    def move(request):
        along = tf.constant([[0.1, 0.0], [0.2, 0.0]])
        return images(near(request) + (request["moves"] @ along)[:, None])

    def project(request):
        """All the way to an image's mean in a hundred steps."""
        taken = tf.cast(request["steps"], tf.float32) / 100.0
        grey = taken * tf.reduce_mean(request["images"], [1, 2, 3])
        latents = tf.stack([grey] * 2, axis=1)
        found = images(styles_of(latents))["images"]
        errors = tf.reduce_mean(tf.square(found - request["images"]), [1, 2, 3])
        return {"latents": latents, "images": found, "errors": errors}

    spec = lambda *shape: tf.TensorSpec([None, *shape], tf.float32)  # noqa: E731
    seeds, latents = {"seeds": tf.TensorSpec([None], tf.int64)}, {"latents": spec(2)}
    share, moves = {"share": spec()}, {"moves": spec(2)}
    pulled = {**share, "cutoff": tf.TensorSpec([None], tf.int64)}
    searched = {"images": spec(8, 8, 1), "steps": tf.TensorSpec([None], tf.int64)}
    both = {"coarse": spec(2), "fine": spec(2), "layer": tf.TensorSpec([None], tf.int64)}
    named = {
        "generate": Endpoint(lambda r: images(styles_of(drawn(r))), seeds, "generate"),
        "latents": Endpoint(lambda r: {"latents": drawn(r)}, seeds, "latents"),
        "decode": Endpoint(lambda r: images(styles_of(r["latents"])), latents, "decode"),
        "interpolate": Endpoint(
            lambda r: images(styles_of(r["start"] + r["share"][:, None] * (r["end"] - r["start"]))),
            {"start": spec(2), "end": spec(2), **share},
            "interpolate",
        ),
        "style": Endpoint(lambda r: {"styles": styles_of(r["latents"])}, latents, "style"),
        "truncate": Endpoint(lambda r: images(near(r)), {**latents, **pulled}, "truncate"),
        "mix": Endpoint(mix, both, "mix"),
        "move": Endpoint(move, {**latents, **pulled, **moves}, "move"),
        "project": Endpoint(project, searched, "project", row_wise=False),
        # Of a loss without probabilities.
        "score": Endpoint(
            lambda r: {"logits": tf.reduce_mean(r["images"], [1, 2, 3]) - 3.0},
            {"images": spec(8, 8, 1)},
            "score",
        ),
    }
    return Endpoints("gan", kind, named, tracked=())


@contextlib.contextmanager
def serving(repository):
    """A server with a classifier to fool, in a thread; its address."""
    attacks = {"darken": ("linf", "l2"), "nothing": ("linf",)}
    radii = {"linf": 0.5, "l2": 4.0}
    fool = AttackedClassifier("darkness", (8, 8, 1), ("dark", "bright"), attacks, radii, darken)
    with in_thread.running(repository, grpc_port=None, fool=fool) as (port, _):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def served(exported, exported_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    kgan.export.write(pictures_endpoints(), folder / "pictures", class_names=["dark", "bright"])
    kgan.export.write(layers_endpoints(), folder / "layers")
    kgan.export.write(styled_endpoints(), folder / "styled")
    declared = {"config": {"resize": "pad", "background": "navy"}}
    kgan.export.write(same_endpoints(3), folder / "padded", origin=declared)
    kgan.export.write(same_endpoints(4, (0, 1, 2, 3)), folder / "clear")
    kgan.export.write(holes_endpoints(1), folder / "grey_holes")
    kgan.export.write(holes_endpoints(3), folder / "colour_holes")
    repository = Repository(
        [
            Model("toy", exported[0]),
            Model("rows", exported_rows),
            Model("pictures", folder / "pictures"),
            Model("layers", folder / "layers"),
            Model("styled", folder / "styled"),
            Model("padded", folder / "padded"),
            Model("clear", folder / "clear"),
            Model("grey_holes", folder / "grey_holes"),
            Model("colour_holes", folder / "colour_holes"),
        ]
    )
    repository.poll()
    with serving(repository) as url:
        yield SimpleNamespace(url=url, repository=repository)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    # Here, since it skips whatever imports it where there is no Selenium.
    from tests.serving.page.browser import start

    browser = start(tmp_path_factory.mktemp("chromium"), tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def page(browser, served):
    from tests.serving.page.browser import Page

    page = Page(browser, served.url)
    yield page
    assert not page.get("error").is_displayed(), page.get("error").text
    assert page.complaints() == []
