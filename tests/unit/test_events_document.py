"""The reference of events says of every event and every field what the schemas say."""

import re
from pathlib import Path

import pytest

from events.cloudevents import headers
from events.codec import UndecodableRecord
from events.union import EVENT_TYPES, Recorded
from tests.contract.sample_events import choice
from tests.property.test_codec import REASONS
from tests.unit.event_tables import tables

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
TABLES = dict(tables())


@pytest.mark.parametrize("name", TABLES)
def test_the_document_has_each_table(name: str) -> None:
    """The document has the table that the schema and the type give, word for word."""
    assert TABLES[name] in DOCUMENT


def test_the_document_has_no_other_event() -> None:
    """Each heading of the third level below the events' chapters is an event or a struct that exists."""
    chapters = DOCUMENT.split("## Events of the policies' stream")[1].split("## Lines")[0]
    assert set(re.findall(r"^### `(\w+)`$", chapters, re.MULTILINE)) == TABLES.keys() - {
        "What every event carries"
    }
    assert set(EVENT_TYPES) <= TABLES.keys()


def test_the_document_has_every_reason() -> None:
    """Each reason for which bytes are refused is explained, and is named by the exception's own text."""
    assert {reason for reason in REASONS if f"| `{reason}` |" in DOCUMENT} == REASONS
    assert {reason for reason in REASONS if f"``{reason}``" in (UndecodableRecord.__doc__ or "")} == REASONS


def test_the_document_has_every_header() -> None:
    """Each header of a record is in the document."""
    names = [name for name, _ in headers(Recorded(choice(1), 1))]
    assert [name for name in names if f"| `{name}` |" in DOCUMENT] == names
