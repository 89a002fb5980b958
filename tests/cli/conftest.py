"""Ledgers to run commands on."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLES, TENANT, Cli


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Commands close their files to others; the tests that come after keep what they had."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line on a ledger that is not there yet."""
    return Cli(tmp_path / "home")


@pytest.fixture(scope="session")
def example_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the example in it, to be copied."""
    home = tmp_path_factory.mktemp("example") / "home"
    files = ("telemate/policies.ndjson", "people.ndjson")
    Cli(home).does("import", *(str(EXAMPLES / file) for file in files))
    return home


@pytest.fixture
def example(example_home: Path, tmp_path: Path) -> Cli:
    """The command line on a ledger with the example in it, for the example's tenant."""
    home = tmp_path / "example"
    shutil.copytree(example_home, home)
    return Cli(home).with_tenant(TENANT)


@pytest.fixture(scope="session")
def published_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which the example's first version has just been published for the tenant `main`."""
    home = tmp_path_factory.mktemp("published") / "home"
    Cli(home).does("policy", "publish", str(EXAMPLES / "telemate" / "website-and-services.v1.yaml"), "--now")
    return home


@pytest.fixture
def published(published_home: Path, tmp_path: Path) -> Cli:
    """The command line on a ledger with a policy in force, for the tenant `main`."""
    home = tmp_path / "published"
    shutil.copytree(published_home, home)
    return Cli(home)
