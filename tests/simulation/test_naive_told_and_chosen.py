"""The plain decision, held to cases computed by hand: what was told and what was chosen."""

from tests.simulation.naive_facts import Line
from tests.simulation.written_lines import (
    KEY,
    ask,
    event,
    instant,
    notice,
    opt_in,
    opt_out,
    outcome,
    reason,
    terms,
    uid,
    version,
)


def test_a_failed_notice_counts_from_the_first_delivery_after_the_last_failure() -> None:
    """Delivered, failed, delivered twice: the notice counts from the first delivery after the failure."""
    lines = [version(1, "03-01", terms()), notice(1, "03-02")]
    lines += [outcome("03-02", "delivered", "03-03"), outcome("03-02", "failed", "03-04")]
    assert reason(lines, "03-09") == "not_told"
    lines += [outcome("03-02", "delivered", "03-07"), outcome("03-02", "delivered", "03-06")]
    assert ask(lines, "03-05")["until"] == instant("03-06")
    assert reason(lines, "03-05") == "not_told"
    assert reason(lines, "03-06") == "not_opted_out"


def test_an_outcome_applies_by_its_recording_alone() -> None:
    """A failure of 8 March, once recorded, takes the notice away on 3 March too; before, nothing is known of
    it.
    """
    lines = [version(1, "03-01", terms()), notice(1, "03-02"), outcome("03-02", "failed", "03-08")]
    assert reason(lines, "03-03", known_at="03-07") == "not_opted_out"
    assert reason(lines, "03-03", known_at="03-08") == "not_told"


def test_a_delivery_from_before_the_notice_counts_from_the_notice() -> None:
    """A failure and a delivery dated before the notice: it counts from its own instant, the later."""
    lines = [version(1, "02-01", terms()), notice(1, "03-05")]
    lines += [outcome("03-05", "failed", "03-01"), outcome("03-05", "delivered", "03-02")]
    assert reason(lines, "03-04T23:59:59.999999") == "not_told"
    assert reason(lines, "03-05") == "not_opted_out"


def test_a_notice_of_a_version_that_does_not_stand_governs_and_covers_nothing() -> None:
    """A notice of version 9 is taken, as no version 9 takes effect later; it was told, but not of these
    terms.
    """
    lines = [version(1, "03-01", terms()), notice(1, "03-02"), notice(9, "03-03")]
    answer = ask(lines, "03-03")
    assert (answer["reason"], answer["evidence"]) == (
        "told_terms_differ",
        [uid("website 1"), uid("notice 03-03")],
    )


def test_a_notice_of_a_version_not_yet_effective_waits_for_it() -> None:
    """Version 2 takes effect on 10 March; the notice of it on 3 March governs from then on."""
    lines = [
        version(1, "03-01", terms()),
        version(2, "03-02", terms("opt_in"), effective="03-10"),
        notice(2, "03-03"),
    ]
    assert (reason(lines, "03-09"), ask(lines, "03-09")["until"]) == ("not_told", instant("03-10"))
    assert reason(lines, "03-10") == "consent_required"


def test_a_notice_of_other_purposes_tells_nothing_of_this_one() -> None:
    """A list of purposes is of exact keys: neither `[]` nor the branch above names the purpose."""
    for purposes, expected in [([], "not_told"), (["website"], "not_told"), ([KEY], "not_opted_out")]:
        lines = [version(1, "03-01", terms()), notice(1, "03-02", purposes=purposes)]
        assert reason(lines, "03-02") == expected


def test_what_was_once_withdrawn_has_to_be_told_again() -> None:
    """Version 2 withdraws the purpose, version 3 declares it as before: the notice of version 1 covers it no
    more.
    """
    lines = [
        version(1, "03-01", terms()),
        notice(1, "03-01"),
        version(2, "03-05"),
        version(3, "03-06", terms()),
    ]
    assert reason(lines, "03-04") == "not_opted_out"
    assert reason(lines, "03-05") == "purpose_not_declared"
    assert reason(lines, "03-06") == "told_terms_differ"
    # The run begins anew: the choice that version 1's notice offered is not carried over.
    lines.append(notice(3, "03-07", choice_offered=False))
    assert reason(lines, "03-07") == "no_choice_offered"


def test_a_choice_offered_earlier_in_the_run_carries_over() -> None:
    """Two covering notices, of which the first offered a choice: its period counts, or the governing one if
    longer.
    """
    lines = [
        version(1, "03-01", terms(choice_period="P2D")),
        notice(1, "03-01"),
        version(2, "03-02", terms(choice_period="P5D")),
        notice(2, "03-02", choice_offered=False),
    ]
    answer = ask(lines, "03-05")
    assert (answer["reason"], answer["until"]) == ("choice_period_running", instant("03-06"))
    assert answer["evidence"] == [uid("website 2"), uid("notice 03-02"), uid("notice 03-01")]
    assert reason([*lines[:3], notice(2, "03-02")], "03-06") == "not_opted_out"


def test_meaning_recipient_and_data_have_to_have_been_told() -> None:
    """Each of them, once widened, is told anew; a question within what was told stays permitted."""
    told = [version(1, "03-01", terms()), notice(1, "03-01")]
    assert reason([*told, version(2, "03-02", terms(meaning=2))], "03-02") == "told_terms_differ"
    wider = [*told, version(2, "03-02", terms(data=["email", "name"], recipients=[{"name": "adco"}]))]
    assert reason(wider, "03-02") == "told_terms_differ"
    assert reason(wider, "03-02", data=["email"]) == "not_opted_out"
    assert reason(wider, "03-02", "adco", data=["email"]) == "told_terms_differ"


def test_the_stricter_of_the_modes_told_and_in_force_applies() -> None:
    """Told `opt_in` and now `opt_out`, or told `necessary` and now `opt_in`: consent is required either
    way.
    """
    for told, now in [("opt_in", "opt_out"), ("necessary", "opt_in")]:
        lines = [version(1, "03-01", terms(told)), notice(1, "03-01"), version(2, "03-02", terms(now))]
        assert reason(lines, "03-02") == "consent_required"


def test_an_opt_in_ends_the_choice_period_only_if_made_since_the_run_began() -> None:
    """One made with the first notice of the run ends the waiting; one from before it, though valid, does
    not.
    """
    lines = [version(1, "03-01", terms(choice_period="P30D")), notice(1, "03-03")]
    assert reason([*lines, opt_in("03-03")], "03-03") == "opted_in"
    assert reason([*lines, opt_in("03-02", versions={"website": 1})], "03-04") == "choice_period_running"
    assert reason([*lines, opt_in("03-02", versions={"website": 1})], "04-02") == "opted_in"
    assert reason([*lines, opt_in("03-03"), opt_out("03-04")], "03-05") == "choice_period_running"


def test_an_opt_in_between_the_first_notice_of_the_run_and_the_one_that_offered_a_choice_is_in_time() -> None:
    """The run begins on the 1st and offers a choice on the 5th: an opt-in of the 3rd ends the waiting."""
    lines = [version(1, "02-01", terms(choice_period="P30D")), notice(1, "03-01", choice_offered=False)]
    lines += [notice(1, "03-05"), opt_in("03-03")]
    assert reason(lines, "03-04") == "no_choice_offered"
    assert reason(lines, "03-05") == "opted_in"


def test_an_opt_out_wins_at_an_equal_instant() -> None:
    """An opt-in recorded later, but dated as the opt-out, does not undo it; one a microsecond later does."""
    lines = [version(1, "03-01", terms()), notice(1, "03-01"), opt_out("03-02")]
    assert reason([*lines, opt_in("03-02", recorded="03-03")], "03-04") == "opted_out"
    assert reason([*lines, opt_in("03-02T00:00:00.000001")], "03-04") == "opted_in"


def with_recipient(mode: str = "opt_out") -> list[Line]:
    """A purpose with `adco`, told on the first day."""
    return [version(1, "03-01", terms(mode, recipients=[{"name": "adco"}])), notice(1, "03-01")]


def test_recipients_of_choices() -> None:
    """An opt-out without recipients is of everything, with some of these alone; an opt-in without any is own
    use alone.
    """
    for recipients, own, adco in [
        (None, "opted_out", "opted_out"),
        (["adco"], "not_opted_out", "opted_out"),
        ([], "not_opted_out", "not_opted_out"),
    ]:
        lines = [*with_recipient(), opt_out("03-02", recipients=recipients)]
        assert (reason(lines, "03-02"), reason(lines, "03-02", "adco")) == (own, adco)
    for recipients, own, adco in [
        (None, "opted_in", "consent_required"),
        (["adco"], "consent_required", "opted_in"),
        ([], "consent_required", "consent_required"),
    ]:
        lines = [*with_recipient("opt_in"), opt_in("03-02", recipients=recipients)]
        assert (reason(lines, "03-02"), reason(lines, "03-02", "adco")) == (own, adco)


def test_an_opt_out_follows_the_purpose_that_replaces_its_own_and_an_opt_in_does_not() -> None:
    """Choices on `old.mail` meet terms that replace it: the opt-out stands, the opt-in names another
    purpose.
    """
    lines = [version(1, "03-01", terms("opt_in", replaces=["old.mail"])), notice(1, "03-01")]
    assert reason([*lines, opt_out("03-02", "old")], "03-02") == "opted_out"
    assert reason([*lines, opt_in("03-02", "old.mail")], "03-02") == "consent_required"


def test_an_expired_opt_in_uncovers_the_opt_out_before_it() -> None:
    """An opt-in of 3 March that lasts two days gives way, on the 5th exactly, to the opt-out of the 2nd."""
    lines = [
        version(1, "03-01", terms(valid_for="P2D")),
        notice(1, "03-01"),
        opt_out("03-02"),
        opt_in("03-03"),
    ]
    answer = ask(lines, "03-03")
    assert (answer["reason"], answer["until"]) == ("opted_in", instant("03-05"))
    answer = ask(lines, "03-05")
    assert (answer["reason"], answer["evidence"][-1]) == ("opted_out", uid("out 03-02"))


def test_the_latest_opt_in_passed_over_gives_the_code() -> None:
    """An expired opt-in and a later one that has expired too: the later one is the evidence."""
    lines = [version(1, "03-01", terms("opt_in", valid_for="P2D")), notice(1, "03-01")]
    lines += [opt_in("03-02"), opt_in("03-03")]
    answer = ask(lines, "03-08")
    assert (answer["reason"], answer["until"]) == ("consent_expired", None)
    assert answer["evidence"] == [uid("website 1"), uid("notice 03-01"), uid("in 03-03")]


def test_an_opt_in_refers_to_the_version_it_names_or_to_the_last_notice_before_it() -> None:
    """Meaning 2 was told on 5 March: an opt-in of the 4th predates it, unless it names version 2."""
    lines = [version(1, "03-01", terms("opt_in")), notice(1, "03-01")]
    lines += [version(2, "03-03", terms("opt_in", meaning=2)), notice(2, "03-05")]
    assert reason([*lines, opt_in("03-04")], "03-06") == "consent_predates_terms"
    assert reason([*lines, opt_in("03-05")], "03-06") == "opted_in"
    assert reason([*lines, opt_in("03-04", versions={"website": 2})], "03-06") == "opted_in"
    assert reason([*lines, opt_in("03-05", versions={"website": 1})], "03-06") == "consent_predates_terms"
    # A version that does not stand is none that it could name, nor is one of another policy.
    assert reason([*lines, opt_in("03-05", versions={"website": 9})], "03-06") == "opted_in"
    assert reason([*lines, opt_in("03-05", versions={"staff": 1})], "03-06") == "opted_in"


def test_an_opt_in_before_any_notice_refers_to_no_version() -> None:
    """An opt-in of 1 March that names no version, and a notice of the 2nd: the consent predates the terms."""
    lines = [version(1, "03-01", terms("opt_in")), opt_in("03-01"), notice(1, "03-02")]
    assert reason(lines, "03-02") == "consent_predates_terms"


def test_a_minors_consent_is_the_guardians_to_give() -> None:
    """Neither the minor nor nobody in particular can consent; a guardian can; expiry is looked at first."""
    lines = [version(1, "03-01", terms("opt_in", valid_for="P5D")), notice(1, "03-01")]
    lines.append(event("IndividualDescribed", "d1", "03-03", populations=["minor"]))
    answer = ask([*lines, opt_in("03-02")], "03-02")
    assert (answer["reason"], answer["until"]) == ("opted_in", instant("03-03"))
    answer = ask([*lines, opt_in("03-02")], "03-03")
    assert (answer["reason"], answer["until"]) == ("consent_not_by_guardian", instant("03-07"))
    assert reason([*lines, opt_in("03-02", actor={"kind": "agent"})], "03-03") == "consent_not_by_guardian"
    assert reason([*lines, opt_in("03-02", actor={"kind": "guardian"})], "03-03") == "opted_in"
    assert reason([*lines, opt_in("03-02")], "03-07") == "consent_expired"


def test_an_objection_to_a_necessary_use_is_reported_and_passed_over() -> None:
    """An opt-out of a use that was necessary, or undeclared, when it was made leaves it permitted."""
    lines = [version(1, "03-02", terms("necessary")), notice(1, "03-02", choice_offered=False)]
    early, late = opt_out("03-01", "*"), opt_out("03-03", "website")
    answer = ask([*lines, early, late], "03-04")
    assert (answer["permitted"], answer["reason"]) == (True, "necessary")
    assert answer["evidence"] == [uid("website 1"), uid("notice 03-02")]
    assert answer["beside"] == {"overrides": [], "objection": uid("out 03-03")}
    assert ask([*lines, early], "03-04")["beside"]["objection"] == uid("out 03-01")
    assert reason([*lines, opt_in("03-03")], "03-04") == "necessary"


def test_an_opt_out_made_while_there_was_a_choice_survives_the_use_becoming_necessary() -> None:
    """It was no objection when it was made; nor is one of a replaced key that left a choice."""
    lines = [version(1, "03-01", terms()), version(2, "03-05", terms("necessary")), notice(2, "03-05")]
    assert reason([*lines, opt_out("03-02")], "03-06") == "opted_out"
    old = version(1, "03-01", terms(key="old"), terms("necessary"))
    new = version(2, "03-05", terms("necessary", replaces=["old"]))
    assert reason([old, new, notice(2, "03-05"), opt_out("03-02")], "03-06") == "opted_out"
    known_late = version(2, "03-05", terms("necessary"), effective="03-01")
    assert reason([lines[0], known_late, notice(2, "03-05"), opt_out("03-02")], "03-06") == "necessary"


def test_a_recipients_mode_decides_whether_an_opt_out_is_an_objection() -> None:
    """An agent that was necessary, of a purpose that was not: to it the opt-out objects, to own use it
    applies.
    """
    agent = {"name": "payco", "role": "agent", "mode": "necessary"}
    lines = [version(1, "03-01", terms(recipients=[agent])), notice(1, "03-01"), opt_out("03-02")]
    assert reason(lines, "03-03", "payco") == "necessary"
    assert reason(lines, "03-03") == "opted_out"


def test_an_opt_out_survives_amendment_and_a_key_declared_later() -> None:
    """An opt-out of the branch, made before the purpose was declared, denies it once it is, as it is no
    necessity.
    """
    lines = [
        version(1, "03-01", terms(key="website")),
        opt_out("03-02", "website"),
        version(2, "03-03", terms(meaning=4)),
    ]
    assert reason([*lines, notice(2, "03-04")], "03-05") == "opted_out"


def test_a_question_before_a_choice_ends_at_it() -> None:
    """Until names the opt-out that is recorded already but has not happened at t."""
    lines = [version(1, "03-01", terms()), notice(1, "03-01"), opt_out("03-09")]
    answer = ask(lines, "03-02")
    assert (answer["reason"], answer["until"]) == ("not_opted_out", instant("03-09"))
    assert ask(lines, "03-02", known_at="03-08")["until"] is None
