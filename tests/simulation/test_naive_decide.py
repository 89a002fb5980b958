"""The plain decision, held to the worked example and to cases computed by hand: what is declared."""

import pytest

from tests.simulation.naive_facts import Line
from tests.simulation.written_lines import (
    KEY,
    ask,
    event,
    instant,
    notice,
    opt_in,
    opt_out,
    reason,
    terms,
    uid,
    version,
)

MAIL = "website.periodic_email"


def worked_example() -> list[Line]:
    """The log of the worked example, complete."""
    declared = {"key": MAIL, "mode": "opt_out", "data": ["email_address"], "choice_period": "P30D"}
    to_adco = {"recipients": [{"name": "adco", "mode": "opt_out"}]}
    return [
        version(1, "02-01", declared),
        notice(1, "03-01", at_collection=True),
        version(2, "05-01", declared | to_adco),
        notice(2, "05-03"),
        opt_out("05-20", MAIL, recipients=["adco"], recorded="06-09"),
    ]


def example(at: str, recipient: str | None = None, known_at: str | None = None) -> Line:
    """The answer of the worked example, on what was known at that instant unless said otherwise."""
    return ask(worked_example(), at, recipient, purpose=MAIL, known_at=known_at or at)


def test_registration_permits_own_use() -> None:
    """Ana registers on 1 March and is shown version 1, with a choice: own use is permitted at once."""
    answer = example("03-01")
    assert (answer["permitted"], answer["reason"]) == (True, "not_opted_out")
    assert answer["policy"] == {"id": "website", "version": 1}
    assert answer["evidence"] == [uid("website 1"), uid("notice 03-01")]
    assert answer["until"] is None


def test_registration_permits_no_undeclared_recipient() -> None:
    """Version 1 declares no recipient: `adco` is denied."""
    assert example("03-01", "adco")["reason"] == "recipient_not_declared"


def test_a_declared_recipient_is_denied_until_told() -> None:
    """On 1 May version 2 adds `adco`, and Ana was told of version 1 only; own use stays permitted."""
    answer = example("05-01", "adco")
    assert (answer["permitted"], answer["reason"]) == (False, "told_terms_differ")
    assert answer["evidence"] == [uid("website 2"), uid("notice 03-01")]
    assert example("05-01")["reason"] == "not_opted_out"


def test_a_notice_starts_the_choice_period() -> None:
    """On 3 May Ana is sent notice of version 2: `adco` is denied until 2 June, and permitted from then on."""
    answer = example("05-03", "adco")
    assert (answer["reason"], answer["until"]) == ("choice_period_running", instant("06-02"))
    assert answer["evidence"] == [uid("website 2"), uid("notice 05-03")]
    assert example("06-01T23:59:59.999999", "adco")["reason"] == "choice_period_running"
    assert example("06-02", "adco")["reason"] == "not_opted_out"


def test_a_late_letter_changes_what_is_known_of_the_past() -> None:
    """A letter of 20 May recorded on 9 June: on 5 June permitted as known then, denied as known on the
    10th.
    """
    assert example("06-05", "adco")["reason"] == "not_opted_out"
    answer = example("06-05", "adco", known_at="06-10")
    assert (answer["permitted"], answer["reason"]) == (False, "opted_out")
    assert answer["evidence"] == [uid("website 2"), uid("notice 05-03"), uid("out 05-20")]
    assert example("06-05", known_at="06-10")["reason"] == "not_opted_out"


def test_a_later_version_that_takes_effect_earlier_leaves_its_predecessor_never_in_force() -> None:
    """Version 2 is scheduled for June, version 3 for May: version 2 is in force at no instant."""
    lines = [
        version(1, "03-01", terms()),
        version(2, "03-02", effective="06-01"),
        version(3, "03-03", terms(), effective="05-01"),
        notice(1, "03-01"),
    ]
    assert ask(lines, "06-01")["policy"] == {"id": "website", "version": 3}
    # Nor does version 2, which declares nothing, stand between the notice of version 1 and the use.
    assert reason(lines, "06-01") == "not_opted_out"


@pytest.mark.parametrize(
    "void",
    [
        version(3, "03-02"),
        version(1, "03-02", name="another 1"),
        version(2, "03-02", terms(recipients=[{"name": "adco", "mode": "necessary"}])),
        version(2, "03-02", terms("necessary", recipients=[{"name": "adco"}])),
        version(2, "03-02", terms(), terms()),
        version(2, "03-02", terms(recipients=[{"name": "adco"}, {"name": "adco", "role": "agent"}])),
        version(2, "03-02", terms(key="hr")),
    ],
    ids=["gap", "again", "third party", "by default", "key twice", "recipient twice", "key of another"],
)
def test_a_void_version_is_never_in_force(void: Line) -> None:
    """Each ground of voidness leaves version 1 in force, and its number to the next version."""
    before = [version(1, "02-01", terms(key="hr"), policy_id="staff"), version(1, "03-01", terms())]
    assert ask([*before, void], "03-05")["policy"] == {"id": "website", "version": 1}
    after = [*before, void, version(2, "03-03", terms(), name="stands")]
    assert ask(after, "03-05")["policy"] == {"id": "website", "version": 2}


def test_a_void_version_claims_no_key_and_a_withdrawn_one_keeps_its_claim() -> None:
    """A key belongs to the policy of the first standing event that declared it, even once withdrawn."""
    void = version(7, "03-01", terms(), policy_id="staff")
    theirs = version(1, "03-02", terms())
    withdrawn = version(2, "03-03")
    late = version(1, "03-04", terms(), policy_id="staff")
    answer = ask([void, theirs, withdrawn, late], "03-05")
    assert (answer["reason"], answer["policy"]) == ("purpose_not_declared", {"id": "website", "version": 2})
    assert answer["evidence"] == [uid("website 2")]


def test_what_was_recorded_after_k_does_not_exist() -> None:
    """A version is unknown a microsecond before its recording, even where it took effect earlier."""
    lines = [version(1, "03-05", terms(), effective="03-01")]
    answer = ask(lines, "03-02", known_at="03-04T23:59:59.999999")
    assert (answer["reason"], answer["policy"], answer["evidence"]) == ("purpose_not_declared", None, [])
    assert reason(lines, "03-02", known_at="03-05") == "not_told"


def test_the_first_of_a_repeated_event_id_stands() -> None:
    """A second event with the id of an opt-out changes nothing; the same id of another individual does not
    repeat it.
    """
    lines = [version(1, "03-01", terms()), notice(1, "03-01"), opt_out("03-02")]
    again = opt_in("03-03") | {"event_id": uid("out 03-02")}
    assert reason([*lines, again], "03-04") == "opted_out"
    assert reason([again | {"individual": "bo"}, *lines], "03-04") == "opted_out"


def test_populations_are_those_of_the_last_event_that_gives_any() -> None:
    """A description without populations leaves them; an empty list takes them away; `[]` in terms covers
    nobody.
    """
    lines = [version(1, "03-01", terms(populations=["employee", "visitor"]))]
    lines.append(event("IndividualDescribed", "d1", "03-02", populations=["visitor"]))
    lines.append(event("IndividualDescribed", "d2", "03-03", jurisdiction="eu"))
    lines.append(event("IndividualDescribed", "d3", "03-04", populations=[]))
    assert reason(lines, "03-01") == "population_not_covered"
    assert reason(lines, "03-03") == "not_told"
    assert reason(lines, "03-04") == "population_not_covered"
    assert (
        reason([version(1, "03-01", terms(populations=[])), *lines[1:]], "03-03") == "population_not_covered"
    )


def test_the_data_asked_for_have_to_be_declared() -> None:
    """Asking for none means all that is declared; asking for more is denied."""
    lines = [version(1, "03-01", terms(data=["email", "name"]))]
    assert reason(lines, "03-01", data=["email"]) == "not_told"
    assert reason(lines, "03-01", data=["email", "salary"]) == "data_not_declared"


def frameworks(*statuses: Line) -> list[Line]:
    """A purpose that rests on `dpf` for the EU and on `ch-dpf` for Switzerland."""
    basis = [{"jurisdiction": "eu", "framework": "dpf"}, {"jurisdiction": "ch", "framework": "ch-dpf"}]
    return [version(1, "03-01", terms(transfer_basis=basis)), *statuses]


def status(name: str, on: str, start: str, in_force: bool, framework: str = "dpf") -> Line:
    """A framework's status from a day on, recorded on another."""
    own = {"framework": framework, "in_force": in_force, "from": instant(start)}
    return event("FrameworkStatusChanged", name, on) | own


def test_where_no_jurisdiction_is_recorded_every_framework_listed_counts() -> None:
    """`dpf` alone is in force: the EU is covered, Switzerland is not, nobody knows where is not, the US needs
    none.
    """
    lines = frameworks(status("s1", "03-01", "03-01", True))
    for jurisdiction, expected in [("eu", "not_told"), ("ch", "transfer_basis_lapsed"), ("us", "not_told")]:
        described = event("IndividualDescribed", "d1", "03-01", jurisdiction=jurisdiction)
        assert reason([*lines, described], "03-02") == expected
    answer = ask(lines, "03-02")
    assert (answer["reason"], answer["evidence"]) == ("transfer_basis_lapsed", [uid("website 1")])


def test_of_equal_statuses_the_one_not_in_force_decides() -> None:
    """A later `from` decides over a later recording; of equal ones the lapse does, and it is the evidence."""
    swiss = status("s0", "03-01", "03-01", True, "ch-dpf")
    lapses = [status("s1", "03-02", "03-05", False), status("s2", "03-03", "03-05", True)]
    lines = frameworks(swiss, status("s3", "03-04", "03-01", True), *lapses)
    assert ask(lines, "03-04")["until"] == instant("03-05")
    assert reason(lines, "03-04") == "not_told"
    answer = ask(lines, "03-05")
    assert (answer["reason"], answer["evidence"]) == ("transfer_basis_lapsed", [uid("s1")])


def compelled(name: str = "law", on: str = "03-02", **fields: object) -> Line:
    """A disclosure to the court that the law compels from 2 March to 10 March."""
    own: Line = {"recipient": "court", "from": instant("03-02"), "to": instant("03-10")}
    return event("DisclosureCompelled", name, on, **(own | {"legal_reference": "s. 1"} | fields))


def test_the_law_permits_even_an_undeclared_purpose_but_never_own_use() -> None:
    """From its start to just before its end, for its recipient alone; the evidence is the earliest."""
    lines = [compelled("second", "03-03"), compelled()]
    answer = ask(lines, "03-09", "court")
    assert (answer["permitted"], answer["reason"], answer["policy"]) == (True, "required_by_law", None)
    assert (answer["evidence"], answer["until"]) == ([uid("law")], instant("03-10"))
    assert reason(lines, "03-10", "court") == "purpose_not_declared"
    assert reason(lines, "03-09", "adco") == "purpose_not_declared"
    assert reason(lines, "03-09") == "purpose_not_declared"


def test_compelled_data_have_to_include_what_is_asked_for() -> None:
    """Where no terms declare anything, asking for no data asks for none, and `[]` includes that; `[]` selects
    no purpose.
    """
    lines = [compelled(data=[])]
    assert reason(lines, "03-05", "court") == "required_by_law"
    assert reason(lines, "03-05", "court", data=["email"]) == "purpose_not_declared"
    # With terms, asking for no data asks for all that they declare.
    assert reason([version(1, "03-01", terms()), *lines], "03-05", "court") == "recipient_not_declared"
    assert reason([compelled(purposes=[])], "03-05", "court") == "purpose_not_declared"
    assert reason([compelled(purposes=["website"])], "03-05", "court") == "required_by_law"


def test_what_the_law_overrides_is_reported_beside_the_answer() -> None:
    """An erased, restricted and opted-out individual: all three are named, in that order."""
    erased = event("IndividualErased", "gone", "03-04", reason="asked")
    restricted = event("ProcessingRestricted", "stop", "03-03", restriction_id="r1", purposes=None)
    lines = [version(1, "03-01", terms()), compelled(), opt_out("03-02", "*"), restricted, erased]
    answer = ask(lines, "03-05", "court")
    assert answer["beside"] == {"overrides": ["erased", "restricted", "opted_out"], "objection": None}
    assert ask(lines, "03-03", "court")["beside"]["overrides"] == ["restricted", "opted_out"]


def test_erasure_is_final_unless_the_terms_survive_it() -> None:
    """Erasure denies a purpose, declared or not; terms in force that survive it do not feel it."""
    erased = event("IndividualErased", "gone", "03-02", reason="asked")
    answer = ask([version(1, "03-01", terms()), erased], "03-02")
    assert (answer["reason"], answer["evidence"], answer["until"]) == ("erased", [uid("gone")], None)
    assert answer["policy"] == {"id": "website", "version": 1}
    assert reason([erased], "03-02") == "erased"
    assert reason([version(1, "03-01", terms(survives_erasure=True)), erased], "03-02") == "not_told"


def test_a_restriction_reaches_replaced_keys_and_its_lifting_ends_it_in_any_order() -> None:
    """It covers a key that the terms replace; a lifting from before it ends it; what survives does not feel
    it.
    """
    stop = event("ProcessingRestricted", "stop", "03-04", restriction_id="r1", purposes=["old"])
    lift = event("RestrictionLifted", "lift", "03-06", restriction_id="r1")
    early = event("RestrictionLifted", "early", "03-03", restriction_id="r1")
    lines = [version(1, "03-01", terms(replaces=["old.mail"])), stop]
    answer = ask([*lines, lift], "03-04")
    assert (answer["reason"], answer["evidence"], answer["until"]) == (
        "restricted",
        [uid("stop")],
        instant("03-06"),
    )
    assert reason([*lines, lift], "03-06") == "not_told"
    assert reason([*lines, early], "03-04") == "not_told"
    survives = version(1, "03-01", terms(replaces=["old.mail"], survives_restriction=True))
    assert reason([survives, stop], "03-04") == "not_told"
    none = stop | {"purposes": []}
    assert reason([lines[0], none], "03-04") == "not_told"


def test_selectors_cover_branches_not_beginnings() -> None:
    """`website` covers `website.email`; `web` and `website.e` do not, and `website.email` does not cover
    `website`.
    """
    lines = [version(1, "03-01", terms()), notice(1, "03-01")]
    for selector, expected in [("website", "opted_out"), ("*", "opted_out"), (KEY, "opted_out")]:
        assert reason([*lines, opt_out("03-02", selector)], "03-02") == expected
    for selector in ("web", "website.e", "website.email.weekly"):
        assert reason([*lines, opt_out("03-02", selector)], "03-02") == "not_opted_out"
