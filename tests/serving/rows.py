"""A generator of rows whose values are known: what a table's export looks like to a server."""

import dataclasses
from typing import ClassVar

import numpy as np
import tensorflow as tf

from kgan.endpoints import Endpoint, Endpoints, check_labels
from kgan.kinds import Kind

COLUMNS = ("size (cm)", "2020", "city, country", "id", "key_bytes")
KEY = b"\xff\x00"
CITIES = ('Zürich, "CH"', "<b>Rome</b>")


@dataclasses.dataclass(frozen=True)
class Rows(Kind):
    """A table, as far as a server needs to know of it."""

    columns: tuple[dict, ...]

    name: ClassVar[str] = "table"

    @property
    def shape(self):
        return ()


def rows_endpoints():
    """Row i has the number i and the city of its class; 3 has no size. `join` takes strings."""
    cities = tf.constant(CITIES)

    def generate(request):
        seeds = request["seeds"]
        return {
            "id": seeds + 2**60,
            "2020": seeds,
            "size (cm)": tf.where(seeds == 3, np.nan, tf.cast(seeds, tf.float32) + 0.1),
            "city, country": tf.gather(cities, check_labels(request["labels"], 2)),
            "key_bytes": tf.fill(tf.shape(seeds), KEY),
        }

    def generate_where(request):
        asked = request["where"][:, 0]
        labels = tf.where(tf.equal(asked, cities[1]), tf.constant(1, tf.int64), 0)
        return generate({"seeds": request["seeds"], "labels": labels})

    def join(request):
        return {"both": tf.strings.join([request["first"], request["second"]], "-")}

    numbers = tf.TensorSpec([None], tf.int64)
    strings = tf.TensorSpec([None], tf.string)
    return Endpoints(
        family="rows",
        kind=Rows(
            tuple({"name": name, "values": CITIES if "city" in name else ()} for name in COLUMNS)
        ),
        endpoints={
            "generate": Endpoint(generate, {"seeds": numbers, "labels": numbers}, "generate"),
            "generate_where": Endpoint(
                generate_where,
                {"seeds": numbers, "where": tf.TensorSpec([None, 1], tf.string)},
                "generate_where",
            ),
            "join": Endpoint(join, {"first": strings, "second": strings}, "join"),
        },
        tracked=(),
        details={"num_classes": 2, "conditions": ["city, country"]},
    )
