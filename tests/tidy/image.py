"""What the Dockerfile says, instruction by instruction, and the Compose file, as the tests compare them."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.tidy.source import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, in its stage, with its arguments in one line."""

    stage: int
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments as a shell would divide them, without options."""
        return [word for word in shlex.split(self.text) if not word.startswith("--")]

    @property
    def exec_form(self) -> list[str]:
        """The list of words that an instruction gives as JSON."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, comments left out and continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found, stage = [], -1
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(rest.split())))
    return found


def dockerfile() -> list[Instruction]:
    """The instructions of ours."""
    return instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def last(name: str) -> Instruction:
    """The last instruction of a name: the one that counts in the image."""
    return [instruction for instruction in dockerfile() if instruction.name == name][-1]


def copied_from_the_context() -> list[tuple[list[str], str]]:
    """What is copied from the checkout: the sources, and where they go."""
    copies = [one for one in dockerfile() if one.name == "COPY" and "--from=" not in one.text]
    return [(one.words[:-1], one.words[-1]) for one in copies]


def environment() -> dict[str, str]:
    """The environment that the image sets."""
    pairs = (word.partition("=") for word in last("ENV").words)
    return {name: value for name, _, value in pairs}


def compose() -> Mapping[str, Any]:
    """The Compose file, its anchors resolved."""
    content: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return content


def services_of_ours() -> dict[str, Mapping[str, Any]]:
    """The services that run our image."""
    return {name: service for name, service in compose()["services"].items() if "build" in service}


def ignored(path: Path) -> bool:
    """Whether the image is built without this file or folder of the root."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    return "*" in lines and not any(path == Path(one) or Path(one) in path.parents for one in kept)
