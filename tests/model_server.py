"""A server of the two requests of TensorFlow Serving's REST contract that an attack makes."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator

import numpy as np


class ModelServer:
    """What a test sees of it.

    Attributes:
        address: Of the model.
        asked: Number of images in each prediction that it gave.
        left: After so many predictions a request breaks without an answer; never if `None`.
    """

    def __init__(self, port: int):
        self.address = f"http://127.0.0.1:{port}/v1/models/mine"
        self.asked: list[int] = []
        self.left: int | None = None


@contextlib.contextmanager
def serve(model, shape: tuple[int, ...]) -> Iterator[ModelServer]:
    """Serves a function of float32 images (batch, *shape) to a tensor, until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            sizes = [{"size": str(size)} for size in (-1, *shape)]
            x = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": sizes}}
            known = {"only": {"inputs": {"x": x}, "outputs": {"y": {}}}}
            # As TensorFlow Serving lists it.
            known["__saved_model_init_op"] = {"inputs": {}, "outputs": {}}
            self._send({"metadata": {"signature_def": {"signature_def": known}}})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if told.left is not None:
                if told.left <= 0:
                    return
                told.left -= 1
            images = np.asarray(body["inputs"]["x"], np.float32)
            told.asked.append(len(images))
            self._send({"outputs": model(images).numpy().tolist()})

        def _send(self, content):
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        told = ModelServer(running.server_address[1])
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield told
        running.shutdown()
