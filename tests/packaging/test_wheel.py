"""The wheel as people get it: built from the source distribution, and run from an environment of its own."""

import email
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

from tests.tidy.source import PACKAGES, ROOT

# Two builds and an installation from a package index, on a slow line.
pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment that holds the wheel and the locked run-time packages, and a folder to work in."""

    bin: Path
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's commands, outside the checkout and without its variables."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        program = str(self.bin / command[0])
        return subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def must_succeed(*command: str) -> None:
    """Run a step of the preparation, and show what it printed if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, which is built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    must_succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel: Path) -> frozenset[str]:
    """The names of all files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A fresh environment with the locked run-time packages and the wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    must_succeed(sys.executable, "-m", "venv", str(folder / "env"))
    pip = (str(folder / "env" / "bin" / "python"), "-m", "pip", "install", "--quiet")
    must_succeed(*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "run.txt"))
    must_succeed(*pip, "--no-deps", str(wheel))
    return Installed(bin=folder / "env" / "bin", folder=folder)


def files_of(package: str) -> set[str]:
    """What the checkout holds of a package, made files left out."""
    files = (path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_only_the_packages_are_at_the_top(names: frozenset[str]) -> None:
    """The wheel puts the five packages and its own metadata on the path, and no stray module."""
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert len(tops) == len(PACKAGES) + 1


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_shipped(package: str, names: frozenset[str]) -> None:
    """Each module and data file of the checkout is in the wheel, the mark of a typed package among them."""
    wanted = files_of(package)
    assert f"{package}/py.typed" in wanted
    assert wanted - names == set()


def test_every_schema_is_shipped(names: frozenset[str]) -> None:
    """The Avro schemas are in the wheel: without them no event could be read."""
    assert any(name.startswith("events/schemas/") and name.endswith(".avsc") for name in names)


def test_the_example_is_shipped(names: frozenset[str]) -> None:
    """The example policy, which the demo walks through, is in the wheel as it stands in the checkout."""
    assert files_of("examples")
    assert {f"choice_ledger/{name}" for name in files_of("examples")} - names == set()


def test_the_wheel_says_what_it_is(metadata: Message) -> None:
    """Name, licence, licence text and oldest Python stand in the metadata."""
    assert metadata["Name"] == "choice-ledger"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_command_tells_its_version(installed: Installed, metadata: Message) -> None:
    """Outside a checkout, the command answers with the version of the wheel."""
    done = installed.run("choice-ledger", "--version")
    assert done.returncode == 0, done.stderr
    assert metadata["Version"] in done.stdout


def test_the_demo_runs_without_a_checkout(installed: Installed) -> None:
    """The worked example runs to its end from the wheel alone, and ends with the audit's answer."""
    done = installed.run("choice-ledger", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "opted_out" in done.stdout


def test_explanations_speak_from_the_wheel(installed: Installed) -> None:
    """The languages are in the wheel: a denial is explained in French without a checkout."""
    done = installed.run("choice-ledger", "why", "ana", "website.surveys", "--language", "fr")
    assert done.returncode == 0, done.stderr
    assert "Aucune politique alors en vigueur ne prévoit cette finalité." in done.stdout


def test_the_packages_import_from_the_wheel(installed: Installed) -> None:
    """Each package is imported from the environment, not from a checkout that happens to be near."""
    code = f"print(*(__import__(n).__file__ for n in {PACKAGES!r}))"
    done = installed.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(installed.folder)) for line in done.stdout.split())
    assert len(done.stdout.split()) == len(PACKAGES)


def test_the_locked_packages_satisfy_each_other(installed: Installed) -> None:
    """What is locked is all that the wheel needs, and no two of them disagree."""
    done = installed.run("python", "-m", "pip", "check")
    assert done.returncode == 0, done.stdout + done.stderr
