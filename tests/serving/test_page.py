"""The page in a real browser without a screen."""

import asyncio
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kgan.serving import server
from kgan.serving.playground import Fool
from kgan.serving.repository import Model, Repository

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402


def darken(image, epsilon):
    """A stand-in for an attack: the brighter the image, the surer class 1."""

    def probabilities(image):
        share = float(image.mean())
        return np.array([1 - share, share])

    changed = np.clip(image - epsilon, 0, 1)
    return changed, probabilities(image), probabilities(changed)


@pytest.fixture(scope="module")
def served(exported):
    repository = Repository([Model("toy", exported[0])])
    repository.poll()
    started, told = threading.Event(), {}

    async def body():
        told["loop"], told["stop"] = asyncio.get_running_loop(), asyncio.Event()
        fool = Fool("darkness", (8, 8, 1), ("dark", "bright"), darken)
        running = server.running(repository, server.Limits(poll=0), grpc_port=None, fool=fool)
        async with running as (port, _):
            told["url"] = f"http://127.0.0.1:{port}/"
            started.set()
            await told["stop"].wait()

    thread = threading.Thread(target=asyncio.run, args=(body(),))
    thread.start()
    assert started.wait(60)
    yield SimpleNamespace(url=told["url"], repository=repository)
    told["loop"].call_soon_threadsafe(told["stop"].set)
    thread.join(60)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.set_script_timeout(60)
    yield SimpleNamespace(driver=browser, downloads=downloads)
    browser.quit()


class Page:
    """The page as a person uses it."""

    def __init__(self, browser, url):
        self.driver = browser.driver
        self.downloads = browser.downloads
        self.driver.get_log("browser")
        self.driver.get(url)
        self.until(lambda: len(self.all("#grid button")) == 24)
        self.until(lambda: self.pixels("sample"))
        self.until(lambda: self.get("verdict").text)

    def get(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition):
        return WebDriverWait(self.driver, 60).until(lambda driver: condition())

    def pixels(self, name):
        """The red values of a canvas; empty while nothing is drawn."""
        data = self.driver.execute_script(
            "const c = document.getElementById(arguments[0]), copy = new OffscreenCanvas("
            "c.width, c.height), context = copy.getContext('2d', {willReadFrequently: true});"
            "context.drawImage(c, 0, 0);"
            "return [...context.getImageData(0, 0, c.width, c.height).data];",
            name,
        )
        return data[::4] if any(data[3::4]) else []

    def slide(self, name, value):
        self.driver.execute_script(
            "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
            "s.dispatchEvent(new Event('input', {bubbles: true}));",
            name,
            value,
        )

    def changes(self, name, act):
        """Acts, and waits until the canvas shows something else."""
        before = self.pixels(name)
        act()
        self.until(lambda: self.pixels(name) != before)

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def page(browser, served):
    page = Page(browser, served.url)
    yield page
    assert not page.get("error").is_displayed(), page.get("error").text
    assert page.complaints() == []


def test_it_shows_the_sample_of_the_seed(page, exported):
    _, gan = exported
    # A bare seed is one of an example, as in a request.
    page.slide("seed", 2)
    from kgan.latents import from_seeds

    latents = from_seeds(np.array([2]), 6)
    expected = np.floor(255 * np.asarray(gan.decode(latents, [0]))[0, ..., 0].ravel())
    page.until(lambda: np.abs(np.array(page.pixels("sample")) - expected).max() <= 1)
    assert "version 1" in page.get("about").text
    assert [button.text for button in page.all("#class-buttons button")] == ["a", "b", "c"]


def test_a_latent_slider_changes_the_picture(page):
    page.driver.execute_script("document.getElementById('latents').open = true")
    assert len(page.all("#sliders input")) == 6
    first = page.pixels("sample")
    page.changes("sample", lambda: page.slide("z0", 3))
    page.get("reset").click()
    page.until(lambda: page.pixels("sample") == first)


def test_a_slider_obeys_the_keyboard(page):
    slider = page.get("psi")
    page.changes("sample", lambda: slider.send_keys(*[Keys.ARROW_LEFT] * 10))
    assert page.get("psi-value").text == "0.50"


def test_classes_and_seeds_change_the_picture(page):
    page.changes("sample", page.all("#class-buttons button")[1].click)
    assert page.all("#class-buttons button")[1].get_attribute("aria-pressed") == "true"
    page.changes("sample", page.get("dice").click)


def test_truncation_to_zero_shows_the_mean_whatever_the_seed(page):
    page.changes("sample", lambda: page.slide("psi", 0))
    middle = page.pixels("sample")
    page.slide("seed", 5)
    page.until(lambda: page.get("z0").get_attribute("value") != "0")
    page.until(lambda: page.pixels("sample") == middle)


def test_interpolation_starts_and_ends_where_it_says(page):
    page.until(lambda: page.pixels("between"))
    assert page.pixels("start") != page.pixels("end")
    page.changes("between", lambda: page.slide("share", 0))
    assert page.pixels("between") == page.pixels("start")
    page.changes("between", lambda: page.slide("share", 1))
    assert page.pixels("between") == page.pixels("end")
    page.slide("seed", 9)
    page.changes("end", page.get("use-end").click)


def test_the_gallery_is_walked_by_keyboard(page):
    page.driver.execute_script("document.querySelector('#grid button').focus()")
    page.changes("sample", lambda: page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT))
    assert page.get("seed").get_attribute("value") == "1"
    assert page.driver.switch_to.active_element.get_attribute("data-seed") == "1"
    page.get("more").click()
    page.until(lambda: len(page.all("#grid button")) == 48)


def test_download(page):
    page.get("download").click()
    target = page.downloads / "toy-0.png"
    page.until(target.is_file)
    with Image.open(target) as picture:
        assert picture.size == (512, 512)
        small = np.asarray(picture.convert("RGB"))[32::64, 32::64, 0]
    assert small.ravel().tolist() == page.pixels("sample")


def test_drawing_and_the_attack(page):
    page.get("tab-fool").click()
    assert not page.get("gallery").is_displayed()
    paper = page.get("paper")
    strokes = webdriver.ActionChains(page.driver).move_to_element_with_offset(paper, -80, -80)
    strokes.click_and_hold().move_by_offset(160, 0).move_by_offset(0, 160).release().perform()
    page.until(lambda: page.get("answer").text.startswith("It sees"))
    clean = page.pixels("clean")
    assert max(clean) > 200
    page.changes("attacked", lambda: page.slide("epsilon", 0.5))
    assert page.pixels("clean") == clean
    assert max(page.pixels("attacked")) < max(clean)
    page.slide("epsilon", 0)
    page.until(lambda: page.pixels("attacked") == clean)


def test_drawing_by_keyboard(page):
    page.get("tab-gallery").send_keys(Keys.ARROW_RIGHT)
    assert page.get("fool").is_displayed()
    page.get("clear").click()
    keys = webdriver.ActionChains(page.driver).key_down(" ")
    for _ in range(8):
        keys.send_keys(Keys.ARROW_DOWN)
    keys.key_up(" ").perform()
    page.until(lambda: page.pixels("clean"))


def test_uploads_and_samples(page, tmp_path):
    page.get("tab-fool").click()
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    Image.fromarray(picture).save(tmp_path / "top.png")
    page.get("upload").send_keys(str(tmp_path / "top.png"))
    page.until(lambda: page.pixels("clean"))
    seen = np.array(page.pixels("clean")).reshape(8, 8)
    assert seen[:4].min() > 240
    assert seen[4:].max() < 15
    page.changes("clean", page.get("from-gallery").click)
    np.testing.assert_allclose(page.pixels("clean"), page.pixels("sample"), atol=1)


def test_errors_are_shown_and_go_away(browser, served, monkeypatch):
    page = Page(browser, served.url)
    servable = served.repository.model("toy").get()
    monkeypatch.setitem(servable.signatures, "decode", None)
    del servable.signatures["decode"]
    page.slide("psi", 0.5)
    page.until(lambda: page.get("error").is_displayed())
    assert "'decode' not found" in page.get("error").text
    monkeypatch.undo()
    page.slide("psi", 1)
    page.until(lambda: not page.get("error").is_displayed())
    # The browser itself notes the answer of 400; nothing else.
    assert all("400" in message for message in page.complaints())
