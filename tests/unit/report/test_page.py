"""The page in a real browser, from a file and without a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from ciliumlab.report import checks, deploy, page
from ciliumlab.topology import load

from . import made

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not CHROMIUM or not DRIVER,
    reason="there is no Chromium with its driver (Debian's packages chromium and chromium-driver)",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for option in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{option}")
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--window-size=1400,1000")
    # Whatever it would fetch is seen as a failure, and not fetched.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=ChromeService(str(DRIVER)))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    run, seen = deploy.read(made.failed_deploy()), checks.read(made.checks())
    file.write_text(page.render(load(made.REFERENCE), made.SETTINGS, run, {"this run": 12.345}, seen))
    return file


@pytest.fixture
def opened(browser: Chrome, file: Path) -> Iterator[Chrome]:
    """The page; at the end of a test its console must be empty."""
    browser.get(file.as_uri())
    yield browser
    assert browser.get_log("browser") == []


def shown(browser: Chrome) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, "tr.check")
    return [row.get_attribute("data-result") or "" for row in rows if row.is_displayed()]


def test_all_is_there(opened: Chrome) -> None:
    text = opened.find_element(By.TAG_NAME, "body").text
    for words in (
        *("1 check failed", "4 passed, 1 skipped", "deploy failed on @fake/router"),
        *("default/webpod", "192.168.10.211", "datapath geneve"),
        *("1.17.9 on k8s-ctr", "vxlan on k8s-w0", "Names", "failed on @fake/router", "12.3"),
        *(
            "expected a route, found none",
            "172.20.0.0/16 via 192.168.10.200 dev eth1 proto static\nmissing",
        ),
    ):
        assert words.replace("\n", " ") in " ".join(text.split()), words
    # What a machine said is text, whatever it looks like.
    assert "document.title = 'broken'" in text
    assert opened.title == "cilium-lab: report"


def test_failed_checks_are_first_and_alone_if_wanted(opened: Chrome) -> None:
    assert shown(opened) == ["failed", *["passed"] * 4, "skipped"]
    for result in ("passed", "skipped"):
        opened.find_element(By.CSS_SELECTOR, f"[name=result][value={result}]").click()
    assert shown(opened) == ["failed"]
    assert opened.find_element(By.ID, "shown").text == "1 of 6"


def test_filter_by_host_stage_and_words(opened: Chrome) -> None:
    Select(opened.find_element(By.NAME, "host")).select_by_visible_text("k8s-w1")
    assert shown(opened) == ["failed", "passed"]
    opened.find_element(By.NAME, "words").send_keys("Static ROUTE")
    assert shown(opened) == ["passed"]
    opened.find_element(By.NAME, "words").clear()
    Select(opened.find_element(By.NAME, "stage")).select_by_visible_text("network")
    assert len(shown(opened)) == 2


def test_link_to_failed_checks(opened: Chrome) -> None:
    opened.find_element(By.LINK_TEXT, "Failed checks").click()
    assert shown(opened) == ["failed"]
    assert opened.current_url.endswith("#checks")


def test_every_link_leads_somewhere(opened: Chrome) -> None:
    """Within the page, as there is nothing else; each is followed by the browser itself."""
    targets = {link.get_dom_attribute("href") for link in opened.find_elements(By.CSS_SELECTOR, "a[href]")}
    assert "#routes-k8s-w1" in targets
    for target in sorted(filter(None, targets)):
        assert target.startswith("#")
        opened.get(f"{opened.current_url.partition('#')[0]}{target}")
        assert opened.execute_script("return document.querySelector(':target') !== null"), target


def test_link_to_a_machines_checks(opened: Chrome) -> None:
    heading = opened.find_element(By.ID, "routes-router")
    heading.find_element(By.XPATH, "following::a[1]").click()
    assert shown(opened) == ["passed"]


def test_routes_of_a_machine_that_is_pointed_at(opened: Chrome) -> None:
    pointed = opened.find_element(By.ID, "pointed")
    assert not pointed.is_displayed()
    machine = opened.find_element(By.ID, "machine-k8s-w0")
    ActionChains(opened).move_to_element(machine).perform()
    WebDriverWait(opened, 10).until(lambda _: pointed.is_displayed())
    assert "172.20.0.0/16 via 192.168.20.200 dev eth1 proto static" in pointed.text.splitlines()
    ActionChains(opened).click().perform()
    assert opened.current_url.endswith("#routes-k8s-w0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened: Chrome, scheme: str) -> None:
    """All text can be told from what it stands on: a contrast of 4.5 to 1, as WCAG 2.2 wants it (1.4.3)."""
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    pairs = opened.execute_script(
        """
        const found = new Set();
        for (const one of document.querySelectorAll("main *, header *")) {
          const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
          if (!own || one.closest("svg") || !one.checkVisibility()) continue;
          let behind = one;
          const clear = (node) => getComputedStyle(node).backgroundColor === "rgba(0, 0, 0, 0)";
          while (behind.parentElement && clear(behind)) behind = behind.parentElement;
          found.add(getComputedStyle(one).color + "|" + getComputedStyle(behind).backgroundColor);
        }
        for (const text of document.querySelectorAll("svg g.node > text")) {
          const shape = text.parentElement.querySelector("path, polygon");
          found.add(getComputedStyle(text).fill + "|" + getComputedStyle(shape).fill);
        }
        return [...found];
        """
    )
    assert len(pairs) > 8
    for pair in pairs:
        one, other = sorted((_luminance(colour) for colour in pair.split("|")), reverse=True)
        assert (one + 0.05) / (other + 0.05) >= 4.5, pair
    back = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (_luminance(back) > 0.5) == (scheme == "light")


def _luminance(colour: str) -> float:
    red, green, blue = (int(number) / 255 for number in re.findall(r"\d+", colour)[:3])
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_without_anything_given(browser: Chrome, tmp_path: Path) -> None:
    file = tmp_path / "empty.html"
    file.write_text(page.render(load(made.REFERENCE), made.SETTINGS, None, {}, None))
    browser.get(file.as_uri())
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "pytest tests/states --junit-xml checks.xml" in text
    assert "pyinfra -y --json inventory/lab.py deploy.py > deploy.json" in text
    assert browser.get_log("browser") == []
