"""A server may hold more files open than a process begins with: each connection is one."""

import pytest

from kgan.serving.server import allow_files

resource = pytest.importorskip("resource")


@pytest.fixture
def soft():
    """Sets this process's soft limit, and gives it back after the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def now():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_more_files_than_at_first(soft):
    soft(900)
    allow_files(1000)
    assert now() == 1000


def test_a_higher_limit_is_kept(soft):
    soft(900)
    allow_files(100)
    assert now() == 900


def test_no_more_than_the_system_allows(soft):
    soft(900)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        pytest.skip("this system has no such bound")
    allow_files(most + 1000)
    assert now() == most
