"""The rules, held against everything that is written here."""

from collections.abc import Callable

import pytest

from tests.tidy.measures import (
    FUNCTION_LINES_MEDIAN_MAX,
    FUNCTION_LINES_P95_MAX,
    TESTS_PER_SOURCE_MAX,
    TESTS_PER_SOURCE_MIN,
    function_sizes,
    limits,
    names_in_tests,
    ratio_of_tests,
)
from tests.tidy.rules import FUNCTION_LINES_MAX, PYTHON_RULES, TEXT_RULES, Rule
from tests.tidy.source import PACKAGES, Source, python_sources, text_sources

# How hard something tries, not what it takes or refuses: changing one changes no answer.
TUNING: frozenset[str] = frozenset()


@pytest.fixture(scope="session")
def python() -> list[Source]:
    """All Python of ours, read once."""
    return python_sources()


@pytest.fixture(scope="session")
def texts() -> list[Source]:
    """All texts of ours, read once."""
    return text_sources()


def name_of(rule: Callable[..., object]) -> str:
    """A rule is shown by its own name."""
    return rule.__name__


def assert_holds(rule: Rule, sources: list[Source]) -> None:
    """Fail with every place that breaks the rule, and with the rule's own sentence."""
    findings = [str(finding) for source in sources for finding in rule(source)]
    if findings:
        pytest.fail("\n".join([f"{rule.__doc__}", *findings]), pytrace=False)


def test_every_package_is_read(python: list[Source]) -> None:
    """The rules see files of every package that is shipped, and of the tests: an empty run proves nothing."""
    seen = {source.path.partition("/")[0] for source in python}
    assert seen >= {*PACKAGES, "tests"}


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=name_of)
def test_python_keeps_the_rule(rule: Rule, python: list[Source]) -> None:
    """Every Python file of the product and of its tests keeps the rule."""
    assert_holds(rule, python)


@pytest.mark.parametrize("rule", TEXT_RULES, ids=name_of)
def test_texts_keep_the_rule(rule: Rule, texts: list[Source]) -> None:
    """Every text of the project, documentation and configuration included, keeps the rule."""
    assert_holds(rule, texts)


def test_functions_are_small(python: list[Source]) -> None:
    """Half of the functions have at most 8 code lines, 95 of 100 at most 28, and none more than 50."""
    sizes = function_sizes(python)
    assert sizes.median <= FUNCTION_LINES_MEDIAN_MAX, sizes
    assert sizes.p95 <= FUNCTION_LINES_P95_MAX, sizes
    assert sizes.longest <= FUNCTION_LINES_MAX, sizes


def test_as_many_tests_as_the_models(
    python: list[Source], record_property: Callable[[str, object], None]
) -> None:
    """For each code line of the product there are 1.5 to 2.5 code lines of tests."""
    ratio = ratio_of_tests(python)
    record_property("tests_per_source", round(ratio, 2))
    assert TESTS_PER_SOURCE_MIN <= ratio <= TESTS_PER_SOURCE_MAX, (
        f"{ratio:.2f} code lines of tests for each of source"
    )


def test_every_limit_is_tested(python: list[Source]) -> None:
    """Each limit of the product is used by a test, which tries it and what lies past it."""
    assert limits(python)
    tested = names_in_tests(python) | TUNING
    untested = {f"{module}.{name}" for name, module in limits(python).items() if name not in tested}
    assert untested == set()
