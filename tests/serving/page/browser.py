"""A browser without a screen, and the page as a person uses it.

Without Selenium whatever imports it is skipped.
"""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

__all__ = ["Keys", "Page", "Select", "start", "webdriver"]


def start(profile: Path, downloads: Path) -> SimpleNamespace:
    """A browser, or a skipped test where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.set_script_timeout(60)
    return SimpleNamespace(driver=browser, downloads=downloads)


class Page:
    """The page as a person uses it."""

    def __init__(self, browser, url):
        self.driver = browser.driver
        self.downloads = browser.downloads
        self.driver.get_log("browser")
        self.screen()
        # Also where only what is behind the # changes, as with a link that is opened anew.
        self.driver.get("about:blank")
        self.driver.get(url)
        self.until(lambda: self.get("about").text or self.get("error").text)
        # A link may lead to another tab, which is shown after the first one.
        for done in (
            lambda: len(self.all("#grid button")) >= 24,
            lambda: self.pixels("sample"),
            lambda: self.get("verdict").text,
        ):
            self.until(lambda done=done: not self.get("gallery").is_displayed() or done())

    def get(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition):
        # What was found may be drawn anew before it is read.
        ignored = [StaleElementReferenceException]
        wait = WebDriverWait(self.driver, 60, ignored_exceptions=ignored)
        return wait.until(lambda driver: condition())

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

    def screen(self, *, width=None, scheme="light"):
        """Another width of the screen, below 700 pixels a phone's, and another colour scheme."""
        phone = width is not None and width < 700
        size = {"width": width or 1280, "height": 844 if phone else 1000, "deviceScaleFactor": 1}
        command = self.driver.execute_cdp_cmd
        command("Emulation.setDeviceMetricsOverride", {**size, "mobile": phone})
        command("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        command("Emulation.setEmulatedMedia", {"features": features})

    def box(self, element):
        """Where an element is in the window: x, y, width, height, and the window's height."""
        return SimpleNamespace(
            **self.driver.execute_script(
                "const box = arguments[0].getBoundingClientRect();"
                "return {x: box.x, y: box.y, width: box.width, height: box.height,"
                " window: innerHeight};",
                element,
            )
        )

    def copied(self, button):
        """What a button puts into the clipboard, which a window without a screen may not have."""
        self.driver.execute_script(
            "window.clip = null; navigator.clipboard.writeText = async (text) => { clip = text; };"
        )
        self.get(button).click()
        return self.until(lambda: self.driver.execute_script("return window.clip"))
