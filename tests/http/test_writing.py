"""Recording over HTTP: each row, who speaks and when, repetitions, and what is refused."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from choice_ledger.access import SCOPES, Scope
from choice_ledger.http.write_bodies import MEDIA
from choice_ledger.http.write_samples import SAMPLES
from choice_ledger.http.writes import HEARD, Write
from choice_ledger.http.writing import READ_AT_ONCE_BYTES_MAX
from events.instants import DAY, format_instant, parse_instant
from events.streams import Position
from tests.http.serving import Served
from tests.http.writing_world import (
    EVENT_ID,
    ROWS,
    address_of,
    event_of,
    events_of,
    faults,
    receipt,
    scopes_of,
    serving_published,
)

EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=[row.operation for row in ROWS])
LETTERS = ("email", "mail", "verbal")
EARLIER = "2026-05-20T00:00:00.000000Z"
OPT_OUT = {"individual": "ana", "decision": "opt_out", "purposes": ["website.surveys"]}
NOTICE = {"individual": "ana", "notice_id": "n1", "policy_id": "privacy", "version": 1}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a policy in force, shared by the tests of this module: each uses ids of its own."""
    with serving_published(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """A client that may do everything."""
    with served.client() as every:
        yield every


def new_id() -> str:
    """An event id that no other test uses."""
    return str(uuid.uuid4())


# ------------------------------------------------------------------------------------------ each row as it is


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[str, dict[str, Any]]]]:
    """A service on which every row's example was recorded, and the receipts of all of them."""
    with serving_published(tmp_path_factory.mktemp("examples")) as served:
        receipts = {}
        for number, row in enumerate(ROWS):
            with served.client(scopes_of(row)[-1], name="tester") as one:
                body = {**row.example, "event_id": f"{EVENT_ID[:-2]}{number:02}"}
                receipts[row.operation] = receipt(one.post(address_of(row), json=body))
        yield served, receipts


@EACH_ROW
def test_an_example_is_recorded_as_it_is(
    row: Write, recorded: tuple[Served, dict[str, dict[str, Any]]]
) -> None:
    """Each row's example is accepted, and stands in the log as exactly that event, happening as recorded."""
    served, receipts = recorded
    told = receipts[row.operation]
    event = event_of(served, told["event_id"])
    sent = {name: value for name, value in row.example.items() if name not in row.form.flags}
    defaults = sent_defaults(row)
    assert {name: event[name] for name in sent} == sent
    assert (event["type"], event["tenant"], event["medium"]) == (row.form.kind.__name__, "main", "api")
    assert {name: event[name] for name in defaults} == defaults
    assert (told["outcome"], told["void"], told["repeated"]) == ("acknowledged", None, False)
    assert told["type"] == event["type"]
    assert event["occurred_at"] == event["recorded_at"] == told["recorded_at"]


def sent_defaults(row: Write) -> dict[str, Any]:
    """What the event holds for the fields that an example leaves out."""
    left_out = set(row.form.fields) - set(row.example) - set(row.form.open)
    infos = {info.encode_name: info for info in msgspec.structs.fields(row.form.kind)}
    return {
        name: msgspec.to_builtins({} if infos[name].default is msgspec.NODEFAULT else infos[name].default)
        for name in left_out
    }


@EACH_ROW
def test_who_speaks_follows_from_the_row(
    row: Write, recorded: tuple[Served, dict[str, dict[str, Any]]]
) -> None:
    """Where the body does not say who spoke, it is the individual, or the token's own name as its office."""
    served, receipts = recorded
    actor = event_of(served, receipts[row.operation]["event_id"])["actor"]
    if row.speech == "individual":
        assert actor == {"kind": "individual", "id": None}
    else:
        assert actor == {"kind": row.speech, "id": "tester"}


@EACH_ROW
def test_a_row_is_for_its_scopes_alone(row: Write, served: Served) -> None:
    """With every scope but the row's own a call is refused before its body is looked at."""
    others = [scope for scope in SCOPES if scope not in row.scopes]
    with served.client(*others) as client:
        response = client.post(address_of(row), json={"nonsense": 1})
    assert faults(response, "scope_missing", 403) == {}
    assert response.json()["scopes"] == sorted(row.scopes)


@EACH_ROW
def test_an_unknown_field_is_refused(row: Write, client: httpx.Client) -> None:
    """A body with a field that the row does not know is refused by that field, and nothing is recorded."""
    event_id = new_id()
    body = {**row.example, "tenant": "other", "colour": 1, "event_id": event_id}
    assert set(faults(client.post(address_of(row), json=body))) == {"tenant", "colour"}


@EACH_ROW
def test_an_empty_body_is_told_what_it_lacks(row: Write, client: httpx.Client) -> None:
    """An empty object is refused with every field that is required; a withdrawal alone needs none."""
    response = client.post(row.path.replace("{policy_id}", "nothing"), json={})
    needed = {i.encode_name for i in msgspec.structs.fields(row.form.kind) if i.required}
    if row.operation == "withdraw_policy":
        assert faults(response, "not_found", 404) == {}
    else:
        assert set(faults(response)) == needed & set(row.form.fields) - set(row.form.open)


def test_no_body_names_another_tenant(served: Served) -> None:
    """What is recorded with a token is its tenant's, and unknown to every other's."""
    event_id = new_id()
    with served.client("record", tenant="other") as other:
        receipt(other.post("/v1/choices", json={**OPT_OUT, "individual": "shared", "event_id": event_id}))
    assert event_of(served, event_id)["tenant"] == "other"
    with served.client("record", tenant="main") as main:
        body = {**OPT_OUT, "individual": "shared", "decision": "opt_in", "event_id": event_id}
        assert receipt(main.post("/v1/choices", json=body))["repeated"] is False


# --------------------------------------------------------------------------------------- who speaks, and when


@pytest.mark.parametrize("spoken_by", ["individual", "guardian", "agent"])
@pytest.mark.parametrize("scope", ["record", "officer"])
def test_somebody_may_speak_for_an_individual(served: Served, scope: Scope, spoken_by: str) -> None:
    """`spoken_by` says who made a choice, whether a service heard it or an officer enters it."""
    event_id = new_id()
    with served.client(scope) as client:
        receipt(client.post("/v1/choices", json={**OPT_OUT, "spoken_by": spoken_by, "event_id": event_id}))
    assert event_of(served, event_id)["actor"] == {"kind": spoken_by, "id": None}


def test_an_officers_entry_is_by_name(served: Served) -> None:
    """With the scope officer alone, or with an earlier date, an entry is the officer's, by the token's."""
    entries: list[tuple[tuple[Scope, ...], dict[str, str], str]] = [
        (("officer",), {}, "officer"),
        (("officer",), {"medium": "web"}, "officer"),
        (("record", "officer"), {}, "individual"),
        (("record", "officer"), {"medium": "web"}, "individual"),
        (("record", "officer"), {"medium": "mail"}, "officer"),
        (("record", "officer"), {"occurred_at": EARLIER}, "officer"),
        (("record", "officer"), {"medium": "mail", "spoken_by": "individual"}, "individual"),
    ]
    for scopes, said, kind in entries:
        event_id = new_id()
        with served.client(*scopes, name="officer-7") as client:
            receipt(client.post("/v1/choices", json={**OPT_OUT, **said, "event_id": event_id}))
        id_ = None if kind == "individual" else "officer-7"
        assert event_of(served, event_id)["actor"] == {"kind": kind, "id": id_}, said


@pytest.mark.parametrize("path", ["/v1/choices", "/v1/notices", "/v1/notice-outcomes", "/v1/descriptions"])
def test_only_an_officer_gives_an_earlier_date(served: Served, path: str) -> None:
    """A service that hears the individual cannot set `occurred_at`; with the scope officer it is kept."""
    row = next(row for row in ROWS if row.path == path)
    assert row.scopes == HEARD
    body = {**row.example, "occurred_at": EARLIER}
    with served.client("record") as client:
        assert faults(client.post(path, json=body)).keys() == {"occurred_at"}
    event_id = new_id()
    with served.client("officer") as client:
        receipt(client.post(path, json={**body, "event_id": event_id}))
    event = event_of(served, event_id)
    assert event["occurred_at"] == EARLIER
    assert parse_instant(event["recorded_at"]) > parse_instant(EARLIER)


@pytest.mark.parametrize("medium", MEDIA)
def test_letters_are_an_officers_entries(served: Served, medium: str) -> None:
    """What came by e-mail, letter or word of mouth takes the scope officer; all else record."""
    with served.client("record") as client:
        response = client.post("/v1/choices", json={**OPT_OUT, "medium": medium})
    if medium in LETTERS:
        assert faults(response).keys() == {"medium"}
    else:
        assert receipt(response)["outcome"] == "acknowledged"
    with served.client("officer") as client:
        event_id = receipt(client.post("/v1/choices", json={**OPT_OUT, "medium": medium}))["event_id"]
    assert event_of(served, event_id)["medium"] == medium


def test_a_letter_is_dated_by_its_postmark(served: Served) -> None:
    """A guardian's letter, entered by an officer, keeps its date, its medium and who wrote it."""
    body = {**OPT_OUT, "occurred_at": EARLIER, "medium": "mail", "spoken_by": "guardian"}
    with served.client("officer") as client:
        event_id = receipt(client.post("/v1/choices", json=body))["event_id"]
    event = event_of(served, event_id)
    assert (event["occurred_at"], event["medium"]) == (EARLIER, "mail")
    assert event["actor"] == {"kind": "guardian", "id": None}


def test_a_date_is_not_given_for_whom_the_ledger_hears_itself(served: Served) -> None:
    """Even an officer cannot date what somebody else is said to have spoken over the web just now."""
    body = {**OPT_OUT, "occurred_at": EARLIER, "medium": "web", "spoken_by": "individual"}
    with served.client("officer") as client:
        assert faults(client.post("/v1/choices", json=body)).keys() == {"occurred_at"}


def test_nothing_happens_in_the_future(served: Served) -> None:
    """A date after the clock is refused, told beside every other fault."""
    later = format_instant(served.service.ledger.clock() + DAY)
    body = {**OPT_OUT, "occurred_at": later, "decision": "perhaps"}
    with served.client("officer") as client:
        told = faults(client.post("/v1/choices", json=body))
    assert set(told) == {"occurred_at", "decision"}
    assert told["occurred_at"] == "must not be in the future"


def test_all_faults_are_told_at_once(served: Served) -> None:
    """What is wrong in form, in right and in meaning is told in one refusal."""
    body = {
        **NOTICE,
        "version": 2,
        "locale": "",
        "choice_offered": "yes",
        "occurred_at": EARLIER,
        "medium": "mail",
        "recorded_at": EARLIER,
    }
    with served.client("record") as client:
        told = faults(client.post("/v1/notices", json=body))
    assert set(told) == {"version", "locale", "choice_offered", "occurred_at", "medium", "recorded_at"}
    assert told["version"] == "must be a published version of that policy, 1 to 1"


def test_what_rests_on_a_fault_is_not_judged(client: httpx.Client) -> None:
    """Where the policy's name is wrong nothing is said of its version, which may be right."""
    assert faults(client.post("/v1/notices", json={**NOTICE, "policy_id": ""})).keys() == {"policy_id"}


@pytest.mark.parametrize("over", [0, 1])
def test_a_long_body_is_read_alike(client: httpx.Client, over: int) -> None:
    """A body that is too long to be read on the event loop is read elsewhere, to the same end."""
    body = {**OPT_OUT, "decision": "perhaps", "colour": ""}
    short = len(httpx.Request("POST", "http://x", json=body).content)
    body["colour"] = "x" * (READ_AT_ONCE_BYTES_MAX + over - short)
    assert len(httpx.Request("POST", "http://x", json=body).content) == READ_AT_ONCE_BYTES_MAX + over
    assert faults(client.post("/v1/choices", json=body)).keys() == {"decision", "colour"}


def test_an_event_that_is_too_large_is_refused_as_a_whole(client: httpx.Client) -> None:
    """What no record can hold is refused without a field, because no single one is wrong."""
    purposes = [f"website.{number:0119}" for number in range(600)]
    response = client.post("/v1/choices", json={**OPT_OUT, "purposes": purposes})
    assert "65536 bytes" in faults(response)[""]


# ------------------------------------------------------------------------------------------------ repetitions


@EACH_ROW
def test_a_repetition_is_the_same_event(
    row: Write, recorded: tuple[Served, dict[str, dict[str, Any]]]
) -> None:
    """The same body and event id again is answered 200 with the receipt of the first, and adds nothing."""
    served, receipts = recorded
    first, count = receipts[row.operation], len(events_of(served))
    with served.client(scopes_of(row)[-1], name="tester") as client:
        body = {**row.example, "event_id": first["event_id"]}
        again = receipt(client.post(address_of(row), json=body))
    assert again == {**first, "repeated": True}
    assert len(events_of(served)) == count


def test_an_id_with_other_content_is_taken(client: httpx.Client, served: Served) -> None:
    """An event id that names another event of the individual is a conflict; the first one stands alone."""
    event_id = new_id()
    first = receipt(client.post("/v1/choices", json={**OPT_OUT, "event_id": event_id}))
    other = {**OPT_OUT, "decision": "opt_in", "event_id": event_id}
    assert faults(client.post("/v1/choices", json=other), "event_id_taken", 409).keys() <= {"event_id"}
    assert event_of(served, event_id)["recorded_at"] == first["recorded_at"]


def test_a_key_makes_a_call_one(client: httpx.Client, served: Served) -> None:
    """A call sent again with its Idempotency-Key is one event; the key with another body is refused."""
    headers = {"Idempotency-Key": new_id()}
    body = {**OPT_OUT, "individual": "keyed"}
    first = receipt(client.post("/v1/choices", json=body, headers=headers))
    assert receipt(client.post("/v1/choices", json=body, headers=headers)) == {**first, "repeated": True}
    other = client.post("/v1/choices", json={**body, "decision": "opt_in"}, headers=headers)
    assert faults(other, "idempotency_key_reused") == {}
    assert event_of(served, first["event_id"])["decision"] == "opt_out"


def test_a_refused_call_leaves_its_key_unused(client: httpx.Client) -> None:
    """A call with a body that is wrong in form uses up no key: mended, it may be sent with the same one."""
    headers = {"Idempotency-Key": new_id()}
    body = {**OPT_OUT, "individual": "keyed", "colour": 1}
    assert faults(client.post("/v1/choices", json=body, headers=headers)).keys() == {"colour"}
    del body["colour"]
    assert receipt(client.post("/v1/choices", json=body, headers=headers))["repeated"] is False


def test_a_key_and_an_id_exclude_each_other(client: httpx.Client) -> None:
    """A call that brings both an event id and a key is refused: two names for one event could contradict."""
    headers = {"Idempotency-Key": new_id()}
    response = client.post("/v1/choices", json={**OPT_OUT, "event_id": new_id()}, headers=headers)
    assert faults(response).keys() == {"event_id"}


def test_a_receipts_position_knows_the_event(client: httpx.Client, served: Served) -> None:
    """The position of a receipt is covered as soon as it is told: the event is durable and folded by then."""
    told = receipt(client.post("/v1/choices", json={**OPT_OUT, "individual": "folded"}))
    assert served.service.ledger.folding.position.covers(Position.decode(told["position"]))
    history = served.service.ledger.history("main/folded")
    assert [recorded.event.event_id for recorded in history] == [told["event_id"]]


def test_many_choices_at_once_are_each_one_event(served: Served, client: httpx.Client) -> None:
    """Calls that come at the same time, some of them twice, end as one event for each id."""
    ids = [new_id() for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        told = list(
            pool.map(
                lambda event_id: receipt(
                    client.post("/v1/choices", json={**OPT_OUT, "individual": "busy", "event_id": event_id})
                ),
                ids + ids,
            )
        )
    assert sum(not one["repeated"] for one in told) == len(ids)
    stored = [event["event_id"] for event in events_of(served) if event.get("individual") == "busy"]
    assert sorted(stored) == sorted(ids)


# --------------------------------------------------------------------------------- links, and what follows


def test_a_link_has_two_sides(client: httpx.Client, served: Served) -> None:
    """A link is recorded for both, the opt-outs of each are written for the other and named."""
    receipt(client.post("/v1/choices", json={**OPT_OUT, "individual": "phone"}))
    body = {"individual": "phone", "other": "desk", "event_id": new_id()}
    told = receipt(client.post("/v1/links", json=body))
    (derived,) = told["derived"]
    event = event_of(served, derived)
    assert (event["individual"], event["medium"], event["caused_by"]) == ("desk", "link", told["event_id"])
    sides = [e for e in events_of(served) if e["type"] == "IndividualsLinked" and e["individual"] == "desk"]
    assert [(e["other"], e["caused_by"]) for e in sides] == [("phone", told["event_id"])]
    assert served.service.ledger.folding.position.covers(Position.decode(told["position"]))
    again = receipt(client.post("/v1/links", json=body))
    assert (again["repeated"], again["derived"]) == (True, [derived])
    later = receipt(client.post("/v1/choices", json={**OPT_OUT, "individual": "desk"}))
    assert len(later["derived"]) == 1
    receipt(client.post("/v1/unlinks", json={"individual": "phone", "other": "desk"}))
    assert receipt(client.post("/v1/choices", json={**OPT_OUT, "individual": "desk"}))["derived"] == []


@pytest.mark.parametrize("path", ["/v1/links", "/v1/unlinks"])
def test_nobody_is_linked_to_themselves(client: httpx.Client, path: str) -> None:
    """A link of an individual to itself, or to what is no individual, is refused by the other side."""
    assert faults(client.post(path, json={"individual": "ana", "other": "ana"})).keys() == {"other"}
    assert faults(client.post(path, json={"individual": "ana", "other": "a b"})).keys() == {"other"}


def test_a_restriction_is_named_to_be_lifted(client: httpx.Client, served: Served) -> None:
    """A restriction and its end bear the same id, and both are the officer's by name."""
    for path in ("/v1/restrictions", "/v1/restriction-lifts"):
        body = {"individual": "restricted", "restriction_id": "r1"}
        assert receipt(client.post(path, json=body))["outcome"] == "acknowledged"
    kinds = [r.event for r in served.service.ledger.history("main/restricted")]
    assert [(type(e).__name__, e.actor.id) for e in kinds] == [
        ("ProcessingRestricted", "tester"),
        ("RestrictionLifted", "tester"),
    ]


def test_a_compelled_disclosure_ends_after_it_begins(client: httpx.Client) -> None:
    """An interval that is empty is refused by its end."""
    body = {**SAMPLES["DisclosureCompelled"], "from": EARLIER, "to": EARLIER}
    assert faults(client.post("/v1/compelled-disclosures", json=body)).keys() == {"to"}
