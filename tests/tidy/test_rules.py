"""Each rule catches a violation planted for it, and leaves the same code alone when it is put right."""

import ast
from dataclasses import dataclass

import pytest

from tests.tidy import rules
from tests.tidy.measures import (
    FUNCTIONS_MIN,
    function_sizes,
    is_declared_only,
    limits,
    names_in_tests,
    ratio_of_tests,
)
from tests.tidy.rules import FUNCTION_LINES_MAX, MODULE_LINES_MAX, PYTHON_RULES, TEXT_RULES, Rule, joined
from tests.tidy.source import Source, functions, is_python_of_ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A rule, a file that breaks it, and nearly the same file, which does not."""

    rule: Rule
    bad: str
    good: str
    bad_path: str = "ledger/log.py"
    good_path: str = ""


def function_of(lines: int) -> str:
    """A function of so many code lines, its signature included; its docstring and comment do not count."""
    return "\n".join(['def f() -> None:\n    """D."""\n    # Why.\n', *["    g()"] * (lines - 1), ""])


TEST_PATH = "tests/unit/test_x.py"
DOCUMENTED = '"""M."""\n'

PLANTED = (
    Planted(
        rule=rules.no_long_function,
        bad=function_of(FUNCTION_LINES_MAX + 1),
        good=function_of(FUNCTION_LINES_MAX),
    ),
    Planted(rule=rules.no_long_module, bad="\n" * (MODULE_LINES_MAX + 1), good="\n" * MODULE_LINES_MAX),
    Planted(rule=rules.types_on_everything, bad="def f(a) -> int: ...", good="def f(a: int) -> int: ..."),
    Planted(rule=rules.types_on_everything, bad="def f(*a) -> int: ...", good="def f(*a: int) -> int: ..."),
    Planted(rule=rules.types_on_everything, bad="def f(): ...", good="def f() -> int: ..."),
    Planted(rule=rules.docstring_on_public_names, bad="import os\n", good=f"{DOCUMENTED}import os\n"),
    Planted(
        rule=rules.docstring_on_public_names,
        bad=f"{DOCUMENTED}class C: ...",
        good=f"{DOCUMENTED}class _C: ...",
    ),
    Planted(
        rule=rules.docstring_on_public_names,
        bad=f'{DOCUMENTED}class C:\n    """D."""\n    def m(self): ...',
        good=f'{DOCUMENTED}class C:\n    """D."""\n    @m.setter\n    def m(self): ...',
    ),
    Planted(
        rule=rules.docstring_on_tests,
        bad="def test_a(): ...",
        good='def test_a():\n    """An opt-out survives every amendment."""',
        bad_path=TEST_PATH,
    ),
    Planted(
        rule=rules.docstring_on_tests,
        bad='def test_a():\n    """Opt-outs and how they survive"""',
        good='async def test_a():\n    """Does an opt-out survive? It does."""',
        bad_path=TEST_PATH,
    ),
    Planted(
        rule=rules.tests_can_fail,
        bad="def test_a():\n    f()",
        good="def test_a():\n    assert f()",
        bad_path=TEST_PATH,
    ),
    Planted(
        rule=rules.tests_can_fail,
        bad="class TestA:\n    def test_a(self): g.checked()",
        good="class TestA:\n    def test_a(self): g.check_all()",
        bad_path=TEST_PATH,
    ),
    Planted(
        rule=rules.no_vague_module, bad="", good="", bad_path="ledger/utils.py", good_path="ledger/codec.py"
    ),
    Planted(
        rule=rules.no_vague_module,
        bad="",
        good="",
        bad_path="ledger/base/x.py",
        good_path="ledger/bases/x.py",
    ),
    Planted(
        rule=rules.folders_by_kind_of_test,
        bad="",
        good="",
        bad_path="tests/events/test_x.py",
        good_path=TEST_PATH,
    ),
    Planted(rule=rules.no_work_left, bad=f"# {joined('TO', 'DO')}: more", good="# to do"),
    Planted(
        rule=rules.no_work_left, bad=f"raise {joined('NotImpl', 'ementedError')}", good="raise ValueError"
    ),
    Planted(rule=rules.no_work_left, bad=f"It prints, {joined('for n', 'ow')}.", good="It prints."),
    Planted(rule=rules.no_words_of_the_workshop, bad=f"See {joined('/wo', 'rk/')}x.", good="See the work/x."),
    Planted(
        rule=rules.no_words_of_the_workshop,
        bad=f"As {joined('the iss', 'ue asks')}, it …",
        good="The issue is a wedged client.",
    ),
    Planted(
        rule=rules.reasons_beside_silencers,
        bad="a = 1  # noqa: E501",
        good="a = 1  # noqa: E501 — one address",
    ),
    Planted(rule=rules.reasons_beside_silencers, bad="a = 1  # noqa: E501, S1", good="a = '# noqa: E501'"),
    Planted(
        rule=rules.reasons_beside_silencers,
        bad="a = 1  # type: ignore[arg-type]",
        good="a = 1  # type: ignore[arg-type]  # the stub lacks None",
    ),
    Planted(
        rule=rules.reasons_beside_silencers,
        bad="@pytest.mark.skip\ndef f(): ...",
        good='@pytest.mark.skip("needs the weekly run")\ndef f(): ...',
    ),
    Planted(rule=rules.reasons_beside_silencers, bad="pytest.skip('x')", good="pytest.skip(f'without {x}')"),
    Planted(rule=rules.no_forbidden_import, bad=f"import {joined('sql', 'ite3')}", good="import apsw"),
    Planted(
        rule=rules.no_forbidden_import, bad="from unittest import mock", good="from unittest import TestCase"
    ),
    Planted(
        rule=rules.naive_stays_apart,
        bad="from projections.decision import Reason",
        good="from tests.simulation.naive_case import Case",
        bad_path="tests/simulation/naive_decide.py",
    ),
    Planted(rule=rules.no_private_import, bad="from a.b import _c", good="from a.b import c"),
    Planted(
        rule=rules.no_sleep_in_the_core,
        bad="import time\ntime.sleep(1)",
        good="import time\ntime.sleep(1)",
        good_path="ledger/sqlite_log.py",
    ),
    Planted(
        rule=rules.values_are_frozen,
        bad="@dataclass(frozen=True)\nclass C:\n    a: int",
        good="@dataclass(frozen=True, slots=True)\nclass C:\n    a: int",
    ),
    Planted(
        rule=rules.values_are_frozen,
        bad="class C(msgspec.Struct): ...",
        good="class C(Struct, frozen=True): ...",
    ),
    Planted(
        rule=rules.values_are_frozen,
        bad="class C(Struct, frozen=True):\n    a: int\n    b: int\n    c: int\n    d: int",
        good="class C(Struct, frozen=True):\n    a: int\n    b: int\n    c: int",
    ),
)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.rule.__name__)
def test_a_planted_violation_is_caught(planted: Planted) -> None:
    """The rule finds what was planted, on a line of the file, and finds nothing where it was put right."""
    bad = Source(path=planted.bad_path, text=planted.bad)
    good = Source(path=planted.good_path or planted.bad_path, text=planted.good)
    findings = list(planted.rule(bad))
    assert len(findings) == 1, findings
    assert str(findings[0]).startswith(f"{planted.bad_path}:")
    assert findings[0].line >= 1
    assert list(planted.rule(good)) == []


def test_every_rule_has_caught_something() -> None:
    """No rule is held that was never seen to catch anything."""
    assert {planted.rule for planted in PLANTED} == {*PYTHON_RULES, *TEXT_RULES}


def test_product_rules_leave_tests_alone() -> None:
    """A long function is allowed in a test: a scenario may read best in one piece."""
    text = function_of(FUNCTION_LINES_MAX + 1)
    assert list(rules.no_long_function(Source(path=TEST_PATH, text=text))) == []


def test_sizes_are_measured_of_code_alone() -> None:
    """A function of three code lines counts three, whatever its docstring and comments add."""
    source = Source(path="ledger/log.py", text=(function_of(3) + "\n") * FUNCTIONS_MIN)
    sizes = function_sizes([source, Source(path=TEST_PATH, text=function_of(40))])
    assert (sizes.count, sizes.median, sizes.p95, sizes.longest) == (FUNCTIONS_MIN, 3, 3, 3)


def test_too_few_functions_are_not_measured() -> None:
    """A distribution over fewer than twenty functions is a fault, not a pass."""
    with pytest.raises(ValueError, match="too few"):
        function_sizes([Source(path="ledger/log.py", text=(function_of(3) + "\n") * (FUNCTIONS_MIN - 1))])


@pytest.mark.parametrize(
    ("body", "expected"),
    [("...", True), ('"""D."""', True), ('"""D."""\n    ...', True), ("return 1", False)],
)
def test_a_declaration_is_told_from_a_function(*, body: str, expected: bool) -> None:
    """What a Protocol declares has no body, so it does not make the median look small."""
    (node,) = functions(ast.parse(f"def f():\n    {body}"))
    assert is_declared_only(node) is expected


def test_the_ratio_counts_code_lines_of_tests_and_product() -> None:
    """Six code lines of tests for three of the product are a ratio of two; benchmarks do not count."""
    product = Source(path="ledger/log.py", text=function_of(3))
    tests = Source(path=TEST_PATH, text=function_of(6))
    assert ratio_of_tests([product, tests, Source(path="benchmarks/x.py", text=function_of(9))]) == 2.0


@pytest.mark.parametrize(
    ("path", "expected"),
    [("events/codec.py", True), ("docs/conf.py", False), ("events/schemas/a.avsc", False)],
)
def test_python_of_ours_is_told_from_other_text(*, path: str, expected: bool) -> None:
    """The rules for Python read the packages, the tests and the benchmarks, and nothing else."""
    assert is_python_of_ours(Source(path=path, text="")) is expected


def test_limits_and_their_tests_are_read_from_code() -> None:
    """A limit is a constant of the product, typed or not; a mention of it in a test's comment is no test."""
    product = Source(path="ledger/log.py", text="A_MAX: Final = 1\nB_MIN = 2\n_C_MAX = 3\nD = A_MAX\n")
    tests = Source(path=TEST_PATH, text="# B_MIN\nassert A_MAX == log.E_MAX")
    assert limits([product, tests]) == {"A_MAX": "ledger.log", "B_MIN": "ledger.log"}
    assert names_in_tests([product, tests]) == {"A_MAX", "E_MAX", "log"}
