"""What the faults of a policy file repeat of it: names of fields, and nothing that a key should not hold."""

import pytest

from choice_ledger.policy_file import PolicyFileRefused, parse_policy_file
from choice_ledger.policy_yaml import PolicyFileError
from events.line_fields import FIELD_NAME_SHOWN_MAX

LONGEST = "x" * FIELD_NAME_SHOWN_MAX


def faults_of(text: str) -> list[PolicyFileError]:
    """The faults about unknown fields in a file."""
    refused = parse_policy_file(text.encode(), lambda _: "names no file")
    assert isinstance(refused, PolicyFileRefused)
    return [fault for fault in refused.errors if "field" in fault.message and "mapping" not in fault.message]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f"{LONGEST}: 1", LONGEST),
        ("polcy_id: website", "polcy_id"),
        ("source: {titel: Handbook}", "source.titel"),
        ("purposes: [{key: website, mod: opt_out}]", "purposes[0].mod"),
    ],
)
def test_a_slip_of_the_pen_is_named(text: str, field: str) -> None:
    """An unknown field whose name looks like a field's is named by its path, with what may be meant."""
    (fault,) = faults_of(text)
    assert fault.field == field
    assert fault.message.startswith("is no field here; ")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f"{LONGEST}x: 1", ""),
        ("ana.smith@example.com: 1", ""),
        ("Ana Smith: 1", ""),
        ("Müller: 1", ""),
        ("source: {ana.smith@example.com: 1}", "source"),
        ("purposes: [{key: website, +41 44 000 00 00: opt_out}]", "purposes[0]"),
    ],
)
def test_what_is_no_name_of_a_field_is_not_repeated(text: str, field: str) -> None:
    """An unknown field whose name is long or holds other signs is told by where it stands alone."""
    (fault,) = faults_of(text)
    assert fault.field == field
    assert fault.message.startswith("holds an unknown field; there are ")
    assert fault.line == 1
    for word in ("smith", "Smith", "Müller", "+41", f"{LONGEST}x"):
        assert word not in str(fault)
