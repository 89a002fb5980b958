"""Options that every kind of test shares: how long a run may take, and how hard hypothesis looks.

A short run is what CI does. A long one (`--long`, or `CHOICE_LEDGER_LONG=1`, as `make long` sets) runs the
tests marked `long` too, and gives each property ten times the examples.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

LONG_ENVIRONMENT = "CHOICE_LEDGER_LONG"
EXAMPLES_CI = 100
EXAMPLES_LONG = 1_000

# Two slow cores must not fail a property for the time its examples took: pytest's own timeout bounds that.
settings.register_profile(
    "ci",
    max_examples=EXAMPLES_CI,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("ci"), max_examples=EXAMPLES_LONG)


def is_long(config: pytest.Config) -> bool:
    """Whether this run was asked to be long, by the option or by the environment."""
    return bool(config.getoption("--long")) or os.environ.get(LONG_ENVIRONMENT, "") not in {"", "0"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long` to pytest."""
    parser.addoption("--long", action="store_true", help="run what is marked long, with more examples each")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the hypothesis profile, unless `--hypothesis-profile` named one; and let Ctrl-C be heard.

    A shell starts what it puts into the background deaf to Ctrl-C, which tests of interruptions send.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--hypothesis-profile", default=None) is None:
        settings.load_profile("long" if is_long(config) else "ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect (not skip: nothing is missing) the tests marked `long` in a short run."""
    if is_long(config):
        return
    long_items = [item for item in items if item.get_closest_marker("long") is not None]
    if long_items:
        config.hook.pytest_deselected(items=long_items)
        items[:] = [item for item in items if item.get_closest_marker("long") is None]


@pytest.fixture(scope="session")
def long_run(request: pytest.FixtureRequest) -> bool:
    """True in a long run: tests that scale (kills, histories, questions) choose their numbers by it."""
    return is_long(request.config)
