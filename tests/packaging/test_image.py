"""The image's steps, carried out without an engine: what its stages copy, run and set is what works."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from tests.tidy.image import copied_from_the_context, dockerfile, environment, last
from tests.tidy.source import ROOT

# It installs the locked packages from a package index, on a slow line.
pytestmark = pytest.mark.timeout(400)

READY_WITHIN_S = 30


@dataclass(frozen=True)
class Image:
    """What the first stage made, in a folder that stands for the root, and the environment of the last."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """The image's own variables, with the folder's paths in the place of the image's."""
        inside = {
            name: value.replace("/opt", f"{self.root}/opt").replace("$PATH", os.environ["PATH"])
            for name, value in environment().items()
        }
        return {**inside, "CHOICE_LEDGER_HOME": str(self.root / "home"), "CHOICE_LEDGER_HOST": "127.0.0.1"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The first stage's steps: what it copies is there and nothing else; what it runs is run as it stands."""
    root = tmp_path_factory.mktemp("image")
    source = root / "source"
    for given, place in copied_from_the_context():
        for name in given:
            target = source / (place if (ROOT / name).is_dir() else f"{place}/{Path(name).name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, target)
    subprocess.run([sys.executable, "-m", "venv", str(root / "tools")], check=True)
    path = f"{root}/tools/bin:{os.environ['PATH']}"
    for step in (one for one in dockerfile() if (one.stage, one.name) == (0, "RUN")):
        command = step.text.replace("/opt", f"{root}/opt").replace("/dist", f"{root}/dist")
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=source,
            env={"PATH": path, "HOME": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return Image(root)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def healthy(image: Image, port: int) -> bool:
    """Whether the image's own health check finds the service well."""
    environment = {**image.environment, "CHOICE_LEDGER_PORT": str(port)}
    command = last("HEALTHCHECK").exec_form
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


@contextmanager
def started(image: Image, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own command, until the context ends."""
    environment = {**image.environment, "CHOICE_LEDGER_PORT": str(port)}
    command = [*last("ENTRYPOINT").exec_form, *last("CMD").exec_form]
    program = shutil.which(command[0], path=environment["PATH"])
    assert program is not None
    assert program.startswith(str(image.root))
    running = subprocess.Popen([program, *command[1:]], env=environment, cwd=image.root)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def test_the_image_serves_and_its_health_check_tells_so(image: Image) -> None:
    """It is unhealthy before it is started, healthy while it serves, and ends well when it is stopped."""
    port = free_port()
    assert not healthy(image, port)
    with started(image, port) as running:
        waited = Event()
        for _ in range(READY_WITHIN_S * 5):
            if healthy(image, port):
                break
            assert running.poll() is None, "the service ended"
            waited.wait(0.2)
        assert healthy(image, port)
        running.send_signal(getattr(signal, last("STOPSIGNAL").text))
        assert running.wait(30) == 0
    assert not healthy(image, port)


def test_the_image_holds_the_program_and_no_tool_that_built_it(image: Image) -> None:
    """The environment that the last stage takes has neither the build back-end nor an installer."""
    folders = image.root.glob("opt/choice-ledger/lib/python*/site-packages/*")
    names = {path.name.partition("-")[0].lower() for path in folders}
    assert "choice_ledger" in names
    assert names.isdisjoint({"hatchling", "pip", "setuptools", "pytest", "wheel"})
    assert not list(image.root.glob("opt/choice-ledger/bin/pip*"))
