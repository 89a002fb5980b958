"""What the documents name, as the tests compare it with what exists."""

import ast
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

import click

from tests.tidy.configuration import code_of
from tests.tidy.source import Finding, Source

# A document by its name, wherever it is mentioned; an address on the web is none of ours.
DOCUMENT = re.compile(r"(?<![\w/.:*-])(?!https?:)((?:[\w.-]+/)*[A-Za-z][\w.-]*\.md)\b")
VARIABLE = re.compile(r"\bCHOICE_LEDGER_[A-Z][A-Z_]*[A-Z]\b")
# A sentence that the source takes from a document: the document's name, a few words, and the quotation.
QUOTATION = re.compile(r'``(\w+\.md)``[^".]{0,60}"([^"]{3,})"')
LEFT_OUT = re.compile(r"\[\.\.\.\]|…")
INVOCATION = re.compile(r"(?:^|[\s$(`])choice-ledger((?: +[a-z][a-z-]*)+)")


def missing_documents(sources: Iterable[Source], paths: AbstractSet[str]) -> Iterator[Finding]:
    """Mentions of a document that is not there: by its path, or by its bare name anywhere."""
    names = {PurePosixPath(path).name.lower() for path in paths}
    for source in sources:
        for number, line in enumerate(source.lines, start=1):
            for match in DOCUMENT.finditer(line):
                mention = match[1]
                if PurePosixPath(mention).name.lower() not in names:
                    yield Finding(path=source.path, line=number, what=f"names {mention}, which is not there")


def prose(source: Source) -> Iterator[tuple[int, str]]:
    """What a file says to people: docstrings, and comments that belong together, each with its line."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, plain(str(node.value.value))
    comments = [token for token in source.tokens if token.type == tokenize.COMMENT]
    while comments:
        first = comments[0].start[0]
        together = [c for number, c in enumerate(comments) if c.start[0] == first + number]
        yield first, plain(" ".join(c.string.lstrip("#") for c in together))
        comments = comments[len(together) :]


def plain(text: str) -> str:
    """A text without line ends, emphasis and capitals, by which a quotation is compared."""
    return re.sub(r"[*\s]+", " ", text).lower()


def wrong_quotations(source: Source, documents: Mapping[str, str]) -> Iterator[Finding]:
    """Quotations that are not in their document (by its name in small letters); `[...]` leaves out words."""
    for number, text in prose(source):
        for name, quoted in QUOTATION.findall(text):
            said = plain(documents.get(name, ""))
            for part in LEFT_OUT.split(quoted):
                if part.strip(" .,;:") not in said:
                    yield Finding(path=source.path, line=number, what=f"{name} does not say: {part.strip()}")


def variables_in(text: str) -> set[str]:
    """The environment variables of ours that a text names."""
    return set(VARIABLE.findall(text))


Words = tuple[str, ...]


def command_paths(command: click.Command, path: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Every command under this one, with the words after the program's name; hidden ones are left out."""
    if command.hidden:
        return
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from command_paths(found, (*path, name))
    else:
        yield path, command


def invocations(text: str) -> Iterator[tuple[str, ...]]:
    """The commands of ours that a Markdown text shows as code: the words after the program's name."""
    for line in code_of(text):
        for match in INVOCATION.finditer(line):
            yield tuple(match[1].split())


def unknown_invocations(text: str, known: AbstractSet[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Shown commands that do not begin with the words of a command that exists (arguments may follow)."""
    groups = {path[:length] for path in known for length in range(1, len(path) + 1)}
    return [words for words in invocations(text) if words not in groups and not begins_with_one(words, known)]


def begins_with_one(words: Words, known: AbstractSet[Words]) -> bool:
    """Whether the words begin with those of a command."""
    return any(words[: len(path)] == path for path in known)


def undocumented(names: Iterable[str], text: str) -> list[str]:
    """Names that a text does not show in back-ticks."""
    shown = set(re.findall(r"`+([^`\n]+?)`+", text))
    return sorted(
        name for name in names if not any(name == one or one.startswith(f"{name} ") for one in shown)
    )


def long_options(commands: Mapping[tuple[str, ...], click.Command]) -> dict[str, set[str]]:
    """The long options of each command, by its words."""
    return {
        " ".join(path): {
            name for parameter in command.params for name in parameter.opts if name.startswith("--")
        }
        for path, command in commands.items()
    }
