"""TensorFlow Serving's REST contract, from the client's side; numpy alone is needed."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from kgan.client.arrays import from_json, narrow, outgrows_float32, to_json
from kgan.client.errors import ServerError


class Rest:
    """One model of a server, over REST; arguments as for `Client`."""

    def __init__(
        self,
        url: str,
        model: str,
        version: int | None,
        label: str | None,
        timeout: float,
        token: str | None = None,
        certificates: Path | None = None,
    ):
        self.url = f"{url}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self.url += f"/versions/{version}"
        if label is not None:
            self.url += f"/labels/{quote(label, safe='')}"
        self.timeout = timeout
        self._token = token
        self._context = None
        if certificates is not None:
            self._context = ssl.create_default_context(cafile=str(certificates))

    def __str__(self) -> str:
        return self.url

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> np.ndarray | dict[str, np.ndarray]:
        body = {
            "signature_name": signature,
            "inputs": {name: to_json(array) for name, array in inputs.items()},
        }
        outputs = self._ask(":predict", json.dumps(body).encode())["outputs"]
        # A dict may also be the one string of an output without rows.
        several = isinstance(outputs, dict) and set(outputs) != {"b64"}
        values = outputs if several else {"": outputs}
        found = {name: from_json(value) for name, value in values.items()}
        wide: set[str] = set()
        if any(map(outgrows_float32, found.values())):
            # JSON does not tell float64, such as whole numbers some of which are missing.
            known = self.metadata()[signature]["outputs"]
            wide = {name for name, one in known.items() if one["dtype"] == "DT_DOUBLE"}
            wide = wide if several or not wide else {""}
        found = {name: one if name in wide else narrow(one) for name, one in found.items()}
        return found if several else found[""]

    def status(self) -> list[dict[str, Any]]:
        versions = self._ask("")["model_version_status"]
        return [{**version, "version": int(version["version"])} for version in versions]

    def metadata(self) -> dict[str, Any]:
        return self._ask("/metadata")["metadata"]["signature_def"]["signature_def"]

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"}
        )
        if self._token is not None:
            # A redirection to another server must not take the token there.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(
                request, timeout=self.timeout, context=self._context
            ) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise ServerError(self.url + path, error.code, _message(said)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(self.url + path, 0, f"no answer: {reason}") from error


def _message(said: str) -> str:
    try:
        return json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return said.strip() or "no message"
