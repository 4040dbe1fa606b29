"""The page for everybody: axe-core's rules, the keyboard, fingers, small screens, two schemes.

axe-core is looked for at `AXE_CORE`, or where `npm install --no-save axe-core@4` leaves it.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.serving.page.browser import Keys, Select

SCREENS = [
    (1280, "light"),
    (390, "dark"),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
    pytest.param(390, "light", marks=pytest.mark.slow),
]


@pytest.fixture(scope="session")
def axe():
    path = Path(os.environ.get("AXE_CORE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
    if not path.is_file():
        pytest.skip(f"{path} is not there: npm install --no-save axe-core@4")
    return path.read_text(encoding="utf-8")


def violations(page, axe):
    """What axe-core finds: rule, and the elements that break it."""
    page.driver.execute_script(axe)
    return page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run().then(({ violations }) => done(violations.map(({ id, nodes }) =>"
        " [id, ...nodes.map((node) => [node.target.join(' '), node.failureSummary])])));"
    )


def fill_tabs(page, folder):
    """Goes through all tabs with something on each; yields the name of what is open."""
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3)
    picture.save(folder / "grey.png")
    page.slide("seed", "-1")
    page.driver.execute_script("document.getElementById('latents').open = true")
    yield "gallery"
    page.slide("seed", "0")
    page.all("#which-classes button")[1].click()
    page.until(lambda: page.all("#grid [role=group]"))
    yield "gallery of all classes"
    page.get("tab-fool").click()
    page.get("from-gallery").click()
    page.until(lambda: page.all("#bars tbody tr"))
    page.driver.execute_script("document.getElementById('answer').className = 'fooled'")
    yield "fool"
    page.get("tab-gallery").click()
    page.choose("pictures")
    page.get("image-upload").send_keys(str(folder / "grey.png"))
    page.until(lambda: page.all("#image-bars tbody tr"))
    page.changes("after", page.all("#changes button")[-1].click)
    yield "image"
    page.choose("rows")
    page.until(lambda: page.all("#table-body tr"))
    yield "table"
    page.choose("styled")
    page.driver.execute_script("document.getElementById('directions').open = true")
    page.until(lambda: page.all("#mixed canvas"))
    yield "styles"


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_no_rule_of_axe_is_broken(page, axe, tmp_path, width, scheme):
    page.screen(width=width, scheme=scheme)
    found = {name: violations(page, axe) for name in fill_tabs(page, tmp_path)}
    assert found == {name: [] for name in found}
    assert len(found) == 6


def test_a_finger_hits_what_it_aims_at(page, tmp_path):
    """Whatever can be used is 44 pixels high and wide or more; nothing hangs out of the window."""
    page.screen(width=390)
    script = """
        const used = 'button, select, summary, .button, [type="number"], [type="range"]';
        const seen = [...document.querySelectorAll(used)].filter((one) => one.checkVisibility());
        return seen.map((one) => {
            const { width, height } = one.getBoundingClientRect();
            return [one.id || one.textContent.trim() || one.className, width, height];
        }).filter(([, width, height]) => Math.min(width, height) < 44);
    """
    for name in fill_tabs(page, tmp_path):
        assert page.driver.execute_script(script) == [], name
        wide = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 390, name


def test_the_sample_stays_in_sight_of_the_gallery_on_a_phone(page):
    page.screen(width=390)
    for cell in (page.all("#grid button")[0], page.all("#grid button")[23]):
        page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        cell.click()
        page.until(
            lambda cell=cell: page.get("caption").text.endswith(cell.get_attribute("data-seed"))
        )
        sample, chosen = page.box(page.get("sample")), page.box(cell)
        for box in (sample, chosen):
            assert box.y >= 0
            assert box.y + box.height <= box.window
        # Nor does it lie on the cell.
        assert sample.y + sample.height <= chosen.y


def test_the_scheme_is_the_systems_until_it_is_chosen(page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(244, 244, 248)", "rgb(21, 21, 28)"
    for scheme, colour in (("light", light), ("dark", dark)):
        page.screen(scheme=scheme)
        assert page.driver.execute_script(ground) == colour
    Select(page.get("theme")).select_by_visible_text("Light")
    assert page.driver.execute_script(ground) == light
    page.driver.refresh()
    page.until(lambda: page.pixels("sample"))
    assert page.driver.execute_script(ground) == light
    Select(page.get("theme")).select_by_visible_text("Auto")
    assert page.driver.execute_script(ground) == dark


def test_everything_is_reached_by_the_keyboard(page):
    """Tab goes through what can be used, once each; of tabs and samples only the chosen one."""
    page.driver.execute_script("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        one = page.driver.switch_to.active_element
        name = one.get_attribute("id") or one.get_attribute("data-seed") or one.text
        if name in reached or one.tag_name == "body":
            break
        reached.append(name)
    assert reached == [
        *("tab-gallery", "model", "theme", "a", "b", "c", "seed", "dice", "psi"),
        *("Latent vector", "download", "share", "use-start", "use-end"),
        *("This class", "All classes", "0", "more", "copy-link", "copy-curl", "copy-python"),
    ]


def test_what_changes_is_told_to_a_screen_reader(page):
    page.changes("sample", page.all("#class-buttons button")[1].click)
    page.until(lambda: page.get("caption").text == "class b, seed 0")
    assert page.get("caption").get_attribute("aria-live") == "polite"
    assert page.get("sample").get_attribute("aria-label") == "The sample: class b, seed 0"
    chosen = page.all('#grid [aria-selected="true"]')
    assert [one.get_attribute("aria-label") for one in chosen] == ["class b, seed 0"]
