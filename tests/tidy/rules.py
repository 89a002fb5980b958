"""The rules of style that a machine can hold, each a function from a file to what breaks it there."""

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from tests.tidy.source import PACKAGES, Finding, Source, docstring_of, dotted, functions, imported

FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 500
# A test's docstring states a fact; fewer words than these name a subject at best.
TEST_DOCSTRING_WORDS_MIN = 4
# A value of so few fields may be made by position: the order of a pair is plain from its name.
POSITIONAL_FIELDS_MAX = 3
# A reason is a phrase.
REASON_WORDS_MIN = 2

VAGUE_MODULES = re.compile(r"^_*(utils?|helpers?|managers?|base|commons?|misc|stuff)$")
TEST_FOLDERS = frozenset(
    {"unit", "property", "vectors", "contract", "simulation", "broker", "postgres", "http", "cli", "browser"}
    | {"tidy", "packaging"}
)
# Modules that wait, open files or sockets, or read clocks for the rest: they may sleep.
WAITING_MODULES = re.compile(
    r"^(ledger\.(\w+_log|(kafka|sqlite)_\w+)|projections\.\w+_store|choice_ledger\.(wiring|http\.server))$"
)
FORBIDDEN_IMPORTS = {
    "sqlite3": "only apsw opens our files",
    "unittest.mock": "our own parts are not mocked: use a real one, or a port's simplest adapter",
    "pickle": "loading a pickle runs code",
}


def joined(*parts: str) -> str:
    """A word that must not stand in any file, this one included, put together from its parts."""
    return "".join(parts)


MARKERS = (joined("TO", "DO"), joined("FIX", "ME"), joined("X", "XX"), joined("NotImpl", "ementedError"))
MARKERS_OF_WORK_LEFT = re.compile(rf"\b({'|'.join(MARKERS)})\b")
# The project speaks of itself alone: not of who wrote it, how it was asked for, or where it was made.
WORDS_OF_THE_WORKSHOP = re.compile(
    "|".join(
        (
            joined("/wo", "rk/"),
            joined("/tm", "p/(lab|brief)"),
            joined(r"\bsand", r"box"),
            joined(r"\bC", r"EO\b"),
            joined(r"\bL", r"LMs?\b"),
            joined(r"\bCl", r"aude\b"),
            joined(r"\bAnth", r"ropic\b"),
            joined(r"\bOpen", r"AI\b"),
            joined(r"\bChat", r"GPT\b"),
            joined(r"\bCo", r"pilot\b"),
            joined(r"\bAI[- ]", r"(generated|written|assisted)\b"),
            joined(r"\bthe iss", r"ue (says|asks|wants)\b"),
            joined(r"\bthis iss", r"ue\b"),
            joined(r"\bDEVEL", r"OPERS\.md"),
            joined(r"\bthis (ses", r"sion|helper|brief|assignment)\b"),
            joined(r"\bthe (br", r"ief|assignment|helper|other engineers?)\b"),
            joined(r"\bas (reque", r"sted|instructed|asked) (by|in)\b"),
            joined(r"\bdesign/(seman", r"tics|architecture|events|libraries|style)\.md"),
            joined(r"shared/(de", r"sign|seed)\b"),
        )
    ),
    re.IGNORECASE,
)
WORDS_OF_UNFINISHED_WORK = re.compile(
    "|".join(
        (
            joined(r"\bfor n", r"ow\b"),
            joined(r"\bin a real (", r"system|world|application|deployment)\b"),
            joined(r"\bnot (yet impl", r"emented|implemented yet)\b"),
            joined(r"\bcoming so", r"on\b"),
            joined(r"\bplace", r"holder implementation\b"),
        )
    ),
    re.IGNORECASE,
)
SILENCERS = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma:\s*no (cover|branch))(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w, -]+\])?"
)
SKIPS = frozenset(
    {"pytest.skip", "pytest.xfail", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
)
CHECKING_CALL = re.compile(
    r"^(assert|check|expect|require|prove|verify)_|^(raises|warns|fail|run_state_machine_as_test)$"
)

Rule = Callable[[Source], Iterator[Finding]]


def no_long_function(source: Source) -> Iterator[Finding]:
    """No product function has more than 50 code lines (docstrings, comments and blanks aside)."""
    if source.is_product:
        for node in functions(source.tree):
            size = size_of(source, node)
            if size > FUNCTION_LINES_MAX:
                yield source.find(
                    node, f"{node.name} has {size} code lines; {FUNCTION_LINES_MAX} are the limit"
                )


def size_of(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The number of code lines of a function, its signature included, its decorators not."""
    return len(source.code_lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))


def no_long_module(source: Source) -> Iterator[Finding]:
    """No module has more than 500 lines, of any kind."""
    if len(source.lines) > MODULE_LINES_MAX:
        what = f"the module has {len(source.lines)} lines; {MODULE_LINES_MAX} are the limit"
        yield Finding(path=source.path, line=MODULE_LINES_MAX, what=what)


def types_on_everything(source: Source) -> Iterator[Finding]:
    """Every parameter and every result has a type."""
    for node in functions(source.tree):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        parameters += [star for star in (node.args.vararg, node.args.kwarg) if star is not None]
        untyped = [a.arg for a in parameters if a.annotation is None and a.arg not in {"self", "cls"}]
        if untyped:
            yield source.find(node, f"{node.name} takes {', '.join(untyped)} without a type")
        if node.returns is None:
            yield source.find(node, f"{node.name} does not say what it returns")


def docstring_on_public_names(source: Source) -> Iterator[Finding]:
    """Every module, and every public class, function and method of the product, says what it means."""
    if docstring_of(source.tree) is None and source.text.strip():
        yield Finding(path=source.path, line=1, what="the module has no docstring")
    if source.is_product:
        for node in public_definitions(source.tree):
            if docstring_of(node) is None:
                yield source.find(node, f"{node.name} has no docstring")


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public_definitions(parent: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Public classes, functions and methods; not what a function keeps to itself, nor a property's setter."""
    for node in parent.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_") or is_repeated(node):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node)


def is_repeated(node: Definition) -> bool:
    """Whether the definition adds to one that has the docstring: an overload, or a property's setter."""
    names = [dotted(decorator) for decorator in node.decorator_list]
    return any(
        name in {"overload", "typing.overload"} or name.endswith((".setter", ".deleter")) for name in names
    )


def docstring_on_tests(source: Source) -> Iterator[Finding]:
    """Every test states the fact that it proves, as a sentence."""
    for node in tests_of(source):
        docstring = docstring_of(node)
        text = str(docstring.value).strip() if docstring is not None else ""
        first = text.split("\n\n", maxsplit=1)[0]
        if len(first.split()) < TEST_DOCSTRING_WORDS_MIN or not first.endswith((".", "!", "?", ":", "…")):
            yield source.find(node, f"{node.name} does not state, as a sentence, the fact that it proves")


def tests_of(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions and test methods of a test module (of a contract suite too)."""
    if source.is_test:
        yield from (node for node in functions(source.tree) if node.name.startswith("test_"))


def tests_can_fail(source: Source) -> Iterator[Finding]:
    """Every test asserts something, itself or through a function whose name says that it checks."""
    for node in tests_of(source):
        if not any(is_check(inner) for inner in ast.walk(node)):
            yield source.find(node, f"{node.name} checks nothing")


def is_check(node: ast.AST) -> bool:
    """Whether the node can make a test fail."""
    if isinstance(node, ast.Call):
        return CHECKING_CALL.match(dotted(node.func).rpartition(".")[2]) is not None
    return isinstance(node, ast.Assert)


def no_vague_module(source: Source) -> Iterator[Finding]:
    """No module or package is named after nothing in particular."""
    for part in PurePosixPath(source.path).with_suffix("").parts:
        if VAGUE_MODULES.match(part):
            yield Finding(path=source.path, line=1, what=f"'{part}' does not say what is inside")


def folders_by_kind_of_test(source: Source) -> Iterator[Finding]:
    """Test folders are named by the kind of test, never after a package that they would shadow."""
    parts = PurePosixPath(source.path).parts
    if parts[0] == "tests" and len(parts) > 2 and parts[1] not in TEST_FOLDERS:
        yield Finding(
            path=source.path, line=1, what=f"'tests/{parts[1]}' is no kind of test: {sorted(TEST_FOLDERS)}"
        )


def no_work_left(source: Source) -> Iterator[Finding]:
    """No marker of work that somebody else should do later."""
    yield from matches(source, MARKERS_OF_WORK_LEFT, "marks work that is not done")
    yield from matches(source, WORDS_OF_UNFINISHED_WORK, "promises instead of doing")


def no_words_of_the_workshop(source: Source) -> Iterator[Finding]:
    """The project speaks of itself alone."""
    yield from matches(source, WORDS_OF_THE_WORKSHOP, "speaks of how this was made, not of what it is")


def matches(source: Source, pattern: re.Pattern[str], what: str) -> Iterator[Finding]:
    """A finding for each line of the file in which the pattern stands."""
    for number, line in enumerate(source.lines, start=1):
        match = pattern.search(line)
        if match is not None:
            yield Finding(path=source.path, line=number, what=f"'{match.group()}' {what}")


def reasons_beside_silencers(source: Source) -> Iterator[Finding]:
    """Whatever silences a checker or leaves out a test says why, on its own line."""
    for token in source.tokens:
        match = SILENCERS.search(token.string) if token.type == tokenize.COMMENT else None
        if match is not None and len(token.string[match.end() :].strip(" #-–—:.").split()) < REASON_WORDS_MIN:
            yield Finding(path=source.path, line=token.start[0], what=f"'{match.group()}' gives no reason")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and dotted(node.func) in SKIPS and not has_reason(node):
            yield source.find(node, f"{dotted(node.func)} gives no reason")
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bare = [dotted(d) for d in node.decorator_list if dotted(d) in SKIPS]
            yield from (source.find(node, f"{name} gives no reason") for name in bare)


def has_reason(call: ast.Call) -> bool:
    """Whether a call that leaves out a test gives a reason: some words, or a text put together before."""
    values = [*call.args[-1:], *(keyword.value for keyword in call.keywords if keyword.arg == "reason")]
    return any(
        not isinstance(v, ast.Constant) or len(str(v.value).split()) >= REASON_WORDS_MIN for v in values
    )


def no_forbidden_import(source: Source) -> Iterator[Finding]:
    """Nothing, tests included, imports what this project does without; there is no exception."""
    for node, name in imported(source):
        for forbidden, why in FORBIDDEN_IMPORTS.items():
            is_part = isinstance(node, ast.ImportFrom) and f"{name}.{node.names[0].name}" == forbidden
            if is_part or name == forbidden or name.startswith(f"{forbidden}."):
                yield source.find(node, f"imports {forbidden}: {why}")


def naive_stays_apart(source: Source) -> Iterator[Finding]:
    """The naive second implementation imports nothing of the first: not a type, not a constant."""
    if PurePosixPath(source.path).name.startswith("naive_"):
        for node, name in imported(source):
            if name.partition(".")[0] in PACKAGES:
                yield source.find(node, f"imports {name}, and so could repeat its faults")


def no_private_import(source: Source) -> Iterator[Finding]:
    """No product module takes another's private names."""
    for node in ast.walk(source.tree):
        if source.is_product and isinstance(node, ast.ImportFrom):
            private = [a.name for a in node.names if a.name.startswith("_") and not a.name.startswith("__")]
            if private:
                yield source.find(node, f"imports {', '.join(private)}, which {node.module} keeps to itself")


def no_sleep_in_the_core(source: Source) -> Iterator[Finding]:
    """Only adapters and the wiring wait; anything else takes a deadline. A sleep of 0 lets others go on."""
    if not source.is_product or WAITING_MODULES.match(source.module):
        return
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and dotted(node.func) in {"time.sleep", "sleep", "asyncio.sleep"}
            and ast.unparse(node.args[0]) != "0"
        ):
            yield source.find(node, "sleeps, and is neither an adapter nor the wiring")


def values_are_frozen(source: Source) -> Iterator[Finding]:
    """A public dataclass is frozen and slotted, a Struct frozen; above three fields, keyword-only too."""
    for node in ast.walk(source.tree) if source.is_product else ():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            missing = sorted(wanted_of(node) - given_to(node))
            if missing:
                yield source.find(node, f"{node.name} is not {', '.join(missing)}")


def wanted_of(node: ast.ClassDef) -> set[str]:
    """The options that a class of this kind has to set."""
    fields = sum(isinstance(inner, ast.AnnAssign) for inner in node.body)
    by_keyword = {"kw_only"} if fields > POSITIONAL_FIELDS_MAX else set()
    if any(dotted(base) in {"Struct", "msgspec.Struct"} for base in node.bases):
        return {"frozen", *by_keyword}
    if any(dotted(decorator_name(d)) in {"dataclass", "dataclasses.dataclass"} for d in node.decorator_list):
        return {"frozen", "slots", *by_keyword}
    return set()


def given_to(node: ast.ClassDef) -> set[str]:
    """The options that a class sets to True, as a decorator's or as its own keywords."""
    keywords = list(node.keywords)
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call):
            keywords += decorator.keywords
    true = (k for k in keywords if isinstance(k.value, ast.Constant) and k.value.value is True)
    return {k.arg for k in true if k.arg is not None}


def decorator_name(decorator: ast.expr) -> ast.expr:
    """The expression that names a decorator, called or not."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


PYTHON_RULES: tuple[Rule, ...] = (
    no_long_function,
    no_long_module,
    types_on_everything,
    docstring_on_public_names,
    docstring_on_tests,
    tests_can_fail,
    no_vague_module,
    folders_by_kind_of_test,
    reasons_beside_silencers,
    no_forbidden_import,
    naive_stays_apart,
    no_private_import,
    no_sleep_in_the_core,
    values_are_frozen,
)
TEXT_RULES: tuple[Rule, ...] = (no_work_left, no_words_of_the_workshop)
