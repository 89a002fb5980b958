"""What the rules read: one file's text, its syntax tree, and which of its lines are code."""

import ast
import io
import os
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("events", "ledger", "projections", "consumers", "choice_ledger")
# The folders that hold Python of ours; a folder that does not exist yet holds none.
PYTHON_FOLDERS = (*PACKAGES, "tests", "benchmarks")
# What tools make, or fetch.
UNWRITTEN = frozenset({"__pycache__", "build", "dist", "htmlcov", "node_modules"})
TEXT_SUFFIXES = frozenset(
    {"", ".avsc", ".cfg", ".css", ".html", ".ini", ".json", ".jsonl", ".md", ".ndjson", ".py", ".rst", ".sh"}
    | {".svg", ".toml", ".txt", ".xml", ".yaml", ".yml"}
)

NOT_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    | {tokenize.ENDMARKER}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a rule is broken."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file: its path from the root with forward slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree (a file that does not parse is a fault of the test run itself)."""
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines, of which the first is number 1."""
        return self.text.splitlines()

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        """The file's tokens, comments included."""
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """The numbers of the lines that hold code: no blank line, comment or docstring."""
        numbers: set[int] = set()
        for token in self.tokens:
            if token.type not in NOT_CODE:
                numbers.update(range(token.start[0], token.end[0] + 1))
        return frozenset(numbers - set(docstring_lines(self.tree)))

    @property
    def is_product(self) -> bool:
        """Whether the file belongs to a package that is shipped."""
        return PurePosixPath(self.path).parts[0] in PACKAGES

    @property
    def is_test(self) -> bool:
        """Whether the file belongs to the tests."""
        return PurePosixPath(self.path).parts[0] == "tests"

    @property
    def module(self) -> str:
        """The dotted name under which the file is imported."""
        return ".".join(PurePosixPath(self.path).with_suffix("").parts).removesuffix(".__init__")

    def find(self, node: ast.stmt | ast.expr, what: str) -> Finding:
        """A finding at a node of this file."""
        return Finding(path=self.path, line=node.lineno, what=what)


def docstring_of(node: ast.AST) -> ast.Constant | None:
    """The node's docstring as it stands in the tree, or None."""
    body = getattr(node, "body", None)
    if not isinstance(body, list) or not body or not isinstance(body[0], ast.Expr):
        return None
    value = body[0].value
    return value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def docstring_lines(tree: ast.Module) -> Iterator[int]:
    """The numbers of all lines on which a docstring stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = docstring_of(node)
            if docstring is not None:
                yield from range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def dotted(node: ast.expr) -> str:
    """The dotted name that an expression spells (`a.b.c`), or an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        prefix = dotted(node.value)
        return f"{prefix}.{node.attr}" if prefix else ""
    return ""


def imported(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Every module that the file imports, wherever the import stands."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node, node.module


def python_sources(root: Path = ROOT) -> list[Source]:
    """All Python of ours, sorted by path."""
    return [source for source in text_sources(root) if is_python_of_ours(source)]


def is_python_of_ours(source: Source) -> bool:
    """Whether the file is Python in one of our folders (a script beside them is text like any other)."""
    path = PurePosixPath(source.path)
    return path.suffix == ".py" and path.parts[0] in PYTHON_FOLDERS


def text_sources(root: Path = ROOT) -> list[Source]:
    """All text files of the project, of any kind, hidden ones of ours included, sorted by path."""
    return [read(path, root) for path in sorted(written_files(root)) if path.suffix in TEXT_SUFFIXES]


def written_files(root: Path) -> Iterator[Path]:
    """All files that are written here, and neither made by a tool nor fetched."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if is_written(name)]
        yield from (Path(folder) / name for name in names if not name.startswith(".coverage"))


def is_written(folder: str) -> bool:
    """Whether a folder of this name holds what is written here."""
    return folder not in UNWRITTEN and (not folder.startswith(".") or folder in {".ci", ".github"})


def read(path: Path, root: Path) -> Source:
    """One file, by its path from the root."""
    return Source(path=path.relative_to(root).as_posix(), text=path.read_text(encoding="utf-8"))
