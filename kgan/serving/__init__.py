"""A server with the API of TensorFlow Serving, for machines without TensorFlow Serving.

| file | what |
| --- | --- |
| `servable.py` | one loaded version, warmed up |
| `signature.py` | one function of it: its inputs checked, and the call into TensorFlow |
| `repository.py` | the versions of each model on disk and in memory; roll-out and roll-back |
| `batching.py` | requests that wait for each other: one call into TensorFlow for several |
| `models_config.py` | TensorFlow Serving's models.config |
| `json_document.py` | JSON as its parser reads it, and its texts of single values |
| `json_tensors.py`, `json_examples.py` | tensors and tf.Examples in JSON |
| `tensors.py` | TensorProtos |
| `examples.py` | Classify and Regress |
| `bodies.py`, `connections.py` | what a request and a connection may take |
| `access.py`, `guard.py` | who may ask |
| `rest.py`, `grpc_service.py`, `grpc_health.py` | the contracts |
| `grpc_streams.py` | calls without an end of their own |
| `playground.py`, `page/` | the page to play with, and what it needs beyond the contract |
| `rehearsal.py` | requests of the server's own before the first |
| `server.py` | ports, signals, start and end |
| `workers.py` | several such processes on one port |

Needs the extra `serve`.
"""

import importlib.util

_NEEDED = ("starlette", "uvicorn", "orjson", "prometheus_client", "grpc", "tensorflow_serving")

if _missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
    raise ImportError(f"serving needs {', '.join(_missing)}: pip install 'kgan[serve]'.")
