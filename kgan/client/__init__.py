"""A client for exported models, whoever serves them: TensorFlow Serving or `kgan serve`.

REST needs numpy alone; gRPC the extra `serve`, and it imports TensorFlow.

Strings go and come as `str`; what is no text has a name that ends in `_bytes` and comes as `bytes`,
as in TensorFlow Serving's REST contract.
"""

from kgan.client.client import Client
from kgan.client.errors import ServerError

__all__ = ["Client", "ServerError"]
