"""TLS, and a token, for REST and gRPC: who has neither learns nothing."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import grpc
import httpx
import numpy as np
import pytest

from kgan.cli import serve_models
from kgan.client import Client, ServerError
from kgan.files import read_token
from kgan.serving.access import Access
from kgan.serving.server import Limits
from tests.serving import in_thread
from tests.serving.test_server import BODY, PREDICT

TOKEN = "s3cret-token"


def make_certificate(folder, name):
    """A certificate for this machine that signed itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", chain], check=True, capture_output=True)
    return chain, key


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "own")


def test_tls(repository, certificate, tmp_path):
    chain, _ = certificate
    other, _ = make_certificate(tmp_path, "another")
    with in_thread.running(repository, certificate=certificate) as (port, grpc_port):
        rest, rpc = f"https://127.0.0.1:{port}", f"grpcs://localhost:{grpc_port}"
        images = [
            Client(url, "toy", certificates=chain).generate([1, 2], [0, 1]) for url in (rest, rpc)
        ]
        np.testing.assert_allclose(*images, atol=1e-6)
        # Whom a client does not trust it does not ask.
        for url in (rest, rpc):
            with pytest.raises(ServerError):
                Client(url, "toy", certificates=other, timeout=10).generate([1], [0])
        # Without TLS there is no answer, and the server goes on.
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/v1/models/toy")
        with pytest.raises(ServerError, match="UNAVAILABLE"):
            Client(f"grpc://127.0.0.1:{grpc_port}", "toy", timeout=10).status()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        reply = httpx.post(rest + PREDICT, json=BODY, verify=old)
        assert (reply.status_code, len(reply.json()["outputs"])) == (200, 1)


def test_connections_whose_tls_has_not_begun_make_room(repository, certificate):
    most, url = 5, "https://127.0.0.1:{}/v1/models/toy"
    trusting = ssl.create_default_context(cafile=certificate[0])
    limits = Limits(poll=0, max_connections=most)
    with (
        in_thread.running(repository, limits=limits, certificate=certificate) as (port, _),
        contextlib.ExitStack() as held,
    ):

        def connect():
            return held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))

        silent = [connect() for _ in range(4 * most)]
        assert httpx.get(url.format(port), verify=trusting).status_code == 200
        # The oldest are closed, without a word.
        for one in silent[: 3 * most]:
            assert one.recv(1) == b""
        # Those that are left may still begin, and count as connections from then on.
        late = held.enter_context(trusting.wrap_socket(silent[-1], server_hostname="127.0.0.1"))
        for _ in range(2 * most):
            connect()
        late.sendall(b"GET /v1/models/toy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert late.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_token_is_asked_for(repository):
    access = Access.of("127.0.0.1", token=TOKEN)
    with in_thread.running(repository, access=access) as (port, grpc_port):
        urls = f"http://127.0.0.1:{port}", f"grpc://127.0.0.1:{grpc_port}"
        for url, refused in zip(urls, ("401", "UNAUTHENTICATED"), strict=True):
            with_token = Client(url, "toy", token=TOKEN)
            assert with_token.generate([1], [0]).shape == (1, 8, 8, 1)
            assert with_token.status()[0]["state"] == "AVAILABLE"
            for wrong in (None, "", "s3cret", TOKEN + "x", TOKEN.upper()):
                with pytest.raises(ServerError, match=refused) as caught:
                    Client(url, "toy", token=wrong).status()
                assert TOKEN not in str(caught.value)
        # What asks whether it lives needs none; counters and models are for those who have it.
        with httpx.Client(base_url=urls[0]) as client:
            assert client.get("/").status_code == 200
            for path in ("/monitoring/prometheus/metrics", "/kgan/models", "/V1/models/toy"):
                assert client.get(path).status_code == 401, path
            assert client.post(PREDICT, json=BODY).status_code == 401
        with grpc.insecure_channel(urls[1].removeprefix("grpc://")) as channel:
            assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
            reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
            stream = channel.stream_stream(reflection)(iter([b"\x3a\x00"]))
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert caught.value.code().name in ("UNAUTHENTICATED", "UNIMPLEMENTED")


def test_a_redirection_does_not_take_the_token_elsewhere():
    from http.server import BaseHTTPRequestHandler, HTTPServer

    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            if len(seen) == 1:
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{port}/elsewhere")
            else:
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as here:
        port = here.server_port
        thread = threading.Thread(target=here.serve_forever)
        thread.start()
        with pytest.raises(ServerError):
            Client(f"http://127.0.0.1:{port}", "m", token=TOKEN, timeout=10).status()
        here.shutdown()
        thread.join()
    assert seen == [("/v1/models/m", f"Bearer {TOKEN}"), ("/elsewhere", None)]


@pytest.mark.parametrize(
    ("text", "token"),
    [("abc\n", "abc"), ("  a-B_9.~+/=  \n", "a-B_9.~+/="), ("", None), ("a b", None), ("ä", None)],
)
def test_files_of_tokens(tmp_path, text, token):
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    if token is None:
        with pytest.raises(ValueError, match="must hold a token"):
            read_token(path)
    else:
        assert read_token(path) == token


def test_files_of_certificates(certificate, tmp_path):
    chain, key = certificate
    assert serve_models._certificate(chain, key) == (chain, key)
    with pytest.raises(FileNotFoundError, match="is no file"):
        serve_models._certificate(chain, tmp_path / "absent")
    _, another = make_certificate(tmp_path, "another")
    for pair in ((chain, another), (key, chain)):
        with pytest.raises(ValueError, match="are no certificate and its key"):
            serve_models._certificate(*pair)


def test_clients_refuse_what_they_could_not_use():
    with pytest.raises(ValueError, match="are for https:// and grpcs://"):
        Client("http://127.0.0.1:1", "m", certificates="x.pem")
    with pytest.raises(ValueError, match="url must be like"):
        Client("ftp://127.0.0.1:1", "m")
