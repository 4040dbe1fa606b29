"""A tiny run, and faults that befall it."""

import contextlib
import os
import shutil
import subprocess

import pytest

import kgan.cli

TINY = ["digits", "--epochs", "3", "--steps-per-epoch", "2", "--batch-size", "8", "--no-doctor"]
TINY += ["--generator-width", "4", "--discriminator-width", "4"]


def train(*arguments):
    """The exit code of `kgan train`, in this process."""
    try:
        return kgan.cli.main(["train", *map(str, arguments)])
    except SystemExit as end:
        return end.code


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of a run that no fault befell, with its export beside it."""
    folder = tmp_path_factory.mktemp("whole")
    places = ["--runs-dir", folder / "runs", "--export-dir", folder / "saved_models"]
    assert train(*TINY, *places, "--name", "run") == 0
    return folder / "runs" / "run"


@contextlib.contextmanager
def full_disk(size):
    """Within it no file grows beyond `size` bytes, so that writing fails half-way."""
    resource = pytest.importorskip("resource", reason="this system has no limits of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def read_only(tmp_path):
    """A folder that cannot be written to, also by root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", folder]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("root can write everywhere, and may not mount here")
    yield folder
    subprocess.run(["umount", folder], check=True)
