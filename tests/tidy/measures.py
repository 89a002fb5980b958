"""What is measured of the whole source, where a rule about one place would say nothing."""

import ast
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from tests.tidy.rules import size_of
from tests.tidy.source import Source, docstring_of, functions

# Measured of the Python cores that we hold up as models: h11, structlog, svcs, eventsourcing.
FUNCTION_LINES_MEDIAN_MAX = 8
FUNCTION_LINES_P95_MAX = 28
# Code lines of the tests for each code line of the product.
TESTS_PER_SOURCE_MIN = 1.5
TESTS_PER_SOURCE_MAX = 2.5
LIMIT = re.compile(r"^([A-Z][A-Z0-9_]*_(?:MAX|MIN))\b *(?::[^=]*)?=", re.MULTILINE)
# Below this many functions a distribution says nothing.
FUNCTIONS_MIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSizes:
    """How code lines spread over the product's functions (what a Protocol only declares left out)."""

    count: int
    median: float
    p95: float
    longest: int


def function_sizes(sources: Iterable[Source]) -> FunctionSizes:
    """Measure the functions of the product's sources; there must be at least twenty of them."""
    sizes = sorted(
        size_of(source, node)
        for source in sources
        if source.is_product
        for node in functions(source.tree)
        if not is_declared_only(node)
    )
    if len(sizes) < FUNCTIONS_MIN:
        raise ValueError(f"{len(sizes)} functions are too few to measure")
    p95 = statistics.quantiles(sizes, n=100, method="inclusive")[94]
    return FunctionSizes(count=len(sizes), median=statistics.median(sizes), p95=p95, longest=sizes[-1])


def is_declared_only(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the function has no body of its own: a docstring or an ellipsis, as in a Protocol."""
    body = node.body[1:] if docstring_of(node) is not None else node.body
    return all(isinstance(inner, ast.Expr) and is_ellipsis(inner.value) for inner in body)


def is_ellipsis(node: ast.expr) -> bool:
    """Whether the expression is `...`."""
    return isinstance(node, ast.Constant) and node.value is ...


def ratio_of_tests(sources: Iterable[Source]) -> float:
    """Code lines of the tests for each code line of the product."""
    tests = product = 0
    for source in sources:
        if source.is_test:
            tests += len(source.code_lines)
        elif source.is_product:
            product += len(source.code_lines)
    return tests / product


def limits(sources: Iterable[Source]) -> dict[str, str]:
    """The product's limits by name: constants that end in `_MAX` or `_MIN`, each with its module."""
    return {
        name: source.module for source in sources if source.is_product for name in LIMIT.findall(source.text)
    }


def names_in_tests(sources: Iterable[Source]) -> set[str]:
    """Every name that a test's code uses (not its text: a mention in a comment tests nothing)."""
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for source in sources
        if source.is_test
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }
