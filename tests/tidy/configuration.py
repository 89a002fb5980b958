"""What the configuration files say, as the tests compare it with the source."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.tidy.source import ROOT, Source, imported

# What an adapter wraps, and nothing else imports.
WRAPPED = frozenset({"apsw", "kafka"})
LINE_WITH_CODE = re.compile(r'^\s*"[A-Z]+\d*",')


def pyproject(root: Path = ROOT) -> dict[str, dict[str, object]]:
    """The tables of `pyproject.toml`."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def at(tables: object, *keys: str) -> object:
    """What stands in nested tables under a path of keys."""
    for key in keys:
        assert isinstance(tables, dict), key
        tables = tables[key]
    return tables


def texts_at(tables: object, *keys: str) -> list[str]:
    """The list of texts that stands under a path of keys."""
    found = at(tables, *keys)
    assert isinstance(found, list), keys
    return [str(text) for text in found]


def contracts() -> dict[str, dict[str, object]]:
    """All import contracts, by their ids."""
    found = at(pyproject(), "tool", "importlinter", "contracts")
    assert isinstance(found, list)
    return {str(entry["id"]): entry for entry in found}


def adapters() -> dict[str, dict[str, object]]:
    """The contracts that keep an adapter to the wiring."""
    return {name: entry for name, entry in contracts().items() if name.startswith("adapter-")}


def parts_of_adapters() -> set[str]:
    """The modules of all adapters."""
    return {module for entry in adapters().values() for module in texts_at(entry, "protected_modules")}


def bare_ignores(lines: Iterable[str]) -> Iterator[str]:
    """Rule codes that are switched off, in a list with a line for each, without a reason on that line."""
    inside = False
    for line in lines:
        inside = (inside or re.match(r'^("[^"]+"|ignore) = \[\s*$', line) is not None) and line.strip() != "]"
        one_line = re.match(r'^("[^"]+"|ignore) = \["[A-Z]+\d*".*\]', line)
        if ((inside and LINE_WITH_CODE.match(line)) or one_line) and not re.search(r"#\s*\S+ \S+", line):
            yield line.strip()


def wrappers(sources: Iterable[Source]) -> set[str]:
    """The product's modules that import what only adapters may."""
    return {
        source.module
        for source in sources
        if source.is_product and any(name.partition(".")[0] in WRAPPED for _, name in imported(source))
    }


def is_covered(module: str, listed: Iterable[str]) -> bool:
    """Whether a list of modules names this one, or a package that holds it."""
    return any(module == name or module.startswith(f"{name}.") for name in listed)


def layer_of(module: str) -> str:
    """The package that a module belongs to."""
    return module.partition(".")[0]


def requirements(name: str, root: Path = ROOT) -> dict[str, str]:
    """The locked versions of a requirements file: package to version."""
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def make_targets(root: Path = ROOT) -> set[str]:
    """The targets that the task file declares for people."""
    text = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))


def make_commands(text: str) -> list[str]:
    """The `make` targets that a text tells people to run, in the order in which it names them."""
    return re.findall(r"\bmake ([a-z-]+)\b(?=[\s`;]|$)", "\n".join(code_of(text)))


def code_of(text: str) -> Iterator[str]:
    """What a Markdown text shows as code: fenced or indented blocks, and spans in back-ticks."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line
        else:
            yield from re.findall(r"`([^`]+)`", line)
