"""Bodies of requests that record: what is read of them, and that all that is wrong is told at once."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choice_ledger.http.problems import FAULTS_TOLD_MAX
from choice_ledger.http.write_bodies import MEDIA, SPEAKERS, Form, read_body
from choice_ledger.http.write_samples import SAMPLES
from choice_ledger.http.writes import DISCLOSURE, WITHDRAWAL, WRITES, Write, form_of
from events.envelope import Envelope, Medium
from events.instants import SECOND, Micros, format_instant
from events.line_fields import InvalidField, fields_of, struct_from
from events.policy_events import PolicyAmended
from events.terms import Terms
from events.union import EVENT_TYPES
from tests.strategies import events

NOW: Micros = 1_800_000_000 * SECOND
EVENT_ID = "0197f3a0-0000-7000-8000-00000000000a"
ROWS = (*WRITES, DISCLOSURE, WITHDRAWAL)
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=[row.operation for row in ROWS])
ENVELOPE_FIELDS = frozenset({"type", *Envelope.__struct_fields__})

EVENTS_OF_EACH = 20

CHOICE = form_of("ChoiceMade", spoken=True)
POLICY = form_of("PolicyAmended", left_open=("effective_at",))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def told(form: Form, body: object) -> dict[str, str]:
    """What is told to be wrong with a body, by the field."""
    faults = read_body(body, form, NOW).faults
    assert len({fault.field for fault in faults}) == len(faults), "one field was told twice"
    return {fault.field: fault.message for fault in faults}


def sample_of(form: Form, **changes: object) -> dict[str, Any]:
    """A good body with some fields changed."""
    return {name: copy.deepcopy(form.sample[name]) for name in form.fields} | changes


def test_every_event_but_the_beginning_has_a_row() -> None:
    """Each event type has one row of its own; a withdrawal is a second way to an amendment."""
    kinds = [row.form.kind.__name__ for row in (*WRITES, DISCLOSURE)]
    assert sorted(kinds) == sorted(set(EVENT_TYPES) - {"LedgerBegun"})
    assert WITHDRAWAL.form.kind is PolicyAmended
    assert len({row.path for row in ROWS}) == len({row.operation for row in ROWS}) == len(ROWS)


def empty_parts(value: object, path: str) -> Iterator[str]:
    """Every list and object within a sample that holds nothing, and every null."""
    match value:
        case None | "":
            yield path
        case dict() | list() if not value:
            yield path
        case dict():
            for name, inner in value.items():
                yield from empty_parts(inner, f"{path}.{name}")
        case list():
            yield from empty_parts(value[0], f"{path}[0]")
        case _:
            return


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_has_every_field_filled(name: str) -> None:
    """A sample is a good event of its type with every field of its own, and an item in every list."""
    kind = EVENT_TYPES[name]
    infos = {info.encode_name for info in msgspec.structs.fields(kind)}
    assert set(SAMPLES[name]) == infos - set(Envelope.__struct_fields__)
    whole = {"event_id": EVENT_ID, "tenant": "main", "occurred_at": "2026-01-01T00:00:00Z", **SAMPLES[name]}
    assert struct_from(whole, kind).__class__ is kind
    empty = set(empty_parts(dict(SAMPLES[name]), ""))
    assert empty - {".decision.position"} == set()


def test_a_sample_of_terms_has_every_field() -> None:
    """What lies within a sample is whole as well, so that any field within can be mended."""
    (terms,) = SAMPLES["PolicyAmended"]["purposes"]
    assert set(terms) == {info.encode_name for info in msgspec.structs.fields(Terms)}
    nested = [info for info in msgspec.structs.fields(Terms) if get_origin(info.type) is tuple]
    structs = [
        get_args(info.type)[0] for info in nested if hasattr(get_args(info.type)[0], "__struct_fields__")
    ]
    for info, kind in zip([i for i in nested if get_args(i.type)[0] in structs], structs, strict=True):
        assert set(terms[info.encode_name][0]) == set(kind.__struct_fields__)


@EACH_ROW
def test_an_example_is_read_without_a_fault(row: Write) -> None:
    """The example of each row is a good body, and becomes an event of the row's type."""
    written = read_body(row.example, row.form, NOW)
    assert (written.faults, type(written.event)) == ((), row.form.kind)
    assert written.event.occurred_at == NOW


@EACH_ROW
@settings(max_examples=EVENTS_OF_EACH)
@given(data=st.data())
def test_any_event_is_read_as_it_is(row: Write, data: st.DataObject) -> None:
    """Every valid event, its own fields sent as a line writes them, is read as precisely that content."""
    event = data.draw(events(row.form.kind))
    fields = fields_of(event)
    body = {name: fields[name] for name in row.form.fields if name not in ENVELOPE_FIELDS}
    if event.caused_by is not None:
        body["caused_by"] = event.caused_by
    written = read_body(body, row.form, NOW)
    assert written.faults == ()
    for name in row.form.fields:
        attribute = "from_" if name == "from" else name
        assert getattr(written.event, attribute) == getattr(event, attribute)
    assert written.event.caused_by == event.caused_by


@EACH_ROW
@settings(max_examples=EVENTS_OF_EACH)
@given(data=st.data())
def test_whatever_is_wrong_is_told_and_nothing_else(row: Write, data: st.DataObject) -> None:
    """Fields of a good body are replaced by any JSON: a field is told where a line with it alone would be
    refused, and only there; an event comes of it all the same, and the reading never fails.
    """
    good = {name: row.form.sample[name] for name in row.form.fields}
    names = data.draw(st.lists(st.sampled_from(list(good) or [""]), unique=True, max_size=4)) if good else []
    body = {**good, **{name: data.draw(json_values) for name in names}}
    written = read_body(body, row.form, NOW)
    refused = {name for name in names if not taken_alone(row.form, good, name, body[name])}
    assert written.wrong == refused
    assert type(written.event) is row.form.kind


def taken_alone(form: Form, good: Mapping[str, Any], name: str, value: object) -> bool:
    """Whether an otherwise good event may have this value in a field, by the line format's own reading."""
    if name in form.open and value is None:
        return True
    whole = {**form.sample, **good, name: value}
    whole |= {"event_id": EVENT_ID, "tenant": "main", "occurred_at": format_instant(NOW)}
    try:
        struct_from(whole, form.kind)
    except InvalidField:
        return False
    return True


@EACH_ROW
def test_all_that_is_missing_is_told(row: Write) -> None:
    """An empty body is told of every field that the event needs, each as required."""
    needed = {info.encode_name for info in msgspec.structs.fields(row.form.kind) if info.required}
    expected = {name for name in row.form.fields if name in needed and name not in row.form.open}
    assert told(row.form, {}) == dict.fromkeys(expected, "is required")


@EACH_ROW
@pytest.mark.parametrize("body", [None, 1, "text", [], [{}], True])
def test_a_body_is_an_object(row: Write, body: object) -> None:
    """Whatever is no object is told as such, and nothing besides."""
    assert told(row.form, body) == {"": "must be an object"}


@pytest.mark.parametrize("name", ["tenant", "actor", "recorded_at"])
@EACH_ROW
def test_what_follows_from_the_token_is_no_field(row: Write, name: str) -> None:
    """Tenant, actor and record time are refused in every body, whatever they hold, and said why."""
    assert "follows from" in told(row.form, {**row.example, name: "x"})[name] or name == "recorded_at"
    assert told(row.form, {**row.example, name: None}).keys() == {name}


def test_who_spoke_is_asked_only_where_somebody_speaks() -> None:
    """`spoken_by` is a field of what an individual says, and of no publication, notice or disclosure."""
    spoken = {
        row.path for row in ROWS if "spoken_by" not in told(row.form, {**row.example, "spoken_by": "agent"})
    }
    assert {"/v1/choices", "/v1/descriptions", "/v1/requests", "/v1/complaints"} <= spoken
    assert spoken.isdisjoint({"/v1/policies", "/v1/notices", "/v1/disclosures", "/v1/personal-data"})
    for speaker in SPEAKERS:
        assert told(CHOICE, sample_of(CHOICE, spoken_by=speaker)) == {}


def test_the_ledgers_own_medium_is_refused() -> None:
    """Every medium may be named but `link`, which is what the ledger itself writes for linked individuals."""
    assert set(get_args(Medium)) - set(MEDIA) == {"link"}
    for medium in MEDIA:
        assert told(CHOICE, sample_of(CHOICE, medium=medium)) == {}
    assert told(CHOICE, sample_of(CHOICE, medium="link")).keys() == {"medium"}


def test_every_fault_is_told_at_once() -> None:
    """Unknown fields, wrong types, missing parts and bad values of one body are told together, by path."""
    body = {
        "individual": "a b",
        "decision": "perhaps",
        "purposes": ["website", "*.*"],
        "recipients": ["adco", 7],
        "versions": {"privacy": "one"},
        "evidence": {"kind": "", "colour": "red"},
        "tenant": "other",
        "colour": "red",
        "medium": "link",
        "spoken_by": "me",
        "event_id": "EVENT",
        "caused_by": "that",
        "occurred_at": "yesterday",
    }
    assert set(told(CHOICE, body)) == {
        "individual",
        "decision",
        "purposes",
        "recipients[1]",
        "versions",
        "evidence.sha256",
        "evidence.kind",
        "evidence.colour",
        "tenant",
        "colour",
        "medium",
        "spoken_by",
        "event_id",
        "caused_by",
        "occurred_at",
    }


def test_faults_within_lists_are_told_item_by_item() -> None:
    """Of a list of terms each fault of each item is told with its index, however deep it lies."""
    recipients = [{"name": 1}, {"name": "adco", "role": "friend"}, 3, {"name": "x", "colour": 1}]
    purposes = [
        {"key": "a b", "mode": "opt_out", "colour": 1, "recipients": recipients},
        {"choice_period": "P1M", "valid_for": 30},
        "website",
        {"key": "website", "mode": "opt_in"},
    ]
    assert set(told(POLICY, sample_of(POLICY, purposes=purposes))) == {
        "purposes[0].key",
        "purposes[0].colour",
        "purposes[0].recipients[0].name",
        "purposes[0].recipients[1].role",
        "purposes[0].recipients[2]",
        "purposes[0].recipients[3].colour",
        "purposes[1].key",
        "purposes[1].mode",
        "purposes[1].choice_period",
        "purposes[1].valid_for",
        "purposes[2]",
    }


@given(data=st.data())
def test_whatever_is_wrong_within_terms_is_told(data: st.DataObject) -> None:
    """Parts of terms are replaced by any JSON: the reading never fails, a part is told where a line with it
    alone would be refused, and the event has good terms in the place of the bad.
    """
    (terms,) = copy.deepcopy(POLICY.sample["purposes"])
    names = data.draw(st.lists(st.sampled_from(sorted(terms)), unique=True, min_size=1, max_size=3))
    wrong = set()
    for name in names:
        value = data.draw(json_values)
        alone = {**POLICY.sample["purposes"][0], name: value}
        if not taken_alone(POLICY, POLICY.sample, "purposes", [alone]):
            wrong.add(name)
        terms[name] = value
    written = read_body(sample_of(POLICY, purposes=[terms]), POLICY, NOW)
    steps = {fault.field.removeprefix("purposes[0].").split("[")[0].split(".")[0] for fault in written.faults}
    assert steps == wrong
    assert isinstance(written.event, PolicyAmended)
    assert len(written.event.purposes) == 1


def test_a_map_is_told_once() -> None:
    """A map with several bad values is one fault, because its keys may be what must not be repeated."""
    for wording in ({"en": "x", "de": "y"}, {"en": 1, "de": 2, "fr": 3}, {"": "ab" * 32}, {"en": None}):
        assert told(POLICY, sample_of(POLICY, wording=wording)).keys() == {"wording"}
    assert told(CHOICE, sample_of(CHOICE, versions={"privacy": "1", "a": "2"})).keys() == {"versions"}


def test_names_that_may_be_values_are_not_repeated() -> None:
    """An unknown field is named where its name looks like one; any other might be what it should not say."""
    body = sample_of(CHOICE, evidence={"sha256": "ab" * 32, "kind": "scan", "ana@b.example": 1})
    body |= {"ana@b.example": 1, "x" * 65: 2, "x" * 64: 3}
    faults = told(CHOICE, body)
    assert faults == {
        "x" * 64: "is no field that may stand here",
        "": "holds an unknown field",
        "evidence": "holds an unknown field",
    }
    assert "ana" not in str(faults)


@given(value=st.text(min_size=3, max_size=30).map(lambda text: f"canary/{text}"))
def test_no_fault_repeats_a_value(value: str) -> None:
    """Whatever text stands in the fields of a body, no message says any of it again."""
    body = dict.fromkeys((*CHOICE.fields, "medium", "occurred_at", "caused_by", "event_id"), value)
    assert len(told(CHOICE, body)) >= 8
    assert "canary" not in str(told(CHOICE, body))


def test_at_most_so_many_faults_are_told() -> None:
    """A body with as many faults as are told is told of all; of one with more, the first are told."""
    for count in (FAULTS_TOLD_MAX, FAULTS_TOLD_MAX + 1):
        body = sample_of(POLICY, purposes=[{"key": f"k{n}", "mode": "never"} for n in range(count)])
        written = read_body(body, POLICY, NOW)
        assert len(written.faults) == FAULTS_TOLD_MAX
        assert isinstance(written.event, PolicyAmended)
        many = sample_of(POLICY, **{f"unknown_{n}": 1 for n in range(count)})
        assert len(read_body(many, POLICY, NOW).faults) == FAULTS_TOLD_MAX


def test_what_was_sent_is_left_as_it_is() -> None:
    """Mending is done on a copy: the body that the caller holds says what was sent."""
    body = sample_of(POLICY, purposes=[{"key": "a b", "mode": "x", "colour": 1}])
    before = copy.deepcopy(body)
    read_body(body, POLICY, NOW)
    assert body == before
    assert POLICY.sample == SAMPLES["PolicyAmended"]


def test_null_is_as_left_out() -> None:
    """Null says of every field that may be left out what leaving it out says."""
    optional = {**dict.fromkeys(("recipients", "versions", "evidence")), "event_id": None, "medium": None}
    body = {"individual": "ana", "decision": "opt_in", "purposes": ["website.surveys"]}
    nulls = read_body(body | optional | {"spoken_by": None, "occurred_at": None}, CHOICE, NOW)
    assert nulls.faults == ()
    assert nulls.event == read_body(body, CHOICE, NOW).event
    assert (nulls.given("medium"), nulls.given("recipients")) == (None, None)


@pytest.mark.parametrize("occurred_at", ["", 0, False, [], {}])
def test_an_empty_date_is_no_date(occurred_at: object) -> None:
    """What is no instant is refused, however little it says: it must not pass for one that was left out."""
    assert told(CHOICE, sample_of(CHOICE, occurred_at=occurred_at)).keys() == {"occurred_at"}


@pytest.mark.parametrize(
    "event_id", ["", 7, EVENT_ID.upper(), EVENT_ID + "0", "{" + EVENT_ID + "}", [EVENT_ID]]
)
def test_an_event_id_is_a_uuid(event_id: object) -> None:
    """An event id has one text form, as in a line, so that one id is never two texts."""
    assert told(CHOICE, sample_of(CHOICE, event_id=event_id)).keys() == {"event_id"}
    assert told(CHOICE, sample_of(CHOICE, event_id=EVENT_ID)) == {}


@pytest.mark.parametrize("value", [1, "true", [], {}, 0])
def test_a_flag_is_true_or_false(value: object) -> None:
    """A flag beside the event's fields is a truth value or left out."""
    form = DISCLOSURE.form
    assert told(form, {**DISCLOSURE.example, "although_denied": value}).keys() == {"although_denied"}
    assert told(form, {**DISCLOSURE.example, "although_denied": None}) == {}


def test_what_the_ledger_fills_in_is_not_the_bodys() -> None:
    """What a disclosure relied on is found by the service; a body that brings it is refused."""
    decision = SAMPLES["DisclosureMade"]["decision"]
    assert told(DISCLOSURE.form, {**DISCLOSURE.example, "decision": decision}).keys() == {"decision"}
    assert told(WITHDRAWAL.form, {"policy_id": "x", "version": 2}).keys() == {"policy_id", "version"}


def test_what_is_wrong_is_not_given() -> None:
    """A field with a fault in it, or within it, counts as not given; the others as they were sent."""
    written = read_body(sample_of(CHOICE, evidence={"kind": "scan"}, medium="web"), CHOICE, NOW)
    assert written.wrong == {"evidence"}
    assert (written.given("evidence"), written.given("medium")) == (None, "web")
