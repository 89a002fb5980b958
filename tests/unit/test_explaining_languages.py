"""Languages: every message is there in each, whole, with its values, and its plurals, lists and dates."""

import io
import string
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.event_sentences import said, told
from choice_ledger.explaining import OVERRIDES, SENTENCES, explain
from choice_ledger.languages import DOMAIN, LANGUAGES, LOCALE_DIRECTORY, Language, speech
from events.instants import INSTANT_MAX, INSTANT_MIN, format_instant, parse_instant
from events.union import Recorded
from projections.decision import PERMITTING, Decision, Override, PolicyRef, Question
from tests.strategies import recorded as recorded_events
from tests.tidy.source import ROOT

OTHERS: tuple[Language, ...] = LANGUAGES[1:]
KEYWORDS = {"marked": None, "counted": (1, 2)}
"""What stands around a message in the source, as the Makefile has it."""


def catalogue_file(language: str, ending: str) -> Path:
    """A catalogue's file."""
    return LOCALE_DIRECTORY / language / "LC_MESSAGES" / f"{DOMAIN}.{ending}"


def messages_of(language: str) -> dict[str, Message]:
    """The messages of a `.po` file by their English; of a plural, by its singular."""
    with catalogue_file(language, "po").open("rb") as file:
        return by_english(read_po(file))


def by_english(catalogue: Catalog) -> dict[str, Message]:
    """The messages of a catalogue, without its header."""
    return {m.id if isinstance(m.id, str) else m.id[0]: m for m in catalogue if m.id}


@cache
def source_messages() -> dict[str, str | tuple[str, ...]]:
    """Every message that stands in the source, by its English; of a plural, by its singular."""
    found = (entry[2] for entry in extract_from_dir(ROOT / "choice_ledger", keywords=KEYWORDS))
    return {m if isinstance(m, str) else m[0]: m for m in found}


def forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The forms of a message: one, or those of its plural; none where it is missing."""
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def places(text: str) -> set[str]:
    """The names of the values that a message takes."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_source_holds_messages() -> None:
    """What is looked for is found: each sentence of a reason is a message, and so is a plural."""
    found = source_messages()
    assert {sentence for pair in SENTENCES.values() for sentence in pair} <= found.keys()
    assert isinstance(found["This event decided it:"], tuple)


@pytest.mark.parametrize("language", OTHERS)
def test_no_message_is_missing_fuzzy_or_left_over(language: Language) -> None:
    """Each message of the source is translated, in every form, surely; and nothing else is kept."""
    translated = messages_of(language)
    assert translated.keys() == source_messages().keys()
    for english, message in translated.items():
        assert not message.fuzzy, english
        assert all(forms(message.string)), english
        assert message.id == source_messages()[english]


@pytest.mark.parametrize("language", OTHERS)
def test_translations_take_the_same_values(language: Language) -> None:
    """A translation has the places of its message, all of them; a form for one may leave out the number."""
    for english, message in messages_of(language).items():
        wanted = places(forms(message.id)[-1])
        for form in forms(message.string):
            assert places(form) | {"count"} == wanted | {"count"}, english
        assert places(forms(message.string)[-1]) == wanted, english


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_shipped_is_what_was_written(language: Language) -> None:
    """The `.mo` file says what the `.po` file says: `make translations` was run."""
    shipped = by_english(read_mo(io.BytesIO(catalogue_file(language, "mo").read_bytes())))
    written = messages_of(language)
    assert shipped.keys() == written.keys()
    for english, message in written.items():
        assert forms(shipped[english].string) == forms(message.string), "run `make translations`"


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_is_no_copy(language: Language) -> None:
    """Nothing of one language was left in another: no sentence is the same, names of months aside."""
    same = {e for e, m in messages_of(language).items() if forms(m.string)[0] == e}
    assert all(" " not in english for english in same)


def test_only_what_is_offered_is_there() -> None:
    """There is a catalogue for each language but English, which is in the source."""
    assert {path.name for path in LOCALE_DIRECTORY.iterdir()} == set(OTHERS)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "3 May 2026, 09:00 UTC"),
        ("de", "3. Mai 2026, 09:00 Uhr UTC"),
        ("fr", "3 mai 2026 à 09:00 UTC"),
    ],
)
def test_an_instant_is_written_as_people_write_it(language: Language, words: str) -> None:
    """The day comes before the month's name, and a time without seconds has none."""
    assert speech(language).instant(parse_instant("2026-05-03T09:00:00Z")) == words


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "1 May 2026, 00:00 UTC"),
        ("de", "1. Mai 2026, 00:00 Uhr UTC"),
        ("fr", "1er mai 2026 à 00:00 UTC"),
    ],
)
def test_the_first_of_a_month(language: Language, words: str) -> None:
    """The first day has its own form, which French writes out."""
    assert speech(language).instant(parse_instant("2026-05-01T00:00:00Z")) == words


def test_an_instant_is_told_exactly() -> None:
    """Seconds and microseconds are left out only where they are zero."""
    english = speech("en")
    assert english.instant(parse_instant("2026-05-03T09:00:07Z")).endswith("09:00:07 UTC")
    assert english.instant(parse_instant("2026-05-03T09:00:00.5Z")).endswith("09:00:00.500000 UTC")
    assert english.instant(parse_instant("2026-05-03T09:00:00.000001Z")).endswith("09:00:00.000001 UTC")


@given(
    st.integers(INSTANT_MIN, INSTANT_MAX), st.integers(INSTANT_MIN, INSTANT_MAX), st.sampled_from(LANGUAGES)
)
def test_two_instants_are_never_told_alike(one: int, other: int, language: Language) -> None:
    """What is written is exact: different instants are different words."""
    by = speech(language)
    assert (by.instant(one) == by.instant(other)) == (one == other)
    assert format_instant(one)[:4] in by.instant(one)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "a, b and c"), ("de", "a, b und c"), ("fr", "a, b et c")]
)
def test_lists_are_written_as_people_write_them(language: Language, words: str) -> None:
    """The last name is joined by a word; one name stands by itself."""
    assert speech(language).listed(("a", "b", "c")) == words
    assert speech(language).listed(("a",)) == "a"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_and_many_have_forms_of_their_own(language: Language) -> None:
    """A heading over one event is not that over two, and the latter says how many there are."""
    by = speech(language)
    one, two = (by.counted("This event decided it:", "These {count} events decided it:", n) for n in (1, 2))
    assert one != two
    assert "2" in two
    assert "1" not in one


@given(recorded_events(), st.sampled_from(LANGUAGES))
def test_every_event_can_be_told_in_every_language(recorded: Recorded, language: Language) -> None:
    """Whatever an event holds, braces and percent signs among it, it is told whole, with its id."""
    by = speech(language)
    assert said(recorded, by)
    assert recorded.event.event_id in told(recorded, by)
    assert by.instant(recorded.event.occurred_at) in told(recorded, by)


def test_a_value_is_never_read_as_a_message() -> None:
    """What looks like a place within a value is left as it stands."""
    said_so = speech("de").say("event {event}", event="{secret} %s")
    assert said_so == "Ereignis {secret} %s"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", SENTENCES)
def test_a_reason_is_explained_in_every_language(language: Language, reason: str) -> None:
    """Each explanation is whole in each language, and only its codes and names are the same in all."""
    asked = Question(
        tenant="acme", individual="ana", purpose="hr.pay", at=0, recipient="adco", data=("a", "b")
    )
    decision = Decision(
        permitted=reason in PERMITTING,
        reason=reason,  # type: ignore[arg-type]  # Any text will do.
        policy=PolicyRef("website", 2),
        evidence=("one", "two"),
        until=1,
        overrides=get_args(Override),
        objection="three",
    )
    lines = explain(asked, decision, {}, speech(language)).lines(speech(language))
    english = explain(asked, decision, {}).lines()
    assert len(lines) == len(english) == 6 + len(decision.evidence) + len(OVERRIDES) + 1
    assert f" {reason}." in lines[1].replace("\N{NO-BREAK SPACE}", " ")
    assert "ana" in lines[0]
    if language != "en":
        assert not set(lines) & set(english)
    assert all("{" not in line for line in lines)
