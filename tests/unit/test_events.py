"""What an event may say: each check at its limit and past it, and what every event has."""

from typing import Any

import msgspec
import pytest

from events.envelope import (
    INDIVIDUAL_BYTES_MAX,
    NAME_BYTES_MAX,
    SELF,
    TENANT_LENGTH_MAX,
    TEXT_BYTES_MAX,
    VERSION_MAX,
    Actor,
    IndividualStreamEvent,
    InvalidEvent,
    PolicyStreamEvent,
    check_individual,
    check_instant,
    check_key,
    check_name,
    check_selector,
    check_sha256,
    check_tenant,
    check_text,
    check_uuid,
    check_version,
)
from events.individual_events import ChoiceMade, NoticeOutcome
from events.instants import DURATION_MAX, INSTANT_MAX, INSTANT_MIN
from events.lines import InvalidLine, event_from_fields, event_to_fields
from events.policy_events import PolicyAmended
from events.record_events import CIPHERTEXT_BYTES_MAX, PersonalDataStored
from events.streams import INDIVIDUALS, POLICIES, stream_of
from events.terms import Recipient, Terms
from events.union import EVENT_TYPES, POLICY_EVENT_TYPES, Recorded
from tests.strategies import uuid_of

AT = 1_777_798_800_000_000
COMMON: dict[str, Any] = {"event_id": uuid_of(1), "tenant": "acme", "occurred_at": AT}
DIGEST = "0123456789abcdef" * 4
COMPOSED, DECOMPOSED = "Zoé", "Zoe\N{COMBINING ACUTE ACCENT}"


def refused(check: Any, *values: Any) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as refusal:
        check(*values)
    assert refusal.value.field in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize("tenant", ["a", "0", "a-", "a--b", "x" * TENANT_LENGTH_MAX])
def test_tenant_is_taken(tenant: str) -> None:
    """One to 63 of a-z, 0-9 and the hyphen are a tenant."""
    check_tenant(tenant)


@pytest.mark.parametrize(
    "tenant", ["", "-a", "A", "a_b", "a.b", "a b", "é", "٣", "a\n", "x" * (TENANT_LENGTH_MAX + 1)]
)
def test_other_tenants_are_refused(tenant: str) -> None:
    """Anything else is not, and the refusal names the field."""
    assert refused(check_tenant, tenant).field == "tenant"


@pytest.mark.parametrize(
    "individual",
    [
        "a",
        "ana",
        "Ana-7_x.y:z",
        COMPOSED,
        "x" * INDIVIDUAL_BYTES_MAX,
        "é" * 64,
        "李",
        "😀",
        # Persian is not written without the one, and no later Unicode may turn the others away.
        "می\N{ZERO WIDTH NON-JOINER}خواهم",
        "a\ue000",
        "a\U000e0080",
    ],
)
def test_individual_is_taken(individual: str) -> None:
    """Up to 128 bytes of NFC text are an individual's id."""
    check_individual(individual)


@pytest.mark.parametrize(
    "individual",
    [
        "",
        "a/b",
        "a@b",
        "a b",
        "a\tb",
        "a\N{NO-BREAK SPACE}b",
        "a\N{IDEOGRAPHIC SPACE}b",
        "a\N{LINE SEPARATOR}b",
        "a\x00",
        "a\x7f",
        "a\ud800",
        DECOMPOSED,
        "x" * (INDIVIDUAL_BYTES_MAX + 1),
        "x" + "é" * 64,
        "ｘ" * 43,
    ],
)
def test_other_individuals_are_refused(individual: str) -> None:
    """Slashes, at-signs, spaces, control and decomposed characters, and a byte too many are refused."""
    fault = refused(check_individual, individual)
    assert fault.field == "individual"
    assert not individual or individual not in str(fault)


def test_case_and_accents_tell_individuals_apart() -> None:
    """`Ana` is not `ana`: their records have different keys."""
    keys = {
        ChoiceMade(**COMMON, individual=name, decision="opt_out", purposes=("a",)).key
        for name in ("ana", "Ana", "aná", "ANA")
    }
    assert len(keys) == 4


@pytest.mark.parametrize("name", ["a", "with space", "a/b@c", COMPOSED, "x" * NAME_BYTES_MAX, "é" * 64])
def test_name_is_taken(name: str) -> None:
    """Up to 128 bytes of NFC text without control characters are a name."""
    check_name("policy_id", name)


@pytest.mark.parametrize(
    "name", ["", "\n", "a\x1f", "\u2028", DECOMPOSED, "x" * 129, "x" + "é" * 64, "\udfff"]
)
def test_other_names_are_refused(name: str) -> None:
    """An empty, over-long, decomposed or unreadable name is refused by its field."""
    assert refused(check_name, "policy_id", name).field == "policy_id"


def test_text_has_a_limit() -> None:
    """A text of exactly the limit is taken, whatever it holds; one byte more or a lone surrogate is not."""
    for text in ("", "a\nb\x00", DECOMPOSED, "x" * TEXT_BYTES_MAX, "é" * (TEXT_BYTES_MAX // 2)):
        check_text("title", text)
    for text in ("x" * (TEXT_BYTES_MAX + 1), "x" + "é" * (TEXT_BYTES_MAX // 2), "\ud800"):
        assert refused(check_text, "title", text).field == "title"


@pytest.mark.parametrize("key", ["a", "hr.payroll", "A-1_b.c", "x" * NAME_BYTES_MAX])
def test_key_is_a_selector(key: str) -> None:
    """Words joined by dots are a purpose key, and each key is a selector."""
    check_key("key", key)
    check_selector("key", key)


@pytest.mark.parametrize("key", ["", ".", "a.", ".a", "a..b", "a b", "é", "*.a", "a.*", "a\n", "x" * 129])
def test_other_keys_are_refused(key: str) -> None:
    """Anything else is neither a key nor a selector; a branch is named without a star."""
    assert refused(check_key, "key", key).field == "key"
    assert refused(check_selector, "key", key).field == "key"


def test_star_is_a_selector_and_no_key() -> None:
    """`*` selects everything, and is the key of nothing."""
    check_selector("purposes", "*")
    refused(check_key, "purposes", "*")


@pytest.mark.parametrize(
    "value", ["", uuid_of(1)[:-1], uuid_of(1) + "0", uuid_of(1).replace("-", ""), "A" + uuid_of(1)[1:]]
)
def test_other_ids_are_refused(value: str) -> None:
    """An event id is a UUID in lower-case text form: another spelling would be another event."""
    check_uuid("event_id", uuid_of(1))
    assert refused(check_uuid, "event_id", value).field == "event_id"


@pytest.mark.parametrize("value", ["", DIGEST[:-1], DIGEST + "0", DIGEST.upper(), "g" * 64])
def test_other_digests_are_refused(value: str) -> None:
    """A digest is 64 lower-case hexadecimal digits."""
    check_sha256("sha256", DIGEST)
    assert refused(check_sha256, "sha256", value).field == "sha256"


def test_instants_and_versions_have_limits() -> None:
    """The years 1 to 9999 and 32-bit versions are taken, and nothing past either end."""
    for instant in (INSTANT_MIN, 0, INSTANT_MAX):
        check_instant("at", instant)
    for instant in (INSTANT_MIN - 1, INSTANT_MAX + 1):
        refused(check_instant, "at", instant)
    for version in (1, VERSION_MAX):
        check_version("version", version)
    for version in (-VERSION_MAX - 1, VERSION_MAX + 1):
        refused(check_version, "version", version)


def test_actor_is_pseudonymous() -> None:
    """An actor's id passes the check of an individual, and may be absent."""
    assert Actor() == SELF
    assert Actor(kind="agent", id="shop-7").id == "shop-7"
    assert refused(lambda: Actor(id="ana@example.org")).field == "actor.id"


def test_occurred_is_never_after_recorded() -> None:
    """An event may be recorded at the instant it occurred, and not a microsecond before."""
    event = ChoiceMade(**COMMON, individual="ana", decision="opt_out", purposes=("a",))
    assert Recorded(event, AT).recorded_at == AT
    assert refused(Recorded, event, AT - 1).field == "occurred_at"
    assert refused(Recorded, event, INSTANT_MAX + 1).field == "recorded_at"


def test_an_opt_in_never_takes_everything() -> None:
    """An opt-out may select `*`; an opt-in names its purposes one by one."""
    assert ChoiceMade(**COMMON, individual="ana", decision="opt_out", purposes=("*",)).purposes == ("*",)
    with pytest.raises(InvalidEvent, match="purposes"):
        ChoiceMade(**COMMON, individual="ana", decision="opt_in", purposes=("*",))


def test_a_detail_is_never_an_address() -> None:
    """A status code stands in the detail, an address never."""
    fields = {**COMMON, "individual": "ana", "notice_id": "n", "outcome": "failed"}
    assert NoticeOutcome(**fields, detail="5.1.1").detail == "5.1.1"
    with pytest.raises(InvalidEvent, match="detail"):
        NoticeOutcome(**fields, detail="550 ana@example.org unknown")


def test_a_ciphertext_has_a_limit() -> None:
    """A ciphertext of exactly the limit is taken, and one byte more is not."""
    fields = {**COMMON, "individual": "ana", "field": "email"}
    most = PersonalDataStored(**fields, ciphertext=b"x" * CIPHERTEXT_BYTES_MAX)
    assert len(most.ciphertext) == CIPHERTEXT_BYTES_MAX
    with pytest.raises(InvalidEvent, match="ciphertext"):
        PersonalDataStored(**fields, ciphertext=b"x" * (CIPHERTEXT_BYTES_MAX + 1))


def test_periods_and_meanings_have_limits() -> None:
    """A period is from nothing to a hundred years, and a meaning from 0 to 2^31 - 1."""
    make: Any = Terms
    taken = (("choice_period", 0), ("valid_for", DURATION_MAX), ("meaning", 0), ("meaning", 2**31 - 1))
    for field, value in taken:
        assert getattr(make(key="a", mode="opt_in", **{field: value}), field) == value
    for field, value in (("choice_period", -1), ("valid_for", DURATION_MAX + 1), ("meaning", 2**31)):
        with pytest.raises(InvalidEvent, match=field):
            make(key="a", mode="opt_in", **{field: value})


def test_the_mode_for_a_recipient_is_its_own_or_the_purposes() -> None:
    """A recipient with a mode has that one; any other, unknown ones and own use have the purpose's."""
    terms = Terms(
        key="a",
        mode="opt_out",
        recipients=(Recipient(name="strict", mode="opt_in"), Recipient(name="plain")),
    )
    modes = {name: terms.mode_for(name) for name in ("strict", "plain", "unknown", None)}
    assert modes == {"strict": "opt_in", "plain": "opt_out", "unknown": "opt_out", None: "opt_out"}


def minimal(name: str) -> dict[str, Any]:
    """The least that a line of a type must say."""
    given: dict[str, Any] = {
        "event_id": uuid_of(1),
        "tenant": "acme",
        "individual": "ana",
        "occurred_at": "2026-05-03T09:00:00Z",
        "generation": uuid_of(2),
        "intent_id": uuid_of(3),
        "version": 1,
        "draft_sha256": DIGEST,
        "effective_at": "2026-05-03T09:00:00Z",
        "in_force": True,
        "from": "2026-05-03T09:00:00Z",
        "at": "2026-05-03T09:00:00Z",
        "verdict": "approved",
        "outcome": "delivered",
        "decision": "opt_out",
        "purposes": [],
        "data": [],
        "channel": "email",
        "result": "sent",
        "ciphertext": "",
    }
    kinds = {"RequestOpened": "access", "RequestAdvanced": "access"}
    if name == "DisclosureMade":
        given["decision"] = {"reason": "opted_in", "position": "p"}
    infos = msgspec.structs.fields(EVENT_TYPES[name])
    required = [info.encode_name for info in infos if info.required]
    given["kind"] = kinds.get(name, "agent")
    return {"type": name, **{field: given.get(field, "some-name") for field in required}}


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_has_its_stream_and_key(name: str) -> None:
    """An event is of one of the two streams; its key is the tenant, with the individual if it has one."""
    event = event_from_fields(minimal(name))
    if type(event) in POLICY_EVENT_TYPES:
        assert isinstance(event, PolicyStreamEvent)
        assert (stream_of(event), event.key) == (POLICIES, "acme")
    else:
        assert isinstance(event, IndividualStreamEvent)
        assert (stream_of(event), event.key) == (INDIVIDUALS, "acme/ana")


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_events_cannot_be_changed(name: str) -> None:
    """An event is frozen: a mistake is put right by a later event."""
    event: Any = event_from_fields(minimal(name))
    with pytest.raises(AttributeError):
        event.tenant = "other"


def fillings(name: str) -> list[tuple[str, Any]]:
    """For each field of a type that holds text, a value that no such field may have."""
    bad: list[tuple[str, Any]] = []
    for info in msgspec.structs.fields(EVENT_TYPES[name]):
        declared = str(info.type)
        if "tuple[str" in declared:
            bad.append((info.encode_name, ["\ud800"]))
        elif "str" in declared and "Literal" not in declared and "dict" not in declared:
            bad.append((info.encode_name, "\ud800" * 10))
        elif info.type is int or declared == "int | None":
            bad.append((info.encode_name, 2**70))
    return [(field, value) for field, value in bad if field != "type"]


@pytest.mark.parametrize(
    ("name", "field", "value"), [(name, *filling) for name in EVENT_TYPES for filling in fillings(name)]
)
def test_every_text_and_number_is_checked(name: str, field: str, value: Any) -> None:
    """No field of any event takes what cannot be written: each text and number passes a check of its own."""
    with pytest.raises(InvalidLine) as refusal:
        event_from_fields({**minimal(name), field: value})
    assert refusal.value.field.split("[")[0] == field


def test_maps_are_checked_on_both_sides() -> None:
    """In a map, the names and what they lead to are both checked."""
    choice, amendment = minimal("ChoiceMade"), minimal("PolicyAmended")
    for bad in ({"\ud800": 1}, {"p": VERSION_MAX + 1}, {"": 1}):
        with pytest.raises(InvalidLine, match="versions"):
            event_from_fields({**choice, "versions": bad})
    for bad_wording in ({"en": "no digest"}, {"\n": DIGEST}):
        with pytest.raises(InvalidLine, match="wording"):
            event_from_fields({**amendment, "wording": bad_wording})
    event = event_from_fields({**amendment, "wording": {"en": DIGEST}})
    assert isinstance(event, PolicyAmended)
    assert event_to_fields(event)["wording"] == {"en": DIGEST}
