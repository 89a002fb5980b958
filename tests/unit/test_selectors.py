"""Which purposes a selector covers: a key, a branch of the tree, or all."""

import pytest
from hypothesis import given

from events.selectors import covers
from tests.strategies import keys


@pytest.mark.parametrize(
    ("selectors", "key", "covered"),
    [
        (("hr",), "hr", True),
        (("hr",), "hr.payroll", True),
        (("hr",), "hr.payroll.bonus", True),
        (("hr",), "hrx", False),
        (("hr",), "hr-x", False),
        (("hr.payroll",), "hr", False),
        (("hr.payroll",), "hr.pay", False),
        (("*",), "hr.payroll", True),
        (("web", "hr"), "hr.payroll", True),
        (("web", "crm"), "hr.payroll", False),
        (("HR",), "hr", False),
    ],
)
def test_a_selector_covers_its_branch(*, selectors: tuple[str, ...], key: str, covered: bool) -> None:
    """`hr` covers `hr` and `hr.*`, to the letter and to the dot; any one of several selectors will do."""
    assert covers(selectors, key) is covered


@given(key=keys)
def test_null_covers_all_and_an_empty_list_nothing(key: str) -> None:
    """For a list that may be null, absent means every purpose; `[]` names nothing."""
    assert covers(None, key)
    assert not covers((), key)
    assert covers(("*",), key)


@given(key=keys)
def test_a_key_covers_itself_and_what_is_below(key: str) -> None:
    """Every key is a selector of itself and of the keys below it, and of no key above."""
    assert covers((key,), key)
    assert covers((key,), f"{key}.below")
    assert not covers((f"{key}.below",), key)
