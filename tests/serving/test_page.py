"""The page in a real browser without a screen."""

import asyncio
import csv
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan.export
from kgan.endpoints import Endpoint, Endpoints
from kgan.kinds import Images
from kgan.serving import server
from kgan.serving.playground import Fool
from kgan.serving.repository import Model, Repository
from tests.serving.rows import COLUMNS

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402


def darken(image, epsilon):
    """A stand-in for an attack: the brighter the image, the surer class 1."""

    def probabilities(image):
        share = float(image.mean())
        return np.array([1 - share, share])

    changed = np.clip(image - epsilon, 0, 1)
    return changed, probabilities(image), probabilities(changed)


def pictures_endpoints():
    """What may be asked of images, as functions that are seen at a glance."""
    images = {"images": tf.TensorSpec([None, 8, 8, 1], tf.float32)}
    mean = lambda request: tf.reduce_mean(request["images"], [1, 2, 3])  # noqa: E731

    def encode(request):
        return {"latents": tf.stack([mean(request), tf.zeros_like(mean(request))], axis=1)}

    def decode(request):
        grey = request["latents"][:, 0][:, None, None, None]
        return {"images": tf.tile(grey, [1, 8, 8, 1])}

    def classify(request):
        shares = tf.stack([1.0 - mean(request), mean(request)], axis=1)
        return {"probabilities": shares, "classes": tf.argmax(shares, axis=1)}

    latents = {"latents": tf.TensorSpec([None, 2], tf.float32)}
    named = {
        "invert": Endpoint(lambda r: {"images": 1.0 - r["images"]}, images, "translate"),
        "mirror": Endpoint(lambda r: {"images": r["images"][:, :, ::-1]}, images, "translate"),
        "reconstruct": Endpoint(lambda r: {"images": 0.5 * r["images"]}, images, "reconstruct"),
        "encode": Endpoint(encode, images, "encode"),
        "decode": Endpoint(decode, latents, "decode"),
        "classify": Endpoint(classify, images, "classify"),
        "score": Endpoint(lambda r: {"log_likelihood": 2.0 * mean(r)}, images, "score"),
    }
    return Endpoints("pictures", Images(8, 8, 1), named, tracked=())


def layers_endpoints():
    """Images of five channels, of which the last one is shown as red."""

    def generate(request):
        layers = tf.constant([0.0, 0.2, 0.4, 0.6, 0.8])
        return {"images": tf.zeros([tf.size(request["seeds"]), 8, 8, 1]) + layers}

    seeds = {"seeds": tf.TensorSpec([None], tf.int64)}
    kind = Images(8, 8, 5, shown=(4, 0, 1))
    named = {"generate": Endpoint(generate, seeds, "generate")}
    return Endpoints("layers", kind, named, tracked=())


@pytest.fixture(scope="module")
def served(exported, exported_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    kgan.export.write(pictures_endpoints(), folder / "pictures", class_names=["dark", "bright"])
    kgan.export.write(layers_endpoints(), folder / "layers")
    repository = Repository(
        [
            Model("toy", exported[0]),
            Model("rows", exported_rows),
            Model("pictures", folder / "pictures"),
            Model("layers", folder / "layers"),
        ]
    )
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

    def choose(self, model):
        """Another of the served models."""
        Select(self.get("model")).select_by_visible_text(model)
        self.until(lambda: self.get("about").text.startswith(model))

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


def test_the_declared_channels_are_shown(page):
    page.choose("layers")
    page.until(lambda: page.pixels("sample") == [204] * 64)


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
    # Tabs that this model has nothing for are passed over.
    page.get("tab-gallery").send_keys(Keys.ARROW_RIGHT)
    assert page.get("image").is_displayed()
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
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


@pytest.fixture
def top(tmp_path):
    """A picture of 40 x 40 pixels: white above, black below, a stripe at the left."""
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    picture[:, :5] = 255
    Image.fromarray(picture).save(tmp_path / "top.png")
    # Cells of five pixels.
    return str(tmp_path / "top.png"), picture[::5, ::5].ravel() / 255


def test_a_picture_is_translated(page, top):
    page.choose("pictures")
    # It generates nothing, so another tab is open.
    assert not page.get("gallery").is_displayed()
    assert page.get("tab-image").get_attribute("aria-selected") == "true"
    assert [button.text for button in page.all("#changes button")] == [
        *("invert", "mirror", "reconstruct", "encode")
    ]
    path, picture = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.pixels("after"))
    before = np.array(page.pixels("before"))
    np.testing.assert_allclose(before, 255 * picture, atol=20)
    np.testing.assert_allclose(page.pixels("after"), 255 - before, atol=1)
    page.changes("after", page.all("#changes button")[1].click)
    mirrored = before.reshape(8, 8)[:, ::-1].ravel()
    np.testing.assert_allclose(page.pixels("after"), mirrored, atol=1)


def test_a_picture_is_reconstructed_and_encoded(page, top):
    page.choose("pictures")
    path, picture = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.pixels("after"))
    page.changes("after", page.all("#changes button")[2].click)
    before = np.array(page.pixels("before"))
    np.testing.assert_allclose(page.pixels("after"), before / 2, atol=1)
    page.changes("after", page.all("#changes button")[3].click)
    np.testing.assert_allclose(page.pixels("after"), before.mean(), atol=1)
    latent, zero = page.get("code").text.removeprefix("latents: ").split(", ")
    assert float(latent) == pytest.approx(picture.mean(), abs=0.02)
    assert zero == "0.00"


def test_a_picture_is_classified_and_scored(page, top):
    page.choose("pictures")
    path, picture = top
    page.get("image-upload").send_keys(path)
    page.until(lambda: page.get("image-answer").text == "It sees bright")
    said = [bar.text.split() for bar in page.all("#image-bars .bar")]
    assert [name for name, _ in said] == ["dark", "bright"]
    assert float(said[1][1].rstrip("%")) == pytest.approx(100 * picture.mean(), abs=2)
    page.until(lambda: page.get("image-score").text)
    name, score = page.get("image-score").text.split(": ")
    assert name == "log likelihood"
    assert float(score) == pytest.approx(2 * picture.mean(), abs=0.04)


def test_a_generated_image_is_scored(page, exported):
    _, gan = exported
    page.get("tab-image").click()
    page.get("take-sample").click()
    page.until(lambda: page.get("image-score").text)
    np.testing.assert_allclose(page.pixels("before"), page.pixels("sample"), atol=1)
    from kgan.latents import from_seeds

    def wanted(label):
        image = gan.decode(from_seeds(np.array([0]), 6), [0])
        return 1 / (1 + np.exp(-float(gan.judge(image, np.array([label]))[0])))

    assert f"probability {wanted(0):.2f}" in page.get("image-score").text
    # As another class.
    Select(page.get("image-class")).select_by_visible_text("c")
    page.until(lambda: f"probability {wanted(2):.2f}" in page.get("image-score").text)


def test_rows_of_a_table(page):
    page.choose("rows")
    assert page.get("tab-table").get_attribute("aria-selected") == "true"

    def cells():
        return page.driver.execute_script(
            "return [...document.querySelectorAll('#table-body tr')].map("
            "(row) => [...row.children].map((cell) => cell.innerText));"
        )

    page.until(lambda: len(cells()) == 10)
    assert [cell.text for cell in page.all("#table-head th")] == list(COLUMNS)
    # No number is rounded, a string is no markup, and what is missing is empty.
    assert cells()[0] == ["0.1", "0", 'Zürich, "CH"', str(2**60), "/wA="]
    assert cells()[3] == ["", "3", 'Zürich, "CH"', str(2**60 + 3), "/wA="]
    page.get("rows").clear()
    page.get("rows").send_keys("5")
    page.get("table-seed").clear()
    page.get("table-seed").send_keys("7", Keys.ENTER)
    page.until(lambda: len(cells()) == 5)
    Select(page.get("table-class")).select_by_visible_text("Rome")
    page.until(lambda: cells()[0][2] == "<b>Rome</b>")
    assert cells()[4] == ["11.1", "11", "<b>Rome</b>", str(2**60 + 11), "/wA="]
    page.get("table-download").click()
    target = page.downloads / "rows-7.csv"
    page.until(target.is_file)
    with open(target, newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [list(COLUMNS), *cells()]


def test_errors_are_shown_and_go_away(browser, served, monkeypatch):
    page = Page(browser, served.url)
    servable = served.repository.model("toy").get()
    monkeypatch.setitem(servable.signatures, "decode", None)
    del servable.signatures["decode"]
    page.slide("psi", 0.5)
    page.until(lambda: page.get("error").is_displayed())
    assert '"decode" not found' in page.get("error").text
    monkeypatch.undo()
    page.slide("psi", 1)
    page.until(lambda: not page.get("error").is_displayed())
    # The browser itself notes the answer of 400; nothing else.
    assert all("400" in message for message in page.complaints())
