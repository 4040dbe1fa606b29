"""What is copied asks the server for what is seen."""

import ast
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kgan.latents import from_seeds


def answer(text, *, by):
    """What a copied text prints when it is run."""
    command = ["bash", "-c", text] if by == "curl" else [sys.executable, "-c", text]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    if by == "curl":
        return json.loads(said.stdout)
    # As Python prints it.
    return ast.literal_eval(said.stdout.replace(" nan,", " None,"))


@pytest.fixture(params=["curl", "python"])
def copied(request, page):
    if request.param == "curl" and not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("curl is not installed")
    return lambda: answer(page.copied(f"copy-{request.param}"), by=request.param)


def test_the_sample(page, copied, exported):
    _, gan = exported
    page.changes("sample", page.all("#class-buttons button")[1].click)
    latents = from_seeds(np.array([0]), 6)
    expected = np.asarray(gan.decode(latents, [1]))
    np.testing.assert_allclose(copied()["outputs"], expected, atol=1e-5)
    page.slide("psi", 0.5)
    expected = np.asarray(gan.decode(0.5 * latents, [1]))
    np.testing.assert_allclose(copied()["outputs"], expected, atol=1e-5)


def test_the_attack(page, copied):
    page.get("tab-fool").click()
    page.get("copy-curl").click()
    assert page.get("copied").text == "There is nothing to copy yet: choose an image first."
    page.get("from-gallery").click()
    page.until(lambda: page.pixels("attacked"))
    expected = np.array(page.pixels("attacked")).reshape(8, 8)
    np.testing.assert_allclose(255 * np.array(copied()["image"])[..., 0], expected, atol=1)


def test_rows(page, copied):
    page.choose("rows")
    page.until(lambda: page.all("#table-body tr"))
    assert copied()["outputs"]["city, country"] == ['Zürich, "CH"'] * 10


def test_a_token_is_not_copied(page):
    page.driver.execute_script("sessionStorage.setItem('token', 'secret')")
    try:
        curl, python = page.copied("copy-curl"), page.copied("copy-python")
    finally:
        page.driver.execute_script("sessionStorage.clear()")
    assert "secret" not in curl + python
    assert '-H "Authorization: Bearer $TOKEN"' in curl
    assert "os.environ['TOKEN']" in python


def test_without_a_clipboard_the_text_is_shown(page):
    page.driver.execute_script(
        "navigator.clipboard.writeText = async () => { throw new Error('not allowed'); };"
    )
    page.get("copy-curl").click()
    page.until(lambda: page.get("copied-text").is_displayed())
    assert page.get("copied-text").get_attribute("value").startswith("curl 'http://127.0.0.1:")
