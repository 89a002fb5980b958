"""The configuration says what the source is: nothing is left out of a check by being left out of a list."""

import os
import re

import pytest

from tests.tidy.configuration import (
    adapters,
    at,
    bare_ignores,
    contracts,
    is_covered,
    layer_of,
    make_commands,
    make_targets,
    parts_of_adapters,
    pyproject,
    requirements,
    texts_at,
    wrappers,
)
from tests.tidy.core_files import core_files
from tests.tidy.source import PACKAGES, ROOT, Source, python_sources

# These drive the pure parts: they read and write through ports, and need threads to do so.
DRIVERS = frozenset({"consumers", "ledger.group_commit"})
# What holds the core: a module here is pure, an adapter, or a driver.
SORTED_PACKAGES = ("events", "ledger", "projections", "consumers")


def test_every_switched_off_rule_has_its_reason() -> None:
    """Each rule of the linter that is switched off, everywhere or for some files, says why on its line."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert list(bare_ignores(lines)) == []


def test_a_planted_ignore_without_a_reason_is_caught() -> None:
    """A code without a comment is found, in a list over several lines or in one; one with a reason is not."""
    bad = ["ignore = [", '    "D105",', '    "D107", # Said once, in the class.', "]", '"docs/**" = ["S101"]']
    assert list(bare_ignores(bad)) == ['"D105",', '"docs/**" = ["S101"]']


@pytest.mark.parametrize(
    "keys",
    [
        ("tool", "hatch", "build", "targets", "wheel", "packages"),
        ("tool", "importlinter", "root_packages"),
        ("tool", "coverage", "run", "source"),
    ],
    ids=".".join,
)
def test_every_package_is_listed(keys: tuple[str, ...]) -> None:
    """The wheel, the import contracts and the coverage name the five packages, and no other."""
    assert set(texts_at(pyproject(), *keys)) == set(PACKAGES)


def test_types_are_checked_everywhere() -> None:
    """The strict type checker reads the packages and the tests."""
    mypy = at(pyproject(), "tool", "mypy")
    assert at(mypy, "strict") is True
    assert set(texts_at(mypy, "packages")) >= {*PACKAGES, "tests"}


def test_adapters_are_held_by_the_import_contract() -> None:
    """Every module that wraps the database or the Kafka client is one that only the wiring may import."""
    assert wrappers(python_sources()) - parts_of_adapters() == set()


def test_a_planted_wrapper_is_found() -> None:
    """A product module that imports a part of the Kafka client is a wrapper; a test that does so is none."""
    text = "from kafka.errors import KafkaError"
    sources = [Source(path="ledger/x.py", text=text), Source(path="tests/unit/test_x.py", text=text)]
    assert wrappers(sources) == {"ledger.x"}


def test_only_the_wiring_may_import_adapters() -> None:
    """Beside the wiring, only parts of the same adapter may import a part of it."""
    assert adapters()
    for name, entry in adapters().items():
        allowed = {"choice_ledger.wiring", *texts_at(entry, "protected_modules")}
        assert set(texts_at(entry, "allowed_importers")) <= allowed, name


def test_every_module_below_the_application_is_pure_or_said_not_to_be() -> None:
    """A module is held to be pure, or is an adapter, or a driver named here: none is forgotten."""
    known = {*texts_at(contracts()["pure"], "source_modules"), *parts_of_adapters(), *DRIVERS}
    modules = {source.module for source in python_sources() if layer_of(source.module) in SORTED_PACKAGES}
    assert {name for name in modules if name not in PACKAGES and not is_covered(name, known)} == set()


def test_the_locks_agree() -> None:
    """What runs is what was tested: the run-time and build locks are parts of the development lock."""
    tested = requirements("dev.txt")
    assert {**requirements("run.txt"), **requirements("build.txt")}.items() <= tested.items()


@pytest.mark.parametrize("name", ["run.txt", "build.txt", "dev.txt"])
def test_every_locked_package_has_hashes(name: str) -> None:
    """Each locked package states the hashes of its files, so that pip takes no other."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.findall(r"^[a-z0-9-]+==[^\n]*(?:\n +[^\n]*)*", text, re.MULTILINE)
    assert len(entries) == len(requirements(name)) > 0
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_dependency_is_locked() -> None:
    """Each run-time dependency of the package is in the run-time lock."""
    declared = {
        re.split(r"[\[<>=~! ]", text)[0].lower() for text in texts_at(pyproject(), "project", "dependencies")
    }
    assert declared - requirements("run.txt").keys() == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_documented_make_targets_exist(name: str) -> None:
    """Every `make` command that the documents tell people to run is a target of the task file."""
    commands = make_commands((ROOT / name).read_text(encoding="utf-8"))
    assert commands
    assert set(commands) - make_targets() == set()


def test_make_commands_are_read_from_code_alone() -> None:
    """A command counts in a fenced or indented block or in back-ticks; to "make sure" in prose is none."""
    text = "We make sure of it.\n\n    make demo\n\n```\nmake demo-kafka X=y\n```\nRun `make long`.\n"
    assert make_commands(text) == ["demo", "demo-kafka", "long"]


def test_ci_calls_the_test_command_of_the_readme() -> None:
    """CI runs the very command that the README tells people to test with, and stops at the first failure."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "test" in make_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert script.rstrip().endswith("\nmake test")
    assert "set -euo pipefail" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_core_is_covered_as_the_contract_names_it() -> None:
    """Every file that coverage is asked to report on is there: a list that matches nothing proves nothing."""
    files = core_files()
    assert "events/*" in files
    assert "projections/decide.py" in files
    assert [file for file in files if not list(ROOT.glob(file))] == []


def test_one_command_checks_everything() -> None:
    """`make test` runs the linter, the types, the import contracts, the core's coverage and the tests."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (needs,) = re.findall(r"^test: ([a-z ]+)##", makefile, re.MULTILINE)
    assert needs.split() == ["lint", "types", "contracts", "core", "tests"]
