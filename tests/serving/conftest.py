"""A repository with the tiny model and a table, and ways to serve it inside the test's process."""

import asyncio
import contextlib

import httpx
import pytest

import kgan.export
from kgan.serving import server
from kgan.serving.repository import Model, Repository
from tests.serving.rows import rows_endpoints


@pytest.fixture(scope="session")
def exported_rows(tmp_path_factory):
    """The generator of known rows, exported as `rows`: its folder. Not to be changed."""
    folder = tmp_path_factory.mktemp("exported") / "rows"
    kgan.export.write(rows_endpoints(), folder, class_names=("Zürich", "Rome"))
    return folder


@pytest.fixture(scope="session")
def repository(exported, exported_rows):
    folder, _ = exported
    repository = Repository(
        [
            Model("toy", folder, versions=(1,), labels={"stable": 1}),
            Model("rows", exported_rows),
        ]
    )
    repository.poll()
    return repository


@pytest.fixture
def call(repository):
    """Runs `body(client, application)` against the application, without a socket."""

    def run(body, *, served=None, fool=None, **limits):
        async def inside():
            options = server.Limits(poll=0, **limits)
            app = server.application(served or repository, options, fool=fool)
            transport = httpx.ASGITransport(app.web)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                try:
                    return await body(client, app)
                finally:
                    await app.close()

        return asyncio.run(inside())

    return run


@pytest.fixture
def serve(repository):
    """Runs `body(url, grpc_address)` against a server with sockets."""

    def run(body, *, served=None, **limits):
        async def inside():
            options = {"poll": 0, **limits}
            running = server.running(served or repository, server.Limits(**options))
            async with contextlib.AsyncExitStack() as stack:
                port, grpc_port = await stack.enter_async_context(running)
                return await body(f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}")

        return asyncio.run(inside())

    return run
