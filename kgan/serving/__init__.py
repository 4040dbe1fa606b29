"""A server with the API of TensorFlow Serving, for machines without TensorFlow Serving.

| file | what |
| --- | --- |
| `servable.py` | one loaded version, warmed up |
| `signature.py` | one function of it: its inputs checked, and the call into TensorFlow |
| `repository.py` | the versions of each model on disk and in memory; roll-out and roll-back |
| `batching.py` | requests that wait for each other: one call into TensorFlow for several |
| `json_tensors.py` | tensors in JSON, by row and by column |
| `rest.py`, `grpc_service.py` | the two contracts |
| `playground.py`, `page/` | the page to play with, and what it needs beyond the contract |
| `server.py` | ports, signals, start and end |

Needs the extra `serve`.
"""

import importlib.util

_NEEDED = ("starlette", "uvicorn", "orjson", "prometheus_client", "grpc", "tensorflow_serving")

if _missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
    raise ImportError(f"{', '.join(_missing)} is needed: pip install 'kgan[serve]'.")
