"""The REST table, asked."""

import gzip
import json

import pytest

from tests.conftest import ROOT
from tests.serving.contract import table


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: f"{row.path[11:40]} {row.body[:60]}")
def test_as_the_official_server(official, row):
    reply = official.ask(row.method, row.path, row.body.encode() or None)
    assert reply.status_code == row.status, reply.text
    if row.status != 200:
        assert row.reply in json.loads(reply.text)["error"]
    elif row.method == "GET":
        assert row.reply in reply.text
    else:
        assert reply.text == row.reply


def test_the_table_is_whole_and_readme_tells_its_counts():
    """Each row is a test, so nothing differs from the official server but what is stated."""
    assert len(table.ROWS) >= 250
    assert all(row.source for row in table.ROWS)
    stated = len(table.STRICTER) + len(table.ABSENT)
    counts = f"{len(table.ROWS) - stated} as its sources say, {stated} as this list says"
    print(f"contract table: {counts}, 0 otherwise")
    assert counts in " ".join((ROOT / "README.md").read_text().split())


def test_gzip_both_ways(official):
    plain = json.dumps({"inputs": [1.0] * 2000}).encode()
    body = gzip.compress(plain)
    reply = official.ask("POST", table.PREDICT, body, **{"Content-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.json() == {"outputs": [2.5] * 2000}
    small = official.ask("POST", table.PREDICT, b'{"inputs":1}', **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in small.headers
    for taken, packed in (
        ("gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("br", False),
        ("xgzip", False),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("deflate, gzip ;q=1, *;q=0", True),
    ):
        reply = official.ask("POST", table.PREDICT, plain, **{"Accept-Encoding": taken})
        assert (reply.headers.get("content-encoding") == "gzip") == packed, taken
    bad = official.ask("POST", table.PREDICT, b"\x1f\x8b...", **{"Content-Encoding": "gzip"})
    assert bad.status_code == 400
    # 64 MiB of zeros in 64 KiB.
    bomb = gzip.compress(bytes(64 * 2**20), 9)
    assert (
        official.ask("POST", table.PREDICT, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    )


def test_bytes_that_are_no_text_come_as_they_are(official):
    body = b'{"signature_name":"string","inputs":{"b64":"//4="}}'
    assert official.ask("POST", table.PREDICT, body).content == b'{"outputs":"\xff\xfe"}'


def test_official_metrics_tell_the_truth(official):
    official.ask("POST", table.PREDICT, b"{")
    official.ask("POST", table.PREDICT, b'{"inputs":1}')
    text = official.ask("GET", "/monitoring/prometheus/metrics").text
    assert ':tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"}' in text
    assert ':tensorflow:serving:request_latency_count{API="predict",entrypoint="REST"' in text
    assert 'code="INTERNAL"' not in text


def test_pages_of_other_sites_and_other_names(official):
    def ask(**headers):
        return official.ask("POST", table.PREDICT, b'{"inputs":1}', **headers).status_code

    assert ask() == 200
    assert ask(Host="evil.example") == 403
    assert ask(Host="127.0.0.1.evil.example") == 403
    assert ask(Origin="http://evil.example") == 403
    assert ask(Origin="null") == 403
    assert ask(**{"Content-Type": "text/plain"}) == 415
    assert ask(**{"Content-Type": "text/plain;charset=UTF-8"}) == 415
    assert ask(**{"Content-Type": "application/x-www-form-urlencoded"}) == 200
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    assert ask(**form) == 415
    host = official.rest.base_url.netloc.decode()
    assert ask(Origin=f"http://{host}") == 200
    # CORS is off.
    reply = official.ask("OPTIONS", table.PREDICT, Origin=f"http://{host}")
    assert "access-control-allow-origin" not in reply.headers
