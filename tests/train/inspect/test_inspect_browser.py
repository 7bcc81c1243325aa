"""The microscope's page in a real browser: headless Chromium, driven by Selenium."""

import json
import shutil

import numpy as np
import pytest

import nnlite as nn
from nnlite.train.inspect import __main__ as inspect
from nnlite.train.inspect.forward_backward import ForwardBackward
from nnlite.train.inspect.sequences import sequence_for
from nnlite.train.inspect.traced_model import load
from tests.page_in_browser import cell, chosen, one, pixels, press, show, value
from tests.toy_inspect import STEPS, content_of, save

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed (pip install selenium)"
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="there is no Chromium with chromedriver (Debian: apt-get install chromium chromium-driver)",
)

#: The text of every element that has one of its own, its colour, its background, and whether it is large.
COLOURS = """
const opaque = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$|transparent/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const seen = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const drawn = element.checkVisibility({checkVisibilityCSS: true});
  if (!own || !drawn || element.closest("script, style, option, svg, .tip, .zero")) continue;
  const style = getComputedStyle(element);
  seen.push([element.textContent.trim().slice(0, 40), style.color, opaque(element)]);
}
return seen;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a small AE-ConvLSTM-flow, and its content."""
    folder = tmp_path_factory.mktemp("page")
    path, page = save(folder / "checkpoint.h5", "ae_convlstm_flow"), folder / "page.html"
    assert inspect.main([str(path), "--out", str(page), "--frames", str(STEPS), "--entries", "1"]) == 0
    return page, json.loads(content_of(page)[0])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium without network access."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    profile = tmp_path_factory.mktemp("profile")
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    """The browser with the page just opened from disk, in a light window of 1300 pixels."""
    show(browser, page[0], 1300, "light")
    return browser


def test_it_opens_from_disk_with_an_empty_console(browser, page):
    browser.get_log("browser")
    show(browser, page[0], 1300, "light")
    assert browser.current_url.startswith("file://")
    assert browser.get_log("browser") == []
    assert browser.title == "AE-ConvLSTM-flow under the gradient microscope"
    requests = browser.execute_script("return performance.getEntriesByType('resource').map((r) => r.name)")
    assert [r for r in requests if not r.startswith(("data:", "blob:"))] == []


def test_a_click_on_a_module_shows_its_pictures(opened):
    cell(opened, "encoder.1", 2).click()
    assert chosen(opened) == ("encoder.1", "2")
    assert "encoder.1" in one(opened, "#detail-title").text
    for signal in ("input", "output", "grad_output", "grad_input"):
        assert pixels(opened, f'[data-signal="{signal}"] canvas') > 5
        assert one(opened, f'[data-signal="{signal}"] .histogram rect').is_displayed()
    one(opened, '[data-path="decoder.1"] .path').click()  # the name of a module works too
    assert chosen(opened) == ("decoder.1", "2")
    assert pixels(opened, '[data-signal^="decoder.1.weight"] canvas') > 5


def test_the_numbers_are_those_of_the_run(opened, page):
    traced = load(page[0].parent / "checkpoint.h5")
    run = ForwardBackward(traced, sequence_for(traced, n_frames=STEPS), "all")
    with nn.trace(run.model, arrays=True) as trace:
        loss = run.loss()
        run.backward()
    assert f"{loss:.8g}" in one(opened, "#facts").text
    for path, step in (("decoder.0", 0), ("regressor.0", 3), ("memory", 1)):
        call = next(c for c in trace.select(path) if c.grad_input)
        for label in ("grad_output", "grad_input"):
            expected = float(np.linalg.norm(getattr(call, label).array[step].astype(np.float64)))
            cell(opened, path, step).click()
            shown = one(opened, f'[data-signal="{label}"] .norm [data-value]')
            assert value(shown) == pytest.approx(expected, rel=1e-14)
            assert float(shown.text.replace("−", "-")) == pytest.approx(expected, rel=1e-6)
            press(opened, "1" if label == "grad_output" else "2")
            assert value(cell(opened, path, step)) == pytest.approx(expected, rel=1e-14)
    gradient = next(g for p, _, g in run.model.named_parameters() if p == "memory.o2g.weight")
    shown = one(opened, '[data-signal^="memory.o2g.weight:added"] .norm [data-value]')
    assert value(shown) == pytest.approx(np.linalg.norm(gradient.astype(np.float64)), rel=1e-6)

    rows = opened.find_elements("css selector", "#checks-table tbody tr")
    assert len(rows) == len(page[1]["checks"])
    for row, check in zip(rows, page[1]["checks"]):
        numbers = [value(n) for n in row.find_elements("css selector", ".number [data-value]")]
        assert numbers == [check["analytic"], check["numeric"], check["error"]]


def test_pictures_show_the_numbers(opened, page):
    """The sign of a derivative is that of its colour: blue below zero, red above."""
    cell(opened, "decoder.2", 1).click()
    drawn = opened.execute_script("""
      const canvas = document.querySelector('[data-signal="grad_input"] canvas');
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return [canvas.height, canvas.width, [...data]];
    """)
    colours = np.array(drawn[2]).reshape(drawn[0], drawn[1], 4)
    traced = load(page[0].parent / "checkpoint.h5")
    run = ForwardBackward(traced, sequence_for(traced, n_frames=STEPS), "all")
    run.loss()
    run.backward()
    expected = run.model.decoder[2].grad_input[1, 0]
    clear = np.abs(expected) > 0.2 * np.abs(expected).max()
    assert clear.sum() > 20
    redder = colours[..., 0].astype(int) > colours[..., 2]
    np.testing.assert_array_equal(redder[clear], expected[clear] > 0)


def test_the_keyboard_does_everything(opened):
    keys = webdriver.Keys
    cell(opened, "encoder.1", 1).click()
    press(opened, keys.ARROW_RIGHT)
    assert chosen(opened) == ("encoder.1", "2")
    press(opened, keys.ARROW_DOWN)
    assert chosen(opened) == ("encoder.2", "2")
    press(opened, keys.ARROW_UP, keys.ARROW_UP, keys.HOME)
    assert chosen(opened) == ("encoder.0", "0")
    press(opened, keys.END)
    assert chosen(opened) == ("encoder.0", str(STEPS - 1))
    focused = opened.execute_script("return document.activeElement.getAttribute('aria-label')")
    assert focused.startswith(f"encoder.0, SpatialConvolution, step {STEPS - 1}: norm of grad_output")

    before = value(cell(opened, "encoder.0", 1))
    press(opened, "4")
    assert one(opened, '#quantity [aria-checked="true"]').text == "output"
    assert value(cell(opened, "encoder.0", 1)) != before
    press(opened, "s")
    assert one(opened, '#scale [aria-checked="true"]').text == "shared scale"
    press(opened, "m")
    assert one(opened, '#memory-view [aria-checked="true"]').text == "derivatives of the loss"
    press(opened, "}")
    assert one(opened, "#memory-pager output").text == "map 1 of 4"
    press(opened, "t")
    assert opened.execute_script("return document.documentElement.dataset.theme") == "dark"
    press(opened, "?")
    assert one(opened, "#help").is_displayed()
    press(opened, keys.ESCAPE)
    assert not one(opened, "#help").is_displayed()


def test_maps_are_turned_page_by_page(opened):
    cell(opened, "memory", 2).click()
    opened.execute_script(
        "const s = document.querySelector('#pager select'); s.value = 1; s.dispatchEvent(new Event('change'))"
    )
    caption = '[data-signal="output"] figcaption'
    assert one(opened, caption).text.startswith("0 ")
    press(opened, "]", "]")
    assert one(opened, caption).text.startswith("2 ")
    press(opened, "[")
    assert one(opened, caption).text.startswith("1 ")


def test_a_shared_scale_makes_small_gradients_pale(opened):
    """With its own scale each picture reaches full colour; with a shared one only the largest does."""

    def strongest(step):
        cell(opened, "decoder.2", step).click()
        return opened.execute_script("""
          const canvas = document.querySelector('[data-signal="grad_input"] canvas');
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let most = 0;
          for (let i = 0; i < data.length; i += 4) {
            most = Math.max(most, 250 - Math.min(...data.slice(i, i + 3)));
          }
          return most;
        """)

    own = [strongest(step) for step in range(STEPS)]
    assert max(own) - min(own) <= 40  # the last shades of blue and red differ a little
    press(opened, "s")
    shared = [strongest(step) for step in range(STEPS)]
    assert max(shared) in own and min(shared) < min(own)


def test_containers_fold(opened):
    count = len(opened.find_elements("css selector", "#grid-box [data-path]"))
    cell(opened, "encoder.2", 0).click()
    one(opened, '[data-path="encoder"] .fold').click()
    assert len(opened.find_elements("css selector", "#grid-box [data-path]")) == count - 3
    assert chosen(opened)[0] == "encoder"
    assert one(opened, '[data-path="encoder"] .fold').get_attribute("aria-expanded") == "false"


def test_the_frame_strip_the_curves_and_the_memory_are_drawn(opened):
    assert pixels(opened, "#frame-strip tr:nth-child(3) td canvas") > 3  # the prediction
    assert len(opened.find_elements("css selector", "#curves-plot .series")) > 10
    names = [
        element.text.split("\n")[0] for element in opened.find_elements("css selector", "#memory-table th b")
    ]
    assert names == ["iₜ", "fₜ", "c̃ₜ", "oₜ", "cₜ", "hₜ"]
    for row in range(2, 8):
        assert pixels(opened, f"#memory-table tr:nth-child({row}) canvas") > 3
    opened.execute_script("arguments[0].dispatchEvent(new Event('click'))", one(opened, "#curves-plot .hit"))
    assert chosen(opened)[0] != "memory"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(browser, page, theme):
    show(browser, page[0], 360, theme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    cell(browser, "memory", 1).click()
    assert chosen(browser) == ("memory", "1")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    wide = """
      const sections = [...document.querySelectorAll("section")];
      return sections.filter((section) => section.getBoundingClientRect().right > 360).length;
    """
    assert browser.execute_script(wide) == 0


def test_a_phone_shows_class_names_and_the_chosen_step(browser, page):
    show(browser, page[0], 320, "light")
    widths = "return [...document.querySelectorAll('.row-head .type')].map((e) => e.offsetWidth)"
    assert min(browser.execute_script(widths)) > 20
    clipped = """
      const names = [...document.querySelectorAll(".row-head .type")];
      const right = (e) => e.getBoundingClientRect().right;
      const beyond = (e) => right(e) > right(e.parentElement) + 1 || e.scrollWidth > e.clientWidth;
      return names.filter(beyond).length;
    """
    assert browser.execute_script(clipped) == 0
    lines = """
      const names = [...document.querySelectorAll(".row-head .type")];
      const name = names.find((e) => e.textContent === "SpatialMaxPooling");
      const lines = {}, range = document.createRange();
      for (const part of name.childNodes) {
        if (!part.length) continue;
        range.selectNodeContents(part);
        for (const box of range.getClientRects()) (lines[box.top] ??= []).push(part.data);
      }
      return Object.values(lines).map((words) => words.join(""));
    """
    assert browser.execute_script(lines) == ["SpatialMax", "Pooling"]  # broken before a word
    shown = """
      const sides = (selector) => document.querySelector(selector).getBoundingClientRect();
      const inView = (box, head, cell) => {
        const [view, staying, chosen] = [box, `${box} ${head}`, `${box} ${cell}`].map(sides);
        return chosen.left > staying.right - 1 && chosen.right < view.right + 1;
      };
      return [inView("#grid-box", ".row-head", ".cell.chosen"),
              inView("#frame-strip-table", "th[scope=row]", "td.chosen")];
    """
    for step in [*range(STEPS), 0]:
        browser.execute_script("choose({ step: arguments[0] })", str(step))
        assert browser.execute_script(shown) == [True, True], step


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_in_both_themes(browser, page, theme):
    show(browser, page[0], 1300, theme)
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(rgb(dark)) < 200) == (theme == "dark")
    seen = browser.execute_script(COLOURS)
    assert len(seen) > 100
    poor = [(text, ink, paper) for text, ink, paper in seen if contrast(rgb(ink), rgb(paper)) < 4.5]
    assert poor == []


def rgb(colour):
    return [float(part) for part in colour[colour.index("(") + 1 : -1].replace(",", " ").split()[:3]]


def contrast(one, other):
    """Return the contrast of two colours as WCAG 2 defines it, 1 to 21."""

    def luminance(colour):
        channels = np.array(colour) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
