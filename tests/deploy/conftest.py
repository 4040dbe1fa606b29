from tests.serving.conftest import exported_rows, repository, serve  # noqa: F401
