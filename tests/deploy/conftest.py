from tests.serving.conftest import repository, serve  # noqa: F401
