"""Exports the endpoints of a model in the folder layout of TensorFlow Serving.

    kgan.export.write(gan.endpoints(), "saved_models/mine")
    kgan.export.export(gan, "saved_models/mine")                 # the same

| file | what |
| --- | --- |
| `saved_model.py` | writes the next version: a signature for each endpoint, and what lies beside |
| `classifier.py` | the endpoints of a Keras classifier |
| `portable.py` | ONNX and LiteRT files of the same endpoints |
| `manifest.py` | what an exported version says of itself: written, and read again |
| `versions.py` | the numbered folders of a servable |
| `warmup.py` | the requests that a server plays before it serves |
"""

from kgan.export import manifest, portable, versions, warmup
from kgan.export.classifier import classifier_endpoints, export_classifier
from kgan.export.saved_model import export, write

__all__ = [
    "classifier_endpoints",
    "export",
    "export_classifier",
    "manifest",
    "portable",
    "versions",
    "warmup",
    "write",
]
