"""A page in a browser that Selenium drives: opened at a width and in a theme, pressed, and read."""

import time


def show(browser, page, width, theme):
    window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    media = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.get(page.as_uri())
    until(browser, "return document.documentElement.dataset.ready === 'true'")


def until(browser, condition):
    """Wait until a script says true, at most half a minute."""
    for _ in range(600):
        if browser.execute_script(condition):
            return
        time.sleep(0.05)
    raise AssertionError(f"never became true: {condition}; the console says {browser.get_log('browser')}")


def press(browser, *keys):
    from selenium.webdriver import ActionChains  # where selenium is missing the tests are skipped

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def one(browser, selector):
    return browser.find_element("css selector", selector)


def cell(browser, path, step):
    return one(browser, f'[data-path="{path}"] [data-step="{step}"]')


def value(element):
    return float(element.get_attribute("data-value"))


def chosen(browser):
    """Return path and step of the chosen cell."""
    found = one(browser, "#grid-box .cell.chosen")
    row = found.find_element("xpath", "..").get_attribute("data-path")
    return row, found.get_attribute("data-step")


def pixels(browser, selector):
    """Return how many colours the canvas has."""
    script = """
      const canvas = document.querySelector(arguments[0]);
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return new Set(new Uint32Array(data.buffer)).size;
    """
    return browser.execute_script(script, selector)
