"""A real browser: Debian's Chromium, driven by Playwright. A machine without one skips these by name."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.http.serving import Served, serving

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--disable-gpu"]


def chromium_path() -> str | None:
    """Where the browser is, if it is anywhere."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def without_chromium() -> None:
    """Leave the test out, by name, where there is no browser; CI must have one."""
    message = "no Chromium is installed (on Debian: apt-get install chromium)"
    if os.environ.get("CI", "") not in {"", "0", "false"}:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser, for a module alone: while Playwright runs, nobody else can run an event loop here."""
    path = chromium_path()
    if path is None:
        without_chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on a fresh ledger."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running
