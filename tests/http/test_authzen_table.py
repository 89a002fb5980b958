"""The documentation's table of AuthZEN's requirements is the one that the tests cite."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from choice_ledger.http.authzen_questions import MALFORMED, Unmapped
from tests.http.authzen_requirements import (
    DOCUMENT,
    QUOTED_WORDS_MAX,
    Requirement,
    documented,
    requirements,
    table,
)

BINDING_SECTIONS = {
    *(
        (4,),
        (5,),
        (5, 5),
        (9,),
        (10,),
        (5, 1),
        (5, 1, 1),
        (5, 4),
        (6, 1),
        (6, 2),
        (7, 1),
        (7, 1, 1),
        (7, 1, 2),
        (7, 1, 2, 1),
    ),
    *((7, 2), (7, 2, 1), (8, 1), (8, 2), (8, 2, 1), (8, 2, 2), (8, 3), (8, 4), (8, 4, 1), (8, 5), (8, 5, 1)),
    *((8, 6), (8, 6, 1), (9, 1, 1), (9, 2), (9, 2, 1), (9, 2, 2), (9, 2, 3), (10, 1), (10, 1, 1), (10, 1, 2)),
    *((10, 1, 3), (11, 1), (11, 2), (11, 3), (11, 5), (11, 7), (11, 9)),
}
"""Every section of the specification that asks something of who answers (not of who calls, nor of IANA)."""


def test_the_table_is_that_of_the_tests() -> None:
    """The documentation names exactly the requirements that tests cite, each with its test.

    `python -m tests.http.authzen_requirements` writes it anew.
    """
    assert documented() == table()


def test_every_test_of_the_table_exists() -> None:
    """Each test that the documentation names is there, and checks something."""
    named = re.findall(r"`(test_authzen\w*\.py)::(test_\w+)`", documented())
    assert len(named) == len(set(named)) > 60
    for file, test in named:
        tree = ast.parse((Path(__file__).parent / file).read_text())
        (found,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == test)
        assert any(isinstance(n, ast.Assert | ast.With) for n in ast.walk(found)), test


def test_every_binding_section_is_cited() -> None:
    """No section that asks something of who answers is without a test."""
    assert {requirement.section for requirement in requirements()} >= BINDING_SECTIONS


@pytest.mark.parametrize("requirement", requirements(), ids=lambda found: found.test.partition("::")[2])
def test_quotations_are_short(requirement: Requirement) -> None:
    """Facts carry over from the specification: what is quoted of it is a few words."""
    quotations = re.findall(r'"([^"]+)"', requirement.text)
    assert all(len(quotation.split()) <= QUOTED_WORDS_MAX for quotation in quotations)


def test_every_reason_of_its_own_is_documented() -> None:
    """Each reason that AuthZEN's answers have beside the ledger's own stands in the documentation."""
    text = DOCUMENT.read_text()
    for reason in (*get_args(Unmapped), MALFORMED):
        assert f"`{reason}`" in text
