"""The pages in a browser: they load nothing from anywhere, run nothing, and can be read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from choice_ledger.http.table import ENDPOINTS
from tests.browser.conftest import without_chromium
from tests.http.serving import Served

WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
PAGES = ("/docs", "/problems/stale")
# WCAG 2.2, success criterion 1.4.3: the contrast of text against what is behind it, at least.
CONTRAST_MIN = 4.5

CONTRAST = """() => {
  const light = c => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const of = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
    return 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b); };
  const behind = element => { for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour; } return "rgb(255, 255, 255)"; };
  let least = 21;
  for (const element of document.querySelectorAll("p, a, code, dt, dd, h1, h2, h3, h4, summary, span, pre")) {
    const [one, other] = [of(getComputedStyle(element).color), of(behind(element))].sort((a, b) => b - a);
    least = Math.min(least, (one + 0.05) / (other + 0.05));
  }
  return least;
}"""


@dataclass
class Watched:
    """A page, and all that its loading did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note every request, every one that fails, and whatever the console says."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.failures.append(request.url))
        self.page.on("response", lambda answer: self.failures.extend([answer.url] * (answer.status >= 400)))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda fault: self.messages.append(str(fault)))

    def elsewhere(self, served: Served) -> list[str]:
        """Requests to any other origin than the service."""
        own = urlsplit(served.url)[:2]
        return [url for url in self.requests if urlsplit(url)[:2] != own and not url.startswith("data:")]


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """An empty page of a wide window, watched from the start."""
    page = browser.new_page(viewport=WIDE)
    found = Watched(page)
    found.watch()
    yield found
    page.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_nobody_else_for_anything(watched: Watched, served: Served, path: str) -> None:
    """Loading a page is one request, to the service itself; nothing fails, and the console is silent."""
    watched.page.goto(served.url + path, wait_until="networkidle")
    assert watched.elsewhere(served) == []
    assert [url for url in watched.requests if not url.startswith("data:")] == [served.url + path]
    assert watched.failures == []
    assert watched.messages == []


def test_a_planted_request_to_elsewhere_is_caught(watched: Watched, served: Served) -> None:
    """A picture from another origin is seen as a request to elsewhere, and as a message of the console."""
    page = f'<body><img src="{served.url}/livez"><img src="http://127.0.0.1:9/picture"><script>x.y</script>'
    watched.page.goto(f"{served.url}/livez")
    watched.page.set_content(page, wait_until="networkidle")
    assert watched.elsewhere(served) == ["http://127.0.0.1:9/picture"]
    assert watched.failures == ["http://127.0.0.1:9/picture"]
    assert watched.messages


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_run_and_load_nothing(watched: Watched, served: Served, path: str) -> None:
    """The policy that comes with a page stops a script and a picture that somebody smuggled into it."""
    watched.page.goto(served.url + path)
    watched.page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.ran = 1";
        document.body.append(script); const image = new Image(); image.src = "http://127.0.0.1:9/x";
        document.body.append(image); }"""
    )
    watched.page.wait_for_timeout(200)
    assert watched.page.evaluate("window.ran") is None
    assert [url for url in watched.requests if url.endswith(":9/x") and url not in watched.failures] == []
    assert sum("Content Security Policy" in text for text in watched.messages) >= 2


def test_every_operation_is_on_the_page(watched: Watched, served: Served) -> None:
    """The page has a section for each operation of the table, and its contents lead there."""
    watched.page.goto(f"{served.url}/docs")
    for row in ENDPOINTS:
        assert watched.page.locator(f"article#{row.operation}").count() == 1, row.operation
        assert watched.page.locator(f'nav a[href="#{row.operation}"]').count() == 1, row.operation


def test_every_link_within_the_page_leads_somewhere(watched: Watched, served: Served) -> None:
    """No link of the page to a place in itself is broken, and no two places share a name."""
    watched.page.goto(f"{served.url}/docs")
    broken = watched.page.evaluate(
        """() => [...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute("href").slice(1))
        .filter(id => !document.getElementById(id))"""
    )
    names = watched.page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert broken == []
    assert len(names) == len(set(names))


def test_a_style_applies(watched: Watched, served: Served) -> None:
    """The style is the one that the page's policy allows: the contents stand beside the text when wide."""
    watched.page.goto(f"{served.url}/docs")
    contents, text = (watched.page.locator(name).bounding_box() for name in ("nav", "main"))
    assert contents is not None
    assert text is not None
    assert contents["x"] + contents["width"] <= text["x"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_can_be_read_in_light_and_dark(
    browser: Browser, served: Served, path: str, scheme: str
) -> None:
    """Every text stands out from its ground by 4.5 to 1 or more, whichever scheme the reader prefers."""
    page = browser.new_page(viewport=WIDE, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(served.url + path)
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.evaluate(CONTRAST) >= CONTRAST_MIN
    page.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(browser: Browser, served: Served, path: str) -> None:
    """On a narrow screen nothing reaches beyond the side: only examples scroll, in their own boxes."""
    page = browser.new_page(viewport=PHONE)
    page.goto(served.url + path)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    page.close()


def test_the_page_can_be_used_without_a_pointer(watched: Watched, served: Served) -> None:
    """The first stop of the keyboard skips the contents, and it leads to the text."""
    watched.page.goto(f"{served.url}/docs")
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("() => document.activeElement.getAttribute('href')") == "#content"
    watched.page.keyboard.press("Enter")
    assert watched.page.url.endswith("#content")


def test_a_machine_without_a_browser_skips_and_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Chromium a test is left out with its name said; with CI=true the very same fails."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium is installed"):
        without_chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Chromium is installed"):
        without_chromium()
